"""What every report format is given and gives back."""

from __future__ import annotations

from typing import Protocol

from audit_flow.model import Frozen, LineageRecord, Verdict


class AuditResult(Frozen):
    """One audit's outcome: the lineage record and the verdict on it."""

    record: LineageRecord
    verdict: Verdict


class Look(Frozen):
    """How a report is shown: ANSI styles, columns of the terminal, and whether all is told."""

    color: bool = False
    width: int = 100
    verbose: bool = False


class ReportFormat(Protocol):
    """A way of writing an audit's outcome down; the same outcome gives the same text."""

    @property
    def name(self) -> str:
        """The name that ``--format`` takes."""

    def render(self, result: AuditResult, look: Look) -> str:
        """Return the whole report, ending in a newline.

        A format that has no use for a part of ``look`` ignores it.
        """
