"""Columns of a table that measure something, each with the limit that the table or a text states.

A limit stands in a column of its own (``limit``, ``min_x``, ``x_max``), in cells that are bounds
(``>=73%``), or in words ("below 90 percent schema accuracy"). Where columns of limits are there,
a column that has none and is no measurement by its name is not judged. Which side of a limit is
the good one, the limit's name says, else the measurement's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from audit_flow.analysis.scales import is_error_rate
from benchmarks.incidents.form import Table, number
from benchmarks.incidents.parties import names_in

_UPPER = {"max", "maximum", "ceiling", "cap", "upper"}
_LOWER = {"min", "minimum", "floor", "lower"}
_EITHER = {"limit", "threshold", "band", "acceptance", "required", "allowed", "bound", "cutoff"}
_LIMITS = _UPPER | _LOWER | _EITHER
_FILLING = {
    "percent", "pct", "mean", "avg", "average", "median", "measured", "value", "of", "the", "at",
}  # fmt: skip
_LESS_IS_BETTER = {
    "ter", "perplexity", "ppl", "loss", "divergence", "kl", "kld", "deviation", "distance", "mae",
    "mse", "rmse", "drop", "degradation", "gap", "difference", "diff", "delta", "failed",
    "timeouts", "mismatch", "mismatches", "bpb", "bpc", "fid", "latency", "ttft",
}  # fmt: skip
_SHARES = {
    "accuracy", "acc", "rate", "f1", "share", "agreement", "match", "matches", "success", "recall",
    "precision", "passed", "pass", "correct", "valid", "validity", "wer", "cer", "ratio",
    "fraction", "exact", "similarity", "cosine", "overlap",
}  # fmt: skip
# How much was asked, when and for what money: no measurement of faithfulness.
_BESIDE = re.compile(
    r"^(?:count|n|num|number)_|(?:^|_)(?:count|n|total|requests|calls|hours|sentences|runs|samples"
    r"|items|prompts|seeds?|date|year|month|day|price|cost|usd|eur|tokens|rank|id|region|latency"
    r"|ttft|ms|seconds|tps|throughput)$"
)
_AT_LEAST = re.compile(r"^(?:>=|≥|at least)\s*(\d+(?:\.\d+)?)\s*(?:%|percent)?$")
_TOLD = re.compile(
    r"(?:below|under|less than|at least|at or above|above|over|more than|at most) "
    r"(\d+(?:\.\d+)?) ?(?:%|percent) ([a-z][a-z -]+)"
)


@dataclass(frozen=True)
class Measure:
    """A column: its unit, which side is better, and where its limit stands."""

    column: str
    limits: str | None
    less_is_better: bool
    share: bool
    value_scale: int
    limit_scale: int
    told: Decimal | None

    def entry(self, row: Mapping[str, str], alike: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Return one row's measurement; ``alike`` are the rows whose bounds hold for it too."""
        text = row.get(self.column, "")
        bound = None if self.less_is_better else _bound(text)
        value = bound if bound is not None else _scaled(text, self.value_scale)
        limit = self._limit(row, alike)
        entry: dict[str, Any] = {"name": self.column.replace("_", " ")}
        entry |= {} if self.share else {"unit": "other"}
        entry |= (
            {"lower_is_better": True} if self.less_is_better else {"at_least": bound is not None}
        )
        if value is not None and (not self.share or 0 <= value <= 100):
            entry["value"] = str(value)
        if limit is not None and (not self.share or 0 <= limit <= 100):
            entry["limit"] = str(limit)
        return entry

    def _limit(self, row: Mapping[str, str], alike: Sequence[Mapping[str, str]]) -> Decimal | None:
        if self.limits is not None:
            text = row.get(self.limits, "")
            return _bound(text) or _scaled(text, self.limit_scale)
        bounds = (_bound(r.get(self.column, "")) for r in alike)
        stated = [b for b in bounds if b is not None and not self.less_is_better]
        return max(stated) if stated else self.told


