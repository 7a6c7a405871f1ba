"""Annotations of a GitHub Actions job: one workflow command for each thing to be seen.

Source: GitHub Docs, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

from audit_flow.report.findings import shown
from audit_flow.report.interface import AuditResult, Look
from audit_flow.report.neutral import NAME_LIMIT, neutralise
from audit_flow.report.reading import Reading


class GithubFormat:
    """Lines that begin with ``::error``, ``::warning`` or ``::notice``; the last is the verdict."""

    name = "github"

    def render(self, result: AuditResult, look: Look) -> str:
        """Return the commands; no text of a release can begin one of its own."""
        del look
        lines = [
            _command(each.grade, each.text, file=each.path, title=each.finding.rule)
            for each in shown(result)
        ]
        verdict = result.verdict
        grade = "notice" if verdict.outcome == "PASSED" else "error"
        said = f"{verdict.in_words()}: {verdict.subject.name}. {Reading(result).headline}"
        lines.append(_command(grade, neutralise(said), title="audit-flow"))
        return "\n".join(lines) + "\n"


def _command(grade: str, message: str, **properties: str) -> str:
    named = ((n, _property(neutralise(v, NAME_LIMIT * 4))) for n, v in properties.items())
    return f"::{grade} {','.join(f'{n}={v}' for n, v in named)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
