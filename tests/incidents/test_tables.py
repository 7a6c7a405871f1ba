"""Tables of providers: which columns are measured, and which limit belongs to them."""

from __future__ import annotations

import random

import pytest

from benchmarks.incidents.form import Table
from benchmarks.incidents.measures import measures_of

LESS, MORE = ("wer", "error rate", "kl divergence", "perplexity"), ("accuracy", "f1", "agreement")


def table(columns: list[str], *rows: list[str]) -> Table:
    return Table("t.csv", tuple(columns), tuple(dict(zip(columns, r, strict=True)) for r in rows))


def entries(found: Table, *told: str) -> list[tuple[str, bool, list[str | None]]]:
    return [
        (m.column, m.less_is_better, [m.entry(r, found.rows).get("limit") for r in found.rows])
        for m in measures_of(found, {"provider"}, told)
    ]


@pytest.mark.parametrize("seed", range(40))
def test_a_limit_is_found_by_its_name(seed: int) -> None:
    """Whatever the column is called, in whichever order columns stand."""
    draw = random.Random(seed)
    less = draw.random() < 0.5
    name = draw.choice(LESS if less else MORE).replace(" ", draw.choice(" _"))
    word = draw.choice(("max", "maximum") if less else ("min", "minimum"))
    word = draw.choice((word, "limit", "threshold", "required", "allowed"))
    limits = draw.choice((f"{word}_{name}", f"{name} {word}", word))
    shown = draw.choice((name, f"{name}_percent", f"mean {name}"))
    columns = [shown, limits, "hours", "date"]
    draw.shuffle(columns)
    values = {shown: "12.5", limits: "30", "hours": "40", "date": "2026"}
    found = table(["provider", *columns], ["a", *(values[c] for c in columns)])
    assert entries(found) == [(shown, less, ["30"])]


@pytest.mark.parametrize(
    ("columns", "row", "limit"),
    [
        (["accuracy", "min_accuracy"], ["0.97", "95"], "95"),
        (["accuracy", "min_accuracy"], ["97 %", "0.95"], "95.00"),
        (["kl", "kl_limit"], ["1.7", "0.05"], "0.05"),
        # Of two scales that nobody names: neither is taken for the other.
        (["wer", "max_wer"], ["0.062", "6.7"], None),
        (["wer", "max_wer"], ["6.2", "0.067"], None),
        (["score", "limit"], ["0.93", "90"], None),
        # A bad value is below the lower bound of a score, above the upper one of an error rate.
        (["gsm8k", "upper bound", "lower bound"], ["91", "94", "88"], "88"),
        (["error rate", "lower bound", "upper bound"], ["1.2", "0.5", "2"], "2"),
    ],
)
def test_scales_and_sides(columns: list[str], row: list[str], limit: str | None) -> None:
    found = table(["provider", *columns], ["a", *row])
    assert entries(found)[0][2] == [limit]


def test_without_a_limit_counts_and_prices_are_no_measurement() -> None:
    columns = ["provider", "accuracy", "runs", "price", "latency", "context"]
    found = table(columns, ["a", "91", "40", "3", "12", "131072"], ["b", "90", "40", "3", "9", "8"])
    assert [c for c, *_ in entries(found)] == ["accuracy", "context"]
    assert entries(found, "two fell below 90 percent accuracy")[0][2] == ["90", "90"]


def test_a_measurement_without_a_limit_of_its_own_stays_open() -> None:
    """Beside others that have one, and where the two may be of different scales."""
    found = table(
        ["provider", "accuracy", "min_accuracy", "agreement", "wer", "max_wer", "year_built"],
        ["a", "97", "95", "40", "0.062", "6.7", "12"],
    )
    limits = {column: limit for column, _, limit in entries(found)}
    assert limits == {"accuracy": ["95"], "agreement": [None], "wer": [None]}
