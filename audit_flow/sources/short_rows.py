"""The texts of training data's rows that short items of a benchmark are looked for in.

What says who speaks, and numbers and names of rows, are left aside: they stand between a question
and its answer, and a number of a row could be taken for an answer.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from audit_flow.analysis.short_items import ShortTexts

MAX_DEPTH = 20
# A line without end is no line of a table, and a cell without end no cell.
_MAX_KEPT = 1024 * 1024
_MAX_CELL = 128 * 1024
_MAX_NUMBERS = 64
_LINES_SEEN_TWICE = 4
_TABLES = (".csv", ".tsv", ".tab", ".psv")
_SEPARATORS = ",;\t|"
_NUMBERED = re.compile(
    r"(?:.*[_-])?(?:id|idx|index|uuid|guid|hash|sha256|md5)|row|turn|weight|timestamp|created_at",
    re.IGNORECASE,
)
_SPEAKING = frozenset({"role", "from", "speaker", "author"})
_SPEAKERS = frozenset(
    {"system", "user", "human", "assistant", "gpt", "chatgpt", "model", "bot", "tool", "function"}
)
# No sum, and no sentence.
_NAME = re.compile(r"[\w.:@]{0,200}")


def row_texts(number: int, row: Any) -> Iterator[ShortTexts]:
    """Yield the texts of a row of JSON, Parquet or Arrow; of a table by columns, those of its rows.

    A file that is one JSON object of columns is one row here, and its rows have no numbers.
    """
    columns = _columns(row)
    if columns:
        for cells in zip(*columns.values(), strict=True):
            row_of = dict(zip(columns, cells, strict=True))
            yield ShortTexts(number, tuple(_texts(row_of, "", 0)))
    yield ShortTexts(number, tuple(_texts(row, "", 0)))


def _columns(row: Any) -> dict[str, list[Any]]:
    """Return the columns of a table that is written by columns; empty for anything else."""
    if not isinstance(row, dict) or not all(isinstance(v, list | dict) for v in row.values()):
        return {}
    lists = {k: list(v.values()) if isinstance(v, dict) else v for k, v in row.items()}
    columns = {k: v for k, v in lists.items() if isinstance(v, list) and len(v) > 1}
    sizes = {len(v) for v in columns.values()}
    if len(columns) < max(2, len(row)) or len(sizes) != 1:
        return {}
    kinds = {type(cell) for column in columns.values() for cell in column}
    return columns if str in kinds and kinds <= {str, int, float, bool, type(None)} else {}


def _texts(value: Any, key: str, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if not is_aside(key, value):
            yield value
    elif isinstance(value, dict):
        for name, part in value.items() if depth < MAX_DEPTH else ():
            yield from _texts(part, str(name), depth + 1)
    elif isinstance(value, list):
        numbers = len(value) > _MAX_NUMBERS and all(isinstance(v, int | float) for v in value)
        for part in value if depth < MAX_DEPTH and not numbers else ():
            yield from _texts(part, key, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
        if not is_aside(key, text):
            yield text


def is_aside(key: str, text: str) -> bool:
    """Say whether a text says who speaks, or is the number or name of a row."""
    if _is_number_of_row(key):
        return _NAME.fullmatch(text) is not None
    return key in _SPEAKING and text.casefold() in _SPEAKERS


def _may_be_aside(key: str) -> bool:
    return key in _SPEAKING or _is_number_of_row(key)


@lru_cache(maxsize=4096)
def _is_number_of_row(key: str) -> bool:
    return len(key) < 100 and _NUMBERED.fullmatch(key) is not None


class ShortLines:
    """The lines of a text, or the cells of a table, as its bytes stream by."""

    def __init__(self, name: str) -> None:
        self._table = name.endswith(_TABLES)
        self._separator = "\t" if name.endswith((".tsv", ".tab")) else ""
        self._names: list[str] | None = None
        self._aside: list[int] = []
        self._one_column = False
        self._kept = b""
        self._row = 1

    def take(self, data: bytes) -> Iterator[ShortTexts]:
        """Yield the texts of what is whole by now."""
        whole, newline, self._kept = (self._kept + data).rpartition(b"\n")
        if newline:
            yield from self._told(whole, last=False)
        elif len(self._kept) > _MAX_KEPT:
            self._kept = b""

    def rest(self) -> Iterator[ShortTexts]:
        """Yield the texts of what is left at the end."""
        kept, self._kept = self._kept, b""
        if kept:
            yield from self._told(kept, last=True)

    def _told(self, whole: bytes, *, last: bool) -> Iterator[ShortTexts]:
        # Files of old spreadsheets end lines by a carriage return alone.
        text = whole.decode("utf-8", "replace").removeprefix("\ufeff")
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        open_lines = 0 if last else self._open(lines)
        first, self._row = self._row, self._row + len(lines) - open_lines
        if open_lines:
            self._kept = ("\n".join(lines[-open_lines:]) + "\n").encode() + self._kept
            del lines[-open_lines:]
        if self._table:
            yield from self._cells(lines, first)
        else:
            yield ShortTexts(first, lines, lines=True)

    def _open(self, lines: list[str]) -> int:
        """Return how many of the last lines wait for more: a cell's end, or an answer."""
        if not self._table:
            return min(_LINES_SEEN_TWICE, len(lines) - 1)
        open_at = None
        for at, line in enumerate(lines):
            if line.count('"') % 2:
                open_at = at if open_at is None else None
        waiting = lines[open_at:] if open_at is not None else []
        return len(waiting) if sum(map(len, waiting)) < _MAX_CELL else 0

    def _cells(self, lines: list[str], first: int) -> Iterator[ShortTexts]:
        if self._names is None and lines:
            self._separator = self._separator or max(_SEPARATORS, key=lines[0].count)
            self._one_column = self._separator not in lines[0]
        if self._one_column:
            yield ShortTexts(first, lines, lines=True)
        at = 0
        while at < len(lines):
            start, left = at, (f"{line}\n" for line in lines[at:])
            reader = csv.reader(left, delimiter=self._separator)
            try:
                for cells in reader:
                    yield self._row_of(cells, first + at)
                    after = start + reader.line_num
                    # A quote that nothing closes hides no rows.
                    if after > at + 1:
                        yield from self._one_by_one(lines[at:after], first + at)
                    at = after
            except csv.Error:
                after = min(len(lines), start + max(reader.line_num, at - start + 1))
                yield from self._one_by_one(lines[at:after], first + at)
                at = after

    def _one_by_one(self, lines: list[str], first: int) -> Iterator[ShortTexts]:
        yield ShortTexts(first, lines, lines=True)
        for number, line in enumerate(lines, start=first):
            yield ShortTexts(number, line.replace('"', "").split(self._separator))

    def _row_of(self, cells: list[str], number: int) -> ShortTexts:
        if self._names is None:
            self._names = [c.strip() for c in cells]
            self._aside = [at for at, c in enumerate(self._names) if _may_be_aside(c)]
        if self._aside and len(self._names) == len(cells):
            left = {at for at in self._aside if is_aside(self._names[at], cells[at])}
            cells = [c for at, c in enumerate(cells) if at not in left]
        return ShortTexts(number, cells)
