"""Cases that once broke a reader, kept as files: tests/data/fuzz/<target>/<seed>-<digest>."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.engine import Crash, case_name
from tests.fuzz.interface import CORPUS


@dataclass(frozen=True)
class Kept:
    """A kept case: of which target, on which of its seeds."""

    target: str
    seed: int
    data: bytes
    path: Path


def keep(crash: Crash) -> Path:
    """Write a case that broke a reader."""
    folder = CORPUS / crash.target.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{crash.seed}-{case_name(crash.data)}"
    path.write_bytes(crash.data)
    return path


def kept_cases() -> Iterator[Kept]:
    """Yield every kept case."""
    for path in sorted(CORPUS.glob("*/*")):
        number, _, _ = path.name.partition("-")
        yield Kept(path.parent.name.replace("-", " "), int(number), path.read_bytes(), path)
