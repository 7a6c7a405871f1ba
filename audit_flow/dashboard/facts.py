"""Nested facts as flat pairs of path and text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_MAX_FACTS = 400
_MAX_DEPTH = 12


def facts(plain: Any) -> list[tuple[str, str]]:
    """Return nested JSON data as (path, text) pairs, the first 400 of them."""
    found: list[tuple[str, str]] = []
    for pair in _flat(plain, "", 0):
        if len(found) == _MAX_FACTS:
            found.append(("…", "more stands in the JSON file"))
            break
        found.append(pair)
    return found


def _flat(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _MAX_DEPTH:
        yield path, "…"
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{path} {number}", depth + 1)
    else:
        yield path, "yes" if value is True else "no" if value is False else str(value)
