"""Every byte of a commit: downloaded, hashed as it comes, resumed where it was cut off."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit_flow.digests import Problem
from audit_flow.errors import AuditFlowError, EvidenceError, InputError
from audit_flow.sources.hub.http import HubHttp, NoAnswer, ServedOtherwise, Stream, TryAgain
from audit_flow.sources.hub.listing import Entry
from audit_flow.sources.hub.ranges import HubRanges

PARTS = ".audit-flow-parts"
_BLOCK = 1 << 20
_WORTH_TRYING = 64 << 20
_FROM = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})\Z")

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Downloaded:
    """A file as it was served: its SHA-256, and what is wrong where it is not the listing's."""

    path: str
    size: int
    sha256: str
    problem: Problem | None = None


@dataclass
class _Job:
    http: HubHttp
    ranges: HubRanges
    folder: Path
    progress: Progress | None
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def advance(self, size: int) -> None:
        with self.lock:
            self.done += size
            if self.progress:
                self.progress(self.done)


def download_all(
    http: HubHttp,
    ranges: HubRanges,
    entries: Iterable[Entry],
    folder: Path,
    *,
    progress: Progress | None = None,
    threads: int = 4,
) -> tuple[tuple[Downloaded, ...], dict[str, AuditFlowError]]:
    """Download files below ``folder`` and hash every byte; return them, and why others failed.

    A file that is there is hashed, and kept where its digest is the listing's. What was cut off
    goes on from its part, whose name is the digest that it has to come to. A file whose digest is
    wrong is asked for once more, then named. Memory stays flat; ``progress`` gets the bytes done
    in all. Raises EvidenceError where the disk has no room, and InputError where another process
    downloads to the same folder.
    """
    wanted = sorted(entries, key=lambda e: -e.size)
    _room(folder, wanted)
    job = _Job(http, ranges, folder.resolve(), progress)
    with (
        _alone(job.folder / PARTS),
        ThreadPoolExecutor(threads, thread_name_prefix="hub-download") as pool,
    ):
        futures = [pool.submit(_tried, job, entry) for entry in wanted]
        try:
            found = [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        failed = {
            e.path: d for e, d in zip(wanted, found, strict=True) if not isinstance(d, Downloaded)
        }
        if not failed:
            shutil.rmtree(job.folder / PARTS, ignore_errors=True)
    whole = (d for d in found if isinstance(d, Downloaded))
    return tuple(sorted(whole, key=lambda d: d.path)), failed


@contextlib.contextmanager
def _alone(parts: Path) -> Iterator[None]:
    """Hold the folder of parts: of two that write to one part, neither hashes what lies there."""
    handle = _held(parts)
    try:
        yield
    finally:
        os.close(handle)


def _held(parts: Path) -> int:
    while True:
        handle = -1
        try:
            # Made again where its last user has taken it away, or somebody the whole folder.
            parts.mkdir(parents=True, exist_ok=True)
            handle = os.open(parts, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            continue
        except BlockingIOError:
            os.close(handle)
            raise InputError(
                "another download to this folder is under way", where=parts.parent.name,
                expected="a folder of its own", remedy="Wait until it has ended, or name another",
            ) from None  # fmt: skip
        except OSError as error:
            if handle < 0:
                raise EvidenceError(f"could not be kept here: {error.strerror}",
                                    where=parts.name) from error  # fmt: skip
            # A file system without locks: the size of a part tells that two have written to it.
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)


def _tried(job: _Job, entry: Entry) -> Downloaded | AuditFlowError:
    try:
        return _one(job, entry)
    except AuditFlowError as error:
        return error
    except OSError as error:
        return EvidenceError(f"could not be kept here: {error.strerror}", where=entry.path)


def _room(folder: Path, entries: list[Entry]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # What is there already needs no room: the check may only be too lenient.
    needed = sum(e.size for e in entries) - _there(folder)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise EvidenceError(f"{free} bytes free below {folder.name}", expected=f"{needed} bytes",
                            remedy="Name a folder on a larger disk")  # fmt: skip
    folded = {e.path.casefold() for e in entries}
    if sys.platform in {"darwin", "win32"} and len(folded) != len(entries):
        raise EvidenceError("two files whose names differ only in case",
                            expected="names that this file system tells apart")  # fmt: skip


def _there(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        # Another download to the same folder may have renamed its part since it was listed.
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


def _one(job: _Job, entry: Entry) -> Downloaded:
    target = _target(job.folder, entry.path)
    if target.is_file() and target.stat().st_size == entry.size:
        hashes = _Hashes(entry)
        _feed(target, hashes)
        if hashes.right():
            job.ranges.count_read(entry.path, entry.size)
            job.advance(entry.size)
            return hashes.result()
    part = job.folder / PARTS / entry.content_id
    part.parent.mkdir(exist_ok=True)
    hashes = _fetched(job, entry, part)
    if not hashes.right():
        # Once more from the start: a bit may have flipped on the way, or on this disk.
        part.unlink(missing_ok=True)
        hashes = _fetched(job, entry, part)
    if part.stat().st_size != hashes.size:
        raise EvidenceError("somebody else writes to the same part", where=entry.path,
                            remedy="Name a folder of its own")  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)
    return hashes.result()


def _target(folder: Path, path: str) -> Path:
    target = folder / path
    if not target.parent.resolve().is_relative_to(folder) or target.is_symlink():
        raise EvidenceError("a symbolic link in the download folder", where=path,
                            expected="plain folders")  # fmt: skip
    return target


class _Hashes:
    """The digests of one file as it comes: SHA-256, and git's blob id for what is no LFS file."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.size = 0
        self._sha256 = hashlib.sha256()
        header = b"blob %d\0" % entry.size
        self._blob = None if entry.sha256 else hashlib.sha1(header, usedforsecurity=False)

    def update(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._blob:
            self._blob.update(data)
        self.size += len(data)

    def right(self) -> bool:
        got = self._blob.hexdigest() if self._blob else self._sha256.hexdigest()
        return self.size == self.entry.size and got == self.entry.content_id

    def result(self) -> Downloaded:
        sha256, entry = self._sha256.hexdigest(), self.entry
        got = sha256 if self._blob is None else f"git blob {self._blob.hexdigest()}"
        problem = Problem(entry.path, "the bytes that are served", entry.content_id, got)
        return Downloaded(entry.path, self.size, sha256, None if self.right() else problem)


def _fetched(job: _Job, entry: Entry, part: Path) -> _Hashes:
    hashes = _Hashes(entry)
    if part.is_file() and part.stat().st_size > entry.size:
        part.unlink()
    _feed(part, hashes)
    job.advance(hashes.size)
    url = job.ranges.address(entry.path)

    def once() -> None:
        before = hashes.size
        headers = {"range": f"bytes={before}-"} if before else {}
        try:
            with job.http.stream(url, headers) as stream, part.open("ab") as out:
                job.ranges.check_reply(entry, stream.hops[0])
                _check_start(stream, entry, before)
                _write(stream, out, hashes, job)
        except (OSError, TryAgain):
            # What was hashed and what lies on the disk are the same bytes, or nothing is kept.
            if (part.stat().st_size if part.exists() else 0) != hashes.size:
                raise EvidenceError("the part could not be written", where=entry.path) from None
            raise

    while hashes.size < entry.size:
        before = hashes.size
        try:
            job.http.attempts(url, once)
        except NoAnswer:
            # A long file may meet many faults: it goes on for as long as it gets further.
            if hashes.size - before < _WORTH_TRYING:
                raise
        if hashes.size == before:
            raise EvidenceError("the file ends too early", where=entry.path,
                                expected=f"{entry.size} bytes")  # fmt: skip
    if entry.size == 0:
        part.touch()
    job.ranges.count_read(entry.path, hashes.size)
    return hashes


def _check_start(stream: Stream, entry: Entry, offset: int) -> None:
    stated = stream.hops[-1].get("content-range", "")
    match = _FROM.match(stated)
    if offset == 0 and stream.status == 200:
        length = stream.hops[-1].get("content-length", str(entry.size))
        if length != str(entry.size):
            raise ServedOtherwise(f"{length[:30]} bytes", expected=f"{entry.size} bytes",
                                  where=entry.path)  # fmt: skip
        return
    if stream.status != 206 or not match or [int(g) for g in match.groups()] != [
        offset, entry.size - 1, entry.size
    ]:  # fmt: skip
        raise EvidenceError(f"status {stream.status}, {stated[:80]}", where=entry.path,
                            expected=f"206 from byte {offset} of {entry.size}")  # fmt: skip


def _write(stream: Stream, out: Any, hashes: _Hashes, job: _Job) -> None:
    for piece in stream.pieces:
        if hashes.size + len(piece) > hashes.entry.size:
            raise ServedOtherwise("more bytes than the listing has", where=hashes.entry.path,
                                  expected=f"{hashes.entry.size} bytes")  # fmt: skip
        out.write(piece)
        hashes.update(piece)
        job.advance(len(piece))
    out.flush()


def _feed(path: Path, hashes: _Hashes) -> None:
    if not path.is_file():
        return
    with path.open("rb") as stream:
        while data := stream.read(_BLOCK):
            hashes.update(data)
