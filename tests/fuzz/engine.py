"""One target at a time in a process of its own: cases, what they came to, and what broke."""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
import multiprocessing
import os
import random
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fuzz.interface import MAX_CASE, ROOT, Place, Seed, Target
from tests.fuzz.sandbox import Hang, Sandbox, bound_memory

# Wall time without a single case: longer than any machine that does other work makes a case take.
SILENT_SECONDS = 180
MAX_KINDS = 20
_HEADER = 64


@dataclass(frozen=True)
class Crash:
    """A case that broke a reader: ``kind`` tells one defect from another."""

    target: str
    kind: str
    detail: str
    seed: int
    case: str

    @property
    def data(self) -> bytes:
        """The bytes of the case."""
        return bytes.fromhex(self.case)


@dataclass
class Tally:
    """What a target's cases came to; ``accepted`` were read, ``refused`` raised as they should."""

    target: str
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    crashes: list[Crash] = field(default_factory=list)


def tried(target: Target, data: bytes, place: Place, sandbox: Sandbox) -> str:
    """Run one case; return "accepted", "refused", or raise what broke."""
    with sandbox.watch(place.root):
        try:
            target.run(data, place)
        except target.allowed as error:
            # What is told is shown, stored and signed: it must be text, and bounded.
            told = str(error).encode("utf-8")
            if len(told) > 1_000_000:
                raise AssertionError(f"a message of {len(told)} bytes") from error
            return "refused"
    return "accepted"


