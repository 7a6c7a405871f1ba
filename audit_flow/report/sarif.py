"""SARIF 2.1.0, as code scanning shows it: a result for each thing to be seen, waivers suppressed.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from audit_flow.model import Finding, sha256_hex
from audit_flow.report.findings import Shown, shown
from audit_flow.report.interface import AuditResult, Look
from audit_flow.report.neutral import neutralise
from audit_flow.report.reading import DOCS_BASE, Reading, docs_link

SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {"error": "error", "warning": "warning", "notice": "note"}
_EXIT = {"PASSED": 0, "FAILED": 1, "INCONCLUSIVE": 3}
_VERDICT = "audit-flow.verdict"


class SarifFormat:
    """A log with one run; a verdict that is not PASSED is a result of its own."""

    name = "sarif"

    def render(self, result: AuditResult, look: Look) -> str:
        """Return the log; it holds no time, so the same audit gives the same."""
        del look
        log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(result)]}
        text = json.dumps(log, sort_keys=True, indent=2, allow_nan=False)
        return text.replace("\x7f", "\\u007f") + "\n"


def _run(result: AuditResult) -> dict[str, Any]:
    verdict = result.verdict
    told = list(shown(result))
    rules = {f.rule: _rule(f) for f in verdict.findings} | {_VERDICT: _verdict_rule()}
    ids = sorted(rules)
    results = [_result(each, ids) for each in told]
    if verdict.outcome != "PASSED":
        results.append(_verdict_result(result, ids))
    return {
        "tool": {
            "driver": {
                "name": "audit-flow",
                "informationUri": DOCS_BASE + "docs/reports.md",
                "rules": [rules[i] for i in ids],
            }
        },
        "invocations": [{"executionSuccessful": True, "exitCode": _EXIT[verdict.outcome]}],
        "automationDetails": {"id": f"audit-flow/{neutralise(verdict.subject.name, 100)}/"},
        "columnKind": "utf16CodeUnits",
        "properties": {
            "verdict": verdict.in_words(),
            "policy": neutralise(verdict.policy_name),
            "policySha256": verdict.policy_sha256,
            "recordSha256": verdict.record_sha256,
            "weightsSha256": verdict.subject.weights_sha256 or "",
        },
        "results": results,
    }


def _rule(finding: Finding) -> dict[str, Any]:
    link = docs_link(finding.docs)
    return {
        "id": neutralise(finding.rule, 200),
        "shortDescription": {"text": neutralise(finding.title) or finding.rule},
        "help": {"text": neutralise(finding.remedy) or neutralise(finding.title) or finding.rule},
        **({"helpUri": link} if link else {}),
    }


def _verdict_rule() -> dict[str, Any]:
    text = "A release is announced only when it PASSED"
    return {"id": _VERDICT, "shortDescription": {"text": text}, "help": {"text": text}}


def _result(each: Shown, ids: list[str]) -> dict[str, Any]:
    finding = each.finding
    suppressed = {"kind": "external", "status": "accepted", "justification": each.waived}
    key = sha256_hex(f"{finding.rule}\0{finding.about}".encode("utf-8", "surrogatepass"))
    return {
        "ruleId": neutralise(finding.rule, 200),
        "ruleIndex": ids.index(finding.rule),
        "kind": "fail",
        "level": _LEVELS[each.grade],
        "message": {"text": each.text},
        "locations": [_location(each.path)],
        "partialFingerprints": {"ruleAndSubject/v1": key},
        "properties": {"outcome": finding.outcome.value, "policyLevel": finding.level},
        **({"suppressions": [suppressed]} if each.waived else {}),
    }


def _verdict_result(result: AuditResult, ids: list[str]) -> dict[str, Any]:
    verdict = result.verdict
    return {
        "ruleId": _VERDICT,
        "ruleIndex": ids.index(_VERDICT),
        "kind": "fail",
        "level": "error",
        "message": {"text": neutralise(f"{verdict.in_words()}: {Reading(result).headline}")},
        "locations": [_location("release.yaml")],
        "partialFingerprints": {"ruleAndSubject/v1": sha256_hex(_VERDICT.encode())},
        "properties": {"outcome": verdict.outcome, "policyLevel": "deny"},
    }


def _location(path: str) -> dict[str, Any]:
    uri = quote(path.encode("utf-8", "replace"), safe="/")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}}
