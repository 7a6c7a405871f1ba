"""W&B offline runs: the ``.wandb`` log, read by its own wire format; nothing is unpickled.

Fields: ``wandb/proto/wandb_internal.proto``; a test holds this reader against a run that the
library wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from audit_flow.analysis.moments import from_epoch
from audit_flow.analysis.quantities import real, whole
from audit_flow.analysis.training_names import facts_of, metric
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence, GpuJob, sha256_hex
from audit_flow.sources import json_text
from audit_flow.sources.job_facts import Curve, Peak, gpu_job, settings
from audit_flow.sources.protobuf_wire import (
    Value,
    WireError,
    double,
    grouped,
    integer,
    messages,
    text,
)
from audit_flow.sources.record_files import wandb_records
from audit_flow.sources.settings import flatten

_HISTORY, _SUMMARY, _CONFIG, _STATS, _RUN, _EXIT, _ENVIRONMENT, _OUTPUT_RAW = (
    2,
    3,
    5,
    7,
    17,
    18,
    26,
    13,
)
_MAX_CONFIG = 1_000
Message = dict[int, list[Value]]


@dataclass
class _Seen:
    run: Message = field(default_factory=dict)
    environment: Message = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    curve: Curve = field(default_factory=Curve)
    rows: Curve = field(default_factory=Curve)
    epochs: float | None = None
    tokens: int | None = None
    last: float | None = None
    first: float | None = None
    exit_code: int | None = None
    ended: bool = False
    cut: bool = False
    use: Peak = field(default_factory=Peak)
    memory: Peak = field(default_factory=Peak)
    power: Peak = field(default_factory=Peak)
    gpus: set[str] = field(default_factory=set)


class WandbRun:
    """Reads the log of a W&B run."""

    format = "wandb"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether the file begins as W&B's log does."""
        return head.startswith(b":W&B") or source.name.endswith(".wandb")

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job; EvidenceError names the byte where the log is damaged."""
        raw = source.bytes()
        seen = _Seen()
        for number, (record, whole_record) in enumerate(wandb_records(raw, source.path), start=1):
            if not whole_record:
                seen.cut = True
                break
            try:
                _take(seen, grouped(record))
            except WireError as error:
                raise EvidenceError(
                    str(error), expected="a W&B record", where=f"{source.path}, record {number}"
                ) from error
        if not seen.run:
            raise EvidenceError("no run in it", expected="a run record", where=source.path)
        return (_job(source, sha256_hex(raw), seen),)


def _take(seen: _Seen, record: Message) -> None:
    for run in messages(record, _RUN):
        seen.run = seen.run or run
        for config in messages(run, 4):
            seen.config |= dict(_items(config, 1))
    for config in messages(record, _CONFIG):
        seen.config |= dict(_items(config, 1))
    for summary in messages(record, _SUMMARY):
        seen.summary |= dict(_items(summary, 1))
    for history in messages(record, _HISTORY):
        _history(seen, dict(_items(history, 1)))
    for stats in messages(record, _STATS):
        _stats(seen, stats)
    for end in messages(record, _EXIT):
        seen.ended, seen.exit_code = True, integer(end, 1) or 0
    for environment in messages(record, _ENVIRONMENT):
        seen.environment |= environment


def _items(message: Message, number: int) -> Iterator[tuple[str, Any]]:
    for item in messages(message, number):
        nested = [v.decode("utf-8", "replace") for v in item.get(2, ()) if isinstance(v, bytes)]
        yield text(item, 1) or ".".join(nested), _value(item)


def _value(item: Message) -> Any:
    """Return an item's value: JSON text, or one of the typed fields of newer logs."""
    if 16 in item or 8 in item:
        raw = (text(item, 16) or text(item, 8)).encode()
        try:
            return json_text.parse(raw, "", constants=True)
        except EvidenceError:
            return raw.decode("utf-8", "replace")
    if 5 in item:
        number = item[5][-1]
        return (number >> 1) ^ -(number & 1) if isinstance(number, int) else None
    return double(item, 6) if 6 in item else (text(item, 7) or None)


