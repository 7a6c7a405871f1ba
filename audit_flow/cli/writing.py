"""Writing whole files or nothing."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from audit_flow.errors import InputError


def write_whole(path: Path, text: str) -> None:
    """Write a file by temporary file and rename; raises InputError when the place won't take it."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file of bytes as ``write_whole`` writes text."""
    handle, name = _temporary(path)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise InputError(f"can't write {path}: {error.strerror}") from error


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet, whole or not at all; raises InputError."""
    handle, name = _temporary(path)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        # Unlike a rename, a link never takes the place of what somebody else has just written.
        path.hardlink_to(name)
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror}", expected="a new file") from error
    finally:
        Path(name).unlink(missing_ok=True)


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


def _temporary(path: Path) -> tuple[int, str]:
    try:
        return tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise InputError(
            f"can't write {path}: {error.strerror}", expected="a folder that can be written to"
        ) from error
