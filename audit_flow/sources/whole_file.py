"""Files of the operator, read within a bound."""

from __future__ import annotations

from pathlib import Path

from audit_flow.errors import InputError

MAX_BYTES = 16 * 1024 * 1024


def read_file(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return a file that the operator named; raises InputError where it can't be had."""
    try:
        if not path.is_file():
            raise InputError(f"there is no file {path}", expected="a file")
        with path.open("rb") as stream:
            raw = stream.read(limit + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", expected="a readable file") from error
    if len(raw) > limit:
        raise InputError(f"{path} is too large", expected=f"at most {limit} bytes")
    return raw
