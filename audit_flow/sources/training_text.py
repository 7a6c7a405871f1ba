"""Training data as one stream of text, block by block, with the row that each part is of."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, cast

import orjson

from audit_flow.analysis.plain_text import byte_readings, readings
from audit_flow.errors import EvidenceError
from audit_flow.sources.columnar_rows import COLUMNAR, columnar_rows
from audit_flow.sources.folder import MIB
from audit_flow.sources.short_rows import MAX_DEPTH, ShortLines, is_aside, row_texts
from audit_flow.sources.source_file import SourceFile

if TYPE_CHECKING:
    from audit_flow.analysis.overlap import Block
    from audit_flow.analysis.short_items import ShortTexts

BLOCK = MIB // 2
# Runs of words that straddle two blocks are seen in the second.
OVERLAP = 4096
MAX_LINE = 256 * MIB
_ROWS = (".jsonl", ".ndjson", ".json")
_MIN_TOKENS = 16
_TOKENS = re.compile(r"ids$|tok", re.IGNORECASE)
_ORIGINS = frozenset({"source", "dataset", "split", "lang", "language", "license", "url"})


@dataclass
class _Filling:
    """A block that is being filled."""

    file: str
    parts: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    shorts: list[ShortTexts] = field(default_factory=list)
    size: int = 0

    def add(self, row: int, data: bytes) -> None:
        """Take the text of a row or of a part of it."""
        self.offsets.append(self.size)
        self.rows.append(row)
        self.parts.append(data)
        self.size += len(data) + 1

    def block(self) -> Block:
        """Return what was filled in, and begin anew."""
        from audit_flow.analysis.overlap import Block

        made = Block(self.file, b"\n".join(self.parts), self.offsets, self.rows, self.shorts)
        self.parts, self.offsets, self.rows, self.shorts, self.size = [], [], [], [], 0
        return made


def text_blocks(source: SourceFile, *, short: bool = False) -> Iterator[Block]:
    """Yield the text of a file in blocks of at most 512 KiB; ``short`` keeps rows whole too.

    JSON Lines are read as their values, Parquet and Arrow by their columns, everything else as
    text, also packed by gzip or zstd. Raises EvidenceError for what is no text, and at the end
    where rows could not be searched.
    """
    if source.name.endswith(COLUMNAR):
        yield from _from_rows(source, enumerate(columnar_rows(source), start=1), short)
        return
    plain = source.name.removesuffix(".gz").removesuffix(".zst")
    with _opened(source) as stream:
        try:
            if plain.endswith(_ROWS):
                yield from _from_rows(source, _json_rows(source, stream), short)
            else:
                yield from _from_text(source, stream, short)
        except (OSError, EOFError, zlib.error) as error:
            raise EvidenceError(f"damaged: {error}", where=source.path) from error
        except Exception as error:
            if type(error).__name__ != "ZstdError":
                raise
            raise EvidenceError(f"damaged: {error}", where=source.path) from error


def _opened(source: SourceFile) -> IO[bytes]:
    place = source.folder.file(source.path)
    if source.name.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(place, "rb"))
    if source.name.endswith(".zst"):
        import zstandard

        raw = place.open("rb")
        reader = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(raw)
        return io.BufferedReader(cast("Any", reader))
    return place.open("rb", buffering=MIB)


def _json_rows(source: SourceFile, stream: IO[bytes]) -> Iterator[tuple[int, Any]]:
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise EvidenceError("the row is too large", where=f"{source.path}, row {number}")
        if number == 1 and line.lstrip()[:1] == b"[":
            yield from enumerate(_array(source, line + stream.read(MAX_LINE)), start=1)
            return
        if not line.strip():
            continue
        try:
            yield number, orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if number == 1 and line.strip() == b"{":
                yield 1, _whole(source, line + stream.read(MAX_LINE))
                return
            where = f"{source.path}, row {number}"
            raise EvidenceError(f"no JSON: {error}", expected="JSON Lines", where=where) from error


def _whole(source: SourceFile, raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EvidenceError(f"no JSON: {error}", where=source.path) from error


def _array(source: SourceFile, raw: bytes) -> list[Any]:
    found = _whole(source, raw)
    return found if isinstance(found, list) else [found]


@dataclass
class _Unsearched:
    """Rows that hold no text, or hold it too deep."""

    tokens: int = 0
    deep: int = 0

    def told(self, path: str) -> None:
        """Raise EvidenceError if there are any."""
        found = [
            f"{count:,} rows {words}"
            for count, words in (
                (self.tokens, "hold numbers of tokens and no text"),
                (self.deep, f"hold text more than {MAX_DEPTH} levels deep"),
            )
            if count
        ]
        if found:
            raise EvidenceError("; ".join(found), expected="rows of text", where=path)


def _from_rows(source: SourceFile, rows: Iterator[tuple[int, Any]], short: bool) -> Iterator[Block]:
    filling, unsearched = _Filling(source.path), _Unsearched()
    for number, row in rows:
        texts = list(_texts(row))
        unsearched.deep += None in texts
        unsearched.tokens += _is_tokens(row)
        plain = readings("\n".join(filter(None, texts)))
        data = "\n".join(plain).encode("utf-8", "surrogatepass")
        for start in range(0, max(1, len(data)), BLOCK - OVERLAP):
            part = data[start : start + BLOCK]
            if filling.size and filling.size + len(part) > BLOCK:
                yield filling.block()
            filling.add(number, part)
        if short:
            filling.shorts += row_texts(number, row)
    if filling.size or filling.shorts:
        yield filling.block()
    unsearched.told(source.path)


def _texts(value: Any, depth: int = 0) -> Iterator[str | None]:
    """Yield every text and number of a row, and None for what is too deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            yield None
            return
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _is_tokens(row: Any) -> bool:
    """Say whether a row is numbers of tokens: a list of them, and no text but its origin."""
    cells = row if isinstance(row, dict) else {"tokens": row}
    return any(
        isinstance(v, list)
        and len(v) >= _MIN_TOKENS
        and _TOKENS.search(str(k)) is not None
        and all(type(number) is int for number in v)
        for k, v in cells.items()
    ) and not any(_is_text(str(k), v) for k, v in cells.items())


