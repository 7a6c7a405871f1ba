"""Weights: headers, indexes, fingerprints, files that could run code, digests that were kept."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from audit_flow.collectors.weights import weights_digest
from audit_flow.digests import unsafe_pickle
from audit_flow.digests.safetensors import check_structure, parse_header, read_header
from audit_flow.digests.safetensors_index import check_index
from audit_flow.reproduce.weights_file import read_tensors
from audit_flow.sources.fingerprint import read_fingerprint, write_fingerprint
from audit_flow.sources.hashing import Wanted, hash_all
from audit_flow.sources.ranges import LocalRanges, read_headers
from tests.fuzz.facts import held
from tests.fuzz.interface import Place, Seed, Target, seeds_of
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_containers import spoil_safetensors, spoil_zip
from tests.fuzz.spoil_trees import spoil_json
from tests.fuzz.targets.archives import zipped
from tests.lineage_models import drawn, llama, sampled
from tests.release_parts import safetensors

PLAIN = safetensors({"a.weight": b"x" * 32, "b.weight": b"y" * 16})
INDEX = {
    "metadata": {"total_size": 48, "total_parameters": 48},
    "weight_map": {
        "a": "model-00001-of-00002.safetensors",
        "b": "model-00002-of-00002.safetensors",
    },
}


def _header(data: bytes, place: Place) -> None:
    length = int.from_bytes(data[:8], "little")
    check_structure(parse_header("case", data[8 : 8 + min(length, len(data))], len(data)))


def _file(data: bytes, place: Place) -> None:
    check_structure(read_header(place.path))
    reader = LocalRanges(place.folder, [place.seed.read])
    read_headers(reader, [place.seed.read])
    hashed = hash_all(place.folder, Wanted(frozenset({"."}), tensors=frozenset({place.seed.read})))
    held([weights_digest(place.folder, ".", hashed, "released")])


@cache
def _shards() -> dict[str, bytes]:
    return {
        f"model-0000{n}-of-00002.safetensors": safetensors({name: bytes(24)})
        for n, name in ((1, "a"), (2, "b"))
    }


def _index(data: bytes, place: Place) -> None:
    headers = {
        n: parse_header(n, d[8 : 8 + int.from_bytes(d[:8], "little")], len(d))
        for n, d in _shards().items()
    }
    check_index("model.safetensors.index.json", data, headers, headers)


def _fingerprint(data: bytes, place: Place) -> None:
    read_fingerprint(data, "case")


def _tensors(data: bytes, place: Place) -> None:
    for name, array in read_tensors(data, "case").items():
        assert isinstance(array, np.ndarray), name


def _pickle(data: bytes, place: Place) -> None:
    for name in (
        "model.bin",
        "model.pt",
        "model.keras",
        "model.npy",
        "model.pkl",
        "model.safetensors",
    ):
        unsafe_pickle(name, data[:4096], data[-65536:])


def _floats() -> bytes:
    return safetensors_f32({"w": [1.0, 2.0, 3.0, 4.0]})


def safetensors_f32(tensors: dict[str, list[float]]) -> bytes:
    """Return a safetensors file of 32-bit floats."""
    header, body = {}, b""
    for name, values in tensors.items():
        raw = np.array(values, "<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": [len(values)],
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def _fingerprint_seeds() -> Iterable[Seed]:
    with tempfile.TemporaryDirectory() as folder:
        sample = sampled(Path(folder), drawn(llama(32, 48, 96, 2, 16), 1), "BF16")
    yield Seed(write_fingerprint(sample, "acme/base", "0" * 40))


def _pickle_seeds() -> Iterable[Seed]:
    yield Seed(zipped({"archive/data.pkl": b"\x80\x02}q\x00.", "archive/version": b"3"}))
    yield Seed(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.")
    yield Seed(b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n")


WEIGHTS = (
    Target(
        "safetensors header",
        ("audit_flow.digests.safetensors",),
        _header,
        lambda: [Seed(PLAIN)],
        spoil_safetensors,
    ),
    Target(
        "safetensors file",
        (
            "audit_flow.digests.safetensors",
            "audit_flow.sources.ranges",
            "audit_flow.collectors.weights",
        ),
        _file,
        lambda: [Seed(PLAIN, "model.safetensors", beside={"config.json": b"{}"})],
        spoil_safetensors,
        files=True,
    ),
    Target(
        "safetensors index",
        ("audit_flow.digests.safetensors_index",),
        _index,
        seeds_of(json.dumps(INDEX)),
        spoil_json,
    ),
    Target(
        "fingerprint",
        ("audit_flow.sources.fingerprint",),
        _fingerprint,
        _fingerprint_seeds,
        spoil_safetensors,
    ),
    Target(
        "tensors to compute with",
        ("audit_flow.reproduce.weights_file",),
        _tensors,
        lambda: [Seed(_floats())],
        spoil_safetensors,
    ),
    Target(
        "files that could run code",
        ("audit_flow.digests.pickles",),
        _pickle,
        _pickle_seeds,
        lambda rng, data, others: (spoil_zip if data[:2] == b"PK" else spoil_bytes)(
            rng, data, others
        ),
    ),
)