def _history(seen: _Seen, row: dict[str, Any]) -> None:
    named: dict[str, Any] = {}
    for key, value in row.items():
        # W&B counts its own rows in _step: that is no trainer's step.
        what = metric(key) if not key.startswith("_") else None
        if what:
            named[what] = value
    seen.curve.add(named.get("step"), named.get("loss"), named.get("rate"))
    when = real(row.get("_timestamp"))
    seen.rows.add(row.get("_step"), when=from_epoch(when) if when else None)
    epoch, tokens = real(named.get("epoch")), whole(named.get("tokens"))
    seen.epochs = epoch if epoch is not None else seen.epochs
    seen.tokens = max(tokens, seen.tokens or 0) if tokens is not None else seen.tokens
    _clock(seen, when)


def _clock(seen: _Seen, when: float | None) -> None:
    if when is not None:
        seen.first = when if seen.first is None else min(seen.first, when)
        seen.last = when if seen.last is None else max(seen.last, when)


def _stats(seen: _Seen, stats: Message) -> None:
    for key, value in _items(stats, 3):
        parts, number = key.split("."), real(value)
        if parts[0] != "gpu" or number is None:
            continue
        if len(parts) > 2 and parts[1].isdecimal():
            seen.gpus.add(parts[1])
        if parts[-1] == "gpu":
            seen.use.add(number)
        elif parts[-1] == "powerWatts":
            seen.power.add(number)
        elif parts[-1] == "memoryAllocatedBytes":
            seen.memory.add(number / 2**20)
    for stamp in messages(stats, 2):
        seconds = integer(stamp, 1)
        _clock(seen, float(seconds) if seconds else None)


def _job(source: SourceFile, sha256: str, seen: _Seen) -> GpuJob:
    run, machine = seen.run, seen.environment
    config = {v.name: v.value for v in flatten(_public(seen.config), "")}
    started = next((integer(m, 1) for m in messages(run, 17)), None) or seen.first
    slurm = {text(m, 1): text(m, 2) for m in messages(machine, 27)}
    named = facts_of({**config, **_summary(seen.summary)})
    tokens = seen.tokens or whole(
        next((v for k, v in seen.summary.items() if metric(k) == "tokens"), None)
    )
    count = integer(machine, 19) or len(seen.gpus) or None
    hosts = tuple(h for h in (text(machine, 12) or text(run, 13),) if h)
    return gpu_job(
        source, WandbRun.format, sha256,
        **{
            **named,
            **seen.curve.facts(),
            "job_id": slurm.get("job_id"),
            "name": text(run, 8) or text(run, 1),
            "user": text(machine, 13) or None,
            "account": "/".join(p for p in (text(run, 2), text(run, 3)) if p) or None,
            "state": _state(seen),
            "started": from_epoch(float(started)) if started else None,
            "ended": from_epoch(seen.last) if seen.last else None,
            "hosts": hosts,
            # One process of a run sees the GPUs of its own machine only.
            "gpus": count if (named.get("world_size") or 1) <= (count or 0) else None,
            "gpu_model": text(machine, 18) or None,
            "disordered": seen.rows.disorder,
            "epochs": seen.epochs,
            "tokens": tokens,
            "flops": _flops(seen.summary),
            "utilisation": seen.use.mean, "max_utilisation": seen.use.highest,
            "max_memory": seen.memory.highest, "max_power": seen.power.highest,
            "samples": seen.use.count or None,
            "config": settings(dict(list(config.items())[:_MAX_CONFIG])),
            "note": "the log is cut off within its last record" if seen.cut else None,
        },
    )  # fmt: skip


def _public(config: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in config.items() if not k.startswith("_wandb")}


def _summary(summary: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in summary.items() if not isinstance(v, dict | list)}


def _flops(summary: dict[str, Any]) -> float | None:
    found = [real(v) for k, v in summary.items() if k.rsplit("/", 1)[-1] == "total_flos"]
    return next((v for v in found if v), None)


def _state(seen: _Seen) -> str:
    if not seen.ended:
        return "NOT ENDED"
    return "COMPLETED" if seen.exit_code == 0 else f"FAILED with exit code {seen.exit_code}"
