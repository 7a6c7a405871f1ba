"""Formats that CI reads: whatever a release says, none of it becomes a command or a pass."""

from __future__ import annotations

import json
import re
from importlib import import_module
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_flow.model import Outcome
from audit_flow.report import FORMATS, render
from audit_flow.report.interface import AuditResult
from tests.report import builders, parts
from tests.report.hostile import UNSAFE, any_text

COMMAND = re.compile(r"::(error|warning|notice) [^:\r\n]*::[^\r\n]*")


def with_finding(text: str, outcome: Outcome, level: parts.Level, waived: bool) -> AuditResult:
    granted = parts.waiver(text, "a.b") if waived else None
    one = parts.finding("a.b", text, outcome, level, waiver=granted)
    one = one.model_copy(update=dict.fromkeys(("actual", "message", "remedy", "title"), text))
    whole = builders.passed()
    held = outcome is Outcome.PASSED or level == "warn" or waived
    word = "PASSED" if held else "FAILED" if outcome is Outcome.FAILED else "INCONCLUSIVE"
    update = {"findings": (one,), "outcome": word}
    return AuditResult(record=whole.record, verdict=whole.verdict.model_copy(update=update))


hostile = st.builds(
    with_finding, any_text, st.sampled_from(Outcome), st.sampled_from(["deny", "warn"]),
    st.booleans(),
)  # fmt: skip


@given(hostile)
def test_each_line_for_github_is_one_command_of_ours(result: AuditResult) -> None:
    lines = render("github", result).splitlines()
    assert all(COMMAND.fullmatch(line) for line in lines)
    errors = [line for line in lines if line.startswith("::error")]
    blocked = result.verdict.outcome != "PASSED"
    assert len(errors) == (2 if blocked else 0)
    assert not any(UNSAFE.search(line) for line in lines)


@given(hostile)
def test_junit_is_whole_and_counts_what_blocks(result: AuditResult) -> None:
    top = ElementTree.fromstring(render("junit", result))
    cases = list(top.iter("testcase"))
    assert len(cases) == 2
    failures, errors = len(list(top.iter("failure"))), len(list(top.iter("error")))
    assert (top.get("failures"), top.get("errors")) == (str(failures), str(errors))
    assert (failures + errors > 0) == (result.verdict.outcome != "PASSED")
    assert not list(top.iter("skipped"))


@given(hostile)
def test_sarif_names_its_rules_and_suppresses_waivers_alone(result: AuditResult) -> None:
    run = json.loads(render("sarif", result))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for each in run["results"]:
        assert rules[each["ruleIndex"]]["id"] == each["ruleId"]
        uri = each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri)
    open_ones = [r for r in run["results"] if r["level"] == "error"]
    assert bool(open_ones) == (result.verdict.outcome != "PASSED")
    assert all("suppressions" not in r for r in open_ones)
    codes = {"PASSED": 0, "FAILED": 1, "INCONCLUSIVE": 3}
    assert run["invocations"][0]["exitCode"] == codes[result.verdict.outcome]


@pytest.mark.parametrize("form", ["github", "junit", "sarif"])
@pytest.mark.parametrize("audit", ["failed", "inconclusive"])
def test_a_verdict_without_a_finding_that_says_so_blocks_all_the_same(
    form: str, audit: str
) -> None:
    whole: Any = builders.ALL[audit]()
    bare = whole.model_copy(update={"verdict": whole.verdict.model_copy(update={"findings": ()})})
    text = render(form, bare)
    assert {"github": "::error ", "junit": "<failure ", "sarif": '"level": "error"'}[form] in text


@pytest.mark.parametrize("command", ["audit", "verify"])
def test_the_command_line_offers_every_format(command: str) -> None:
    module = import_module(f"audit_flow.cli.{command}")
    option = next(p for p in getattr(module, command).params if p.name == "form")
    assert list(option.type.choices) == [known.name for known in FORMATS]
