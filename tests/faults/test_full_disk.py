"""Disks that are really full, folders that are really read-only: told, nothing half, then finished.

The disk is a tmpfs, which only root may mount; where that is refused the tests say so and skip.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import audit_flow
from tests.faults.desk import COMMANDS, Command, Desk
from tests.publish.releases import small

pytestmark = pytest.mark.slow
NAMES = [c.name for c in COMMANDS]
PAGE = 4096
ROOT = Path(audit_flow.__file__).resolve().parents[1]


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=32m", "tmpfs", str(place))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no tmpfs can be mounted here: it takes root's rights")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def prepared(disk: Path, command: Command) -> tuple[Desk, Desk]:
    """Return a desk on the disk, and one elsewhere in which the command has run to its end."""
    first = Desk.prepared(disk.with_name("first"), command, again=not command.once)
    good = first.copied(disk.with_name("undisturbed"))
    assert good.finish() == command.code, good.told
    return first.copied(disk / "desk"), good


def finished(desk: Desk, good: Desk) -> None:
    """Assert that with space and rights the same command ends as it should."""
    assert desk.finish() in ({0, 2} if desk.command.once else {desk.command.code}), desk.told
    desk.holds({}, good.expected())
    assert set(desk.written()) == set(good.written())
    assert desk.names() == good.names()


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_a_full_disk(disk: Path, command: Command) -> None:
    desk, good = prepared(disk, command)
    before, log = desk.written(), disk.with_name("told.txt")
    refused = 0
    for pages in (0, 1, 2, 3, 5, 8):
        used = os.statvfs(disk)
        taken = (used.f_blocks - used.f_bfree) * used.f_frsize
        mount("-o", f"remount,size={taken + pages * PAGE}", str(disk))
        code = desk.finish(log=log)
        mount("-o", "remount,size=32m", str(disk))
        assert code in {2, 3, command.code}, log.read_text()
        assert "Traceback" not in log.read_text()
        desk.holds(before, good.expected())
        if code == command.code:
            break
        refused += 1
    assert refused
    finished(desk, good)


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_a_disk_that_is_read_only(disk: Path, command: Command) -> None:
    desk, good = prepared(disk, command)
    before, log = desk.names(), disk.with_name("read-only.txt")
    mount("-o", "remount,ro", str(disk))
    code = desk.finish(log=log)
    mount("-o", "remount,rw", str(disk))
    assert code in {2, 3}, log.read_text()
    assert "ead-only file system" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert desk.names() == before
    finished(desk, good)


def test_a_state_folder_that_is_read_only_is_not_needed_to_judge(disk: Path) -> None:
    made = small(disk.with_name("release"))
    mount("-o", "remount,ro", str(disk))
    homes = {f"XDG_{n}_HOME": str(disk / n) for n in ("STATE", "DATA", "CACHE")}
    words = ["audit", str(made.path("release.yaml")), "--policy", str(made.policy)]
    code = subprocess.run(
        [sys.executable, "-m", "audit_flow", *words], env={**os.environ, **homes}, check=False
    ).returncode
    assert code == 0


@pytest.mark.parametrize("words", [("digest", "model"), ("audit", "release.yaml"), ("--version",)])
def test_an_answer_that_nobody_gets_is_no_answer(tmp_path: Path, words: tuple[str, ...]) -> None:
    made = small(tmp_path)
    command = [sys.executable, "-m", "audit_flow", *words]
    more = ["--policy", str(made.policy)] if words[0] == "audit" else []
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*command, *more], cwd=made.root, stdout=full, stderr=subprocess.PIPE, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert ended.returncode == 3, ended.stderr
    assert b"Exception ignored" not in ended.stderr
    assert b"No space left" in ended.stderr
