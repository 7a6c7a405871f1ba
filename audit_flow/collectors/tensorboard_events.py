"""TensorBoard event files: TFRecord with protocol buffers, every checksum checked.

Fields: ``tensorflow/core/util/event.proto``, ``framework/summary.proto``, ``tensor.proto``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from audit_flow.analysis.moments import from_epoch
from audit_flow.analysis.training_names import facts_of, metric
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence, sha256_hex
from audit_flow.sources import json_text
from audit_flow.sources.folder import MIB
from audit_flow.sources.job_facts import Curve, gpu_job, settings
from audit_flow.sources.protobuf_wire import (
    Value,
    WireError,
    double,
    grouped,
    integer,
    messages,
    single,
    text,
)
from audit_flow.sources.record_files import tf_records
from audit_flow.sources.settings import flatten

# A checksum in Python takes about a tenth of a second a MiB.
_MAX_BYTES = 128 * MIB
_NUMBERS = {1: ("<f", 4), 2: ("<d", 8), 3: ("<i", 4), 9: ("<q", 8)}
Message = dict[int, list[Value]]


@dataclass
class _Seen:
    curve: Curve = field(default_factory=Curve)
    settings: dict[str, Any] = field(default_factory=dict)
    epochs: float | None = None
    tokens: float | None = None
    first: float | None = None
    last: float | None = None
    step: int = 0
    events: int = 0
    back: int = 0
    cut: bool = False


class TensorBoardEvents:
    """Reads one event file."""

    format = "tensorboard"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether the name is an event file's, or the first record is its version."""
        return "tfevents" in source.name or b"brain.Event:" in head[:64]

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job; EvidenceError names the byte where the file is damaged."""
        raw = source.bytes(_MAX_BYTES)
        seen = _Seen()
        for number, (record, complete) in enumerate(tf_records(raw, source.path), start=1):
            if not complete:
                seen.cut = True
                break
            try:
                _event(seen, grouped(record))
            except WireError as error:
                raise EvidenceError(
                    str(error), expected="an event", where=f"{source.path}, record {number}"
                ) from error
        if not seen.events:
            raise EvidenceError("no event in it", expected="events", where=source.path)
        named = facts_of(seen.settings)
        if _counts_rows(seen):
            seen.curve.forget_steps()
        facts = {
            **named,
            **seen.curve.facts(),
            "started": from_epoch(seen.first) if seen.first else None,
            "ended": from_epoch(seen.last) if seen.last else None,
            "epochs": seen.epochs,
            "tokens": int(seen.tokens) if seen.tokens and seen.tokens < 2**53 else None,
            "config": settings(seen.settings),
            "disordered": f"{seen.back} events are before the one above them"
            if seen.back
            else None,
            "note": "the file is cut off within its last record" if seen.cut else None,
        }
        return (gpu_job(source, self.format, sha256_hex(raw), **facts),)


def _event(seen: _Seen, event: Message) -> None:
    when, step = double(event, 1), integer(event, 2) or 0
    seen.events += 1
    for summary in messages(event, 5):
        for value in messages(summary, 1):
            _value(seen, text(value, 1), value, step)
    if when is None or not 0 < when < 4e9 or 5 not in event:
        return
    seen.back += bool(seen.last and when < seen.last - 1 and step > seen.step)
    seen.step = max(seen.step, step)
    seen.first = when if seen.first is None else min(seen.first, when)
    seen.last = when if seen.last is None else max(seen.last, when)


def _value(seen: _Seen, tag: str, value: Message, step: int) -> None:
    number = single(value, 2)
    for tensor in messages(value, 8):
        if 8 in tensor:
            _settings(seen, tag, text(tensor, 8))
            return
        number = _scalar(tensor)
    what = metric(tag)
    if number is None or what is None:
        return
    if what == "loss":
        seen.curve.add(step, number)
    elif what == "rate":
        seen.curve.rate = max(number, seen.curve.rate or 0.0)
    elif what == "epoch":
        seen.epochs = number
    elif what == "tokens":
        seen.tokens = max(number, seen.tokens or 0)


def _counts_rows(seen: _Seen) -> bool:
    """Say whether the axis may as well be of epochs: the caller names it, and it has no name."""
    return set(seen.curve.gaps) == {1} and seen.epochs is None and not seen.settings


def _scalar(tensor: Message) -> float | None:
    """Return a tensor's first number, from its own field or its content."""
    kind = integer(tensor, 1) or 0
    for number, size in ((5, "<f"), (6, "<d")):
        packed = tensor.get(number, [b""])[0]
        if isinstance(packed, bytes) and len(packed) >= struct.calcsize(size):
            return float(struct.unpack_from(size, packed)[0])
    content = tensor.get(4, [b""])[0]
    form, size_of = _NUMBERS.get(kind, ("", 0))
    if form and isinstance(content, bytes) and len(content) >= size_of:
        return float(struct.unpack_from(form, content)[0])
    whole = integer(tensor, 7)
    return float(whole) if whole is not None else None


def _settings(seen: _Seen, tag: str, written: str) -> None:
    """Take the settings that trainers write as JSON text."""
    body = written.strip().strip("`").removeprefix("json").strip()
    if not body.startswith("{") or len(seen.settings) > 1000:
        return
    try:
        data = json_text.parse_object(body.encode(), tag, constants=True)
    except EvidenceError:
        return
    seen.settings |= {v.name: v.value for v in flatten(data, "")}
