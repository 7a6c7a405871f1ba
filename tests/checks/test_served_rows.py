"""Providers row by row: which side of a limit, or of the reference, a measurement lies on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_flow.checks.served_rows import ProvidersAccepted, ServedParams
from audit_flow.model import LineageRecord, ServedMeasure, ServedRow, Subject, Trust

NUMBERS = st.decimals(0, 100, places=3)


def row(name: str, reference: bool = False, **measure: Any) -> ServedRow:
    return ServedRow(
        id=name, source="f.yaml", trust=Trust.SELF_REPORTED, name=name, by="somebody",
        reference=reference, published="t.csv", measures=(ServedMeasure(name="m", **measure),),
    )  # fmt: skip


def outcomes(*rows: ServedRow) -> dict[str, str]:
    record = LineageRecord(subject=Subject(name="m"), claims=(), evidence=rows)
    found = ProvidersAccepted().run(record, ServedParams(near=2.0))
    return {r.about: r.outcome.value for r in found}


@given(NUMBERS, NUMBERS, st.booleans(), st.sampled_from(("percent", "other")))
def test_a_limit_has_a_good_side(value: Decimal, limit: Decimal, less: bool, unit: str) -> None:
    kept = value <= limit if less else value >= limit
    found = outcomes(row("a", value=value, limit=limit, lower_is_better=less, unit=unit))
    assert found == {"a": "PASSED" if kept else "FAILED"}


@given(NUMBERS, NUMBERS, st.booleans())
def test_a_reference_may_be_missed_by_two_points(value: Decimal, best: Decimal, less: bool) -> None:
    rows = (
        row("ours", True, value=best, lower_is_better=less),
        row("a", value=value, lower_is_better=less),
    )
    worse = value - best if less else best - value
    assert outcomes(*rows)["a"] == ("PASSED" if worse <= 2 else "UNPROVEN")
    # Points of percent are no measure for another unit: without a limit nothing is decided.
    others = tuple(
        r.model_copy(update={"measures": (r.measures[0].model_copy(update={"unit": "other"}),)})
        for r in rows
    )
    assert outcomes(*others)["a"] == "UNPROVEN"


@pytest.mark.parametrize("measure", [{}, {"value": Decimal(3)}, {"limit": Decimal(3)}])
def test_what_is_missing_decides_nothing(measure: dict[str, Any]) -> None:
    assert outcomes(row("a", **measure)) == {"a": "UNPROVEN"}
