"""An audit as somebody reads it who knows none of its words: one sentence, the worst first."""

from __future__ import annotations

from functools import cached_property

from audit_flow.report.reading import Reading, ScoreRow, plural

_RANK = {"fail": 0, "error": 1, "open": 2, "waived": 3, "warn": 4, "pass": 5}
_NAMED = 3


class Story(Reading):
    """The reading of the reports, its scores with the contradicted ones first."""

    @cached_property
    def scores(self) -> tuple[ScoreRow, ...]:
        """The scores, worst first; within one status as they were claimed."""
        return tuple(sorted(super().scores, key=lambda row: _RANK.get(row.status.tone, 1)))

    @property
    def sentence(self) -> str:
        """What the verdict means for an announcement, in one sentence."""
        outcome = self.result.verdict.outcome
        told = self._scores_in_words()
        if outcome == "FAILED":
            return f"It must not be announced as it is: {told or self.headline}"
        if outcome == "PASSED":
            waived = len(self.result.verdict.waived)
            but = f", {waived} only by a waiver" if waived else ""
            return f"It may be announced: every claim was shown to hold for these very files{but}."
        open_count = len(self.unproven) + len(self.silent)
        return (
            "It can't be announced yet: nothing contradicts it, but "
            f"{plural(open_count, 'question')} still {'has' if open_count == 1 else 'have'} no "
            "answer."
        )

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
