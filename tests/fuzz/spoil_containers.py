"""Ways to spoil what lies inside a container, with the container's own sums put right again."""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

from audit_flow.errors import AuditFlowError
from audit_flow.sources.record_files import crc32c, masked, tf_records, wandb_records
from tests.fuzz.interface import Spoil
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_trees import spoil_json

Others = Sequence[bytes]
_BLOCK = 32 * 1024


def _or_bytes(inside: Callable[[random.Random, bytes], bytes], share: float = 0.3) -> Spoil:
    """Return what spoils the inside, or now and then the container itself."""

    def spoil(rng: random.Random, data: bytes, others: Others) -> bytes:
        if rng.random() < share:
            return spoil_bytes(rng, data, others)
        try:
            return inside(rng, data)
        except (AuditFlowError, zipfile.BadZipFile, ValueError, IndexError):
            # A companion of another format, or nothing left to change.
            return spoil_bytes(rng, data, others)

    return spoil


def _safetensors(rng: random.Random, data: bytes) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = spoil_json(rng, data[8 : 8 + length], ())
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def _members(data: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(n, archive.read(n)) for n in archive.namelist()]


def _zip(rng: random.Random, data: bytes) -> bytes:
    members = _members(data)
    at = rng.randrange(len(members))
    name, content = members[at]
    match rng.randrange(12):
        case 0:
            members[at] = (
                rng.choice(("../x", "/x", "a\0b", "x" * 300, "journal/start.json")),
                content,
            )
        case 1:
            del members[at]
        case 2:
            members.append((name, content))
        case 3:
            members[at] = (name, b"\0" * (1 << 20))
        case _:
            members[at] = (name, spoil_json(rng, content, ()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as made:
        for each, inner in members:
            made.writestr(each, inner)
    return out.getvalue()


def _tf(rng: random.Random, data: bytes) -> bytes:
    records = [r for r, whole in tf_records(data, "seed") if whole]
    at = rng.randrange(len(records))
    records[at] = spoil_bytes(rng, records[at], records)
    return b"".join(_tf_record(r) for r in records)


def _tf_record(record: bytes) -> bytes:
    length = struct.pack("<Q", len(record))
    return (
        length
        + struct.pack("<I", masked(crc32c(length)))
        + record
        + struct.pack("<I", masked(crc32c(record)))
    )


def _wandb(rng: random.Random, data: bytes) -> bytes:
    records = [r for r, whole in wandb_records(data, "seed") if whole]
    at = rng.randrange(len(records))
    records[at] = spoil_bytes(rng, records[at], records)
    out = bytearray(data[:7])
    for record in records:
        left = _BLOCK - len(out) % _BLOCK
        if left < 7 + len(record):
            out += b"\0" * left
        part = record[: _BLOCK - 7]
        out += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(b"\x01")), len(part), 1) + part
    return bytes(out)


def _payload(rng: random.Random, data: bytes) -> bytes:
    """Spoil the statement inside a bundle; its signature no longer holds."""
    bundle = json.loads(data)
    envelope = bundle.get("dsseEnvelope") or bundle
    if "payload" not in envelope:
        return spoil_json(rng, data, ())
    inner = spoil_json(rng, base64.b64decode(envelope["payload"]), ())
    envelope["payload"] = base64.b64encode(inner).decode()
    return json.dumps(bundle).encode()


def _entry(rng: random.Random, data: bytes) -> bytes:
    """Spoil a DER or JSON value that stands in a bundle as base64."""
    bundle = json.loads(data)
    places = [p for p in _base64_places(bundle) if p[1] != "payload"]
    if not places:
        return spoil_json(rng, data, ())
    holder, key = rng.choice(places)
    raw = base64.b64decode(holder[key])
    spoil = spoil_json if raw[:1] == b"{" else spoil_bytes
    holder[key] = base64.b64encode(spoil(rng, raw, ())).decode()
    return json.dumps(bundle).encode()


def _base64_places(value: object) -> list[tuple[dict[str, str], str]]:
    found: list[tuple[dict[str, str], str]] = []
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and len(item) > 40 and len(item) % 4 == 0:
                found.append((value, key))
            found += _base64_places(item)
    elif isinstance(value, list):
        for item in value:
            found += _base64_places(item)
    return found


def _bundle(rng: random.Random, data: bytes) -> bytes:
    try:
        return rng.choice((_payload, _entry, _entry))(rng, data)
    except ValueError:
        return spoil_json(rng, data, ())


def _sealed(rng: random.Random, data: bytes) -> bytes:
    seal, _, body = data.partition(b"\n")
    if rng.random() < 0.3:
        return spoil_json(rng, seal, ()) + b"\n" + body
    return seal + b"\n" + spoil_json(rng, body, ())


spoil_safetensors = _or_bytes(_safetensors)
spoil_zip = _or_bytes(_zip)
spoil_tf_records = _or_bytes(_tf, 0.15)
spoil_wandb = _or_bytes(_wandb, 0.15)
spoil_bundle = _or_bytes(_bundle, 0.1)
spoil_sealed = _or_bytes(_sealed, 0.1)
