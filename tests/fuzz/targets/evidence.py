"""Every reader of evidence: one target for each format in READERS."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from audit_flow.collectors.interface import Reader, SourceFile
from audit_flow.collectors.readers import READERS, detect, read, read_by
from audit_flow.sources.folder import Folder
from tests.fuzz.facts import held
from tests.fuzz.interface import CORPUS, DATA, Place, Seed, Spoil, Target
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_containers import spoil_tf_records, spoil_wandb, spoil_zip
from tests.fuzz.spoil_trees import spoil_json, spoil_lines
from tests.fuzz.targets.documents import spoil_yaml
from tests.fuzz.targets.written_samples import WRITTEN

SPOIL: dict[str, Spoil] = {
    "tensorboard": spoil_tf_records,
    "wandb": spoil_wandb,
    "slurm-sacct": spoil_bytes,
    "gpu-monitor": spoil_bytes,
    "step-table": spoil_bytes,
    "text-log": spoil_bytes,
    "mlperf-log": spoil_bytes,
    "reported-results": spoil_yaml,
    "training-config": spoil_yaml,
}
_MAX_SEED = 24 * 1024
_MAX_BESIDE = 256 * 1024
_SEEDS_EACH = 8


def spoil_any(rng: Any, data: bytes, others: Any) -> bytes:
    """Spoil by what the bytes look like."""
    if data[:2] == b"PK":
        return spoil_zip(rng, data, others)
    if data[:1] not in b"{[":
        return spoil_bytes(rng, data, others)
    return (spoil_lines if b"}\n{" in data else spoil_json)(rng, data, others)


def shrunk(data: bytes, name: str) -> bytes:
    """Return a small sample of the same shape: lists and texts cut, as far as it can be cut."""
    if name.endswith(".gz"):
        return gzip.decompress(data)[:8000]
    if len(data) <= _MAX_SEED // 4:
        return data
    if name.endswith((".jsonl", ".txt", ".log", ".csv")) and b"}\n{" not in data[-100:]:
        head = data[: data.rfind(b"\n", 0, _MAX_SEED) + 1]
        if head:
            return b"\n".join(head.split(b"\n")[:60])
    try:
        return json.dumps(_cut(json.loads(data))).encode()
    except ValueError:
        return data


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _cut(v) for k, v in list(value.items())[:40]}
    if isinstance(value, list):
        return [_cut(v) for v in value[:3]]
    return value[:300] if isinstance(value, str) else value


@cache
def _samples() -> tuple[tuple[Path, bytes], ...]:
    found = sorted(p for p in DATA.rglob("*") if p.is_file() and CORPUS not in p.parents)
    return tuple((p, p.read_bytes()) for p in found if p.stat().st_size < 4 << 20)


def _seeds(reader: Reader) -> Iterator[Seed]:
    yield from WRITTEN.get(reader.format, ())
    kept = 0
    for path, data in _samples():
        if kept == _SEEDS_EACH or not _is_read_by(reader, path):
            continue
        kept += 1
        beside = dict(_beside(path))
        small = shrunk(data, path.name)
        yield Seed(small, path.name.removesuffix(".gz"), beside=beside)
        # The companions of a file are the publisher's as well.
        for name in sorted(beside)[:3]:
            rest = {n: d for n, d in beside.items() if n != name}
            yield Seed(shrunk(beside[name], name), name, path.name, {**rest, path.name: small})


def _is_read_by(reader: Reader, path: Path) -> bool:
    source = SourceFile(Folder.at(path.parent), path.name)
    try:
        return detect(source, reader.family) is reader
    except Exception:
        return False


def _beside(path: Path) -> Iterator[tuple[str, bytes]]:
    for other in sorted(path.parent.iterdir()):
        if other != path and other.is_file() and other.stat().st_size < _MAX_BESIDE:
            yield other.name, other.read_bytes()


def _run(reader: Reader, place: Place) -> None:
    source = place.source
    reader.recognises(source, source.head())
    held(read_by(reader, source))


def _target(reader: Reader) -> Target:
    def run(data: bytes, place: Place) -> None:
        _run(reader, place)

    def seeds() -> Iterable[Seed]:
        return _seeds(reader)

    covers = (type(reader).__module__,)
    return Target(
        reader.format, covers, run, seeds, SPOIL.get(reader.format, spoil_any), files=True
    )


def _detect(data: bytes, place: Place) -> None:
    held(read(place.source))


def _mixed() -> Iterator[Seed]:
    """Samples of one format under the names of others."""
    plain = [s for reader in READERS for s in list(_seeds(reader))[:1]]
    for number, seed in enumerate(plain):
        yield Seed(seed.data, plain[(number + 7) % len(plain)].name)


EVIDENCE = (
    *(_target(reader) for reader in READERS),
    Target(
        "any format", ("audit_flow.collectors.readers",), _detect, _mixed, spoil_any, files=True
    ),
)
