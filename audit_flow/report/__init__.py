"""Reports: an audit's outcome as terminal text, versioned JSON, one HTML page, or for CI."""

from __future__ import annotations

from audit_flow.errors import InputError
from audit_flow.report.github import GithubFormat
from audit_flow.report.html import HtmlFormat
from audit_flow.report.interface import AuditResult, Look, ReportFormat
from audit_flow.report.json_format import JsonFormat
from audit_flow.report.junit import JunitFormat
from audit_flow.report.sarif import SarifFormat
from audit_flow.report.text import TextFormat

FORMATS: tuple[ReportFormat, ...] = (
    TextFormat(),
    JsonFormat(),
    HtmlFormat(),
    GithubFormat(),
    JunitFormat(),
    SarifFormat(),
)


def render(
    name: str, result: AuditResult, *, color: bool = False, width: int = 100, verbose: bool = False
) -> str:
    """Write an audit's outcome in the named format.

    ``width`` is in terminal columns. Raises InputError for a format that there is not.
    """
    look = Look(color=color, width=width, verbose=verbose)
    for known in FORMATS:
        if known.name == name:
            return known.render(result, look)
    names = ", ".join(known.name for known in FORMATS)
    raise InputError(
        f"got the report format {name!r}",
        expected=f"one of {names}",
        remedy="Choose one with --format.",
    )


__all__ = ["FORMATS", "AuditResult", "Look", "ReportFormat", "render"]
