"""Hashes of words and of runs of words, many at a time: lower-case, letters and digits only.

A word is a run of ASCII letters and digits or of bytes of other scripts; everything else only
separates. Bytes are those of a text as ``plain_text`` returns it, which has dealt with the marks
and the capitals of other scripts. Hashes are polynomials modulo 2^64, mixed; equal runs have
equal hashes wherever they stand, and what has an equal hash is compared again by its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]

# The longest text that is hashed at once, in bytes.
MAX_BLOCK = 1024 * 1024
_BYTES = 0x9E3779B97F4A7C15
_WORDS = 0xC2B2AE3D27D4EB4F
_WORD = re.compile(rb"[0-9a-z\x80-\xff]+")
_TABLE = bytes(
    ord(chr(b).lower()) if chr(b).isascii() and chr(b).isalnum() else b if b >= 128 else 0
    for b in range(256)
)


def words(text: str) -> list[bytes]:
    """Return the words of a plain text."""
    return _WORD.findall(text.encode("utf-8", "surrogatepass").lower())


def spelled(text: bytes) -> bytes:
    """Return the words of a plain text with one space between them and one at either end."""
    return b" " + b" ".join(_WORD.findall(text.lower())) + b" "


@dataclass(frozen=True)
class Tokens:
    """The words of a block: hash, and where each starts and ends in bytes."""

    hashes: Hashes
    starts: Places
    ends: Places


def tokens(block: bytes) -> Tokens:
    """Return the words of at most ``MAX_BLOCK`` bytes; ValueError for more."""
    if len(block) > MAX_BLOCK:
        raise ValueError(f"a block of {len(block)} bytes")
    plain = np.frombuffer(block.translate(_TABLE), dtype=np.uint8)
    inside = np.zeros(len(plain) + 2, dtype=np.int8)
    np.not_equal(plain, 0, out=inside[1:-1].view(np.bool_))
    edges = np.flatnonzero(np.diff(inside))
    starts, ends = edges[0::2], edges[1::2]
    if not len(starts):
        return Tokens(np.zeros(0, dtype=np.uint64), starts, ends)
    powers, inverses = _powers(_BYTES, MAX_BLOCK)
    # What separates is zero, so that each sum runs on to the next word and adds nothing.
    sums = np.add.reduceat(plain * powers[: len(plain)], starts)
    return Tokens(_mixed(sums * inverses[starts]), starts, ends)


def runs(hashes: Hashes, n: int) -> Hashes:
    """Return the hash of every run of ``n`` words, by its first; empty where there are fewer."""
    if len(hashes) < n:
        return np.zeros(0, dtype=np.uint64)
    powers, inverses = _powers(_WORDS, MAX_BLOCK)
    sums = np.zeros(len(hashes) + 1, dtype=np.uint64)
    np.cumsum(hashes * powers[: len(hashes)], out=sums[1:])
    last = len(hashes) - n + 1
    return _mixed((sums[n:] - sums[:last]) * inverses[:last] + np.uint64(n))


@cache
def _powers(base: int, count: int) -> tuple[Hashes, Hashes]:
    """Return the powers of an odd number modulo 2^64, and their inverses."""
    inverse = pow(base, -1, 1 << 64)
    return _power_table(base, count), _power_table(inverse, count)


def _power_table(base: int, count: int) -> Hashes:
    found = np.ones(count, dtype=np.uint64)
    done, step = 1, base
    while done < count:
        found[done : 2 * done] = found[: min(done, count - done)] * np.uint64(step)
        done, step = 2 * done, step * step % (1 << 64)
    return found


def _mixed(values: Any) -> Hashes:
    """Return values with every bit spread over the others (the finaliser of SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = values ^ (values >> np.uint64(31))
    return mixed
