"""Providers that serve a model, row by row, against what the reference itself reaches."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pydantic import Field

from audit_flow.checks.interface import Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import ClaimKind, Frozen, LineageRecord, ServedMeasure, ServedRow


class ServedParams(Frozen):
    """``near`` is how far below the reference, in points, a value still counts as the same."""

    near: float = Field(default=2.0, ge=0, le=50)


class ProvidersAccepted:
    """Judges each provider by the limits that its measurements state."""

    id = "serving.rows"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = ServedParams

    def run(self, record: LineageRecord, params: ServedParams) -> Iterator[Result]:
        """Return a result for each row; PASSED where there is no table."""
        rows = list(record.of(ServedRow))
        for row in rows:
            yield _judge(row, rows, params)
        if not rows:
            yield nothing_to_judge("providers", "no table of providers is named", "none")


def _judge(row: ServedRow, rows: list[ServedRow], params: ServedParams) -> Result:
    expected = "; ".join(_limit_in_words(m) for m in row.measures)
    actual = "; ".join(map(_in_words, row.measures))
    if row.reference:
        return passed(row.name, "it is the reference itself", expected, actual, row.id)
    beyond = [m for m in row.measures if _is_beyond(m)]
    if beyond:
        words = f"it is beyond the limit in {', '.join(m.name for m in beyond)}"
        return failed(row.name, words, expected, actual, row.id)
    unsure = [m for m in row.measures if not _reaches(m, _best(m, rows), params)]
    if unsure:
        words = f"it is neither beyond the limit nor as the reference in {unsure[0].name}"
        return unproven(row.name, words, expected, actual, row.id)
    return passed(row.name, "every measurement is as the reference's", expected, actual, row.id)


def _is_beyond(measure: ServedMeasure) -> bool:
    if measure.limit is None or measure.value is None or measure.at_least:
        return False
    return not _keeps(measure, measure.limit)


def _keeps(measure: ServedMeasure, limit: Decimal) -> bool:
    value = measure.value
    return value is not None and (value <= limit if measure.lower_is_better else value >= limit)


def _best(measure: ServedMeasure, rows: list[ServedRow]) -> Decimal | None:
    """Return what the references reach in a measurement."""
    named = (m for r in rows if r.reference for m in r.measures if m.name == measure.name)
    values = [m.value for m in named if m.value is not None]
    return (min if measure.lower_is_better else max)(values, default=None)


def _reaches(measure: ServedMeasure, best: Decimal | None, params: ServedParams) -> bool:
    """Say whether a value is the reference's, or where that has none, within its limit."""
    if best is not None and measure.unit == "percent":
        near = Decimal(str(params.near))
        return _keeps(measure, best + near if measure.lower_is_better else best - near)
    return measure.limit is not None and _keeps(measure, measure.limit)


def _limit_in_words(measure: ServedMeasure) -> str:
    if measure.limit is None:
        return f"{measure.name}: no limit stated"
    side = "at most" if measure.lower_is_better else "at least"
    return f"{measure.name}: {side} {_number(measure, measure.limit)}"


def _in_words(measure: ServedMeasure) -> str:
    if measure.value is None:
        return f"{measure.name}: not measured"
    counts = f" ({measure.right} of {measure.asked})" if measure.asked else ""
    bound = "at least " if measure.at_least else ""
    return f"{measure.name}: {bound}{_number(measure, measure.value)}{counts}"


def _number(measure: ServedMeasure, value: Decimal) -> str:
    return f"{value} %" if measure.unit == "percent" else f"{value:f}"
