"""An audit as somebody reads it who knows none of its words: one sentence, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from audit_flow.approval import Standing
from audit_flow.report.reading import Reading, ScoreRow, plural

_RANK = {"fail": 0, "error": 1, "open": 2, "waived": 3, "warn": 4, "pass": 5}
_NAMED = 3


@dataclass(frozen=True)
class Permission:
    """Whether a release may be announced: verdict and reviews together."""

    tone: str
    words: str


def permission(outcome: str, standing: Standing | None, superseded: bool = False) -> Permission:
    """Say whether it may be announced; no standing: the history of reviews can't be trusted."""
    if standing is None:
        words = "Nobody can say whether it may be announced: the reviews can't be trusted."
        return Permission("fail", words)
    if superseded:
        return Permission("open", "Whether it may be announced, the newer audit decides.")
    if standing.state == "refused":
        return Permission("fail", f"Refused by {_by(standing)}: it must not be announced.")
    if outcome == "FAILED":
        return Permission("fail", "It must not be announced as it is.")
    if outcome != "PASSED":
        return Permission("open", "It can't be announced yet.")
    if standing.state == "approved":
        return Permission("pass", f"Approved by {_by(standing)}: it may be announced.")
    return Permission("open", "Not yet approved by a reviewer.")


class Story(Reading):
    """The reading of the reports, its scores with the contradicted ones first."""

    @cached_property
    def scores(self) -> tuple[ScoreRow, ...]:
        """The scores, worst first; within one status as they were claimed."""
        return tuple(sorted(super().scores, key=lambda row: _RANK.get(row.status.tone, 1)))

    @property
    def sentence(self) -> str:
        """What the evidence shows, in one sentence; whether it may be announced is another."""
        outcome = self.result.verdict.outcome
        if outcome == "FAILED":
            return f"The evidence contradicts it: {self._scores_in_words() or self.headline}"
        if outcome == "PASSED":
            waived = len(self.result.verdict.waived)
            but = f", {waived} only by a waiver" if waived else ""
            return f"Every claim was shown to hold for these very files{but}."
        count = len(self.unproven) + len(self.silent)
        has = "has" if count == 1 else "have"
        return f"Nothing contradicts it, but {plural(count, 'question')} still {has} no answer."

    def _scores_in_words(self) -> str:
        rows = {(row.benchmark, row.metric): row for row in reversed(self.scores)}
        wrong = [row for row in self.scores if row.status.tone == "fail" and row.comparison]
        names = list(dict.fromkeys((row.benchmark, row.metric) for row in wrong))
        if not names:
            return ""
        shown = "; ".join(_claimed(rows[name]) for name in names[:_NAMED])
        more = len(names) - _NAMED
        rest = sum(1 for row in rows.values() if row.status.tone == "open")
        text = (
            f"{len(names):,} of {plural(len(rows), 'claimed score')} "
            f"{'is' if len(names) == 1 else 'are'} contradicted ({shown}"
            f"{f'; and {more} more' if more > 0 else ''})"
        )
        other = sum(1 for f in self.denying if f.waiver is None and f.score is None)
        text += f", {plural(other, 'other check')} failed" if other else ""
        return (
            f"{text}, and {rest:,} {'is' if rest == 1 else 'are'} not proven."
            if rest
            else f"{text}."
        )


def _claimed(row: ScoreRow) -> str:
    assert row.comparison is not None
    return f"{row.benchmark}: {row.claimed} claimed, {row.comparison.reproduced:.2f} % measured"


def _by(standing: Standing) -> str:
    """Name those whose last word the standing is."""
    last = {review.reviewer: review.decision for review in standing.reviews}
    wanted = "refuse" if standing.state == "refused" else "approve"
    return ", ".join(name for name, decision in last.items() if decision == wanted)
