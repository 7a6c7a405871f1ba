"""The store of reproduced runs, struck at each change: a run is there, whole, or not there."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from audit_flow.reproduce.evidence_store import EvidenceStore
from tests.faults.forked import forked
from tests.fuzz.targets.stored_runs import stored_run

pytestmark = pytest.mark.slow
REFUSED = 1
RUN = stored_run()


def kept(home: Path) -> list[object]:
    """Return the runs that are there; none may be one that nobody believes."""
    entries = EvidenceStore(home).entries(RUN.key)
    assert [e.error for e in entries] == [None] * len(entries)
    return [e.run for e in entries]


def changes(home: Path) -> int:
    """Return how many changes of files it takes to keep a run."""
    at = 1
    while forked(partial(add, home / str(at)), home / str(at), at):
        at += 1
    return at - 1


def add(home: Path) -> None:
    EvidenceStore(home).add(RUN.key, RUN)


@pytest.mark.parametrize("kind", ["kill", "ENOSPC", "EIO", "EROFS"])
def test_struck_before_each_change(tmp_path: Path, kind: str) -> None:
    total = changes(tmp_path / "counted")
    assert total > 4
    for at in range(1, total + 1):
        home = tmp_path / str(at)
        code = forked(partial(add, home), home, at, kind)
        assert code in {REFUSED, 0} if kind != "kill" else code == -signal.SIGKILL
        assert kept(home) in ([], [RUN])
        if not kept(home):
            assert forked(partial(add, home), home) == 0
        assert kept(home) == [RUN]
        assert EvidenceStore(home).next_index(RUN.key) == RUN.index + 1