def _is_text(key: str, value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(part, str | dict | list) for part in value[:_MIN_TOKENS])
    if isinstance(value, str):
        return key not in _ORIGINS and not is_aside(key, value)
    return isinstance(value, dict)


def _from_text(source: SourceFile, stream: IO[bytes], short: bool) -> Iterator[Block]:
    row, tail, first = 1, b"", True
    lines = ShortLines(source.name.removesuffix(".gz").removesuffix(".zst"))
    while data := stream.read(BLOCK - OVERLAP):
        if first and b"\0" in data[: 64 * 1024]:
            raise EvidenceError(
                "no text", expected="text, JSON Lines, Parquet or Arrow", where=source.path
            )
        first = False
        whole = tail + data
        yield from _plain_blocks(source, row - tail.count(b"\n"), whole)
        if short:
            yield _Filling(source.path, shorts=list(lines.take(data))).block()
        row += data.count(b"\n")
        tail = whole[-OVERLAP:]
        # A word that is cut in two would be another word.
        tail = tail[tail.find(b" ") + 1 :] if b" " in tail else tail
    if short:
        rest = _Filling(source.path, shorts=list(lines.rest()))
        yield rest.block()


def _plain_blocks(source: SourceFile, row: int, whole: bytes) -> Iterator[Block]:
    """Yield a part of a text, which starts in a row, as its words are compared."""
    for plain in byte_readings(whole):
        # Letters may need more bytes in lower-case than they had.
        for start in range(0, max(1, len(plain) - OVERLAP), BLOCK - OVERLAP):
            filling, first = _Filling(source.path), row + plain.count(b"\n", 0, start)
            part = plain[start : start + BLOCK]
            for number, line in enumerate(part.split(b"\n"), start=first):
                filling.add(number, line)
            yield filling.block()
