"""A model's fingerprint: its sample in one small file, so that the model itself is not needed.

The file is a safetensors file: one tensor a sampled block, in the model's own data type, and in
its metadata ``format`` and ``facts``. It is read as strictly as any file from a stranger.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from audit_flow.analysis.lineage.decode import READABLE
from audit_flow.analysis.lineage.plan import Role, Wanted
from audit_flow.analysis.lineage.roles import Stored
from audit_flow.analysis.lineage.sample import Block, Sample, block_of
from audit_flow.digests.safetensors import Header, TensorSpec, check_structure, parse_header
from audit_flow.errors import EvidenceError
from audit_flow.model import Frozen, canonical_json, sha256_hex
from audit_flow.model.base import Count, ShortText

FORMAT = "audit-flow/fingerprint/v1"
SUFFIX = ".fingerprint"
MAX_BYTES = 25_000_000
MAX_BLOCKS = 64
MAX_ROWS = 4096


class _BlockFacts(Frozen):
    """Where a block comes from; ``rows`` is empty for a vector.

    ``quantised`` names the type of blocks that the numbers were stored in.
    """

    role: Literal["embedding", "vector", "hidden", "residual", "attention"]
    place: ShortText
    layer: Count | None = None
    rows: tuple[Count, ...] = Field(default=(), max_length=MAX_ROWS)
    quantised: ShortText | None = None


class _Facts(Frozen):
    """What the fingerprint says of its model; sizes are in bytes."""

    schema_name: Literal["audit-flow/fingerprint/v1"]
    model: ShortText
    revision: ShortText | None = None
    width: Count
    units: Count
    layers: Count
    vocabulary: Count
    read: Count
    total: Count
    not_assessed: tuple[ShortText, ...] = Field(default=(), max_length=100)
    blocks: tuple[_BlockFacts, ...] = Field(max_length=MAX_BLOCKS)


@dataclass(frozen=True)
class Fingerprint:
    """A sample that came from a file; ``sha256`` is the file's own."""

    model: str
    revision: str | None
    sample: Sample
    sha256: str


def write_fingerprint(sample: Sample, model: str, revision: str | None = None) -> bytes:
    """Return the bytes of a fingerprint, always the same for the same sample.

    Raises EvidenceError for a sample that nothing can be compared with, or that is too large.
    """
    blocks = [b for b in sample.blocks if b.data]
    if not any(b.role != "vector" for b in blocks):
        raise EvidenceError("no matrix could be sampled", expected="a model's weights",
                            remedy="; ".join(sample.not_assessed)[:1000])  # fmt: skip
    facts = _Facts(
        schema_name=FORMAT, model=model, revision=revision, width=sample.width,
        units=sample.units, layers=sample.layers, vocabulary=sample.vocabulary, read=sample.read,
        total=sample.total, not_assessed=sample.not_assessed[:100],
        blocks=tuple(
            _BlockFacts(role=b.role, place=b.place, layer=b.layer, rows=tuple(map(int, b.rows)),
                        quantised=b.quantised)
            for b in blocks
        ),
    )  # fmt: skip
    raw = _safetensors(facts, blocks)
    if len(raw) > MAX_BYTES:
        raise EvidenceError(f"a fingerprint of {len(raw)} bytes", expected=f"at most {MAX_BYTES}")
    return raw


def _safetensors(facts: _Facts, blocks: list[Block]) -> bytes:
    header: dict[str, object] = {
        "__metadata__": {"format": FORMAT, "facts": canonical_json(facts).decode()}
    }
    position = 0
    for number, block in enumerate(blocks):
        shape = list(block.values.shape)
        header[f"block-{number:03d}"] = {
            "dtype": block.dtype, "shape": shape,
            "data_offsets": [position, position + len(block.data)],
        }  # fmt: skip
        position += len(block.data)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(b.data for b in blocks)


def read_fingerprint(raw: bytes, where: str) -> Fingerprint:
    """Return what a fingerprint holds; EvidenceError for anything that is not one, whole."""
    length = int.from_bytes(raw[:8], "little")
    if not 10 <= len(raw) <= MAX_BYTES or length > len(raw) - 8:
        raise _bad(where, f"a file of {len(raw)} bytes")
    header = parse_header(where, raw[8 : 8 + length], len(raw))
    problems = check_structure(header)
    if problems:
        raise _bad(where, f"{problems[0].what}: {problems[0].got}")
    facts = _facts(header, where)
    tensors = sorted(header.tensors, key=lambda t: t.name)
    if [t.name for t in tensors] != [f"block-{n:03d}" for n in range(len(facts.blocks))]:
        raise _bad(where, "tensors that are not the blocks it names")
    blocks = []
    for tensor, about in zip(tensors, facts.blocks, strict=True):
        start = header.data_start
        data = raw[start + tensor.begin : start + tensor.end]
        blocks.append(_block(tensor, about, data, facts.width, where))
    sample = Sample(
        facts.width, facts.units, facts.layers, facts.vocabulary, tuple(blocks),
        facts.not_assessed, facts.read, facts.total,
    )  # fmt: skip
    return Fingerprint(facts.model, facts.revision, sample, sha256_hex(raw))


def _facts(header: Header, where: str) -> _Facts:
    metadata = dict(header.metadata)
    if metadata.get("format") != FORMAT:
        raise _bad(where, f"format {metadata.get('format', 'absent')!r:.80}")
    try:
        return _Facts.model_validate_json(metadata.get("facts", ""), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _bad(where, f"facts {place}: {first['msg']}"[:300]) from None


def _block(tensor: TensorSpec, about: _BlockFacts, data: bytes, width: int, where: str) -> Block:
    rows = np.array(about.rows, np.int64)
    fitting = (
        tensor.dtype in READABLE
        and len(tensor.shape) == 2
        and tensor.shape[0] == max(len(rows), 1)
        and tensor.shape[1] >= 1
        and bool((np.diff(rows) > 0).all())
        and (len(rows) > 0) == (about.role != "vector")
        and (about.role != "vector" or tensor.shape[1] == width)
    )
    if not fitting:
        raise _bad(where, f"{tensor.name}: {tensor.dtype} {list(tensor.shape)}")
    role: Role = about.role
    stored = Stored(tensor.name, tensor.dtype, tensor.shape, where, 0, len(data))
    block = block_of(Wanted(role, about.place, stored, rows), data)
    if isinstance(block, str):
        raise _bad(where, block)
    return replace(block, layer=about.layer, quantised=about.quantised)


def _bad(where: str, got: str) -> EvidenceError:
    return EvidenceError(
        got, expected=f"a fingerprint ({FORMAT})", where=where,
        remedy="Write it again with: audit-flow fingerprint",
    )  # fmt: skip


def fingerprints_in(folder: Path, limit: int = 200) -> tuple[Path, ...]:
    """List the fingerprint files of a folder by name; EvidenceError beyond ``limit``."""
    found = sorted(p for p in folder.iterdir() if p.suffix == SUFFIX and p.is_file())
    if len(found) > limit:
        raise EvidenceError(
            f"{len(found)} fingerprints", expected=f"at most {limit}", where=folder.name
        )
    return tuple(found)


def bytes_beside(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return a fingerprint's or its signature's bytes; EvidenceError where they can't be had.

    One byte more than ``limit`` is read at most, so that what is too large shows.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise EvidenceError(str(error.strerror), where=path.name) from error
