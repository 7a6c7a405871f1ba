"""The history of reviews: JSON Lines that are only ever appended to, each naming the one before.

Beside the lines stands a file that names the last one, so that taking lines off the end is seen as
well. Someone who rewrites both together is found out by what was told elsewhere: the digest of each
entry goes into the index of the audits, and an entry may be signed.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from audit_flow import durable
from audit_flow.approval.entry import (
    MAX_LINE,
    START,
    Entry,
    altered,
    head_line,
    parse_entry,
    parse_head,
    statement_of,
)
from audit_flow.errors import ApprovalError
from audit_flow.model import Review

if TYPE_CHECKING:
    from audit_flow.signing import Signer

MAX_BYTES = 256 * 1024 * 1024
Judge = Callable[[tuple[Entry, ...]], Review]


@dataclass(frozen=True)
class History:
    """The reviews that are kept in one folder."""

    folder: Path

    @property
    def lines(self) -> Path:
        """The file of reviews."""
        return self.folder / "reviews.jsonl"

    @property
    def head(self) -> Path:
        """The file that names the last review."""
        return self.folder / "reviews.head.json"

    def read(self) -> tuple[Entry, ...]:
        """Return every review, oldest first, each hashed again; raises ApprovalError."""
        if not self.lines.exists() and not self.head.exists():
            return ()
        with self._locked(fcntl.LOCK_SH, os.O_RDONLY):
            return self._proven()

    def append(self, judge: Judge, signer: Signer | None = None) -> Entry:
        """Append the review that ``judge`` makes of the history so far.

        No one else can append between what ``judge`` sees and what is written; it raises to write
        nothing. Raises ApprovalError where the history was altered or can't be written.
        """
        with self._locked(fcntl.LOCK_EX):
            entries = self._proven()
            entry = _next(entries, judge(entries), signer)
            self._write(entry, entries)
            return entry

    def _proven(self) -> tuple[Entry, ...]:
        entries = self._chained()
        if not self.head.exists():
            if len(entries) > 1:
                raise altered(str(self.head), len(entries), "is not named by its head file")
            return entries
        try:
            number, digest = parse_head(self.head.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise altered(str(self.head), len(entries), "has no readable head file") from error
        # One entry more than the head names was written just before a crash.
        held = 0 < number <= len(entries) <= number + 1
        if not held or entries[number - 1].sha256 != digest:
            raise altered(str(self.lines), number, "is gone or is not the one that was written")
        return entries

    def _chained(self) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        previous = START
        for line in self._whole_lines():
            entry = parse_entry(line, len(entries) + 1, previous, str(self.lines))
            entries.append(entry)
            previous = entry.sha256
        return tuple(entries)

    def _whole_lines(self) -> list[bytes]:
        if not self.lines.exists():
            return []
        if self.lines.stat().st_size > MAX_BYTES:
            raise ApprovalError(f"over {MAX_BYTES} bytes of reviews", where=str(self.lines))
        # What follows the last line feed was never written whole: no review that anyone was told.
        return self.lines.read_bytes().split(b"\n")[:-1]

    def _write(self, entry: Entry, before: tuple[Entry, ...]) -> None:
        line = entry.line + b"\n"
        if len(line) > MAX_LINE:
            raise ApprovalError(f"a review of {len(line)} bytes", expected=f"at most {MAX_LINE}")
        try:
            if before:
                # A writer that was killed may have left the head one behind: never two.
                self._name(before[-1])
            self._append(line)
            try:
                self._name(entry)
            except OSError:
                # Who is told that it was not written will decide again.
                os.truncate(self.lines, self.lines.stat().st_size - len(line))
                raise
        except OSError as error:
            raise ApprovalError(
                f"can't write the review: {error.strerror}", where=str(self.lines),
                remedy="Free the space or the rights, look whether it was written, decide again.",
            ) from error  # fmt: skip

    def _name(self, entry: Entry) -> None:
        """Name the last entry in the head file, unless it is named there; raises OSError."""
        head = head_line(entry.number, entry.sha256)
        if not self.head.exists() or self.head.read_bytes() != head:
            durable.write(self.head, head)

    def _append(self, line: bytes) -> None:
        handle = os.open(self.lines, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            end = sum(len(whole) + 1 for whole in self._whole_lines())
            os.ftruncate(handle, end)
            try:
                if os.pwrite(handle, line, end) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, end)
                raise
        finally:
            os.close(handle)

    @contextmanager
    def _locked(self, how: int, access: int = os.O_RDWR | os.O_CREAT) -> Iterator[None]:
        try:
            handle = self._lock_file(access)
        except OSError as error:
            raise ApprovalError(
                f"the history of reviews can't be opened: {error.strerror}", where=str(self.folder)
            ) from error
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)

    def _lock_file(self, access: int) -> int:
        place = self.folder / "reviews.lock"
        if access == os.O_RDONLY:
            # A history may be looked at where it can't be added to.
            with suppress(FileNotFoundError):
                return os.open(place, access)
        self.folder.mkdir(parents=True, exist_ok=True)
        return os.open(place, os.O_RDWR | os.O_CREAT, 0o600)


def _next(entries: tuple[Entry, ...], review: Review, signer: Signer | None) -> Entry:
    previous = entries[-1].sha256 if entries else START
    bundle = signer.sign(statement_of(review)) if signer else None
    return Entry(
        number=len(entries) + 1,
        previous=previous,
        review=review,
        signature=base64.b64encode(bundle).decode() if bundle else None,
    )
