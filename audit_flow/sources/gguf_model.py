"""The header of GGUF files, read by ranges and within bounds: where each tensor lies.

Source: the GGUF specification, versions 2 and 3 (ggml-org/ggml, docs/gguf.md). Files of big-endian
machines and of version 1 are refused.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from audit_flow.analysis.lineage.ggml import TYPES
from audit_flow.analysis.lineage.roles import Stored
from audit_flow.errors import EvidenceError
from audit_flow.sources.model_files import ModelTensors, one_model
from audit_flow.sources.ranges import RangeReader

MAX_HEADER = 64 * 1024 * 1024
MAX_FILES = 64
MAX_TENSORS = 500_000
MAX_SETTINGS = 100_000
MAX_NAME = 1024
_FIRST = 1 << 20
_MAX_AXES = 4
_MAX_SIDE = 1 << 40
_DEPTH = 4
_ALIGNMENT = b"general.alignment"
# Bytes of each kind of value that has a fixed size; 8 is a string, 9 an array.
_FIXED = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY, _UINT32 = 8, 9, 4


class _MoreError(Exception):
    """The header goes on beyond what was read of it."""


def gguf_model(reader: RangeReader) -> ModelTensors | None:
    """Return the tensors of the largest GGUF model among the files; None where there is none.

    Raises EvidenceError where a header does not describe its file.
    """
    sizes = {n: size for n, size in reader.sizes.items() if n.lower().endswith(".gguf")}
    if not sizes:
        return None
    names, others = one_model(sizes)
    if len(names) > MAX_FILES:
        raise EvidenceError(f"{len(names)} files of one model", expected=f"at most {MAX_FILES}")
    tensors: list[Stored] = []
    read = 0
    for name in names:
        found, size = _header(reader, name, sizes[name], MAX_HEADER - read)
        tensors += found
        read += size
    if len({t.name for t in tensors}) < len(tensors) or len(tensors) > MAX_TENSORS:
        raise _bad(f"{len(tensors)} tensors, some of one name", names[0])
    return ModelTensors(tuple(tensors), read, sum(sizes[n] for n in names), others)


def _header(reader: RangeReader, name: str, size: int, most: int) -> tuple[list[Stored], int]:
    """Return the tensors of one file and how many bytes were read, ever twice as many."""
    raw, wanted = b"", _FIRST
    while True:
        end = min(wanted, size, most)
        raw += reader.read_many([(name, len(raw), end - len(raw))])[0]
        try:
            return _parsed(_Bytes(raw), name, size), len(raw)
        except _MoreError:
            if end == min(size, most):
                raise _bad(f"a header that does not end within {end} bytes", name) from None
            wanted *= 2


@dataclass
class _Bytes:
    """A header's bytes, taken one value after the other."""

    raw: bytes
    position: int = 0

    def skip(self, count: int) -> int:
        """Go on by so many bytes; return where they begin."""
        begin = self.position
        if count > len(self.raw) - begin:
            raise _MoreError
        self.position = begin + count
        return begin

    def number(self, form: str) -> int:
        """Return one integer of a form of ``struct``."""
        return int(struct.unpack_from(form, self.raw, self.skip(struct.calcsize(form)))[0])

    def text(self) -> bytes:
        """Return a string's bytes."""
        length = self.number("<Q")
        begin = self.skip(length)
        return self.raw[begin : begin + length]


def _parsed(data: _Bytes, name: str, size: int) -> list[Stored]:
    begin = data.skip(4)
    version = data.number("<I")
    if data.raw[begin : begin + 4] != b"GGUF" or version not in {2, 3}:
        raise _bad(f"{data.raw[:8]!r}", name)
    count, settings = data.number("<Q"), data.number("<Q")
    if count > MAX_TENSORS or settings > MAX_SETTINGS:
        raise _bad(f"{count} tensors and {settings} settings", name)
    alignment = 32
    for _ in range(settings):
        key, kind = data.text(), data.number("<I")
        if key == _ALIGNMENT and kind == _UINT32:
            alignment = data.number("<I")
        else:
            _skip_value(data, kind, name)
    if not 8 <= alignment <= 1 << 20 or alignment % 8:
        raise _bad(f"an alignment of {alignment}", name)
    entries = [_entry(data, name) for _ in range(count)]
    start = -(-data.position // alignment) * alignment
    return _placed(entries, start, alignment, name, size)


def _skip_value(data: _Bytes, kind: int, name: str, depth: int = 0) -> None:
    if kind in _FIXED:
        data.skip(_FIXED[kind])
    elif kind == _STRING:
        data.skip(data.number("<Q"))
    elif kind == _ARRAY and depth < _DEPTH:
        inner, length = data.number("<I"), data.number("<Q")
        if length > MAX_HEADER:
            raise _bad(f"an array of {length}", name)
        if inner in _FIXED:
            data.skip(length * _FIXED[inner])
            return
        for _ in range(length):
            _skip_value(data, inner, name, depth + 1)
    else:
        raise _bad(f"a value of kind {kind}", name)


def _entry(data: _Bytes, name: str) -> tuple[str, tuple[int, ...], int, int]:
    """Return a tensor's name, its shape, rows first, its type and its offset."""
    raw, axes = data.text(), data.number("<I")
    if len(raw) > MAX_NAME or not 1 <= axes <= _MAX_AXES:
        raise _bad(f"a tensor of {axes} axes and a name of {len(raw)} bytes", name)
    shape = tuple(data.number("<Q") for _ in range(axes))[::-1]
    if not all(1 <= side < _MAX_SIDE for side in shape):
        raise _bad(f"the shape {list(shape)}", name)
    return raw.decode("utf-8", "replace"), shape, data.number("<I"), data.number("<Q")


def _placed(
    entries: list[tuple[str, tuple[int, ...], int, int]], start: int, alignment: int, file: str,
    size: int,
) -> list[Stored]:  # fmt: skip
    """Return where the tensors lie, if they lie in the file, aligned, and none over another."""
    found, reached = [], 0
    for name, shape, kind, offset in sorted(entries, key=lambda e: e[3]):
        dtype, block, block_bytes = TYPES.get(kind, (f"type {kind}", 1, 0))
        whole = shape[-1] % block == 0
        length = math.prod(shape) // block * block_bytes
        if not whole or offset % alignment or offset < reached or start + offset + length > size:
            raise _bad(f"{name[:80]}: {dtype} {list(shape)} at {offset}", file)
        reached = offset + length
        found.append(Stored(name, dtype, shape, file, start + offset, start + offset + length))
    return found


def _bad(got: str, where: str) -> EvidenceError:
    return EvidenceError(
        got, expected="a GGUF file of version 2 or 3 whose header describes it", where=where
    )
