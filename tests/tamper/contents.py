"""Bytes of every file of the release, and every tensor of its weights."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

import yaml

from tests.tamper import formats
from tests.tamper.bench import Bench, Changes, Link
from tests.tamper.case import Attempt, Must, TamperClass, every, rules
from tests.tamper.documents import LEDGER, SHARDS
from tests.tamper.fields import at, places
from tests.tamper.good import MALLORY, TRAINER, sign_evidence, sign_record, sign_weights

ANY_OF_MODEL = rules("signatures.valid", "evidence.present")
SIGNED_EVIDENCE = rules("signatures.valid", "signatures.evidence", "evidence.present")


def must_of(path: str) -> Must:
    """Return what must fire when bytes of a file are others, or the file is gone."""
    if path.startswith("model/"):
        return ANY_OF_MODEL
    if path.startswith("base/"):
        return rules("base-model.lineage", "evidence.present")
    if path.startswith(("src/", "data/raw", "dvc.", "results/samples")):
        return rules("lineage.pipeline", *LEDGER[0])
    if path == "release.yaml":
        return (frozenset({"manifest", "checksums.match", "scores.reproduced", "card.agrees",
                           "training.claims", "evidence.present", *LEDGER[0],
                           "signatures.evidence"}),)  # fmt: skip
    return SIGNED_EVIDENCE


def byte_changes(path: str, raw: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield a file's bytes with one bit turned in several places, cut, and added to."""
    size = len(raw)
    offsets = {"first": 0, "middle": size // 2, "last": size - 1}
    offsets |= {f"random {n}": rng.randrange(size) for n in range(3)}
    for where, offset in offsets.items():
        data = bytearray(raw)
        data[offset] ^= 1 << rng.randrange(8)
        yield f"flip {where} ({offset})", bytes(data)
    yield "cut one byte", raw[:-1]
    yield "cut half", raw[: size // 2]
    yield "empty", b""
    yield "append a letter", raw + b"x"
    yield "append a zero", raw + b"\x00"
    del path


def other_file(bench: Bench, path: str) -> bytes | None:
    """Return another file's bytes of the same kind, if there is one."""
    suffix = path.rpartition(".")[2]
    found = (d for p, d in bench.originals.items()
             if p != path and p.endswith(f".{suffix}") and d != bench.originals[path])  # fmt: skip
    return next(found, None)


def file_changes(bench: Bench, path: str) -> Iterator[tuple[str, Changes]]:
    """Yield a file gone, renamed, replaced by another of its kind, or turned into a link."""
    raw = bench.originals[path]
    yield "delete", {path: None}
    yield "rename", {path: None, f"{path}.old": raw}
    other = other_file(bench, path)
    if other is not None:
        yield "another file of its kind", {path: other}
    yield "link to nothing", {path: Link("nowhere")}
    outside = bench.scratch / "outside.bin"
    outside.write_bytes(raw)
    yield "link outside", {path: Link(str(outside))}


def byte_attempts(bench: Bench) -> Iterator[Attempt]:
    rng = random.Random(7)
    for path, raw in bench.originals.items():
        for kind, data in byte_changes(path, raw, rng):
            yield _audited(bench, path, kind, {path: data})


def file_attempts(bench: Bench) -> Iterator[Attempt]:
    for path in bench.originals:
        for kind, changes in file_changes(bench, path):
            yield _audited(bench, path, kind, changes)
    for path in ("model/new.txt", "model/modeling_toy.py", "model/model-00003.safetensors"):
        yield _audited(bench, path, "add a file", {path: b"print()\n"})


def differing(raw: bytes, data: bytes) -> str:
    """Return the first field in which two YAML files differ."""
    try:
        one, two = formats.read_yaml(raw), formats.read_yaml(data)
    except (ValueError, yaml.YAMLError):
        return "(unreadable)"
    if one == two:
        return "(white space)"
    for path in places(one):
        try:
            if not isinstance(at(one, path), dict | list) and at(one, path) != at(two, path):
                return ".".join(map(str, path))
        except (LookupError, TypeError):
            return ".".join(map(str, path))
    return "(more)"


def _audited(bench: Bench, path: str, kind: str, changes: Changes) -> Attempt:
    place = path
    data = changes.get(path)
    if path.endswith((".yaml", ".lock")) and isinstance(data, bytes):
        place = f"{path}:{differing(bench.originals[path], data)}"
    must = must_of(path)
    if kind.startswith("link"):
        # Where the manifest names the file, a link that leaves the folder ends the audit at once.
        must = tuple(each | {"manifest"} for each in must)
    return Attempt(place, kind, lambda: bench.audited(changes), must)


def _parts(raw: bytes) -> tuple[dict[str, tuple[int, int]], int]:
    (length,) = struct.unpack("<Q", raw[:8])
    header = formats.read_header(raw)
    return {n: tuple(t["data_offsets"]) for n, t in header.items()}, 8 + length


def tensor_changes(raw: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield a byte of each tensor turned, tensors of one shape swapped, and headers changed."""
    tensors, start = _parts(raw)
    for name, (begin, end) in tensors.items():
        for byte in (begin, (begin + end) // 2, end - 1):
            data = bytearray(raw)
            data[start + byte] ^= 1
            yield name, f"flip byte {byte - begin}", bytes(data)
    names = list(tensors)
    header = formats.read_header(raw)
    for one in names:
        for two in names[names.index(one) + 1 :]:
            if header[one]["shape"] == header[two]["shape"]:
                swapped = {**header, one: header[two], two: header[one]}
                yield one, f"swap with {two}", formats.write_header(swapped, raw)
    renamed = {(f"{n}x" if n == names[0] else n): t for n, t in header.items()}
    yield names[0], "rename", formats.write_header(renamed, raw)
    yield "(header)", "metadata", formats.write_header({"__metadata__": {"a": "b"}, **header}, raw)


RAW = every("signatures.valid", "checksums.match", "lineage.weights", "lineage.evaluations")
COVERED = every("lineage.evaluations")


def tensor_attempts(bench: Bench, *, covered: bool) -> Iterator[Attempt]:
    for shard in SHARDS:
        for name, kind, data in tensor_changes(bench.originals[shard]):
            yield Attempt(
                f"{shard[6:17]} {name}", kind,
                lambda d=data, s=shard: bench.audited({s: d}, covered=covered),  # type: ignore[misc]
                COVERED if covered else RAW,
            )  # fmt: skip


def signer_attempts(bench: Bench) -> Iterator[Attempt]:
    """Everything as it was, signed by somebody who is not trusted with it."""
    built = bench.good.built
    weights = ("model/model.sig", "model/model.tensors.sig")
    for signer, who in ((MALLORY, "a stranger"), (TRAINER, "the trainers")):
        with bench.changed({}):
            sign_weights(built, signer)
            made = {p: built.path(p).read_bytes() for p in weights}
        yield _signed(bench, "model", who, made)
        with bench.changed({}):
            sign_evidence(built, "results/results.json", "evaluation", signer)
            made = {p: built.path(p).read_bytes() for p in ("results/results.json.sig",)}
        yield _signed(bench, "results/results.json", who, made)
    with bench.changed({}):
        sign_record(built, MALLORY)
        made = {"prepare.record.json": built.path("prepare.record.json").read_bytes()}
    yield _signed(bench, "prepare.record.json", "a stranger", made)


def _signed(bench: Bench, place: str, who: str, changes: Changes) -> Attempt:
    must = rules("signatures.identity", "signatures.evidence")
    return Attempt(place, f"signed by {who}", lambda: bench.audited(changes), must)


def classes() -> tuple[TamperClass, ...]:
    """Return the classes of bytes, files, tensors and signers."""
    return (
        TamperClass("bytes of every file", "audit", byte_attempts),
        TamperClass("every file gone, renamed, replaced, linked", "audit", file_attempts),
        TamperClass("each tensor", "audit", lambda b: tensor_attempts(b, covered=False)),
        TamperClass("each tensor, all covered up", "audit",
                    lambda b: tensor_attempts(b, covered=True)),
        TamperClass("another signer", "audit", signer_attempts),
    )  # fmt: skip
