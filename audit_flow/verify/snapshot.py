"""One commit of a Hub repository as far as it was read: small files here, the rest by digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TypeVar

from audit_flow.collectors import unread
from audit_flow.collectors.weights import ListedFiles, is_weights, listed_weights
from audit_flow.digests import INDEX_SUFFIX, Header, Problem, unsafe_pickle
from audit_flow.errors import AuditFlowError, EvidenceError
from audit_flow.model import (
    Evidence,
    HubFile,
    HubListing,
    StructureProblem,
    Trust,
    WeightsDigest,
    sha256_hex,
)
from audit_flow.sources.folder import MIB, Folder
from audit_flow.sources.hub import HubRepository, ServedOtherwise, download_all
from audit_flow.sources.hub.listing import Entry
from audit_flow.sources.ranges import LocalRanges, Range, RangeReader, read_headers

T = TypeVar("T")
Progress = Callable[[int], None]

MAX_SMALL = 16 * MIB
MAX_SMALL_TOTAL = 256 * MIB
_FIRST_BYTES = 4096
_LAST_BYTES = 64 * 1024
# What speaks of the release and is no part of its root digest; read as well where it is small.
SPEAKING = (
    "*.md", "LICENSE*", "NOTICE*", ".gitattributes", ".gitignore", ".eval_results/*.yaml",
    ".eval_results/*.yml", "release.yaml", "attestation/release.yaml", "*.sig", "*.sigstore",
    "*.sigstore.json", "*.intoto.jsonl", "*.dsse.json", "*SHA256SUMS*", "*sha256sum*",
    "chat_template.jinja", "config.json", "generation_config.json", "tokenizer_config.json",
    f"*{INDEX_SUFFIX}",
)  # fmt: skip


@dataclass
class Snapshot:
    """What was read of a commit.

    ``folder`` holds the files that are here, ``whole`` says of which every byte was read,
    ``sha256`` the digest of each file: computed from the bytes, else the listing's.
    """

    repository: HubRepository
    folder: Folder
    sha256: dict[str, str] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    headers: dict[str, Header] = field(default_factory=dict)
    pickles: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The repository and its commit."""
        return f"{self.repository.repo}@{self.repository.commit}"

    def attempt(self, what: str, path: str, work: Callable[[], T]) -> T | None:
        """Do some reading; a contradiction becomes a problem, what can't be read an Unread fact."""
        try:
            return work()
        except ServedOtherwise as error:
            self.problems.append(Problem(path, "what is served", error.expected, error.got))
        except AuditFlowError as error:
            self.evidence.append(unread(what, path, error))
        except OSError as error:
            broken = EvidenceError(f"could not be kept here: {error.strerror}")
            self.evidence.append(unread(what, path, broken))
        return None


def take(
    repository: HubRepository, folder: Path, *, full: bool, progress: Progress | None = None
) -> Snapshot:
    """Read a commit: the small files and headers, or with ``full`` every byte, into ``folder``."""
    snapshot = Snapshot(repository, Folder.at(folder))
    snapshot.problems += repository.listing.problems
    entries = repository.listing.entries
    snapshot.sha256 = {p: e.sha256 for p, e in entries.items() if e.sha256 is not None}
    reader: RangeReader = repository.ranges
    if full:
        _everything(snapshot, folder, progress)
        here = [p for p in entries if p in snapshot.whole]
        reader = LocalRanges(snapshot.folder, here)
    else:
        _small_files(snapshot, folder)
    known = [p for p in entries if not full or p in snapshot.whole]
    _headers(snapshot, reader, [p for p in known if p.endswith(".safetensors")])
    _pickles(snapshot, reader, [p for p in known if is_weights(p)])
    snapshot.evidence += _facts(snapshot)
    return snapshot


def _everything(snapshot: Snapshot, folder: Path, progress: Progress | None) -> None:
    repository = snapshot.repository
    entries = list(repository.listing.entries.values())
    found, failed = download_all(
        repository.http, repository.ranges, entries, folder, progress=progress
    )
    for file in found:
        snapshot.sha256[file.path] = file.sha256
        if file.problem is None:
            snapshot.whole.add(file.path)
        else:
            snapshot.problems.append(file.problem)
    for path, error in failed.items():
        snapshot.attempt("file", path, partial(_raise, error))


def _raise(error: AuditFlowError) -> None:
    raise error


def _small_files(snapshot: Snapshot, folder: Path) -> None:
    wanted, total = [], 0
    for entry in sorted(snapshot.repository.listing.entries.values(), key=_first_the_telling):
        if not _is_wanted(entry):
            continue
        total += entry.size
        if entry.size > MAX_SMALL or total > MAX_SMALL_TOTAL:
            error = EvidenceError(
                f"{entry.size} bytes", remedy="Verify with --full",
                expected=f"at most {MAX_SMALL} a file and {MAX_SMALL_TOTAL} in all",
            )  # fmt: skip
            snapshot.evidence.append(unread("file", entry.path, error))
            continue
        wanted.append(entry)
    if not wanted:
        return
    with ThreadPoolExecutor(16, thread_name_prefix="hub-small") as pool:
        list(pool.map(lambda e: _small(snapshot, folder, e), wanted))


