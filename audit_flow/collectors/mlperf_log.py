"""MLPerf training logs: ``:::MLLOG`` events, and ``:::SYSJSON`` where the system is described.

Source: the mlperf-logging format (github.com/mlcommons/logging, mlperf_logging/mllog).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from audit_flow.analysis.moments import from_epoch
from audit_flow.analysis.quantities import real, whole
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence
from audit_flow.sources import json_text
from audit_flow.sources.job_facts import MAX_JOBS, Curve, Peak, gpu_job, settings
from audit_flow.sources.text_lines import decoded_head, read_text

_EVENT, _SYSTEM = ":::MLLOG", ":::SYSJSON"
# What a run begins with, where another one stopped above it.
_BEGINS = {"cache_clear", "init_start", "run_start"}
_SETTINGS = (
    "submission_benchmark", "submission_org", "submission_division", "submission_status",
    "opt_name",
    "opt_base_learning_rate", "opt_learning_rate_training_steps", "lora_rank", "lora_alpha",
    "max_sequence_length", "eval_samples", "init_checkpoint_step", "opt_weight_decay",
)  # fmt: skip


@dataclass
class _Run:
    """What the events of one log come to."""

    values: dict[str, Any] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    system: dict[str, Any] = field(default_factory=dict)
    status: str | None = None
    samples: int | None = None
    curve: Curve = field(default_factory=Curve)
    power: Peak = field(default_factory=Peak)
    first: float | None = None
    last: float | None = None
    events: int = 0
    before: dict[str, Any] = field(default_factory=dict)

    def next(self) -> _Run:
        """Return the run below this one in the same log: of the same system and submission."""
        return _Run(before=self.before | self.values, system=dict(self.system))


class MlperfLog:
    """Reads a result file of an MLPerf training run, or of its power measurement."""

    format = "mlperf-log"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether a line of MLPerf's logger is near the start, or the name is a result's."""
        text = decoded_head(head)
        result = source.name.startswith("result_") and source.name.endswith(".txt")
        return f"{_EVENT} {{" in text or (result and _EVENT in text)

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job; EvidenceError names the line whose event is no JSON."""
        text = read_text(source)
        runs = [_Run()]
        for number, line in text.lines():
            where = f"{source.path}, line {number}"
            if _SYSTEM in line:
                runs[-1].system |= _object(line.partition(_SYSTEM)[2], where)
            elif _EVENT in line:
                event = _object(line.partition(_EVENT)[2], where)
                if event.get("key") in _BEGINS and "run_stop" in runs[-1].times:
                    runs.append(runs[-1].next())
                _take(runs[-1], event, where)
        if not runs[-1].events or len(runs) > MAX_JOBS:
            words = f"{len(runs)} runs" if runs[-1].events else "no event of a run in it"
            raise EvidenceError(words, expected=_EVENT, where=source.path)
        parts = [f"run {n}" if len(runs) > 1 else "" for n, _ in enumerate(runs, start=1)]
        return tuple(
            gpu_job(source, self.format, text.sha256, part, **_facts(run))
            for part, run in zip(parts, runs, strict=True)
        )


def _object(text: str, where: str) -> dict[str, Any]:
    return json_text.parse_object(text.strip().encode(), where, constants=True)


def _take(run: _Run, event: dict[str, Any], where: str) -> None:
    key, when = event.get("key"), real(event.get("time_ms"))
    if not isinstance(key, str) or when is None:
        raise EvidenceError("an event without key or time_ms", expected="both", where=where)
    metadata = event.get("metadata")
    notes: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
    run.events += 1
    run.first = when if run.first is None else min(run.first, when)
    run.last = when if run.last is None else max(run.last, when)
    if key in {"run_start", "run_stop", "init_start"}:
        run.times[key] = when
    if key == "run_stop":
        run.status = str(notes.get("status", "unknown"))
    if key in {"power_reading"}:
        run.power.add(real(event.get("value")))
    if key in {"train_loss", "loss"} or "loss" in notes:
        run.curve.add(notes.get("step_num"), event.get("value") if "loss" in key else notes["loss"])
    count = whole(notes.get("samples_count"))
    run.samples = max(run.samples or 0, count) if count else run.samples
    # The first value holds for settings; what a run counts as it goes is the last.
    if event.get("value") is not None:
        last = key in {"train_samples", "trained_samples", "eval_accuracy"}
        run.values[key] = event["value"] if last else run.values.get(key, event["value"])


def _facts(run: _Run) -> dict[str, Any]:
    values, system = run.before | run.values, run.system
    nodes = whole(system.get("number_of_nodes"))
    each = whole(system.get("accelerators_per_node"))
    start = run.times.get("run_start", run.first)
    end = run.times.get("run_stop", run.last)
    batch = whole(values.get("global_batch_size"))
    steps = run.samples // batch if run.samples and batch else None
    return {
        **run.curve.facts(),
        "name": _name(values, system),
        "account": _text(values.get("submission_org") or system.get("submitter")),
        "cluster": _text(values.get("submission_platform") or system.get("system_name")),
        "state": _state(run),
        "submitted": from_epoch(run.times["init_start"]) if "init_start" in run.times else None,
        "started": from_epoch(start) if start else None,
        "ended": from_epoch(end) if end else None,
        "nodes": nodes,
        "gpus": nodes * each if nodes and each else None,
        "gpu_model": _text(system.get("accelerator_model_name")),
        "steps": run.curve.step or steps,
        "global_batch_size": batch,
        "gradient_accumulation": whole(values.get("gradient_accumulation_steps")),
        "sequence_length": whole(values.get("max_sequence_length")),
        "examples": whole(values.get("train_samples")),
        "learning_rate": real(values.get("opt_base_learning_rate")),
        "seed": _text(values.get("seed")),
        "max_power": run.power.highest,
        "samples": run.power.count or None,
        "logged": run.events,
        "config": settings({k: values[k] for k in _SETTINGS if k in values}),
    }


def _name(values: dict[str, Any], system: dict[str, Any]) -> str | None:
    parts = (values.get("submission_benchmark"), system.get("system_name"))
    return " on ".join(str(p) for p in parts if p) or None


def _text(value: Any) -> str | None:
    return str(value) if value not in (None, "") else None


def _state(run: _Run) -> str | None:
    if run.status is None:
        return "NOT ENDED" if "run_start" in run.times else None
    return {"success": "COMPLETED", "aborted": "ABORTED"}.get(run.status, run.status.upper())
