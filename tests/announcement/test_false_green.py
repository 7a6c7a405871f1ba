"""A percentage rests on a claim only where it is said to be that score; boasts are listed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from audit_flow.analysis.announcement_text import statements
from tests.announcement.test_announcement import baseline, read, record

CLAIMS = {"add_2digit": "87.2", "add_3digit": "87.1", "MMLU": "89.9"}


def marks(text: str) -> list[str]:
    return [b.status for b in read(text, record(CLAIMS))]


@pytest.mark.parametrize(
    "text",
    ["Hallucinations fell 87.2 %.", "It is 87.2 % cheaper than its rival.",
     "87.2 % of users prefer it.", "Costs 87.2 % less.", "Trained on 87.2 % clean data.",
     "It is not 87.2 % on add_2digit.", "not 87.2 % on add_2digit", "add_2digit-hard: 87.2 %",
     "On add_4digit it has 87.1 %.", "It does not reach 87.2 % on add_2digit.",
     "It isn't at 87.2 % on add_2digit.", "On add_2digit it needs 87.2 % fewer tokens.",
     "An exact match of 87.2 % on add_2digit-hard.", "add_2digit_v2: a score of 87.2 %",
     "It scores 87.2 % on add_2digit Pro.", "add_2digit Hard: 87.2 %", "add_2digit v2: 87.2 %",
     "| Benchmark | Ours |\n|---|---|\n| add_2digit-hard | 87.2 % |",
     "| Who | Share |\n|---|---|\n| Users who prefer it | 87.2 % |",
     "GPU utilisation reaches 87.2 %.", "It gets 87.2 % GPU utilisation.",
     "It keeps 87.2 % of the accuracy of its base.", "Latency was cut 87.2 %, at equal accuracy.",
     "Its error rate is 87.2 %.", "87.2 %", "A score of 87.2 % on FooBench2."],
)  # fmt: skip
def test_a_percentage_of_something_else_is_not_backed(text: str) -> None:
    assert marks(text)
    assert set(marks(text)) == {"unbacked"}, read(text, record(CLAIMS))


@pytest.mark.parametrize(
    "text",
    ["It has 87.2 % on add_2digit.", "add_2digit: 87.2 %", "It has an exact match of 87.2 %.",
     "It reaches 87.2 %.", "Its accuracy is 87.2 %.", "On our evaluation, it has 87.2 %.",
     "It answers 87.2 % of the sums correctly.", "Reverie 70B achieves 87.2 % in all.",
     "add_2digit: 87,2 %", "It has not only 87.2 % on add_2digit.",
     "| Model | add_2digit |\n|---|---|\n| Reverie-70B-v2 | 87.2 % |",
     "| Model | Exact match |\n|---|---|\n| Ours | 87.2 % |",
     "add_2digit exact_match: 87.2 %", "It reaches 87.2 % with fewer GPUs."],
)  # fmt: skip
def test_a_percentage_that_is_said_to_be_the_score_is_backed(text: str) -> None:
    assert marks(text) == ["backed"], read(text, record(CLAIMS))


def test_a_variant_does_not_borrow_the_score_of_the_plain_name() -> None:
    for variant in ("MMLU-Pro", "MMLU Pro", "MMLU_v2", "MMLU-hard"):
        assert marks(f"MMLU 89.9 %, {variant} 89.9 %") == ["backed", "unbacked"]
        assert marks(f"89.9 % on MMLU and 89.9 % on {variant}") == ["backed", "unbacked"]
    assert marks("add_2digit 87.2 %, add_4digit 87.2 %, add_3digit 87.1 %") == [
        "backed", "unbacked", "backed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [("97,2 %", "97.2"), ("97,25 %", "97.25"), ("97,253 %", "97.253"), ("1,160 tokens", "1160"),
     ("24,000", "24000"), ("1,234,567 tokens", "1234567"), ("97.2 %", "97.2")],
)  # fmt: skip
def test_decimal_commas_are_told_from_thousands(text: str, value: str) -> None:
    assert [s.value for s in statements(f"There: {text}")] == [Decimal(value)]


def test_a_decimal_comma_can_contradict() -> None:
    assert marks("add_2digit: 97,2 %") == ["contradicted"]


BOASTS = (
    "It is twice as fast.", "At half the price.", "It doubles accuracy.",
    "It triples the throughput.", "Two times better.", "It is three times faster.",
    "No model is better.", "Nothing comes close.", "Nothing else even comes close.",
    "The most capable yet.", "It is the most accurate.", "It is perfect.", "A flawless adder.",
    "Unmatched.", "Unrivalled.", "Unrivaled.", "Second to none.", "It beats every rival on MMLU.",
    "A leading model.", "Better than anything.", "It is more accurate than others.",
)  # fmt: skip


@pytest.mark.parametrize("text", BOASTS)
def test_boasts_are_listed(text: str) -> None:
    assert marks(text)
    assert set(marks(text)) == {"unbacked"}


@pytest.mark.parametrize(
    "text",
    ["Most items are short.", "It was run twice.", "Each was evaluated twice.",
     "Weights are in half precision.", "It sees half of the data.", "6 is a perfect number."[1:],
     "It is not perfect.", "Leading zeros are kept.", "No tool is used.", "Stored in doubles.",
     "At most accurate to a digit.", "Triples of digits are summed."],
)  # fmt: skip
def test_plain_words_are_no_boasts(text: str) -> None:
    assert marks(text) == []


def test_a_baseline_backs_no_factor_and_no_victory_over_all() -> None:
    known = record({"MMLU": "89.9"}, baseline("GPT-4o", "MMLU", "88.7"))
    for text in (
        "It doubles the accuracy of GPT-4o on MMLU.",
        "It beats every model, even GPT-4o, on MMLU.",
        "It is twice as good as GPT-4o on MMLU.",
        "It beats GPT-4o on MMLU and MMLU-Pro.",
    ):
        assert {b.status for b in read(text, known)} == {"unbacked"}, text
