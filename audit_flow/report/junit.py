"""JUnit XML, as GitLab, Jenkins and others show test results: one case for each finding.

Source: the schema that the Jenkins xUnit plugin accepts (``junit-10.xsd``).
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from audit_flow.model import Finding, Outcome
from audit_flow.report.findings import Shown, shown
from audit_flow.report.interface import AuditResult, Look
from audit_flow.report.neutral import NAME_LIMIT, neutralise
from audit_flow.report.reading import Reading


class JunitFormat:
    """A suite for the audit: contradicted is a failure, not proven and not looked at an error."""

    name = "junit"

    def render(self, result: AuditResult, look: Look) -> str:
        """Return the document; it holds no time, so the same audit gives the same."""
        del look
        told = {id(s.finding): s for s in shown(result)}
        findings = result.verdict.findings
        cases = [_case(f, told.get(id(f))) for f in findings]
        cases.append(_verdict_case(result))
        failures = sum(1 for f in findings if f.blocks and f.outcome is Outcome.FAILED)
        errors = sum(1 for f in findings if f.blocks) - failures
        failures += result.verdict.outcome != "PASSED"
        counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}" skipped="0"'
        name = _attribute(f"audit-flow: {result.verdict.subject.name}")
        return "\n".join(
            (
                '<?xml version="1.0" encoding="UTF-8"?>',
                f"<testsuites {counts}>",
                f'<testsuite name="{name}" {counts}>',
                "<properties>",
                *_properties(result),
                "</properties>",
                *cases,
                "</testsuite>",
                "</testsuites>",
                "",
            )
        )


def _properties(result: AuditResult) -> Iterator[str]:
    verdict = result.verdict
    for name, value in (
        ("verdict", verdict.in_words()),
        ("policy", verdict.policy_name),
        ("policy_sha256", verdict.policy_sha256),
        ("record_sha256", verdict.record_sha256),
        ("weights_sha256", verdict.subject.weights_sha256 or "not seen"),
    ):
        yield f'<property name="{name}" value="{_attribute(value)}"/>'


def _case(finding: Finding, told: Shown | None) -> str:
    head = f'<testcase classname="{_attribute(finding.rule)}" name="{_attribute(finding.about)}"'
    if told is None:
        return f"{head}/>"
    text = escape(told.text)
    if not finding.blocks:
        return f"{head}><system-out>{told.grade}: {text}</system-out></testcase>"
    tag = "failure" if finding.outcome is Outcome.FAILED else "error"
    kind = f'type="{finding.outcome.value}"'
    return f'{head}><{tag} {kind} message="{_attribute(told.word)}">{text}</{tag}></testcase>'


def _verdict_case(result: AuditResult) -> str:
    verdict = result.verdict
    head = '<testcase classname="audit-flow" name="verdict"'
    said = escape(neutralise(Reading(result).headline))
    if verdict.outcome == "PASSED":
        return f"{head}><system-out>{verdict.in_words()}: {said}</system-out></testcase>"
    kind = f'type="{verdict.outcome}" message="{verdict.in_words()}"'
    return f"{head}><failure {kind}>{said}</failure></testcase>"


def _attribute(text: str) -> str:
    return escape(neutralise(text, NAME_LIMIT * 4))
