"""Tables of providers as served rows: who, what was measured, and the limits that are stated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from benchmarks.incidents.form import Case, Table, number
from benchmarks.incidents.wording import names_in

_PROVIDER = {"provider", "vendor", "endpoint", "host", "service", "api", "server", "deployment"}
_GROUP = ("model", "release", "variant", "checkpoint")
_LIMIT = re.compile(r"_?(?:limit|threshold|minimum|band|acceptance)$")
_COUNT = re.compile(r"^(?:count|n|num|number)_|_(?:count|n|total|requests|calls)$")
_AT_LEAST = re.compile(r"^(?:>=|≥|at least)\s*(\d+(?:\.\d+)?)\s*(?:%|percent)?$")
_BELOW = re.compile(
    r"(?:below|under|less than|at least|at or above) (\d+(?:\.\d+)?) ?(?:%|percent) ([a-z][a-z -]+)"
)
_REFERENCE = re.compile(r"\b(?:reference|official|baseline|first-party)\b")


def served(case: Case) -> dict[str, Any] | None:
    """Return the case's first table of providers in the product's form; None without one."""
    if not any(_is_about_serving(claim.kind) for claim in case.claims):
        return None
    for table in case.tables:
        if (provider := _provider_column(table)) and (columns := _measured(table)):
            by = next((f.by for f in case.findings if f.by), "not stated")
            rows = list(_rows(case, table, provider, columns))
            return {"by": by, "source": table.name, "rows": rows}
    return None


def _is_about_serving(kind: str) -> bool:
    return any(part in kind for part in ("serving", "endpoint", "hosted", "vendor", "api"))


def _provider_column(table: Table) -> str | None:
    return next((c for c in table.columns if c.casefold() in _PROVIDER), None)


def _measured(table: Table) -> list[str]:
    """Return the columns that hold shares: numbers, percentages or bounds, and no counts."""
    found = []
    for column in table.columns:
        lower = column.casefold()
        if _COUNT.search(lower) or _LIMIT.search(lower) or lower in {*_PROVIDER, *_GROUP}:
            continue
        cells = [_cell(row.get(column, "")) for row in table.rows]
        if sum(value is not None for value, _ in cells) * 2 >= len(cells) > 0:
            found.append(column)
    return found


def _cell(text: str) -> tuple[Decimal | None, bool]:
    """Return a share in percent, and whether it is only a bound."""
    bound = _AT_LEAST.match(text.strip().casefold())
    value = Decimal(bound.group(1)) if bound else number(text)
    if value is None or not 0 <= value <= 100:
        return None, False
    if value <= 1 and "%" not in text and "." in text:
        value *= 100
    return value, bound is not None


def _rows(case: Case, table: Table, provider: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    names: Counter[str] = Counter()
    for row in table.rows:
        group = _group(row)
        name = " / ".join(part for part in (group, row.get(provider, "")) if part) or "row"
        names[name] += 1
        measures = [_measure(case, table, row, column) for column in columns]
        yield {
            "name": name if names[name] == 1 else f"{name} #{names[name]}",
            "reference": _is_reference(case, row.get(provider, "")),
            "measures": measures,
        }


def _group(row: Mapping[str, str]) -> str:
    return next((value for key, value in row.items() if key.casefold() in _GROUP), "")


def _is_reference(case: Case, provider: str) -> bool:
    """Say whether a provider is the publisher himself: by its name or by the word for it."""
    letters = "".join(c for c in provider.casefold() if c.isalnum())
    owners = re.findall(r"([A-Za-z0-9][\w.-]*)/[\w.-]+", case.hub_repo)
    named = {"".join(c for c in o.casefold() if c.isalnum()) for o in owners}
    return letters in named or bool(_REFERENCE.search(provider.casefold()))


def _measure(case: Case, table: Table, row: Mapping[str, str], column: str) -> dict[str, Any]:
    value, bound = _cell(row.get(column, ""))
    limit = _limit(case, table, row, column)
    found: dict[str, Any] = {"name": column.replace("_", " "), "at_least": bound}
    if value is not None:
        found["value"] = str(value)
    if limit is not None:
        found["limit"] = str(limit)
    return found


def _limit(case: Case, table: Table, row: Mapping[str, str], column: str) -> Decimal | None:
    """Return a measurement's limit: of its own column, of its group's bounds, or as told."""
    for other in table.columns:
        if _LIMIT.search(other.casefold()) and _LIMIT.sub("", other.casefold()) in {
            "", column.casefold(),
        }:  # fmt: skip
            return _cell(row.get(other, ""))[0]
    group = _group(row)
    bounds = [_cell(r.get(column, "")) for r in table.rows if _group(r) == group]
    stated = [value for value, bound in bounds if bound and value is not None]
    return max(stated) if stated else _told(case, column)


def _told(case: Case, column: str) -> Decimal | None:
    wanted = names_in(column.replace("_", " "))
    for finding in case.findings:
        for share, what in _BELOW.findall(finding.text.casefold()):
            if wanted and wanted <= names_in(what):
                return Decimal(share)
    return None
