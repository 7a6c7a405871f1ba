"""Documents as files hold them: read, and written back in the same form."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import yaml

FENCE = "---\n"


def read_yaml(raw: bytes) -> Any:
    return yaml.safe_load(raw)


def write_yaml(document: Any, raw: bytes) -> bytes:
    del raw
    return yaml.safe_dump(document, sort_keys=False).encode()


def read_json(raw: bytes) -> Any:
    return json.loads(raw)


def write_json(document: Any, raw: bytes) -> bytes:
    del raw
    return json.dumps(document).encode()


def read_rows(raw: bytes) -> Any:
    """Return the first, the middle and the last row: all others are like them."""
    rows = [json.loads(line) for line in raw.splitlines()]
    return {str(i): rows[i] for i in _chosen(rows)}


def write_rows(document: Any, raw: bytes) -> bytes:
    rows = [json.loads(line) for line in raw.splitlines()]
    kept = {str(i) for i in _chosen(rows)}
    if not isinstance(document, dict):
        return json.dumps(document).encode() + b"\n"
    parts = [document.get(str(i)) if str(i) in kept else row for i, row in enumerate(rows)]
    gone = kept - document.keys()
    lines = [p for i, p in enumerate(parts) if str(i) not in gone]
    lines += [v for k, v in document.items() if k not in kept]
    return "".join(json.dumps(p) + "\n" for p in lines).encode()


def _chosen(rows: list[Any]) -> tuple[int, ...]:
    return (0, len(rows) // 2, len(rows) - 1)


def read_card(raw: bytes) -> Any:
    return yaml.safe_load(raw.decode().split(FENCE)[1])


def write_card(document: Any, raw: bytes) -> bytes:
    body = raw.decode().split(FENCE, 2)[2]
    front = yaml.safe_dump(document, sort_keys=False)
    return f"{FENCE}{front}{FENCE}{body}".encode()


def read_header(raw: bytes) -> Any:
    """Return the header of a safetensors file."""
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length])


def write_header(document: Any, raw: bytes) -> bytes:
    (length,) = struct.unpack("<Q", raw[:8])
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + raw[8 + length :]


def read_payload(raw: bytes) -> Any:
    """Return what a bundle's signature is over."""
    return json.loads(base64.b64decode(json.loads(raw)["dsseEnvelope"]["payload"]))


def write_payload(document: Any, raw: bytes) -> bytes:
    """Put another payload under the same signature."""
    bundle = json.loads(raw)
    payload = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    return json.dumps(bundle).encode()
