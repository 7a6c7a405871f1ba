"""Every command that writes, struck before each change of a file: old or new, never half."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.desk import COMMANDS, Command, Desk

pytestmark = pytest.mark.slow
MOMENTS = [(c, again) for c in COMMANDS for again in ((False,) if c.once else (False, True))]
NAMES = [f"{c.name}{', again' if again else ''}" for c, again in MOMENTS]


@pytest.fixture(params=MOMENTS, ids=NAMES)
def prepared(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    command, again = request.param
    assert isinstance(command, Command)
    return Desk.prepared(tmp_path / "first", command, again=again)


def undisturbed(prepared: Desk) -> Desk:
    """Return a copy in which the command has run to its end."""
    desk = prepared.copied(prepared.folder.with_name("undisturbed"))
    assert desk.finish() == desk.command.code, desk.told
    assert desk.changes() > 1
    return desk


def test_killed_before_each_change(prepared: Desk) -> None:
    good = undisturbed(prepared)
    before, after, names = prepared.written(), good.expected(), good.names()
    for at in range(1, good.changes() + 1):
        desk = prepared.copied(prepared.folder.with_name(f"killed-{at}"))
        assert desk.finish(at) == -signal.SIGKILL, desk.told
        desk.holds(before, after)
        code = desk.finish()
        made = desk.command.once and set(desk.written()) == set(after)
        assert code == desk.command.code or (made and code == 2), desk.told
        desk.holds({}, after)
        assert set(desk.written()) == set(after)
        assert desk.names() == names, f"left behind when killed before change {at}"


@pytest.mark.parametrize("kind", ["ENOSPC", "EROFS", "EDQUOT", "EIO", "EACCES"])
def test_refused_from_each_change_on(prepared: Desk, kind: str) -> None:
    good = undisturbed(prepared)
    before, after, names = prepared.written(), good.expected(), good.names()
    for at in range(1, good.changes() + 1):
        desk = prepared.copied(prepared.folder.with_name(f"refused-{at}"))
        code = desk.finish(at, kind)
        assert code in {2, 3, desk.command.code}, desk.told
        assert "Traceback" not in desk.told
        assert "broke down" not in desk.told
        desk.holds(before, after)
        assert desk.finish() in ({0, 2} if desk.command.once else {desk.command.code}), desk.told
        assert set(desk.written()) == set(after)
        assert desk.names() == names, f"left behind when refused from change {at} on"
