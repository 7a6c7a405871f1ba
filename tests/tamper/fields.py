"""Every way to change one thing of plain data: each value, each key, each neighbour."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Path = tuple[str | int, ...]
Change = Callable[[Any], Any]


@dataclass(frozen=True)
class FieldChange:
    """One change of a document: what is done (``kind``), where, and the document afterwards."""

    kind: str
    path: Path
    document: Any

    @property
    def place(self) -> str:
        """The path with every index written as a star: fields of one meaning share it."""
        return ".".join("*" if isinstance(p, int) else str(p) for p in self.path)

    @property
    def name(self) -> str:
        return f"{self.kind} {'.'.join(map(str, self.path)) or '(whole)'}"


def field_changes(document: Any) -> Iterator[FieldChange]:
    """Yield every single change of a document, in the order of its fields."""
    for path in places(document):
        value = at(document, path)
        for kind, change in _of_value(value):
            yield FieldChange(kind, path, changed(document, path, change))
        if isinstance(value, dict):
            yield from _of_mapping(document, path, value)
        if isinstance(value, list):
            yield from _of_list(document, path, value)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value, those that hold others included, the whole first."""
    yield path
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def _of_value(value: Any) -> Iterator[tuple[str, Change]]:
    if isinstance(value, bool):
        yield "flip", lambda v: not v
    elif isinstance(value, int | float):
        yield "raise", _raised
        yield "lower", _lowered
        yield "as text", lambda v: f"{v}x"
    elif isinstance(value, str):
        yield "other text", other_text
        if value:
            yield "empty", lambda v: ""
        yield "as number", lambda v: 17
    if value is not None:
        yield "null", lambda v: None
        yield "as list", lambda v: [v]
        yield "as mapping", lambda v: {"value": v}


def _raised(value: float) -> float:
    step = value + 1 if isinstance(value, int) else round(value * 1.05 + 0.01, 6)
    return step if math.isfinite(step) else 0


def _lowered(value: float) -> float:
    return value - 1 if isinstance(value, int) else round(value * 0.95 - 0.01, 6)


def other_text(text: str) -> str:
    """Change the last sign to another of its sort, so that digests and times stay well formed."""
    if not text:
        return "x"
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def _of_mapping(document: Any, path: Path, value: dict[str, Any]) -> Iterator[FieldChange]:
    yield FieldChange("add to", path, changed(document, path, _added))
    keys = list(value)
    for key in keys:
        yield FieldChange("remove", (*path, key), changed(document, path, _without(key)))
        yield FieldChange("rename", (*path, key), changed(document, path, _renamed(key)))
    for one, two in pairwise(keys):
        if value[one] != value[two]:
            yield FieldChange("swap", (*path, one), changed(document, path, _swapped(one, two)))


def _of_list(document: Any, path: Path, value: list[Any]) -> Iterator[FieldChange]:
    yield FieldChange("add to", path, changed(document, path, lambda v: [*v, "unknown"]))
    for i, item in enumerate(value):
        here = (*path, i)
        yield FieldChange("remove", here, changed(document, path, _dropped(i)))
        yield FieldChange("double", here, changed(document, path, _doubled(i)))
        if i and item != value[i - 1]:
            yield FieldChange("swap", here, changed(document, path, _exchanged(i)))


def _added(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "unknown_key": "x"}


def _dropped(i: int) -> Change:
    return lambda v: v[:i] + v[i + 1 :]


def _doubled(i: int) -> Change:
    return lambda v: [*v, v[i]]


def _without(key: str) -> Change:
    return lambda d: {k: v for k, v in d.items() if k != key}


def _renamed(key: str) -> Change:
    return lambda d: {(f"{k}_" if k == key else k): v for k, v in d.items()}


def _swapped(one: str, two: str) -> Change:
    return lambda d: {**d, one: d[two], two: d[one]}


def _exchanged(i: int) -> Change:
    return lambda v: [*v[: i - 1], v[i], v[i - 1], *v[i + 1 :]]


def at(document: Any, path: Path) -> Any:
    """Return the value at a path."""
    for key in path:
        document = document[key]
    return document


def changed(document: Any, path: Path, change: Change) -> Any:
    """Return a document with one value changed; what is not on the way to it is shared."""
    if not path:
        return change(document)
    again = copy.copy(document)
    again[path[0]] = changed(document[path[0]], path[1:], change)
    return again
