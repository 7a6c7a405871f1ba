"""Digests that are handed on: believed for the very state of a file, and for no other."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.digests import FilePlan, HandedDigests, digest_files, engine, handed, windows
from audit_flow.digests.opening import Identity
from audit_flow.sources.folder import Folder
from audit_flow.sources.hashing import Wanted, hash_all, hash_some, share_out

PLANS = [FilePlan(n, frozenset({"sha256", "md5"})) for n in ("a.bin", "b.bin")]


def later() -> int:
    """A clock by which every file is at rest."""
    return time.time_ns() + 60_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "release"
    root.mkdir()
    for plan in PLANS:
        (root / plan.path).write_bytes(plan.path.encode() * 100)
    return root


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what is read."""
    seen: list[int] = []
    plain = windows.read_through

    def counting(fd: int, size: int, *given: Any, **more: Any) -> Any:
        seen.append(size)
        return plain(fd, size, *given, **more)

    monkeypatch.setattr(engine, "read_through", counting)
    return seen


def test_what_was_handed_on_is_not_read_again(
    folder: Path, tmp_path: Path, reads: list[int]
) -> None:
    first = HandedDigests(tmp_path / "one", clock=later)
    found = digest_files(folder, PLANS, cache=first)
    assert len(reads) == len(PLANS)
    # Another machine, whose own cache knows nothing.
    second = HandedDigests(tmp_path / "two", first.rows, clock=later)
    assert digest_files(folder, PLANS, cache=second) == found
    assert len(reads) == len(PLANS)
    assert second.rows == first.rows
    # And one that knows it from its own cache tells it as well.
    assert digest_files(folder, PLANS, cache=(third := HandedDigests(tmp_path / "one"))) == found
    assert third.rows == first.rows


@pytest.mark.parametrize("what", ["content", "times", "another file"])
def test_another_state_is_read(folder: Path, tmp_path: Path, reads: list[int], what: str) -> None:
    first = HandedDigests(tmp_path / "one", clock=later)
    before = digest_files(folder, PLANS, cache=first)
    path = folder / "a.bin"
    kept = path.stat()
    if what == "content":
        # The same size, and the time set back.
        path.write_bytes(b"z" * kept.st_size)
        os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    elif what == "times":
        os.utime(path, ns=(1, 1))
    else:
        (folder / "new").write_bytes(path.read_bytes())
        (folder / "new").replace(path)
    del reads[:]
    second = HandedDigests(tmp_path / "two", first.rows, clock=later)
    after = digest_files(folder, PLANS, cache=second)
    assert reads == [kept.st_size]
    assert (after == before) == (what != "content")


def test_a_file_that_was_just_touched_is_not_handed_on(folder: Path, tmp_path: Path) -> None:
    fresh = HandedDigests(tmp_path / "one")
    digest_files(folder, PLANS, cache=fresh)
    assert fresh.rows == ()


def test_machines_number_a_shared_disk_each_in_its_own_way() -> None:
    here, there = (Identity(device, 2, 3, 4, 5) for device in (1, 9))
    assert handed._state(here) == handed._state(there)
    others = [Identity(1, *rest) for rest in ((0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5))]
    assert handed._state(here) not in [handed._state(o) for o in others]


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.integers(0, 5_000), min_size=1, max_size=12), share=st.integers(1, 9_000))
def test_shares_hold_every_file_once_and_no_more_than_they_should(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], share: int
) -> None:
    root = tmp_path_factory.mktemp("shares")
    for number, size in enumerate(sizes):
        (root / f"{number:02d}.bin").write_bytes(bytes(size))
    folder, wanted = Folder.at(root), Wanted(frozenset({"."}))
    shares = share_out(folder, wanted, share)
    assert sorted(n for names in shares for n in names) == sorted(p.name for p in root.iterdir())
    for names in shares:
        total = sum(sizes[int(n[:2])] for n in names)
        assert len(names) == 1 or total <= share

    cache = HandedDigests(root.parent / f"{root.name}-cache", clock=later)
    for names in shares:
        hash_some(folder, wanted, names, cache, 1)
    assert len(cache.rows) == len(sizes)
    assert hash_all(folder, wanted, cache=cache).files == hash_all(folder, wanted).files
    # A file that is gone meanwhile stops nothing: the audit tells of it.
    (root / "00.bin").unlink()
    hash_some(folder, wanted, shares[0], cache, 1)
