from __future__ import annotations

import subprocess
import sys

import pytest

from audit_flow.errors import InputError
from audit_flow.model import Outcome
from audit_flow.report import FORMATS, render
from audit_flow.report.reading import Reading
from tests.report import builders, parts


def test_the_formats_are_listed() -> None:
    assert [known.name for known in FORMATS] == [
        "text", "json", "html", "github", "junit", "sarif",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [known.name for known in FORMATS])
@pytest.mark.parametrize("audit", builders.ALL)
def test_the_same_audit_gives_the_same_bytes_ending_in_a_newline(name: str, audit: str) -> None:
    first, second = (render(name, builders.ALL[audit]()) for _ in range(2))
    assert first == second
    assert first.endswith("\n")
    assert not first.endswith("\n\n")


def test_an_unknown_format_is_the_operators_error() -> None:
    with pytest.raises(InputError, match=r"'pdf'.*text, json, html, github, junit, sarif"):
        render("pdf", builders.passed())


def test_the_family_loads_neither_rich_nor_jinja() -> None:
    code = (
        "import sys, audit_flow.report;"
        "print([m for m in ('rich', 'jinja2', 'markupsafe', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("level", ["deny", "warn"])
@pytest.mark.parametrize("waived", [False, True])
def test_every_finding_is_in_exactly_one_section(
    outcome: Outcome, level: parts.Level, waived: bool
) -> None:
    granted = parts.waiver("x", "a.b") if waived else None
    one = parts.finding("a.b", "x", outcome, level, waiver=granted)
    whole = builders.passed()
    verdict = whole.verdict.model_copy(update={"findings": (one,)})
    reading = Reading(whole.model_copy(update={"verdict": verdict}))
    sections = (reading.denying, reading.unproven, reading.warnings, reading.passed)
    assert sum(one in section for section in sections) == 1


@pytest.mark.parametrize(
    ("outcomes", "word"),
    [
        ((Outcome.PASSED, Outcome.UNPROVEN), "not proven"),
        ((Outcome.PASSED, Outcome.ERROR, Outcome.UNPROVEN), "could not look"),
        ((Outcome.ERROR, Outcome.FAILED), "contradicted"),
        ((Outcome.PASSED,), "holds"),
        ((), "not assessed"),
    ],
)
def test_a_score_is_shown_with_its_worst_outcome(outcomes: tuple[Outcome, ...], word: str) -> None:
    whole = builders.passed()
    about = whole.record.claims[0].id
    findings = tuple(parts.finding("a.b", about, outcome) for outcome in outcomes)
    verdict = whole.verdict.model_copy(update={"findings": findings})
    reading = Reading(whole.model_copy(update={"verdict": verdict}))
    assert [row.status.word for row in reading.scores] == [word]
