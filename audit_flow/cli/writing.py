"""Writing whole files or nothing."""

from __future__ import annotations

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


def print_text(text: str) -> None:
    """Print a report to standard output, whatever encoding the terminal has."""
    out = sys.stdout
    encoding = out.encoding or "utf-8"
    out.write(text.encode(encoding, "replace").decode(encoding))
    out.flush()
