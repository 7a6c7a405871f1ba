"""Rows of JSON Lines, JSON, CSV and training logs as flat tables, within bounds.

Beside the values of each row stand columns of our own, so that one suite fits every data set:
``row.keys``, ``row.empty`` (keys without a value), ``row.not_finite`` (NaN and infinities),
``row.is_repeat`` (1 where an earlier row is the same) and ``row.<name>_increase`` for step and
time columns (the difference to the row before).
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from audit_flow.errors import EvidenceError
from audit_flow.model.expectations import TableKind
from audit_flow.sources import json_text
from audit_flow.sources.fields import writable

MIB = 1024 * 1024
MAX_BYTES = 256 * MIB
MAX_ROWS = 1_000_000
SAMPLE_BYTES, SAMPLE_ROWS = 64 * MIB, 100_000
MAX_COLUMNS = 300
_MAX_TEXT = 10_000
_DEPTH = 2
_RISING = ("step", "global_step", "timestamp", "time")


@dataclass
class Table:
    """A table by columns of equal length; ``sha256`` is of the file where all of it was read."""

    columns: dict[str, list[Any]] = field(default_factory=dict)
    rows: int = 0
    sampled: bool = False
    sha256: str | None = None


def read_table(path: Path, name: str, kind: TableKind) -> Table:
    """Read a file as a table; of a dataset only the first rows, as a sample.

    Raises EvidenceError with file and row for what is no table, or too large a one.
    """
    limit = SAMPLE_BYTES if kind == "dataset" else MAX_BYTES
    with path.open("rb") as stream:
        raw = stream.read(limit + 1)
    cut = len(raw) > limit
    if cut and kind != "dataset":
        raise EvidenceError("a larger file", expected=f"at most {limit:,} bytes", where=name)
    text = raw[: raw.rfind(b"\n", 0, limit) + 1] if cut else raw
    most = SAMPLE_ROWS if kind == "dataset" else MAX_ROWS
    table = _collect(_rows(text, name, cut), most, name)
    table.sampled = table.sampled or cut
    if table.sampled and kind != "dataset":
        raise EvidenceError(f"over {most:,} rows", expected="fewer", where=name)
    table.sha256 = None if table.sampled else hashlib.sha256(raw).hexdigest()
    return table


def _rows(raw: bytes, name: str, cut: bool) -> Iterator[dict[str, Any]]:
    if name.endswith((".csv", ".tsv")):
        yield from _csv_rows(raw, name)
    elif name.endswith(".jsonl") or (cut and raw.lstrip()[:1] == b"{"):
        for number, line in enumerate(raw.split(b"\n"), start=1):
            if line.strip():
                yield _object(_value(line, f"{name}, row {number}"), f"{name}, row {number}")
    elif cut:
        raise EvidenceError("one JSON document of this size", expected="JSON Lines", where=name)
    else:
        yield from _document_rows(_value(raw, name), name)


def _value(raw: bytes, where: str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        # NaN and Infinity, which harnesses write, come back as their names.
        return json_text.parse(raw, where, constants=True)


def _document_rows(document: Any, name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON document: an array, or the log of a Trainer's state."""
    if isinstance(document, dict) and isinstance(document.get("log_history"), list):
        document = document["log_history"]
    if not isinstance(document, list):
        raise EvidenceError(
            f"a JSON {type(document).__name__}", expected="rows: an array of objects", where=name
        )
    for number, row in enumerate(document, start=1):
        yield _object(row, f"{name}, row {number}")


def _object(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise EvidenceError(f"a {type(row).__name__}", expected="a JSON object", where=where)
    return row


def _csv_rows(raw: bytes, name: str) -> Iterator[dict[str, Any]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvidenceError("bytes that are no UTF-8 text", where=name) from error
    delimiter = "\t" if name.endswith(".tsv") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            extra = row.pop(None, None)
            if extra:
                raise EvidenceError(
                    f"{len(extra)} values too many", where=f"{name}, line {reader.line_num}"
                )
            yield {(k or "").strip(): _number(v) for k, v in row.items()}
    except csv.Error as error:
        raise EvidenceError(f"no CSV: {error}", where=f"{name}, line {reader.line_num}") from error


def _number(text: str | None) -> Any:
    plain = (text or "").strip()
    if not plain:
        return None
    try:
        return float(plain) if "_" not in plain else plain
    except ValueError:
        return plain


def _collect(rows: Iterator[dict[str, Any]], most: int, name: str) -> Table:
    table, seen = Table(), set[bytes]()
    for row in rows:
        if table.rows == most:
            table.sampled = True
            break
        flat = dict(_flat(row))
        values = {k: v for k, v in flat.items() if not _not_finite(v)}
        digest = hashlib.sha256(orjson.dumps(_plain(flat), option=orjson.OPT_SORT_KEYS)).digest()
        own = {
            "row.keys": len(row),
            "row.empty": sum(v is None or v == "" for v in flat.values()),
            "row.not_finite": len(flat) - len(values),
            "row.is_repeat": int(digest in seen),
        }
        seen.add(digest)
        _append(table, values | own, name)
    _increases(table)
    return table


def _plain(flat: dict[str, Any]) -> dict[str, Any]:
    return {k: v if isinstance(v, str | int | float | bool) else str(v) for k, v in flat.items()}


def _flat(row: dict[str, Any], prefix: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        name = writable(f"{prefix}{key}")[:200]
        if isinstance(value, dict) and depth:
            yield from _flat(value, f"{name}.", depth - 1)
        elif isinstance(value, list | dict):
            yield name, writable(str(value)[:_MAX_TEXT])
        else:
            yield name, writable(value[:_MAX_TEXT]) if isinstance(value, str) else _bounded(value)


def _bounded(value: Any) -> Any:
    # Integers beyond a double would break the table's columns.
    if not isinstance(value, int) or abs(value) < 2**53:
        return value
    return float(value) if abs(value) < 1 << 1023 else (math.inf if value > 0 else -math.inf)


def _not_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, str) and value in {"NaN", "nan", "Infinity", "-Infinity", "inf"}


def _append(table: Table, row: dict[str, Any], name: str) -> None:
    for column in row:
        if column not in table.columns:
            if len(table.columns) >= MAX_COLUMNS:
                raise EvidenceError(f"over {MAX_COLUMNS} columns", expected="a table", where=name)
            table.columns[column] = [None] * table.rows
    for column, values in table.columns.items():
        values.append(row.get(column))
    table.rows += 1


def _increases(table: Table) -> None:
    for name in _RISING:
        values = table.columns.get(name)
        if values is None:
            continue
        rises: list[Any] = []
        last: float | None = None
        for value in values:
            number = value if isinstance(value, int | float) else None
            rises.append(None if number is None or last is None else number - last)
            last = number if number is not None else last
        # The first row has none before it: it rises by nothing.
        table.columns[f"row.{name}_increase"] = [0 if r is None else r for r in rises]
