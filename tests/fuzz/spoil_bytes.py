"""Ways to spoil bytes without knowing what they are."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

NUMBERS = (
    "0",
    "-0",
    "-1",
    "1",
    "0.0",
    "-0.0",
    "1e308",
    "1e309",
    "-1e400",
    "1e-400",
    "1e999999999",
    "1e-999999999",
    "9007199254740993",
    "-9223372036854775809",
    "18446744073709551616",
    "4294967295",
    "9" * 30,
    "9" * 400,
    "9" * 5000,
    "0." + "1" * 400,
    "NaN",
    "Infinity",
    "-Infinity",
    "1_000",
    "0x10",
    "1e5",
    "٣",
    "+5",
    ".5",
    "5.",
    "253402300800",
    "-62135596801",
    "1e18",
)
TEXTS = (
    "",
    " ",
    "\0",
    "\n",
    "\r\n",
    "\x1b[31m",
    "\u202e",
    "\u2028",
    "\ud7ff",
    "\ufeff",
    "\U0010ffff",
    "é" * 50,
    "../" * 20,
    "/etc/passwd",
    "~/x",
    "C:\\x",
    "file:///etc/passwd",
    "http://[::1",
    "http://127.0.0.1:99999/",
    "-rf",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "{% for x in y %}",
    "${x}",
    "%s%n",
    "x" * 300,
    "x" * 70_000,
    "[" * 3000,
    "a[" * 500,
    "(" * 2000,
    "1-" * 500,
    "null",
    "true",
    "2024-13-45T99:99:99Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "sha256:" + "0" * 64,
    "00" * 32,
    "sha256",
    "\t",
    "'",
    '"',
    "\\",
    "\\u0000",
    "\\ud800",
    "gpu[0-99999999]",
    "n[1-2][3-4]",
    "=cmd|' /C calc'!A0",
    "::error::x",
    "99:99:99",
    "5-99:99:99",
)
TOKENS = (
    *tuple(t.encode("utf-8") for t in (*NUMBERS, *TEXTS)),
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\x80",
    b"PK\x03\x04",
    b"\x93NUMPY",
    b"\x80\x04",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"---\n",
    b"...\n",
    b"&a ",
    b"*a",
    b"!!python/object:os.system ",
    b"<<: *a\n",
    b"? ",
    b"| \n",
    b"%YAML 9.9\n",
    b"- ",
    b"#",
    b"{}",
    b"[]",
    b'""',
)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_LIMIT = 1024 * 1024
Data = bytearray
Others = Sequence[bytes]


def _at(rng: random.Random, data: Data) -> int:
    return rng.randrange(len(data) + 1)


def _span(rng: random.Random, data: Data) -> slice:
    start = _at(rng, data)
    return slice(start, min(len(data), start + int(min(rng.paretovariate(0.5), len(data)))))


def _flip(rng: random.Random, data: Data, others: Others) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: Data, others: Others) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice(
            (0, 255, 127, 128, 10, 34, 44, 58, rng.randrange(256))
        )


def _delete(rng: random.Random, data: Data, others: Others) -> None:
    del data[_span(rng, data)]


def _double(rng: random.Random, data: Data, others: Others) -> None:
    piece = bytes(data[_span(rng, data)])
    at = _at(rng, data)
    data[at:at] = piece[:65_536] * rng.choice((1, 1, 2, 10, 200 if len(piece) < 300 else 1))


def _token(rng: random.Random, data: Data, others: Others) -> None:
    at = _at(rng, data)
    data[at:at] = rng.choice(TOKENS)


def _over(rng: random.Random, data: Data, others: Others) -> None:
    data[_span(rng, data)] = rng.choice(TOKENS)


def _number(rng: random.Random, data: Data, others: Others) -> None:
    start = _at(rng, data)
    found = _NUMBER.search(data, start) or _NUMBER.search(data)
    if found:
        data[found.start() : found.end()] = rng.choice(NUMBERS).encode()


def _integer(rng: random.Random, data: Data, others: Others) -> None:
    """Write an integer of a binary format: its extremes, in either byte order."""
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(
        (
            0,
            1,
            2,
            7,
            8,
            255,
            1 << 15,
            1 << 16,
            1 << 31,
            (1 << 31) - 1,
            1 << 32,
            1 << 62,
            1 << 63,
            -1,
            -2,
        )
    )
    order = rng.choice(("little", "big"))
    if len(data) >= size:
        at = rng.randrange(len(data) - size + 1)
        data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, order)  # type: ignore[arg-type]


def _splice(rng: random.Random, data: Data, others: Others) -> None:
    other = bytearray(rng.choice(others)) if others else data
    data[_at(rng, data) :] = other[_at(rng, other) :]


def _cut(rng: random.Random, data: Data, others: Others) -> None:
    del data[_at(rng, data) :]


def _line(rng: random.Random, data: Data, others: Others) -> None:
    """Move, double or drop a line."""
    lines = bytes(data).split(b"\n")
    one = rng.randrange(len(lines))
    match rng.randrange(3):
        case 0:
            lines.insert(rng.randrange(len(lines) + 1), lines[one])
        case 1:
            del lines[one]
        case _:
            two = rng.randrange(len(lines))
            lines[one], lines[two] = lines[two], lines[one]
    data[:] = b"\n".join(lines)


_WAYS: tuple[Callable[[random.Random, Data, Others], None], ...] = (
    _flip,
    _byte,
    _delete,
    _double,
    _token,
    _over,
    _number,
    _number,
    _integer,
    _splice,
    _cut,
    _line,
)


def spoil_bytes(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Return bytes with one to several changes of any kind, at most 1 MiB."""
    changed = bytearray(data)
    for _ in range(int(min(rng.paretovariate(1.0), 12))):
        rng.choice(_WAYS)(rng, changed, others)
    return bytes(changed[:_LIMIT])
