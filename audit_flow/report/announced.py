"""An announcement's statements beside the verdict on the claims that they rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from audit_flow.analysis.announcement_basis import Basis, bases
from audit_flow.model import Finding, Outcome, Statement
from audit_flow.report.interface import AuditResult
from audit_flow.report.neutral import neutralise

_WORDS = {
    "backed": ("✓", "rests on a claim that holds"),
    "contradicted": ("✗", "contradicted"),
    "unproven": ("?", "rests on a claim that is not proven"),
    "unbacked": ("▲", "rests on no claim"),
}


@dataclass(frozen=True)
class Marked:
    """A statement as a reader sees it: ``mark`` is a key of the four words above."""

    statement: Statement
    mark: str
    why: str
    claim: str | None

    @property
    def sign(self) -> str:
        """One character that tells the mark without colour."""
        return _WORDS[self.mark][0]

    @property
    def words(self) -> str:
        """The mark as people say it."""
        return _WORDS[self.mark][1]


def marked(statements: Iterable[Statement], result: AuditResult) -> tuple[Marked, ...]:
    """Return each statement with what the verdict says of the claim behind it."""
    return tuple(_mark(b, result) for b in bases(statements, result.record))


def _mark(basis: Basis, result: AuditResult) -> Marked:
    if basis.status != "backed":
        return Marked(basis.statement, basis.status, basis.why, basis.claim)
    claims = {c.id for c in result.record.claims}
    if basis.claim not in claims:
        # A baseline: nothing proves another publisher's number here.
        return Marked(basis.statement, "unproven", basis.why, basis.claim)
    about = [f for f in result.verdict.findings if f.about == basis.claim and f.level == "deny"]
    mark, told = _standing(about)
    return Marked(basis.statement, mark, f"{basis.why}; {told}", basis.claim)


def _standing(findings: list[Finding]) -> tuple[str, str]:
    """Return the worst that the verdict says of one claim; nothing said is not proof."""
    blocking = [f for f in findings if f.blocks]
    for finding in blocking:
        if finding.outcome is Outcome.FAILED:
            return "contradicted", f"{finding.message}; {_got(finding)}"
    if blocking or not findings:
        first = blocking[0] if blocking else None
        return "unproven", first.message if first else "nothing assessed it"
    waived = " (waived)" if any(f.waiver for f in findings) else ""
    return "backed", f"{', '.join(sorted({f.rule for f in findings}))}{waived}"


def _got(finding: Finding) -> str:
    seen = finding.score
    return f"measured {seen.reproduced:.2f} %" if seen else f"got {finding.actual}"


def outcome_of(marks: Iterable[Marked]) -> str:
    """Return PASSED, FAILED or INCONCLUSIVE over the marks of one text."""
    kinds = {m.mark for m in marks}
    if "contradicted" in kinds:
        return "FAILED"
    return "PASSED" if kinds <= {"backed"} else "INCONCLUSIVE"


def marks_data(marks: Iterable[Marked]) -> list[dict[str, Any]]:
    """Return the marks as plain JSON data."""
    return [
        {
            "line": m.statement.line,
            "column": m.statement.column,
            "text": m.statement.text,
            "kind": m.statement.kind,
            "mark": m.mark,
            "why": m.why,
            **({"claim": m.claim} if m.claim else {}),
        }
        for m in marks
    ]


def marks_text(marks: tuple[Marked, ...]) -> str:
    """Return one line for each statement, after a line that counts them."""
    counts = [
        f"{sum(m.mark == mark for m in marks)} {words}" for mark, (_, words) in _WORDS.items()
    ]
    lines = [f"{len(marks)} statements: {'; '.join(counts)}"]
    for item in marks:
        said = item.statement
        quoted = neutralise(said.text, 80)
        labels = neutralise(" / ".join(label for label in said.labels if label), 80)
        where = f"{said.line}:{said.column}"
        shown = f"“{quoted}”" + (f" ({labels})" if labels else "")
        lines.append(f"{item.sign} {where:>7}  {shown}: {item.words}")
        lines.append(f"{'':11}{neutralise(item.why, 300)}")
    return "\n".join(lines) + "\n"