def kind_of(error: BaseException) -> str:
    """Name a breakdown by its type and the line of the project that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(str(ROOT / "audit_flow"))]
    last = own[-1] if own else frames[-1]
    name = Path(last.filename)
    place = name.relative_to(ROOT) if name.is_relative_to(ROOT) else name.name
    if isinstance(error, Hang | RecursionError | MemoryError):
        # The line that is being run at the moment says little: the reader does.
        first = own[0] if own else last
        return f"{type(error).__name__} in {Path(first.filename).name}:{first.name}"
    return f"{type(error).__name__} at {place}:{last.lineno} {last.name}"


def places(target: Target, root: Path) -> list[Place]:
    """Write each seed with its companions into a folder of its own."""
    found = []
    for number, seed in enumerate(target.seeds()):
        folder = (root / f"seed{number}").resolve()
        for name, data in {**seed.beside, seed.name: seed.data}.items() if target.files else ():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        folder.mkdir(parents=True, exist_ok=True)
        found.append(Place(folder, seed))
    assert found, f"{target.name} has no valid sample"
    return found


def replay(target: Target, data: bytes, seed: Seed, root: Path, sandbox: Sandbox) -> str:
    """Run one kept case as ``fuzz`` would."""
    place = Place(root.resolve(), seed)
    for name, content in {**seed.beside, seed.name: data}.items() if target.files else ():
        path = place.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tried(target, data, place, sandbox)


def fuzz(target: Target, seconds: float, most: int, seed: int) -> Tally:
    """Run a target in a child process until time or cases are up; a child that dies is a crash."""
    shared = mmap.mmap(-1, _HEADER + MAX_CASE)
    tally = Tally(target.name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_scratch()) as scratch:
        attempt = 0
        while (left := seconds - (time.monotonic() - began)) > 0 and tally.cases < most:
            out = Path(scratch) / f"tally{attempt}.json"
            # Its own start: neither threads nor locks of this process are taken along.
            child = multiprocessing.get_context("fork").Process(
                target=_child,
                args=(target.name, left, most - tally.cases, seed + attempt, shared, scratch, out),
            )
            child.start()
            died = _waited(child, shared)
            _gather(tally, out)
            if died:
                tally.crashes.append(_death(target, died, shared, seed + attempt))
            attempt += 1
            if attempt > MAX_KINDS or not tally.cases:
                break
    tally.seconds = time.monotonic() - began
    return tally


def _scratch() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _waited(child: multiprocessing.process.BaseProcess, shared: mmap.mmap) -> str:
    """Wait for a child; return how it died, or nothing."""
    last, since = -1, time.monotonic()
    while child.is_alive():
        child.join(0.05)
        done = int.from_bytes(shared[8:16], "little")
        if done != last:
            last, since = done, time.monotonic()
        if time.monotonic() - since > SILENT_SECONDS:
            child.kill()
            child.join()
            return f"Hang for {SILENT_SECONDS} s of wall time"
    return "" if child.exitcode == 0 else f"died with exit code {child.exitcode}"


def _gather(tally: Tally, out: Path) -> None:
    with suppress(OSError, ValueError):
        told = json.loads(out.read_bytes())
        tally.cases += told["cases"]
        tally.accepted += told["accepted"]
        tally.refused += told["refused"]
        tally.slowest = max(tally.slowest, told["slowest"])
        known = {c.kind for c in tally.crashes}
        tally.crashes += [c for c in (Crash(**c) for c in told["crashes"]) if c.kind not in known]


def _death(target: Target, how: str, shared: mmap.mmap, seed: int) -> Crash:
    size = int.from_bytes(shared[:8], "little")
    number = int.from_bytes(shared[16:24], "little")
    return Crash(target.name, how, how, number, shared[_HEADER : _HEADER + size].hex())


def _child(
    name: str, seconds: float, most: int, seed: int, shared: mmap.mmap, scratch: str, out: Path
) -> None:
    from tests.fuzz.targets import TARGETS

    target = next(t for t in TARGETS if t.name == name)
    os.environ["HOME"] = scratch
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    tally = Tally(name)
    root = Path(scratch) / f"places{seed}"
    try:
        _loop(target, places(target, root), tally, (seconds, most, seed), shared)
    finally:
        out.write_text(json.dumps(asdict(tally)))
        shutil.rmtree(root, ignore_errors=True)
    os._exit(0)


def _loop(
    target: Target,
    found: list[Place],
    tally: Tally,
    bounds: tuple[float, int, int],
    shared: mmap.mmap,
) -> None:
    seconds, most, seed = bounds
    for place in found:
        # What a reader imports late is imported now, outside of the sandbox.
        with suppress(Exception):
            target.run(place.seed.data, place)
    bound_memory()
    sandbox = Sandbox()
    end = time.monotonic() + seconds
    for number, data in _cases(target, found, seed):
        if tally.cases >= most or time.monotonic() > end or len(tally.crashes) >= MAX_KINDS:
            return
        _note(shared, data, tally.cases, number)
        if target.files:
            _write(found[number], data)
        _one(target, found[number], data, tally, sandbox, number)


def _write(place: Place, data: bytes) -> None:
    with (place.root / place.seed.name).open("wb") as stream:
        stream.write(data)


def _note(shared: mmap.mmap, data: bytes, cases: int, number: int) -> None:
    shared[:24] = b"".join(n.to_bytes(8, "little") for n in (len(data), cases, number))
    shared[_HEADER : _HEADER + len(data)] = data


def _one(
    target: Target, place: Place, data: bytes, tally: Tally, sandbox: Sandbox, number: int
) -> None:
    start = time.thread_time()
    tally.cases += 1
    try:
        came = tried(target, data, place, sandbox)
        tally.accepted += came == "accepted"
        tally.refused += came == "refused"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        kind = kind_of(error)
        if kind not in {c.kind for c in tally.crashes}:
            detail = f"{type(error).__name__}: {str(error)[:300]!r}"
            tally.crashes.append(Crash(target.name, kind, detail, number, data.hex()))
    tally.slowest = max(tally.slowest, time.thread_time() - start)


def _cases(target: Target, found: list[Place], seed: int) -> Iterator[tuple[int, bytes]]:
    """Yield every seed as it is, then spoilt ones without end."""
    rng = random.Random(f"{target.name}:{seed}")
    samples = [p.seed.data for p in found]
    yield from enumerate(samples)
    for turn in itertools.count():
        number = turn % len(samples)
        yield number, target.spoil(rng, samples[number], samples)[:MAX_CASE]


def case_name(data: bytes) -> str:
    """Return the name that a case is kept under."""
    return hashlib.sha256(data).hexdigest()[:12]
