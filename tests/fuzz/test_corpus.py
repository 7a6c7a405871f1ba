"""Every case that once broke a reader is read or refused now; a short run finds no new one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_flow.errors import AuditFlowError
from tests.fuzz.corpus import Kept, kept_cases
from tests.fuzz.engine import fuzz, places, replay, tried
from tests.fuzz.interface import Place, Seed, Target, seeds_of
from tests.fuzz.sandbox import Hang, Reached, Sandbox
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.targets import TARGETS

BY_NAME = {t.name.replace("-", " "): t for t in TARGETS}
CASES = tuple(kept_cases())
# Cases for each target in CI: `make fuzz` runs many more.
SHORT = 60


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.mark.slow
@pytest.mark.parametrize("kept", CASES, ids=lambda k: f"{k.target}/{k.path.name}")
def test_a_case_that_broke_a_reader_breaks_it_no_more(
    kept: Kept, tmp_path: Path, sandbox: Sandbox
) -> None:
    target = BY_NAME[kept.target]
    seed = tuple(target.seeds())[kept.seed]
    # Once without a watch: what is imported late is no part of the case.
    with contextlib.suppress(Exception):
        target.run(seed.data, _place(target, seed, tmp_path / "good"))
    assert replay(target, kept.data, seed, tmp_path / "case", sandbox) in {"accepted", "refused"}


def _place(target: Target, seed: Seed, root: Path) -> Place:
    for name, data in {**seed.beside, seed.name: seed.data}.items() if target.files else ():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    root.mkdir(exist_ok=True)
    return Place(root.resolve(), seed)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_a_good_sample_is_read(target: Target, tmp_path: Path) -> None:
    """A target whose samples are all refused never comes to the reader's later lines."""
    came = []
    for place in places(target, tmp_path):
        with contextlib.suppress(AuditFlowError, ValueError):
            target.run(place.seed.data, place)
            came.append(place)
    assert came


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_a_short_run_breaks_nothing(target: Target) -> None:
    tally = fuzz(target, seconds=60, most=SHORT, seed=1)
    assert tally.crashes == []
    assert tally.cases


def _tallied(run: Callable[[bytes, Place], object], tmp_path: Path, sandbox: Sandbox) -> str:
    target = Target("own", (), run, seeds_of("x"), spoil_bytes)
    return tried(target, b"x", Place(tmp_path, Seed(b"x")), sandbox)


def test_a_hang_is_seen(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.sandbox.CPU_SECONDS", 0.2)

    def endless(data: bytes, place: Place) -> None:
        while True:
            pass

    with pytest.raises(Hang):
        _tallied(endless, tmp_path, sandbox)


@pytest.mark.parametrize("name", ["outside.txt", "/etc/passwd"])
def test_leaving_the_folder_is_seen(name: str, tmp_path: Path, sandbox: Sandbox) -> None:
    def leave(data: bytes, place: Place) -> None:
        path = place.root / name
        path.read_bytes() if path.is_absolute() and name.startswith("/") else path.write_bytes(data)

    with pytest.raises(Reached):
        _tallied(leave, tmp_path, sandbox)