def measures_of(table: Table, known: set[str], told: Iterable[str]) -> list[Measure]:
    """Return the measurements of a table; ``known`` are its columns of another kind."""
    texts = list(told)
    limits = [c for c in table.columns if _words(c) & _LIMITS and c not in known]
    found: list[tuple[Measure, bool]] = []
    for column in table.columns:
        if column in known or column in limits or not _is_numeric(table, column):
            continue
        where = _limits_for(column, limits)
        if where or (_is_share(table, column) and not _BESIDE.search(column.casefold())):
            measure = _measure(table, column, where, texts)
            # What is surely measured is judged, even where its limit is missing or doubtful.
            sure = where is not None or measure.told is not None or _is_named(column)
            found.append((measure, sure))
    surely = [measure for measure, sure in found if sure]
    return surely if limits and surely else [measure for measure, _ in found]


def _is_named(column: str) -> bool:
    """Say whether a column is a measurement by its name alone."""
    return bool(_words(column) & (_SHARES | _LESS_IS_BETTER)) or is_error_rate(column)


def _measure(table: Table, column: str, limits: str | None, told: list[str]) -> Measure:
    words = _words(column)
    side = _words(limits) if limits else set()
    less = bool(side & _UPPER) or (not side & _LOWER and _is_less_better(column))
    cells = [row.get(column, "") for row in table.rows]
    bounds = [row.get(limits, "") for row in table.rows] if limits else []
    marked = any("%" in c for c in cells) or bool(words & {"percent", "pct"})
    share = marked or limits is None or bool(words & _SHARES)
    fractions = (_is_fraction(cells), _is_fraction(bounds))
    if bounds and _is_doubtful(*fractions, share=share, less=less):
        limits = None
    fractions = (fractions[0] and not marked, fractions[1] and not (marked and fractions[0]))
    scales = [100 if share and is_fraction else 1 for is_fraction in fractions]
    return Measure(column, limits, less, share, scales[0], scales[1], _told(column, told))


def _is_doubtful(values: bool, limits: bool, *, share: bool, less: bool) -> bool:
    """Say whether values and limits, fractions or not, may be of two scales that nobody names."""
    if share:
        return less and values is not limits
    return values and not limits and not less


def _is_less_better(column: str) -> bool:
    return is_error_rate(column) or bool(_words(column) & _LESS_IS_BETTER)


def _words(column: str) -> set[str]:
    return set(re.findall(r"[a-z]+\d*", column.casefold()))


def _limits_for(column: str, limits: Sequence[str]) -> str | None:
    """Return the column of limits that belongs to a measurement: by name, or the only one."""
    own = _words(column) - _FILLING
    wrong = _LOWER if _is_less_better(column) else _UPPER
    # Where both sides have a limit, the one that a bad value is beyond.
    ordered = sorted(limits, key=lambda c: bool(_words(c) & wrong))
    rest = {c: _words(c) - _FILLING - _LIMITS for c in ordered}
    bare = [] if _BESIDE.search(column.casefold()) else [c for c in ordered if not rest[c]]
    exact = [c for c in ordered if rest[c] == own]
    part = [c for c in ordered if rest[c] and rest[c] < own]
    return next(iter((*exact, *part, *bare)), None)


def _is_numeric(table: Table, column: str) -> bool:
    cells = [row.get(column, "") for row in table.rows]
    read = sum(_bound(c) is not None or number(c) is not None for c in cells)
    return read * 2 >= len(cells) > 0


def _is_share(table: Table, column: str) -> bool:
    """Say whether most of a column lies between 0 and 100, as percentages do."""
    cells = [row.get(column, "") for row in table.rows]
    values = [v for c in cells if (v := _bound(c) or number(c)) is not None]
    return sum(0 <= v <= 100 for v in values) * 2 >= len(cells)


def _is_fraction(cells: Iterable[str]) -> bool:
    values = [(c, number(c)) for c in cells if _bound(c) is None]
    numbers = [(c, v) for c, v in values if v is not None]
    return (
        bool(numbers)
        and all(0 <= v <= 1 and "%" not in c and ("." in c or v in {0, 1}) for c, v in numbers)
        and any("." in c for c, _ in numbers)
    )


def _bound(text: str) -> Decimal | None:
    found = _AT_LEAST.match(text.strip().casefold())
    return Decimal(found.group(1)) if found else None


def _scaled(text: str, scale: int) -> Decimal | None:
    value = number(text)
    return None if value is None else value * scale


def _told(column: str, texts: Iterable[str]) -> Decimal | None:
    wanted = names_in(column.replace("_", " "))
    for text in texts:
        for share, what in _TOLD.findall(text.casefold()):
            if wanted and wanted <= names_in(what):
                return Decimal(share)
    return None
