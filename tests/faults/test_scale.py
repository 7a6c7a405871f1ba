"""The benchmark of scale, at its small size: what is cheap enough to be run each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["rows", "records"])
def test_nothing_grows_faster_than_it_should(axis: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "scale" / "run.py"), "--only", axis]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "exponent" in ended.stdout
