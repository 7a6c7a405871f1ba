"""One read of every file that claims and evidence need, planned before it starts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath

from audit_flow.digests import (
    DigestCache,
    FileDigests,
    FilePlan,
    digest_files,
    md5_of_directory_manifest,
    weights_root,
)
from audit_flow.errors import AuditFlowError, EvidenceError, MissingEvidence
from audit_flow.sources.folder import Folder, is_folder

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Wanted:
    """Files and folders to hash: SHA-256 always, MD5 where a ledger tracks it, tensors by name."""

    paths: frozenset[str]
    tracked: frozenset[str] = frozenset()
    tensors: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Tree:
    """What a folder's files come to as one: DVC's directory MD5, and a root SHA-256."""

    sha256: str
    md5: str | None
    size: int
    files: int


@dataclass
class Hashed:
    """The digests of the files that could be read, and why the others could not."""

    files: dict[str, FileDigests] = field(default_factory=dict)
    trees: dict[str, Tree] = field(default_factory=dict)
    failed: dict[str, AuditFlowError] = field(default_factory=dict)


def hash_all(
    folder: Folder,
    wanted: Wanted,
    progress: Progress | None = None,
    cache: DigestCache | None = None,
) -> Hashed:
    """Hash what is wanted; a file that can't be read is told in ``failed`` and stops no other."""
    hashed = Hashed()
    members: dict[str, tuple[str, ...]] = {}
    plans = _plans(folder, wanted, members, hashed)
    run = partial(digest_files, folder.ceiling, progress=progress, cache=cache)
    for name, found in _all_or_each(run, plans, hashed):
        hashed.files[name] = found
    for path, files in members.items():
        if files != (path,) and all(f in hashed.files for f in files):
            _add_tree(hashed, path, files, path in wanted.tracked)
    return hashed


def hash_some(
    folder: Folder,
    wanted: Wanted,
    names: Collection[str],
    cache: DigestCache,
    threads: int | None = None,
) -> None:
    """Hash some of the files that are wanted into a cache; what can't be read is left to others.

    ``names`` are files as ``share_out`` names them.
    """
    plans = {n: p for n, p in _plans(folder, wanted, {}, Hashed()).items() if n in names}
    run = partial(digest_files, folder.ceiling, cache=cache, threads=threads)
    for _ in _all_or_each(run, plans, Hashed()):
        pass


def share_out(folder: Folder, wanted: Wanted, size: int) -> tuple[tuple[str, ...], ...]:
    """Share the files that are wanted out into groups of about ``size`` bytes, largest first.

    A file is never cut. A file that can't be looked at counts as empty: hashing tells.
    """
    sizes = {n: _size(folder, n) for n in _plans(folder, wanted, {}, Hashed())}
    groups: list[tuple[str, ...]] = []
    current: list[str] = []
    for name in sorted(sizes, key=lambda n: (-sizes[n], n)):
        if current and sum(sizes[n] for n in current) + sizes[name] > size:
            groups.append(tuple(current))
            current = []
        current.append(name)
    return (*groups, tuple(current)) if current else tuple(groups)


def _size(folder: Folder, name: str) -> int:
    try:
        return folder.locate(name).stat().st_size
    except (AuditFlowError, OSError):
        return 0


def _plans(
    folder: Folder, wanted: Wanted, members: dict[str, tuple[str, ...]], hashed: Hashed
) -> dict[str, FilePlan]:
    """Plan every file that is wanted; ``members`` and ``hashed`` are told what was found."""
    for path in sorted(wanted.paths):
        _expand(folder, path, members, hashed)
    tracked = {f for p in wanted.tracked for f in members.get(p, ())}
    names = sorted({f for files in members.values() for f in files})
    return {name: _plan(folder, name, tracked, wanted.tensors) for name in names}


def _expand(folder: Folder, path: str, members: dict[str, tuple[str, ...]], hashed: Hashed) -> None:
    try:
        if is_folder(folder.locate(path)):
            members[path] = folder.walk(path)
        else:
            folder.file(path)
            members[path] = (path,)
    except AuditFlowError as error:
        hashed.failed[path] = error


def _add_tree(hashed: Hashed, path: str, files: tuple[str, ...], tracked: bool) -> None:
    try:
        hashed.trees[path] = _tree(path, files, hashed.files, tracked)
    except AuditFlowError as error:
        hashed.failed[path] = EvidenceError(error.got, expected=error.expected, where=path)


def _plan(folder: Folder, name: str, tracked: set[str], tensors: frozenset[str]) -> FilePlan:
    place = folder.locate(name).relative_to(folder.ceiling)
    algorithms = frozenset({"sha256", "md5"}) if name in tracked else frozenset({"sha256"})
    return FilePlan(PurePosixPath(place).as_posix(), algorithms, tensors=name in tensors)


def _all_or_each(
    run: Callable[[list[FilePlan]], tuple[FileDigests, ...]],
    plans: dict[str, FilePlan],
    hashed: Hashed,
) -> Iterable[tuple[str, FileDigests]]:
    try:
        return list(zip(plans, run(list(plans.values())), strict=True)) if plans else []
    except AuditFlowError:
        return list(_each(run, plans, hashed))


def _each(
    run: Callable[[list[FilePlan]], tuple[FileDigests, ...]],
    plans: dict[str, FilePlan],
    hashed: Hashed,
) -> Iterable[tuple[str, FileDigests]]:
    for name, plan in plans.items():
        try:
            yield name, run([plan])[0]
        except FileNotFoundError:
            hashed.failed[name] = MissingEvidence("no such file", where=name)
        except AuditFlowError as error:
            hashed.failed[name] = EvidenceError(error.got, where=name, remedy=error.remedy)


def _tree(path: str, files: tuple[str, ...], found: dict[str, FileDigests], tracked: bool) -> Tree:
    inner = [(PurePosixPath(f).relative_to(path).as_posix(), found[f]) for f in files]
    pairs = [(name, d.get("sha256") or "") for name, d in inner]
    md5 = [(name, d.get("md5") or "") for name, d in inner]
    return Tree(
        sha256=weights_root(pairs),
        md5=md5_of_directory_manifest(md5) if tracked else None,
        size=sum(d.size for _, d in inner),
        files=len(inner),
    )
