"""The second engine: atheris searches for inputs that reach new lines of a reader.

Needs the package ``atheris``. Each target runs in a process of its own, because libFuzzer ends the
process that it runs in. A case that breaks a reader is written to a file and read back from there.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.engine import Crash, Tally, kind_of, places, tried
from tests.fuzz.interface import MAX_CASE, ROOT, Target
from tests.fuzz.sandbox import Sandbox

_EXTRA_SECONDS = 120


def fuzz_guided(target: Target, seconds: float, most: int, seed: int) -> Tally:
    """Search one target for some seconds; ``most`` bounds the number of cases."""
    began = time.monotonic()
    tally = Tally(target.name)
    with tempfile.TemporaryDirectory(prefix="guided-") as scratch:
        root = Path(scratch)
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.guided",
            target.name,
            scratch,
            str(max(int(seconds), 1)),
            str(min(most, 10**9)),
            str(seed),
        ]
        try:
            subprocess.run(
                command,
                cwd=ROOT,
                timeout=seconds + _EXTRA_SECONDS,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=(root / "told").open("wb"),
            )
        except subprocess.TimeoutExpired:
            tally.crashes.append(Crash(target.name, "Hang", "no end", 0, ""))
        _gather(tally, root)
    tally.seconds = time.monotonic() - began
    return tally


def _gather(tally: Tally, root: Path) -> None:
    for name in ("cases", "accepted", "refused"):
        path = root / name
        setattr(tally, name, int(path.read_text()) if path.exists() else 0)
    for path in sorted(root.glob("crash-*")):
        number, kind = (root / f"{path.name}.kind").read_text().split("\n", 1)
        tally.crashes.append(Crash(tally.target, kind, kind, int(number), path.read_bytes().hex()))
    if not tally.cases:
        told = (root / "told").read_bytes()[-300:].decode("utf-8", "replace")
        tally.crashes.append(Crash(tally.target, "did not run", told, 0, ""))


def main(arguments: list[str]) -> None:
    """Run one target under libFuzzer: its name, a folder to write to, seconds, cases, seed."""
    name, scratch, seconds, most, seed = arguments
    import atheris

    with atheris.instrument_imports(include=["audit_flow"]):
        from tests.fuzz.targets import TARGETS

    target = next(t for t in TARGETS if t.name == name)
    root = Path(scratch)
    one = _Search(target, root)
    inputs = root / "inputs"
    inputs.mkdir()
    for number, place in enumerate(one.places):
        (inputs / str(number)).write_bytes(bytes([number % 256]) + place.seed.data)
    options = [
        f"-max_total_time={seconds}",
        f"-runs={most}",
        f"-seed={int(seed) + 1}",
        f"-max_len={MAX_CASE}",
        f"-artifact_prefix={root}/",
        str(inputs),
    ]
    atheris.Setup([sys.argv[0], *options], one.case)
    atheris.Fuzz()


class _Search:
    """Counts cases; the first byte of an input chooses the seed whose companions lie beside it."""

    def __init__(self, target: Target, root: Path) -> None:
        self.places = places(target, root / "places")
        self._target, self._root, self._sandbox = target, root, Sandbox()
        self._counts = {"cases": 0, "accepted": 0, "refused": 0}
        self._kinds: set[str] = set()
        for place in self.places:
            with contextlib.suppress(Exception):
                target.run(place.seed.data, place)

    def case(self, data: bytes) -> None:
        if not data:
            return
        number = data[0] % len(self.places)
        place, rest = self.places[number], data[1:]
        if self._target.files:
            (place.root / place.seed.name).write_bytes(rest)
        self._counts["cases"] += 1
        try:
            self._counts[tried(self._target, rest, place, self._sandbox)] += 1
        except BaseException as error:
            self._keep(number, rest, kind_of(error))
        if self._counts["cases"] % 100 == 0:
            self._write()

    def _keep(self, number: int, data: bytes, kind: str) -> None:
        if kind not in self._kinds:
            self._kinds.add(kind)
            path = self._root / f"crash-{len(self._kinds)}"
            path.write_bytes(data)
            path.with_name(f"{path.name}.kind").write_text(f"{number}\n{kind}")

    def _write(self) -> None:
        for name, count in self._counts.items():
            (self._root / name).write_text(str(count))


if __name__ == "__main__":
    main(sys.argv[1:])
