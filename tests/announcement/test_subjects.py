"""A number is backed only by a claim of the same thing: benchmark, unit, GPU, money."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.analysis.announcement_words import SPELLED, spelled_value
from audit_flow.model import GpuJob, LineageRecord, Trust
from tests.announcement.test_announcement import read, record

CHIPS = ("H100", "A100", "B200", "V100")


def trained() -> LineageRecord:
    known = record({"add_3digit": "87.1"}, gpus="4", steps="1000", tokens="114688000", seed="7")
    job = GpuJob(
        id="job:1", source="logs/sacct.txt", trust=Trust.SELF_REPORTED, format="sacct",
        gpus=4, gpu_model="Tesla-K80",
    )  # fmt: skip
    return known.model_copy(update={"evidence": (job,)})


def marks(text: str) -> set[str]:
    return {b.status for b in read(text, trained())}


HONEST = (
    "It scores 87.1% on add_3digit.", "With 4 GPUs it reaches 87.1 %.", "Training took 4 K80 GPUs.",
    "We trained on 4 Tesla K80 GPUs over 114.7M tokens and 1,000 steps.", "It took four GPUs.",
    "Trained for one thousand steps on four GPUs.", "It is one of us two.",
    "It saw 114,688,000 tokens.", "The result is 87.1% on held-out data.",
)  # fmt: skip


@pytest.mark.parametrize("text", HONEST)
def test_honest_drafts_stay_backed(text: str) -> None:
    assert marks(text) <= {"backed"}, text


@settings(deadline=None)
@given(
    st.sampled_from(["GSM8K", "MMLU", "TriviaQA", "HumanEval", "FooBench2", "MMLU-Pro"]),
    st.sampled_from(["It scores 87.1% on {b}.", "On add_3digit well, and 87.1% on {b}.",
                     "| Benchmark | Ours |\n|---|---|\n| MMLU | 87.1% |", "87.1 % in {b}"]),
)  # fmt: skip
def test_a_score_of_another_benchmark_backs_nothing(name: str, sentence: str) -> None:
    assert marks(sentence.format(b=name)) == {"unbacked"}


@given(st.sampled_from(CHIPS), st.sampled_from(["4 {c} GPUs", "4 {c}s", "4 NVIDIA {c} GPUs"]))
@settings(deadline=None)
def test_other_gpus_than_the_logs_name_are_not_backed(chip: str, words: str) -> None:
    assert marks(f"Training ran on {words.format(c=chip)}.") == {"unbacked"}


@pytest.mark.parametrize("things", ["nodes with GPUs", "days on GPUs", "models on GPUs"])
def test_other_things_than_the_claim_counts_are_not_backed(things: str) -> None:
    assert marks(f"Training used 4 {things}.") == {"unbacked"}


@pytest.mark.parametrize(
    "text",
    ["The GPUs cost $4.", "It took forty GPUs.", "It scores ninety-nine percent on GSM8K.",
     "It ran for ten thousand steps.", "It ran on two nodes.", "Eighty-seven percent on MMLU."],
)  # fmt: skip
def test_money_and_numbers_in_words_are_listed(text: str) -> None:
    assert marks(text) == {"unbacked"}


@pytest.mark.parametrize(
    ("words", "value"),
    [("forty", 40), ("ninety-nine", 99), ("ten thousand", 10_000), ("two hundred ten", 210),
     ("one million", 10**6), ("three hundred twelve thousand forty", 312_040)],
)  # fmt: skip
def test_numbers_in_words_are_read(words: str, value: int) -> None:
    assert spelled_value(words) == value
    found = SPELLED.search(f"with {words} GPUs")
    assert found is not None
    assert found["words"] == words
