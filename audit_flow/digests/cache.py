"""Digests kept between runs, for files that have not been touched since.

An entry holds for one state of one file: resolved path, device, inode, size, mtime and ctime. An
ordinary program can set mtime back after a change, but not ctime, so bytes that were changed
under the same size and mtime are read again. The cache lies in a directory that the caller names
and is as trustworthy as that directory; a publication should not use one.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from audit_flow.digests.opening import Identity, OpenFile
from audit_flow.digests.plan import FileDigests, FilePlan, TensorDigest
from audit_flow.digests.problem import Problem

_NAME = "digests-1.sqlite3"  # the number changes with the layout of the entries
_TABLE = """CREATE TABLE IF NOT EXISTS digests (
    slot TEXT PRIMARY KEY, state TEXT NOT NULL, content TEXT NOT NULL, seal TEXT NOT NULL)"""
SETTLED_NS = 2_000_000_000
"""A file touched this shortly before is not kept: its clock may be too coarse (2 s on FAT) to show
a second change."""


class DigestCache:
    """An SQLite file of digests in `directory`, which is created when the first entry is kept.

    A file that can't be read as this cache is thrown away; a cache that can't be written is left
    as it is. Neither is an error: every answer is then computed anew.
    """

    def __init__(self, directory: Path, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._file = directory / _NAME
        self._clock = clock

    def find(self, plan: FilePlan, file: OpenFile) -> FileDigests | None:
        """Return what was kept for exactly this state of the file and these digests."""
        if not self._file.exists():
            return None
        try:
            with self._open() as database:
                row = database.execute(
                    "SELECT state, content, seal FROM digests WHERE slot = ?",
                    (slot_of(plan, file),),
                ).fetchone()
        except (sqlite3.Error, OSError):
            return None
        return None if row is None else _restore(plan, file, row)

    def keep(self, found: Iterable[tuple[FilePlan, OpenFile, FileDigests]]) -> None:
        """Keep results, all in one transaction; files touched just now are left out."""
        rows = [self._row(*item) for item in found if self.is_settled(item[1].identity)]
        if not rows:
            return
        try:
            self._store(rows)
        except sqlite3.DatabaseError:
            with suppress(OSError, sqlite3.Error):
                self._file.unlink(missing_ok=True)
                self._store(rows)
        except OSError:
            return

    def _store(self, rows: list[tuple[str, str, str, str]]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database, database:
            database.execute(_TABLE)
            database.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=10)) as database:
            yield database

    def is_settled(self, identity: Identity) -> bool:
        """Say whether a file was left alone long enough for a further change to show."""
        touched = max(identity.ctime_ns, identity.mtime_ns)
        return self._clock() - touched > SETTLED_NS

    def _row(self, plan: FilePlan, file: OpenFile, found: FileDigests) -> tuple[str, str, str, str]:
        slot, state = slot_of(plan, file), _state(file.identity)
        content = content_of(found)
        return slot, state, content, _seal(slot, state, content)


def slot_of(plan: FilePlan, file: OpenFile) -> str:
    """Name one question about one file."""
    return json.dumps([file.real, sorted(plan.algorithms), plan.tensors])


def _state(identity: Identity) -> str:
    return json.dumps(asdict(identity), sort_keys=True)


def _seal(*parts: str) -> str:
    # Against a damaged disk; whoever can write to the directory can also write a seal.
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()


def _restore(
    plan: FilePlan, file: OpenFile, row: tuple[object, object, object]
) -> FileDigests | None:
    state, content, seal = (str(column) for column in row)
    if state != _state(file.identity) or seal != _seal(slot_of(plan, file), state, content):
        return None
    return restored(plan, content)


def content_of(found: FileDigests) -> str:
    """Return what was found as JSON, for ``restored``."""
    return json.dumps(asdict(found), sort_keys=True)


def restored(plan: FilePlan, content: str) -> FileDigests:
    """Return what was found of a file, under the path that is asked for."""
    kept = json.loads(content)
    return FileDigests(
        plan.path,
        kept["size"],
        tuple((name, value) for name, value in kept["digests"]),
        tuple(TensorDigest(**{**item, "shape": tuple(item["shape"])}) for item in kept["tensors"]),
        tuple(Problem(**{**item, "path": plan.path}) for item in kept["problems"]),
    )
