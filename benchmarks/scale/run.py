"""How time and memory grow with a release: bytes, claims, rows, earlier records; peers beside them.

    python benchmarks/scale/run.py --size small|full [--only NAME] [--json FILE]

Every measurement is a command in a process of its own, at three sizes. The exponent is the slope of
processor time against size between the two largest, on logarithmic axes: 1 is linear, 2 quadratic.
See README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Point:
    """One run: its size, wall and processor seconds, and peak memory in MiB."""

    size: int
    seconds: float
    cpu: float
    mib: int


@dataclass(frozen=True)
class Curve:
    """One command at several sizes."""

    name: str
    unit: str
    points: tuple[Point, ...]

    @property
    def exponent(self) -> float:
        """The slope of the last step: what every run costs makes it less, never more."""
        before, last = self.points[-2:]
        return math.log(last.cpu / before.cpu) / math.log(last.size / before.size)

    def rows(self) -> list[str]:
        cells = [f"{p.size:,} {self.unit} | {p.seconds:.2f} | {p.cpu:.2f} | {p.mib:,}"
                 for p in self.points]  # fmt: skip
        last = f"{self.exponent:.2f}"
        return [f"| {self.name} | {c} | {last if n == len(cells) - 1 else ''} |"
                for n, c in enumerate(cells)]  # fmt: skip


def run(words: Sequence[str], folder: Path, size: int, codes: Sequence[int] = (0,)) -> Point:
    """Run a command to its end, with state of its own in a folder, and measure it."""
    state = {f"XDG_{n}_HOME": str(folder / "xdg" / n) for n in ("STATE", "DATA", "CACHE")}
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "HF_TOKEN": ""}
    env = {**os.environ, **state, **quiet, "PYTHONPATH": str(ROOT)}
    with (folder / "said.txt").open("wb") as said:
        start = time.perf_counter()
        process = subprocess.Popen(words, env=env, cwd=ROOT, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode not in codes:
        told = (folder / "said.txt").read_text("utf-8", "replace")[-2000:]
        sys.exit(f"{' '.join(words)[:300]} ended with {process.returncode}:\n{told}")
    return Point(size, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024)


def audit_flow(*words: str) -> list[str]:
    """Return the words of a command of audit-flow."""
    return [sys.executable, "-m", "audit_flow", *words]


def main() -> int:
    """Measure, print the table, and judge what has a target."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.scale.axes import AXES

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--only", choices=list(AXES), action="append")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help="Where the files go  [default: temporary]")
    chosen = parser.parse_args()
    curves: list[Curve] = []
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    print("\n| command | size | seconds | processor seconds | peak MiB | exponent |")
    print("| --- | --- | ---: | ---: | ---: | ---: |", flush=True)
    for name in chosen.only or AXES:
        with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
            for curve in AXES[name](Path(folder), chosen.size):
                curves.append(curve)
                print("\n".join(curve.rows()), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(c) for c in curves], indent=1) + "\n")
    bent = [c for c in curves if c.exponent > 1.3]
    for curve in bent:
        print(f"{curve.name} grows with the power {curve.exponent:.2f}")
    return int(bool(bent))


if __name__ == "__main__":
    sys.modules["benchmarks.scale.run"] = sys.modules["__main__"]
    sys.exit(main())
