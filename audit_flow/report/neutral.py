"""Text that came from a repository, made harmless to show: visible, on one line, and bounded."""

from __future__ import annotations

import re
import unicodedata

TEXT_LIMIT = 1_000
NAME_LIMIT = 120

# Other; format (bidi overrides, zero-width, tags); surrogate; private use; separators of lines.
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that show as nothing at all.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_WHITE = re.compile(r"[ \t\r\n]+")
_PLAIN = re.compile(r"[\t\r\n\x20-\x7e]*")
_MARKS_IN_A_ROW = 4


def neutralise(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return text on one line with control, bidi and invisible characters written as escapes.

    At most ``limit`` characters of the text are kept; what was cut is counted at the end.
    """
    kept = "".join(_visible(text[: limit * 2]))
    line = _WHITE.sub(" ", kept).strip()
    if len(text) <= limit and len(line) <= limit * 2:
        return line
    head = line[:limit]
    return f"{head}… ({max(len(text) - len(head), 1):,} more characters)"


def _visible(text: str) -> str | list[str]:
    if _PLAIN.fullmatch(text):
        # Nearly all text of a large report, and a hundred times faster than letter by letter.
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        unsafe = _is_unsafe(character) or marks > _MARKS_IN_A_ROW
        shown.append(_escape(character) if unsafe else character)
    return shown


def _is_unsafe(character: str) -> bool:
    if character in "\t\r\n":
        return False
    invisible = character in _BLANK or "\ufe00" <= character <= "\ufe0f"
    selector = "\U000e0100" <= character <= "\U000e01ef"
    return invisible or selector or unicodedata.category(character) in _UNSAFE_CATEGORIES


def _escape(character: str) -> str:
    point = ord(character)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
