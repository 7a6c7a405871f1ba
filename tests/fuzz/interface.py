"""What a target of the fuzzer is: one reader, its valid samples, and how samples are spoilt."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit_flow.collectors.interface import SourceFile
from audit_flow.errors import AuditFlowError
from audit_flow.sources.folder import Folder

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
CORPUS = DATA / "fuzz"
MAX_CASE = 1024 * 1024


@dataclass(frozen=True)
class Seed:
    """A valid sample: the file that is spoilt, the one that is read, and what lies beside them."""

    data: bytes
    name: str = "case"
    entry: str = ""
    beside: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def read(self) -> str:
        """The file that the reader is given."""
        return self.entry or self.name


@dataclass(frozen=True)
class Place:
    """A folder that holds one seed's files, of which one is written anew for every case."""

    root: Path
    seed: Seed

    @property
    def folder(self) -> Folder:
        """The folder as collectors see it."""
        return Folder(self.root, self.root)

    @property
    def source(self) -> SourceFile:
        """The file that is read."""
        return SourceFile(self.folder, self.seed.read)

    @property
    def path(self) -> Path:
        """The place of the file that is read."""
        return self.root / self.seed.read


Spoil = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
Run = Callable[[bytes, Place], object]


@dataclass(frozen=True)
class Target:
    """One reader.

    ``run`` gets the bytes and, where ``files``, the folder that they were written to. It may raise
    AuditFlowError, and ``also`` where the reader's documentation says so; anything else is a crash.
    ``covers`` names the modules whose reading this is; a test of the house holds that they are
    entered and that no module that reads is without a target.
    """

    name: str
    covers: tuple[str, ...]
    run: Run
    seeds: Callable[[], Iterable[Seed]]
    spoil: Spoil
    files: bool = False
    also: tuple[type[Exception], ...] = ()

    @property
    def allowed(self) -> tuple[type[Exception], ...]:
        """What the reader may raise."""
        return (AuditFlowError, *self.also)


def seeds_of(*data: bytes | str, name: str = "case") -> Callable[[], Iterable[Seed]]:
    """Return seeds of plain bytes."""
    return lambda: [Seed(d.encode() if isinstance(d, str) else d, name) for d in data]
