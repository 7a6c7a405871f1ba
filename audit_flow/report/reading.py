"""What a report shows and in which order and words; text and HTML both show this reading."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from audit_flow.model import (
    Claim,
    EvalRun,
    Evidence,
    Finding,
    Outcome,
    ScoreClaim,
    ScoreComparison,
    WeightsDigest,
)
from audit_flow.report.interface import AuditResult

DOCS_BASE = "https://github.com/audit-flow/audit-flow/blob/main/"
LIMITS_LINK = DOCS_BASE + "docs/reports.md#what-passed-does-not-prove"
LIMITS = (
    "PASSED says that every claim checked under this policy holds for these exact bytes. It does"
    " not prove that the model is safe or fit for a use, that its training data held no test"
    " items, or anything that the release does not claim."
)
_DOCS_PATH = re.compile(r"docs/[A-Za-z0-9._/-]+(#[A-Za-z0-9._-]+)?")
_DOCS_URL = re.compile(r"https://[A-Za-z0-9._~/#?&=%-]+")
_NAMED_IN_HEADLINE = 4


@dataclass(frozen=True, slots=True)
class Status:
    """An outcome told by a word, a sign and a tone, so that no one needs to see colours."""

    word: str
    sign: str
    tone: str


HOLDS = Status("holds", "✓", "pass")
CONTRADICTED = Status("contradicted", "✗", "fail")
NOT_PROVEN = Status("not proven", "?", "open")
COULD_NOT_LOOK = Status("could not look", "!", "error")
WAIVED = Status("waived", "◇", "waived")
WARNING = Status("warning", "▲", "warn")
SILENT = Status("not assessed", "?", "open")
NOT_APPLIED = Status("did not apply", "–", "idle")

_STATUS = {
    Outcome.PASSED: HOLDS,
    Outcome.FAILED: CONTRADICTED,
    Outcome.UNPROVEN: NOT_PROVEN,
    Outcome.ERROR: COULD_NOT_LOOK,
}
_VERDICT_STATUS = {
    "PASSED": Status("PASSED", "✓", "pass"),
    "FAILED": Status("FAILED", "✗", "fail"),
    "INCONCLUSIVE": Status("INCONCLUSIVE", "?", "open"),
}
_WORST_FIRST = (Outcome.FAILED, Outcome.ERROR, Outcome.UNPROVEN, Outcome.PASSED)


def status_of(finding: Finding) -> Status:
    """Return how a finding is shown: by its waiver, as a warning, as a pass over nothing."""
    if not finding.applied:
        return NOT_APPLIED
    if finding.waiver is not None:
        return WAIVED
    if finding.level == "warn" and finding.outcome is not Outcome.PASSED:
        return WARNING
    return _STATUS[finding.outcome]


def outcome_status(outcome: Outcome) -> Status:
    """Return an outcome's own word and sign, whatever its rule's level and waiver."""
    return _STATUS[outcome]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One claimed score beside one reproduction of it, or beside none."""

    benchmark: str
    metric: str
    claimed: str
    status: Status
    comparison: ScoreComparison | None
    warned: bool = False
    why: str = ""
    # The name of the weights that were measured, where no digest ties them to the release.
    elsewhere: str | None = None

    @property
    def difference(self) -> float | None:
        """Reproduced − claimed, in percentage points; None without a reproduction."""
        seen = self.comparison
        return None if seen is None else seen.reproduced - seen.claimed

    @property
    def notes(self) -> tuple[str, ...]:
        """Who measured it, and what differs or is not known in the protocols, in words."""
        if self.comparison is None:
            return ()
        told = (
            ("protocol differs in", self.comparison.protocol_differences),
            ("protocol not known:", self.comparison.protocol_unknown),
        )
        who = f"measured by {self.comparison.measured_by or 'someone who is not named'}"
        if self.elsewhere is not None:
            named = f" (named {self.elsewhere})" if self.elsewhere else ""
            who += f", on weights that no digest ties to the release{named}"
        differing = (f"{head} {_listed(names)}" for head, names in told if names)
        return (who, *_groups_in_words(self.comparison), *differing)


