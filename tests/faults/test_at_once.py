"""Several of one command at once: what is there afterwards is one of them, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.desk import COMMANDS, Command, Desk
from tests.hub.server import HubServer
from tests.publish.test_killed import Desk as Publisher

pytestmark = pytest.mark.slow
NAMES = [c.name for c in COMMANDS]


@pytest.mark.parametrize("number", [2, 5])
@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_several_in_one_folder(tmp_path: Path, command: Command, number: int) -> None:
    desk = Desk.prepared(tmp_path / "first", command, again=not command.once)
    good = desk.copied(tmp_path / "undisturbed")
    assert good.finish() == command.code
    running = [desk.start() for _ in range(number)]
    codes = []
    for process in running:
        process.join(240)
        codes.append(process.exitcode)
    allowed = {0, 2} if command.once else {command.code}
    assert set(codes) <= allowed, desk.told
    assert codes.count(command.code) == (1 if command.once else number), desk.told
    desk.holds({}, good.expected())
    assert set(desk.written()) == set(good.written())
    assert desk.names() == good.names()


@pytest.mark.parametrize("number", [2, 5])
def test_several_publish_to_one_repository(
    hub_server: HubServer, tmp_path: Path, number: int
) -> None:
    hub_server.options.latency = 0.02
    desk = Publisher(hub_server, tmp_path, number)
    running = [desk.start() for _ in range(number)]
    for process in running:
        process.join(240)
    codes = [p.exitcode for p in running]
    assert set(codes) <= {0, 3}, desk.log.read_text()
    assert desk.untouched() or (desk.published() == 1 and desk.whole())
    hub_server.options.latency = 0
    again = desk.start()
    again.join(240)
    assert again.exitcode == 0, desk.log.read_text()
    assert desk.published() == 1
    assert desk.whole()
