"""Hypothesis finds no case that breaks a reader, and does find one where there is one."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.fuzz.drawn import search
from tests.fuzz.engine import places
from tests.fuzz.interface import Place, Target, seeds_of
from tests.fuzz.sandbox import Sandbox
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.slow
CASES = 20


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_nothing_that_is_drawn_breaks_a_reader(
    target: Target, tmp_path: Path, sandbox: Sandbox
) -> None:
    for place in places(target, tmp_path / "good"):
        # What a reader imports late is imported now, outside of the sandbox.
        with contextlib.suppress(Exception):
            target.run(place.seed.data, place)
    search(target, CASES, tmp_path / "drawn", sandbox)


def test_a_defect_is_found(tmp_path: Path, sandbox: Sandbox) -> None:
    def fragile(data: bytes, place: Place) -> None:
        if data != b"0123456789":
            raise IndexError(data)

    target = Target("own", (), fragile, seeds_of("0123456789"), spoil_bytes)
    with pytest.raises(IndexError):
        search(target, 200, tmp_path, sandbox)
