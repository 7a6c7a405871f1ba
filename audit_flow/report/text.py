"""The report for people at a terminal."""

from __future__ import annotations

from audit_flow.report.interface import AuditResult, Look


class TextFormat:
    """Text with the summary first, then what keeps the gate shut, then all else."""

    name = "text"

    def render(self, result: AuditResult, look: Look) -> str:
        """Return the report for ``look.width`` columns (40 at least); styles only if asked for."""
        from audit_flow.report.terminal import render_page

        return render_page(result, look)
