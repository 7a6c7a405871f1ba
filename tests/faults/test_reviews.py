"""The history of reviews, struck again and again: each review that was told of is there, once."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from audit_flow.approval import History
from audit_flow.errors import ApprovalError
from tests.approval.cases import asked, verdict
from tests.approval.cases import kept as decided
from tests.faults.forked import forked

pytestmark = pytest.mark.slow
ON = verdict()
CHANGES = 12


def append(history: History, reviewer: str) -> None:
    seen = history.read()
    decided(history, ON, reviewer, seen=_seen(seen))


def _seen(entries: tuple[object, ...]) -> str:
    from audit_flow.approval import decided_on, standing

    return standing(entries, decided_on(ON)).seen  # type: ignore[arg-type]


def reviewers(history: History) -> list[str]:
    return [e.review.reviewer for e in history.read()]


@pytest.mark.parametrize("before", [0, 2])
def test_killed_twice_in_a_row_at_any_two_changes(tmp_path: Path, before: int) -> None:
    assert asked(ON)
    first = tmp_path / "first"
    for number in range(before):
        append(History(first), f"early {number}")
    first.mkdir(exist_ok=True)
    killed = 0
    for one, two in itertools.product(range(1, CHANGES), repeat=2):
        folder = tmp_path / f"{one}-{two}"
        shutil.copytree(first, folder)
        history = History(folder)
        for at, name in ((one, "ada"), (two, "bea")):
            code = forked(partial(append, history, name), folder, at)
            assert code in {0, -signal.SIGKILL}
            killed += code != 0
            # What was told of is there; what was not may be.
            assert code or reviewers(history).count(name) == 1
        append(history, "cay")
        names = reviewers(history)
        assert names[-1] == "cay"
        assert len(names) == len(set(names))
        assert names[:before] == [f"early {n}" for n in range(before)]
        shutil.rmtree(folder)
    assert killed > CHANGES


@pytest.mark.parametrize("kind", ["ENOSPC", "EIO", "EROFS"])
@pytest.mark.parametrize("at", range(1, CHANGES))
def test_what_could_not_be_written_is_not_there(tmp_path: Path, kind: str, at: int) -> None:
    history = History(tmp_path)
    append(history, "early")
    code = forked(lambda: append(history, "ada"), tmp_path, at, kind)
    if code == 0 or kind == "ENOSPC":
        # A disk that is full still lets a line go; one that refuses everything may keep it.
        assert reviewers(history).count("ada") == (code == 0)
    append(history, "bea")
    assert reviewers(history)[-1] == "bea"
    assert reviewers(history).count("ada") <= 1


def test_it_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    history = History(tmp_path)
    append(history, "ada")
    assert forked(lambda: _only_reads(history), tmp_path, 1, "EROFS") == 0
    with pytest.raises(ApprovalError):
        append(History(Path(os.devnull) / "reviews"), "ada")


def _only_reads(history: History) -> None:
    assert reviewers(history) == ["ada"]
