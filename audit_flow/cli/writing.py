"""Writing whole files or nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from audit_flow import durable
from audit_flow.errors import InputError

_MODE = 0o644


def write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all; raises InputError when the place won't take it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file of bytes as ``write_whole`` writes text."""
    try:
        durable.write(path, data, _MODE)
    except OSError as error:
        raise _refused(path, error, "a folder that can be written to") from error


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet, whole or not at all; raises InputError."""
    try:
        durable.write_new(path, text.encode(), _MODE)
    except OSError as error:
        raise _refused(path, error, "a new file") from error


def _refused(path: Path, error: OSError, expected: str) -> InputError:
    return InputError(f"can't write {path}: {error.strerror}", expected=expected)


# Controls, line and paragraph separators, and what turns the direction of text around.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def print_text(text: str, *, styled: bool = False) -> None:
    """Print to standard output, whatever encoding the terminal has.

    What a terminal would obey is written as an escape; ``styled`` text is ours, with its colours.
    """
    out = sys.stdout
    encoding = out.encoding or "utf-8"
    if not styled:
        text = _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)
    out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()
