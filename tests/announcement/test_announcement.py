"""Each number and superlative of a draft is held against the claim that it is about."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.analysis.announcement_basis import Basis, bases
from audit_flow.analysis.announcement_text import statements
from audit_flow.cli.main import cli
from audit_flow.errors import AuditFlowError
from audit_flow.model import Baseline, LineageRecord, ScoreClaim, Subject, TrainingClaim, Trust
from tests.release_builder import build

BENCHMARKS = ("MMLU", "GSM8K", "HumanEval", "MATH", "IFEval", "BBH", "ARC-Challenge", "TriviaQA")


def score(benchmark: str, value: str) -> ScoreClaim:
    return ScoreClaim(
        id=f"score:{benchmark}", benchmark=benchmark, metric="acc", value=Decimal(value),
        unit="percent", n_items=1319, source="release.yaml",
    )  # fmt: skip


def record(values: dict[str, str], *others: Baseline, **training: str) -> LineageRecord:
    claims = [score(b, v) for b, v in values.items()]
    told = [
        TrainingClaim(id=f"training:{n}", name=n, value=v, source="release.yaml")
        for n, v in training.items()
    ]
    return LineageRecord(
        subject=Subject(name="Reverie 70B"), claims=(*claims, *told), evidence=others
    )


def baseline(model: str, benchmark: str, value: str) -> Baseline:
    return Baseline(
        id=f"baseline:{model}/{benchmark}", source="release.yaml", trust=Trust.SELF_REPORTED,
        model=model, benchmark=benchmark, metric="acc", reported=Decimal(value), unit="percent",
    )  # fmt: skip


def read(text: str, against: LineageRecord) -> list[Basis]:
    return list(bases(statements(text), against))


SENTENCES = (
    "It reaches {v}% on {b}.",
    "{b}: {v}%",
    "On {b} our model scores {v} %.",
    "- **{b}** {v}%",
    "| Benchmark | Ours |\n|---|---|\n| {b} | {v} |",
    "| Model | {b} |\n|---|---:|\n| Reverie 70B | {v} |",
    "We are glad\nto see {v}%\non {b} (0-shot).",
)
scores = st.dictionaries(
    st.sampled_from(BENCHMARKS),
    st.integers(100, 999).map(lambda n: str(Decimal(n) / 10)),
    min_size=1, max_size=5,
)  # fmt: skip


@given(scores, st.sampled_from(SENTENCES))
@settings(deadline=None)
def test_claimed_numbers_are_backed_however_they_are_written(
    values: dict[str, str], sentence: str
) -> None:
    text = "\n\n".join(sentence.format(b=b, v=v) for b, v in values.items())
    found = read(text, record(values))
    assert [(b.status, b.claim) for b in found] == [("backed", f"score:{b}") for b in values]


@given(scores, st.sampled_from(SENTENCES), st.integers(11, 90))
@settings(deadline=None)
def test_a_raised_number_contradicts_its_claim(
    values: dict[str, str], sentence: str, tenths: int
) -> None:
    name, value = next(iter(values.items()))
    raised = Decimal(value) + Decimal(tenths) / 10
    found = read(sentence.format(b=name, v=raised), record(values))
    assert [b.status for b in found] == ["contradicted"]
    assert found[0].claim == f"score:{name}"


@given(scores)
@settings(deadline=None)
def test_numbers_in_one_sentence_go_to_their_own_benchmarks(values: dict[str, str]) -> None:
    front = ", ".join(f"{v}% on {b}" for b, v in values.items())
    behind = ", ".join(f"{b} {v}%" for b, v in values.items())
    for text in (f"We reach {front}.", f"Results: {behind}."):
        assert [b.claim for b in read(text, record(values))] == [f"score:{b}" for b in values]


@pytest.mark.parametrize("said", ["90%", "89.9%", "89.86 %", "over 85%", "0.899"])
def test_rounded_and_bounded_numbers_agree(said: str) -> None:
    found = read(f"MMLU is at {said} now", record({"MMLU": "89.86"}))
    assert [b.status for b in found] == ["backed"]


@pytest.mark.parametrize(
    "said", ["The world's best open model", "a state-of-the-art model", "the first open reasoner"]
)
def test_nothing_backs_a_superlative(said: str) -> None:
    found = read(said, record({"MMLU": "89.9"}))
    assert found
    assert {b.status for b in found} == {"unbacked"}


def test_a_comparison_rests_on_a_claim_and_a_baseline() -> None:
    known = record({"MMLU": "89.9", "MATH": "70"}, baseline("GPT-4o", "MMLU", "88.7"))
    assert [b.status for b in read("It beats GPT-4o on MMLU.", known)] == ["backed"]
    assert [b.status for b in read("It beats GPT-4o on MATH.", known)] == ["unbacked"]
    lower = record({"MMLU": "80"}, baseline("GPT-4o", "MMLU", "88.7"))
    assert [b.status for b in read("It beats GPT-4o on MMLU.", lower)] == ["contradicted"]


def test_another_models_number_is_no_claim_of_ours() -> None:
    known = record({"MMLU": "89.9"}, baseline("GPT-4o", "MMLU", "88.7"))
    found = read("On MMLU it gets 89.9% versus 88.7% for GPT-4o.", known)
    assert [b.status for b in found] == ["backed", "backed"]
    found = read("On MMLU it gets 89.9% versus 71.0% for Llama 3.1 405B.", known)
    assert [b.status for b in found] == ["backed", "unbacked"]


def test_another_variant_of_a_benchmark_is_another_benchmark() -> None:
    found = read("MMLU-Pro 70.1%. GPQA Diamond 50.2%.", record({"MMLU": "89.9", "GPQA": "55.3"}))
    assert {b.status for b in found} == {"unbacked"}


def test_what_states_nothing_is_left_out() -> None:
    text = (
        "---\nversion: 12\n---\n# Reverie 70B, out on September 5, 2024\n"
        "See [the card](https://example.org/99.9) and `x = 77`. 5-shot, v2.1.3, at 18:51.\n"
        "```\nscore 99.9%\n```\n1. Llama 3.1 70B is not named here [3].\n"
    )
    assert read(text, record({"MMLU": "89.9"})) == []


def test_training_numbers_rest_on_training_claims() -> None:
    known = record({}, tokens="5133000000000", epochs="3")
    text = "Trained on 5.1T tokens for 3 epochs on 9,000 GPUs."
    assert [b.status for b in read(text, known)] == ["backed", "backed", "unbacked"]


@given(st.text(alphabet="0123456789.,%| -\n#abMMLUonGPT4best", max_size=300))
@settings(deadline=None)
def test_any_text_is_read(text: str) -> None:
    for basis in read(text, record({"MMLU": "89.9"}, baseline("GPT-4", "MMLU", "86"))):
        said = basis.statement
        line = text.expandtabs(4).split("\n")[said.line - 1]
        assert line[said.column - 1 :].lstrip().startswith(said.text.split()[0][:1])


def _announce(root: Path, text: str | None, **more: Any) -> Any:
    built = build(root)
    if text is not None:
        (root / "announcement.md").write_text(text, encoding="utf-8")
    built.edit("release.yaml", lambda m: m.update({"announcement": "announcement.md"}, **more))
    return built.audit()


def _outcomes(result: Any, rule: str) -> set[str]:
    return {f.outcome.value for f in result.verdict.findings if f.rule == rule}


def test_the_gate_refuses_an_announcement_that_overstates(tmp_path: Path) -> None:
    claim = next(c for c in build(tmp_path / "a").audit().record.of(ScoreClaim))
    said = f"{claim.benchmark} reaches {claim.value + 5}%."
    result = _announce(tmp_path / "b", said)
    assert _outcomes(result, "announcement.agrees") == {"FAILED"}
    assert result.verdict.outcome == "FAILED"
    honest = _announce(tmp_path / "c", f"{claim.benchmark} reaches {claim.value}%.")
    assert _outcomes(honest, "announcement.agrees") == {"PASSED"}


def test_a_named_announcement_that_is_missing_is_not_fine(tmp_path: Path) -> None:
    result = _announce(tmp_path, None)
    assert _outcomes(result, "announcement.agrees") == {"UNPROVEN"}
    assert result.verdict.outcome != "PASSED"


def test_the_command_marks_each_line(tmp_path: Path) -> None:
    built = build(tmp_path)
    claim = next(c for c in built.audit().record.of(ScoreClaim))
    draft = tmp_path / "draft.md"
    text = f"The best model.\n\n{claim.benchmark}: {claim.value + 9}%\n"
    draft.write_text(text, encoding="utf-8")
    arguments = ["announcement", str(draft), str(tmp_path / "release.yaml"), "--format", "json"]
    run = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert run.return_value == 1
    told = json.loads(run.stdout)
    assert [(s["line"], s["mark"]) for s in told["statements"]] == [
        (1, "unbacked"),
        (3, "contradicted"),
    ]


def test_a_draft_that_is_no_text_is_the_operators_error(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "draft.bin").write_bytes(b"\xff\xfe\x00")
    arguments = ["announcement", str(tmp_path / "draft.bin"), str(tmp_path / "release.yaml")]
    with pytest.raises(AuditFlowError) as error:
        CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
    assert "no UTF-8" in str(error.value)


@pytest.mark.parametrize("version", ["1.0", "2024-09-05", "3"])
def test_the_releases_version_beside_its_name_is_no_number(version: str) -> None:
    made = record({"MMLU": "89.9"})
    versioned = made.model_copy(update={"subject": Subject(name="Reverie 70B", version=version)})
    assert not read(f"# Reverie-70B {version} is out", versioned)
    # Another number behind the name is one that somebody states.
    (found,) = read("# Reverie-70B 4.7 is out", versioned)
    assert found.status == "unbacked"
