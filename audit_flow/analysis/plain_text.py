"""Texts as they are compared with training data, however their characters are written.

Spaces and marks of every script separate words; a letter with an accent is one character, whether
it was written as one or as two; capitals make no difference, nor do HTML entities ("&nbsp;").
Characters without width (zero width space, soft hyphen, byte order mark) stand inside words or in
place of spaces, and nothing says which: a text that has some is read both ways.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,24});")
_LAST_CODE = 0x10FFFF
# Behind these planes stand Chinese characters and what has no meaning of its own.
_MARKS_END = 0x20000
_SEPARATES, _SILENT, _UNSEEN = 1, 2, 3
# Selectors of a letter's or an emoji's shape, and a joiner of accents: in place of no space.
_SILENT_CODES = (*range(0xFE00, 0xFE10), *range(0x180B, 0x180E), 0x034F)
_QUOTES = {"'": "‘’‚‛′ʼ", '"': "“”„‟«»″", "-": "‐‑‒–—―−", "...": "…"}
_WRITTEN = {mark: plain for plain, marks in _QUOTES.items() for mark in marks}
_WRITTEN |= dict.fromkeys(map(chr, _SILENT_CODES), "")
# A short text is compared without spaces: one more, inside a word, makes no difference.
_WRITTEN |= dict.fromkeys("\u00ad\u200c\u200d\u200e\u200f\u2060\ufeff", "") | {"\u200b": " "}
_SHORT = str.maketrans(_WRITTEN)


def readings(text: str) -> tuple[str, ...]:
    """Return a text as its words are compared; twice, where it has characters without width."""
    if "&" in text:
        text = _ENTITY.sub(_meant, text)
    if text.isascii():
        return (text,)
    return tuple(_folded(each) for each in _parted(unicodedata.normalize("NFC", text)))


def byte_readings(data: bytes) -> tuple[bytes, ...]:
    """Return a part of a text in UTF-8 as ``readings`` does, its lines still being its lines.

    What is no UTF-8, such as half of a character at either end, stays as it is.
    """
    if data.isascii() and b"&" not in data:
        return (data,)
    found = readings(data.decode("utf-8", "surrogateescape"))
    return tuple(text.encode("utf-8", "surrogateescape") for text in found)


def legible(text: str) -> str:
    """Return a short text with plain quotes, dashes and accents, and nothing that has no width."""
    if "&" in text:
        text = _ENTITY.sub(_meant, text)
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.translate(_SHORT))


def _meant(entity: re.Match[str]) -> str:
    found = html.unescape(entity[0])
    # A line break that is written as an entity ends no line of the file.
    return " " if found.isspace() else found


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _parted(text: str) -> tuple[str, ...]:
    """Return a text with spaces for what separates words, in one or two readings."""
    import numpy as np

    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    kinds = _kinds()[codes]
    if not kinds.any():
        return (text,)
    spaced = np.where(kinds == _SEPARATES, np.uint32(ord(" ")), codes)
    joined = _text(spaced[(kinds != _SILENT) & (kinds != _UNSEEN)])
    if not (kinds == _UNSEEN).any():
        return (joined,)
    spaced[kinds == _UNSEEN] = ord(" ")
    return joined, _text(spaced[kinds != _SILENT])


def _text(codes: NDArray[np.uint32]) -> str:
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


@cache
def _kinds() -> NDArray[np.uint8]:
    """Return of each character whether it separates words or has no width; ASCII has its own."""
    import numpy as np

    found = np.zeros(_LAST_CODE + 1, dtype=np.uint8)
    for code in range(0x80, _MARKS_END):
        category = unicodedata.category(chr(code))
        if category[0] in "PSZ" or category == "Cc":
            found[code] = _SEPARATES
        elif category == "Cf":
            found[code] = _UNSEEN
    found[list(_SILENT_CODES)] = _SILENT
    found[[ord(mark) for marks in _QUOTES.values() for mark in marks]] = _SEPARATES
    return found
