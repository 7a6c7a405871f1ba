"""Findings as other tools show them: how grave, in one line, and where in the release."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from audit_flow.model import Finding, Outcome
from audit_flow.report.interface import AuditResult
from audit_flow.report.neutral import neutralise

Grade = Literal["error", "warning", "notice"]
MANIFEST = "release.yaml"
_WORDS = {
    Outcome.FAILED: "contradicted",
    Outcome.UNPROVEN: "not proven",
    Outcome.ERROR: "could not look",
}


@dataclass(frozen=True)
class Shown:
    """A finding that somebody has to see; ``path`` is relative to the manifest's folder."""

    finding: Finding
    grade: Grade
    path: str

    @property
    def word(self) -> str:
        """The outcome in words, a waiver named."""
        said = _WORDS.get(self.finding.outcome, "holds")
        return f"{said}, waived" if self.finding.waiver else said

    @property
    def text(self) -> str:
        """What was got, expected, and what to do, harmless and on one line."""
        found = self.finding
        parts = [f"{self.word}: {found.about}: {found.message}"]
        parts += [f"got {found.actual}"] if found.actual else []
        parts += [f"expected {found.expected}"] if found.expected else []
        parts += [found.remedy] if found.remedy else []
        parts += [self.waived] if self.waived else []
        return neutralise("; ".join(parts))

    @property
    def waived(self) -> str:
        """Who let it through, why and until when; empty without a waiver."""
        waiver = self.finding.waiver
        if waiver is None:
            return ""
        return neutralise(f"waived by {waiver.owner} until {waiver.expires}: {waiver.reason}")


def shown(result: AuditResult) -> Iterator[Shown]:
    """Yield what did not pass, what keeps the gate shut first; what is waived is a notice."""
    open_ones = [f for f in result.verdict.findings if f.outcome is not Outcome.PASSED or f.waiver]
    places = {e.id: e.source for e in result.record.evidence}
    for finding in sorted(open_ones, key=_rank):
        sources = (places[i] for i in finding.evidence if i in places)
        yield Shown(finding, _grade(finding), next(sources, MANIFEST))


def _grade(finding: Finding) -> Grade:
    if finding.waiver is not None:
        return "notice"
    return "error" if finding.blocks else "warning"


def _rank(finding: Finding) -> tuple[bool, bool]:
    return (not finding.blocks, finding.outcome is not Outcome.FAILED)
