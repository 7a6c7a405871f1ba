"""Commands on hostile folders: they end, without a traceback, and write nothing beside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hostile.commands import commands, make_key, run
from tests.hostile.things import NAMES, THINGS, changing
from tests.release_builder import build
from tests.release_parts import Built

FILES = ("model/model-00001-of-00002.safetensors", "README.md", "results/results.json")
COMMANDS = tuple(commands(Path("x"), Path("y")))
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("good") / "r", seed=4)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "out"
    place.mkdir()
    make_key(place)
    monkeypatch.setenv("XDG_STATE_HOME", str(place / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    return place


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_hostile_file_ends_no_command_badly(
    good: Built, tmp_path: Path, out: Path, name: str, thing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if thing == "unreadable" and os.geteuid() == 0:
        pytest.skip("root reads everything")
    file = FILES[(list(THINGS).index(thing) + COMMANDS.index(name)) % len(FILES)]
    built = good.copy(tmp_path / "r")
    THINGS[thing](built.path(file))
    done = run(monkeypatch, *commands(built.root, out)[name])
    done.check()
    assert "root:x:0" not in done.out + done.err
    if name in {"audit", "verify"}:
        assert done.code != 0


@pytest.mark.parametrize("name", COMMANDS)
def test_hostile_names_are_told_harmlessly(
    good: Built, tmp_path: Path, out: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = good.copy(tmp_path / "r")
    for each in NAMES:
        place = os.fsencode(built.path("model")) + b"/" + each
        with open(place, "wb") as stream:  # noqa: PTH123 - a name that is no text
            stream.write(b"{}")
    run(monkeypatch, *commands(built.root, out)[name]).check()


@pytest.mark.parametrize("name", ["audit", "digest", "verify", "sign", "record"])
@pytest.mark.parametrize("file", FILES[:2])
def test_files_that_change_while_they_are_read(
    good: Built, tmp_path: Path, out: Path, name: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = good.copy(tmp_path / "r")
    with changing(built.path(file)):
        done = run(monkeypatch, *commands(built.root, out)[name])
    done.check()
    if name == "audit":
        assert done.code != 0


@pytest.mark.parametrize("name", COMMANDS)
def test_names_that_differ_in_case_and_hard_links(
    good: Built, tmp_path: Path, out: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = good.copy(tmp_path / "r")
    os.link(built.path("model/config.json"), built.path("model/linked.json"))
    built.write("model/CONFIG.json", '{"other": 1}')
    run(monkeypatch, *commands(built.root, out)[name]).check()


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("file", FILES)
def test_a_loop_of_links_ends_no_command(
    good: Built,
    tmp_path: Path,
    out: Path,
    name: str,
    file: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built = good.copy(tmp_path / "r")
    THINGS["link to itself"](built.path(file))
    run(monkeypatch, *commands(built.root, out)[name]).check()
