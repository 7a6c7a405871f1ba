"""Files and folders that appear under their name whole or not at all, whoever is killed meanwhile.

What is being written lies beside its place under a hidden name and is locked while its writer
lives. What a killed writer has left there is taken away by the next one to write to the same place.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

_AT_FDCWD, _RENAME_NOREPLACE, _RENAME_EXCHANGE = -100, 1, 2
_LONGEST = 200


def write(place: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file, in the place of what may be there; raises OSError and leaves that as it was."""
    with being_written(place, mode) as (handle, path):
        _fill(handle, data)
        path.replace(place)
    sync(place.parent)


def write_new(place: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file that must not be there yet; raises FileExistsError, or OSError as ``write``."""
    with being_written(place, mode) as (handle, path):
        _fill(handle, data)
        if not _renamed(path, place, _RENAME_NOREPLACE):
            # Unlike a plain rename, a link never takes the place of what somebody has just written.
            place.hardlink_to(path)
    sync(place.parent)


@contextlib.contextmanager
def being_written(place: Path, mode: int = 0o600) -> Iterator[tuple[int, Path]]:
    """Yield the descriptor and path of a file that will be moved to ``place``, or is taken away."""
    clear(place)
    handle, path = _locked_file(place)
    try:
        os.fchmod(handle, mode)
        yield handle, path
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(handle)


@contextlib.contextmanager
def folder_being_made(place: Path) -> Iterator[Path]:
    """Yield a folder beside ``place``, for ``put_folder``; whatever it then names is taken away."""
    clear(place)
    path = Path(tempfile.mkdtemp(dir=place.parent, prefix=_prefix(place), suffix=".tmp"))
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def put_folder(fresh: Path, place: Path) -> None:
    """Put a folder in its place in one step; ``fresh`` then names the one that was there, if any.

    Where the system can't exchange two folders there is a moment without either. Raises OSError.
    """
    sync(fresh)
    try:
        fresh.rename(place)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        if not _renamed(fresh, place, _RENAME_EXCHANGE):
            _in_two_steps(fresh, place)
    sync(place.parent)


def clear(place: Path) -> None:
    """Take away what killed writers of ``place`` have left beside it; quietly leave what stays."""
    with contextlib.suppress(OSError):
        for name in os.listdir(place.parent):  # noqa: PTH208 - names are all that is needed
            if is_unfinished(name, place):
                _take_away(place.parent / name)


def is_unfinished(name: str, place: Path) -> bool:
    """Say whether a file beside ``place`` is one that was, or is, being written for it."""
    return bool(re.fullmatch(re.escape(_prefix(place)) + r"[a-z0-9_]{8}\.tmp", name))


def _take_away(path: Path) -> None:
    """Remove a file or folder unless its writer is alive, or nobody can say so."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _prefix(place: Path) -> str:
    return f".{place.name[:_LONGEST]}."


def _locked_file(place: Path) -> tuple[int, Path]:
    """Make a file and lock it; made again where it was cleared away before it was locked."""
    while True:
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=_prefix(place), suffix=".tmp")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        except OSError:
            # A file system without locks: nobody can take it for abandoned either.
            return handle, Path(name)
        if os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)


def _fill(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)


def _renamed(one: Path, other: Path, flag: int) -> bool:
    """Rename as plain Python can't; False where it was not done, for whatever reason."""
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    names = (os.fsencode(one.absolute()), os.fsencode(other.absolute()))
    return bool(call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], flag) == 0)


def _in_two_steps(fresh: Path, place: Path) -> None:
    aside = place.with_name(f"{_prefix(place)}{secrets.token_hex(4)}.tmp")
    place.rename(aside)
    try:
        fresh.rename(place)
    except OSError:
        with contextlib.suppress(OSError):
            aside.rename(place)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