def _is_wanted(entry: Entry) -> bool:
    # Without an LFS digest, the bytes are what a SHA-256 is computed from.
    return _speaks(entry.path) or (entry.sha256 is None and is_weights(entry.path))


def _speaks(path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in SPEAKING)


def _first_the_telling(entry: Entry) -> tuple[bool, int, str]:
    return (not _speaks(entry.path), entry.size, entry.path)


def _small(snapshot: Snapshot, folder: Path, entry: Entry) -> None:
    def read() -> None:
        data = snapshot.repository.read(entry.path, MAX_SMALL)
        target = folder / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        snapshot.sha256[entry.path] = sha256_hex(data)
        snapshot.whole.add(entry.path)

    snapshot.attempt("file", entry.path, read)


def _headers(snapshot: Snapshot, reader: RangeReader, paths: list[str]) -> None:
    try:
        snapshot.headers |= read_headers(reader, paths)
    except AuditFlowError:
        for path in paths:
            one = snapshot.attempt(
                "header", path,
                lambda p=path: read_headers(reader, [p]),  # type: ignore[misc]
            )  # fmt: skip
            snapshot.headers |= one or {}


def _pickles(snapshot: Snapshot, reader: RangeReader, paths: list[str]) -> None:
    """Look at the two ends of every file that is neither small and here nor safetensors."""
    by_name = {p: r for p in paths if (r := unsafe_pickle(p, b""))}
    unclear = [p for p in paths if p not in by_name and not p.endswith(".safetensors")]
    here = [p for p in unclear if p in snapshot.whole]
    _name_pickles(snapshot, LocalRanges(snapshot.folder, here), here)
    _name_pickles(snapshot, reader, [p for p in unclear if p not in snapshot.whole])
    snapshot.pickles |= by_name


def _name_pickles(snapshot: Snapshot, reader: RangeReader, paths: list[str]) -> None:
    firsts = _ends(snapshot, reader, paths, first=True)
    zips = [p for p, data in firsts.items() if data.startswith(b"PK\x03\x04")]
    lasts = _ends(snapshot, reader, zips, first=False)
    for path, data in firsts.items():
        if reason := unsafe_pickle(path, data, lasts.get(path, b"")):
            snapshot.pickles[path] = reason


def _ends(
    snapshot: Snapshot, reader: RangeReader, paths: Iterable[str], *, first: bool
) -> dict[str, bytes]:
    wanted: list[Range] = []
    for path in paths:
        size = reader.sizes[path]
        length = min(_FIRST_BYTES if first else _LAST_BYTES, size)
        wanted.append((path, 0 if first else size - length, length))
    try:
        read = reader.read_many(wanted)
    except AuditFlowError:
        one_each = ((w, snapshot.attempt("file", w[0], lambda w=w: reader.read_many([w])))  # type: ignore[misc]
                    for w in wanted)  # fmt: skip
        return {w[0]: data[0] for w, data in one_each if data}
    return {w[0]: data for w, data in zip(wanted, read, strict=True)}


def _facts(snapshot: Snapshot) -> list[Evidence]:
    facts: list[Evidence] = []
    weights = snapshot.attempt("released weights", snapshot.source, lambda: _weights(snapshot))
    if weights is not None:
        facts.append(weights)
    return [*facts, _listing(snapshot)]


def _weights(snapshot: Snapshot) -> WeightsDigest:
    entries = snapshot.repository.listing.entries
    names = [p for p in entries if is_weights(p)]
    missing = [p for p in names if p.endswith(".safetensors") and p not in snapshot.headers]
    if missing:
        raise EvidenceError("no header could be read", where=missing[0],
                            expected="a header of each weight file")  # fmt: skip
    read_here = bool(names) and all(p in snapshot.whole for p in names)
    listed = ListedFiles(
        sizes={p: e.size for p, e in entries.items()},
        sha256=snapshot.sha256,
        headers=snapshot.headers,
        small=snapshot.folder,
        pickles=snapshot.pickles,
    )
    trust = Trust.RECOMPUTED if read_here else Trust.FETCHED
    return listed_weights(snapshot.source, listed, trust)


def _listing(snapshot: Snapshot) -> HubListing:
    repository = snapshot.repository
    parts = repository.ranges.count.by_path
    return HubListing(
        id=f"hub:{snapshot.source}",
        source=repository.address,
        trust=Trust.FETCHED,
        endpoint=repository.http.endpoint,
        repo=repository.repo,
        revision_asked=repository.asked,
        commit=repository.commit,
        anonymous=repository.http.anonymous,
        files=tuple(
            HubFile(
                path=entry.path,
                size=entry.size,
                blob_sha1=entry.blob_id,
                sha256=snapshot.sha256.get(entry.path),
                read="whole" if entry.path in snapshot.whole else "part" if entry.path in parts
                else "none",
            )
            for entry in repository.listing.entries.values()
        ),
        size=repository.listing.size,
        bytes_read=repository.ranges.count.bytes,
        problems=tuple(
            StructureProblem(path=p.path, what=p.what, expected=p.expected, actual=p.got)
            for p in sorted(snapshot.problems)
        ),
    )  # fmt: skip
