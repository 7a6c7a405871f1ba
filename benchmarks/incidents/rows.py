"""Tables of providers as served rows: who, what was measured, and the limits that are stated."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.incidents.form import Case, Table
from benchmarks.incidents.measures import Measure, measures_of

_PROVIDER = {
    "provider", "vendor", "endpoint", "host", "service", "api", "server", "deployment", "cloud",
    "platform", "hoster", "operator", "gateway",
}  # fmt: skip
_GROUP = ("model", "release", "variant", "checkpoint")
_REFERENCE = re.compile(r"\b(?:reference|official|baseline|first-party)\b")
_SERVING = ("serving", "endpoint", "hosted", "hosting", "vendor", "provider", "api", "deploy")


def served(case: Case) -> dict[str, Any] | None:
    """Return the case's first table of providers in the product's form; None without one."""
    if not any(part in claim.kind for claim in case.claims for part in _SERVING):
        return None
    told = [finding.text for finding in case.findings]
    for table in case.tables:
        provider = _provider_column(table)
        if provider is None:
            continue
        known = {c for c in table.columns if c.casefold() in {*_PROVIDER, *_GROUP}} | {provider}
        if measures := measures_of(table, known, told):
            by = next((f.by for f in case.findings if f.by), "not stated")
            rows = list(_rows(case, table, provider, measures))
            return {"by": by, "source": table.name, "rows": rows}
    return None


def _provider_column(table: Table) -> str | None:
    whole = (c for c in table.columns if c.casefold() in _PROVIDER)
    named = (c for c in table.columns if c.casefold().removesuffix("_name") in _PROVIDER)
    return next(whole, None) or next(named, None)


def _rows(
    case: Case, table: Table, provider: str, measures: list[Measure]
) -> Iterator[dict[str, Any]]:
    names: Counter[str] = Counter()
    several = len({_group(r) for r in table.rows}) > 1
    for row in table.rows:
        group = _group(row)
        parts = (group if several else "", row.get(provider, ""))
        name = " / ".join(part for part in parts if part) or "row"
        names[name] += 1
        alike = [r for r in table.rows if _group(r) == group]
        yield {
            "name": name if names[name] == 1 else f"{name} #{names[name]}",
            "reference": _is_reference(case, row.get(provider, "")),
            "measures": [measure.entry(row, alike) for measure in measures],
        }


def _group(row: Mapping[str, str]) -> str:
    return next((value for key, value in row.items() if key.casefold() in _GROUP), "")


def _is_reference(case: Case, provider: str) -> bool:
    """Say whether a provider is the publisher himself: by its name or by the word for it."""
    letters = "".join(c for c in provider.casefold() if c.isalnum())
    owners = re.findall(r"([A-Za-z0-9][\w.-]*)/[\w.-]+", case.hub_repo)
    named = {"".join(c for c in o.casefold() if c.isalnum()) for o in owners}
    return letters in named or bool(_REFERENCE.search(provider.casefold()))