@dataclass(frozen=True)
class Reading:
    """An audit's outcome, sorted for a reader."""

    result: AuditResult

    @property
    def verdict_status(self) -> Status:
        """The verdict's word, sign and tone."""
        return _VERDICT_STATUS[self.result.verdict.outcome]

    @cached_property
    def denying(self) -> tuple[Finding, ...]:
        """Deny-level findings that are contradicted or waived, or where no one could look."""
        by_rank = sorted(self._denies(Outcome.FAILED, Outcome.ERROR), key=_rank)
        waived = [f for f in self._denies(Outcome.UNPROVEN) if f.waiver is not None]
        return (*by_rank, *waived)

    @cached_property
    def unproven(self) -> tuple[Finding, ...]:
        """Deny-level findings with no evidence either way and no waiver."""
        return tuple(f for f in self._denies(Outcome.UNPROVEN) if f.waiver is None)

    @cached_property
    def warnings(self) -> tuple[Finding, ...]:
        """Warn-level findings that did not pass."""
        findings = self.result.verdict.findings
        return tuple(f for f in findings if f.level == "warn" and f.outcome is not Outcome.PASSED)

    @cached_property
    def passed(self) -> tuple[Finding, ...]:
        """Findings that were shown to hold, at either level."""
        findings = self.result.verdict.findings
        return tuple(f for f in findings if f.outcome is Outcome.PASSED and f.applied)

    @cached_property
    def not_applied(self) -> tuple[Finding, ...]:
        """Findings of rules that had nothing to judge: they show nothing to hold."""
        return tuple(f for f in self.result.verdict.findings if not f.applied)

    @property
    def passed_in_words(self) -> str:
        """How many findings passed, of how many rules, and at which levels."""
        rules = plural(len({f.rule for f in self.passed}), "rule")
        warn = sum(1 for f in self.passed if f.level == "warn")
        levels = f" ({len(self.passed) - warn} that block, {warn} that only warn)" if warn else ""
        return f"{plural(len(self.passed), 'finding')} of {rules}{levels}"

    @property
    def nothing_open(self) -> str:
        """What to say where no question that blocks is open."""
        count = sum(1 for f in self.warnings if f.outcome is not Outcome.FAILED)
        told = "No question that blocks is open"
        return f"{told}; {plural(count, 'warning')} not proven." if count else f"{told}."

    @cached_property
    def silent(self) -> tuple[Claim, ...]:
        """Claims that no finding is about."""
        spoken = {finding.about for finding in self.result.verdict.findings}
        return tuple(claim for claim in self.result.record.claims if claim.id not in spoken)

    @cached_property
    def scores(self) -> tuple[ScoreRow, ...]:
        """One row a claimed score and reproduction, in the order of the claims."""
        claims = tuple(self.result.record.of(ScoreClaim))
        ids = {claim.id for claim in claims}
        rows = [row for claim in claims for row in self._rows_of(claim)]
        strays = (f for f in self.result.verdict.findings if f.about not in ids)
        rows += [self._row(f, status_of(f)) for f in strays if f.score is not None]
        return tuple(rows)

    @cached_property
    def score_notes(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each note on scores, with the benchmarks that it holds for (none named: all)."""
        same: dict[str, list[str]] = {}
        for row in self.scores:
            for note in row.notes:
                same.setdefault(note, []).append(row.benchmark)
        compared = sum(1 for row in self.scores if row.comparison)
        return tuple(
            (note, () if 1 < len(names) == compared else tuple(dict.fromkeys(names)))
            for note, names in same.items()
        )

    @property
    def headline(self) -> str:
        """One sentence that says why the verdict is what it is."""
        blocking = [f for f in self.result.verdict.findings if f.blocks]
        failed = [f for f in blocking if f.outcome is Outcome.FAILED]
        if self.result.verdict.outcome == "FAILED":
            verb = "contradicts" if len(failed) == 1 else "contradict"
            return f"{plural(len(failed), 'finding')} {verb} the release: {_named(failed)}."
        if self.result.verdict.outcome == "PASSED":
            return self._passed_headline()
        errors = sum(1 for f in blocking if f.outcome is Outcome.ERROR)
        parts = [f"{plural(len(blocking) - errors, 'finding')} not proven"]
        if errors:
            parts.append(f"{errors:,} could not be looked at")
        return f"Nothing contradicts the release, but it is not shown to hold: {', '.join(parts)}."

    @property
    def counts(self) -> tuple[tuple[int, Status], ...]:
        """How many findings there are of each sort, worst first, with the word for so many."""
        waived = self.result.verdict.waived
        open_denies = [
            f for f in self.result.verdict.findings if f.level == "deny" and f.waiver is None
        ]
        tally = [
            (sum(1 for f in open_denies if f.outcome is outcome), _STATUS[outcome])
            for outcome in _WORST_FIRST[:-1]
        ]
        tally += [(len(self.passed), HOLDS), (len(waived), WAIVED), (len(self.warnings), WARNING)]
        tally += [(len(self.not_applied), NOT_APPLIED)] if self.not_applied else []
        return tuple((n, Status(_count_word(s, n), s.sign, s.tone)) for n, s in tally)

    @cached_property
    def by_id(self) -> dict[str, Evidence]:
        """The record's evidence by its id."""
        return {item.id: item for item in self.result.record.evidence}

    def evidence_lines(self, ids: Iterable[str]) -> tuple[str, ...]:
        """Say for each id where the evidence is, how far it is trusted, and its digest."""
        lines = (
            _evidence_line(self.by_id[i]) if i in self.by_id else f"{i} (not in the record)"
            for i in ids
        )
        return tuple(dict.fromkeys(lines))

    @property
    def weights_sha256(self) -> str | None:
        """The root digest of the released weights, where they were seen."""
        seen = (w.root_sha256 for w in self.result.record.of(WeightsDigest) if w.role == "released")
        return self.result.verdict.subject.weights_sha256 or next(seen, None)

    @cached_property
    def _about(self) -> dict[str, list[Finding]]:
        """Findings by what they are about: thousands of claims are each looked up once."""
        found: dict[str, list[Finding]] = {}
        for finding in self.result.verdict.findings:
            found.setdefault(finding.about, []).append(finding)
        return found

    def _denies(self, *outcomes: Outcome) -> list[Finding]:
        findings = self.result.verdict.findings
        return [f for f in findings if f.level == "deny" and f.outcome in outcomes]

    def _rows_of(self, claim: ScoreClaim) -> list[ScoreRow]:
        about = self._about.get(claim.id, [])
        status, warned = worst(about), any(status_of(f) is WARNING for f in about)
        why = _why(about, status)
        compared = {f.score: f for f in reversed(about) if f.score is not None}
        if not compared:
            written = claim.written()
            return [ScoreRow(claim.benchmark, claim.metric, written, status, None, warned, why)]
        return [self._row(f, status, warned, why) for f in reversed(compared.values())]

    def _row(
        self, finding: Finding, status: Status, warned: bool = False, why: str = ""
    ) -> ScoreRow:
        seen = finding.score
        assert seen is not None
        written = seen.claimed_as_written
        elsewhere = self._elsewhere(finding.evidence)
        return ScoreRow(
            seen.benchmark, seen.metric, written, status, seen, warned, why, elsewhere
        )  # fmt: skip

    def _elsewhere(self, ids: Iterable[str]) -> str | None:
        """Return the name of the weights that a run measured, if no digest ties it to these."""
        runs = [r for i in ids if isinstance(r := self.by_id.get(i), EvalRun)]
        loose = [r for r in runs if r.id in self._unknown_weights]
        return (loose[0].weights_stated or "") if loose else None

    @cached_property
    def _unknown_weights(self) -> frozenset[str]:
        gaps = (g for g in self.result.record.gaps if g.name == "evaluation-weights-unknown")
        return frozenset(i for gap in gaps for i in gap.evidence)

    def _passed_headline(self) -> str:
        held = sum(1 for f in self.passed if f.level == "deny")
        waived = len(self.result.verdict.waived)
        text = f"Every rule that denies, and every claim, holds for these bytes ({held} findings)"
        idle = sum(1 for f in self.not_applied if f.level == "deny")
        if idle:
            text = f"{text[:-1]}; {plural(idle, 'rule')} had nothing to judge)"
        return f"{text}, {waived} only by a waiver." if waived else f"{text}."


def _groups_in_words(seen: ScoreComparison) -> tuple[str, ...]:
    """Say how far the score would differ on other items, where they come in groups."""
    if seen.clusters is None or seen.clustered_stderr is None:
        return ()
    reach = 1.96 * seen.clustered_stderr
    return (
        f"items come in {seen.clusters:,} groups: over other groups of the kind the score is "
        f"known to ± {reach:.2f} points (95 %)",
    )


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: ``1 run``, ``5,000 items``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def signed_points(value: float) -> str:
    """Return points with two decimals and a true minus sign: ``−8.90``, ``+1.04``."""
    if not math.isfinite(value):
        return "not a number"
    text = f"{abs(value):.2f}"
    if float(text) == 0:
        return text
    return ("−" if value < 0 else "+") + text


def docs_link(docs: str) -> str | None:
    """Return an https address for a rule's documentation, or None where it names none."""
    if _DOCS_URL.fullmatch(docs):
        return docs
    return DOCS_BASE + docs if _DOCS_PATH.fullmatch(docs) and ".." not in docs else None


def short(digest: str) -> str:
    """Return the first twelve hex digits of a digest, marked as cut."""
    return digest if len(digest) <= 13 else digest[:12] + "…"


def _count_word(status: Status, count: int) -> str:
    if status is WARNING:
        return "warning" if count == 1 else "warnings"
    return {HOLDS: "passed", COULD_NOT_LOOK: "could not be looked at"}.get(status, status.word)


def worst(findings: Sequence[Finding]) -> Status:
    """Return the status of a claim over all that was found about it."""
    denies = [f for f in findings if f.level == "deny"]
    unwaived = {f.outcome for f in denies if f.waiver is None}
    for outcome in _WORST_FIRST[:-1]:
        if outcome in unwaived:
            return _STATUS[outcome]
    if len(denies) > sum(1 for f in denies if f.waiver is None):
        return WAIVED
    return HOLDS if unwaived else SILENT


def _why(about: list[Finding], status: Status) -> str:
    """Return what the findings say that gave a claim its status; nothing where it holds."""
    if status is HOLDS:
        return ""
    told = (f for f in about if f.level == "deny" and status_of(f) is status)
    return next((f.message for f in told), "")


def _rank(finding: Finding) -> tuple[bool, int]:
    return (finding.waiver is not None, _WORST_FIRST.index(finding.outcome))


def _named(findings: list[Finding]) -> str:
    names = list(dict.fromkeys(f.score.benchmark if f.score else f.about for f in findings))
    rest = len(names) - _NAMED_IN_HEADLINE
    head = ", ".join(names[:_NAMED_IN_HEADLINE])
    return f"{head} and {rest} more" if rest > 0 else head


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name.removesuffix("_sha256").replace("_", " ") for name in names)


def _evidence_line(item: Evidence) -> str:
    who = f"measured by {item.by or item.measured_by}, " if isinstance(item, EvalRun) else ""
    digest = f", sha256 {short(item.sha256)}" if item.sha256 else ""
    return f"{item.source} ({who}{item.trust.value}{digest})"
