from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from audit_flow.model import EvalRun, Gap, Outcome
from audit_flow.report import render
from audit_flow.report.interface import AuditResult
from audit_flow.report.reading import LIMITS_LINK, Reading
from tests.report import builders, hostile
from tests.report.parts import finding

ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("audit", builders.ALL)
@pytest.mark.parametrize("width", [60, 79, 80, 89, 90, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal(audit: str, width: int) -> None:
    lines = render("text", builders.ALL[audit](), width=width, verbose=True).splitlines()
    assert [line for line in lines if cell_len(line) > width and line != LIMITS_LINK] == []


@pytest.mark.parametrize("audit", builders.ALL)
def test_colour_adds_styles_and_changes_no_word(
    audit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "33")
    result = builders.ALL[audit]()
    plain, styled = render("text", result), render("text", result, color=True)
    assert "\x1b" not in plain
    assert ANSI.search(styled)
    stripped = [line.rstrip() for line in ANSI.sub("", styled).splitlines()]
    assert stripped == plain.splitlines()


@pytest.mark.parametrize("audit", builders.ALL)
def test_the_verdict_in_words_is_on_the_second_line(audit: str) -> None:
    result = builders.ALL[audit]()
    assert result.verdict.in_words() in render("text", result).splitlines()[1]


def test_a_waiver_is_counted_in_the_verdict_and_shown_with_its_owner() -> None:
    open_findings = builders.inconclusive()
    waived = tuple(
        f for f in open_findings.verdict.findings if f.waiver or f.outcome.value == "PASSED"
    )
    verdict = open_findings.verdict.model_copy(update={"outcome": "PASSED", "findings": waived})
    text = render("text", open_findings.model_copy(update={"verdict": verdict}))
    assert "PASSED with 1 waiver" in text
    assert "release-board@example.org" in text
    assert "◇ expired" in text
    assert "◇ unused" in text


@pytest.mark.parametrize("width", [60, 79, 80, 160])
def test_digests_can_be_read_whole(width: int) -> None:
    result = builders.failed()
    lines = render("text", result, width=width).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("record sha256"))
    digits = "".join(lines[at : at + 4])[len("record sha256") :]
    assert digits.replace(" ", "").startswith(result.record.sha256)


def test_a_score_is_told_with_units_interval_items_and_difference() -> None:
    lines = render("text", builders.failed()).splitlines()
    row = next(" ".join(line.split()) for line in lines if "MATH acc" in line)
    assert row == ("✗ contradicted MATH acc 79.7 % 70.80 [69.95, 71.65] 5,000 1 −8.90 2.43")


def test_claims_that_no_finding_is_about_are_listed_as_not_assessed() -> None:
    result = builders.passed()
    verdict = result.verdict.model_copy(update={"findings": ()})
    text = render("text", result.model_copy(update={"verdict": verdict}))
    section = text.split("Not assessed")[1].split("Passed (")[0]
    assert all(claim.id in section for claim in result.record.claims)


def test_passed_findings_are_counted_and_listed_when_verbose() -> None:
    result = builders.passed()
    assert "4 findings of 4 rules" in render("text", result)
    listed = render("text", result, verbose=True)
    assert all(finding.title in listed for finding in result.verdict.findings)


def test_of_very_many_findings_each_is_named_and_the_first_are_told_in_full() -> None:
    result = builders.failed()
    failed = (f for f in result.verdict.findings if f.outcome is Outcome.FAILED)
    first = next(f for f in failed if f.level == "deny")
    many = tuple(first.model_copy(update={"about": f"claim-{i:04}"}) for i in range(300))
    verdict = result.verdict.model_copy(update={"findings": many})
    long = result.model_copy(update={"verdict": verdict})
    brief, whole = render("text", long), render("text", long, verbose=True)
    assert all(f.about in brief for f in many)
    assert brief.count(many[0].message) == 100
    assert "200 more" in brief
    assert whole.count(many[0].message) == 300


@pytest.mark.parametrize("text", hostile.SAMPLES)
def test_hostile_samples_are_neutralised(text: str) -> None:
    _assert_harmless(text, 100)


@settings(max_examples=40, deadline=None)
@given(hostile.any_text, st.sampled_from([60, 100, 160]))
def test_hostile_text_is_neutralised(text: str, width: int) -> None:
    _assert_harmless(text, width)


def _assert_harmless(text: str, width: int) -> None:
    shown = render("text", hostile.audit_named(text), width=width, verbose=True)
    assert not hostile.UNSAFE.search(shown)
    assert "x" * 1_100 not in shown.replace("\n", "").replace(" ", "")
    lines = shown.splitlines()
    assert [line for line in lines if cell_len(line) > width and line != LIMITS_LINK] == []


def test_rich_markup_and_emoji_codes_are_shown_as_written() -> None:
    shown = render("text", hostile.audit_named("[bold red]x[/] :warning:"), width=160)
    assert "[bold red]x[/] :warning:" in shown


def test_what_had_nothing_to_judge_is_not_counted_as_passed() -> None:
    result = builders.passed()
    text = render("text", result, verbose=True)
    assert "✓ 4 passed" in text
    assert "– 1 did not apply" in text
    passed, _, idle = text.partition("Did not apply: nothing to judge (1)")
    assert "signatures" not in passed.partition("Passed (4)")[2]
    assert "It holds." in idle
    page = render("html", result)
    shown = page.partition('id="passed"')[2].partition('id="idle"')
    assert "signatures.valid" not in shown[0]
    assert "signatures.valid" in shown[2]


def test_no_report_says_that_everything_had_evidence_where_a_warning_is_open() -> None:
    result = builders.passed()
    open_warning = finding("data.checked", "data", Outcome.UNPROVEN, "warn")
    verdict = result.verdict
    verdict = verdict.model_copy(update={"findings": (*verdict.findings, open_warning)})
    both = AuditResult(record=result.record, verdict=verdict)
    assert "No question that blocks is open; 1 warning not proven." in render("text", both)
    page = render("html", both)
    assert 'No question that blocks is open; <a href="#warnings">1 warning not proven</a>.' in page


def test_a_score_row_says_why_it_is_open_and_on_which_weights_it_was_measured() -> None:
    result = builders.inconclusive()
    open_rows = [row for row in Reading(result).scores if row.status.tone != "pass"]
    assert open_rows
    assert all(row.why for row in open_rows)
    failed = builders.failed()
    run = next(iter(failed.record.of(EvalRun)))
    named = run.model_copy(update={"weights_stated": "another/upload"})
    gap = Gap(
        name="evaluation-weights-unknown", topic="evaluations", about=run.source,
        contradicted=False, expected="a digest", actual="it names another", evidence=(run.id,),
    )  # fmt: skip
    evidence = tuple(named if e.id == run.id else e for e in failed.record.evidence)
    record = failed.record.model_copy(update={"evidence": evidence, "gaps": (gap,)})
    rows = Reading(AuditResult(record=record, verdict=failed.verdict)).scores
    notes = [row.notes[0] for row in rows if row.elsewhere is not None]
    assert notes
    assert all("no digest ties to the release (named another/upload)" in n for n in notes)
