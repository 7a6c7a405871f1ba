"""Hugging Face ``trainer_state.json`` and ``all_results.json``: steps, epochs, losses of a job."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

from audit_flow.analysis.quantities import real, whole
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence
from audit_flow.sources.job_facts import Curve, gpu_job
from audit_flow.sources.trainer_history import State, contradictions

Row = dict[str, Any]
# What a trainer writes into every state of one run.
_SETTINGS = ("max_steps", "num_train_epochs", "logging_steps", "train_batch_size")
# Enough to tell rows apart, and not too much for a record.
_DIGITS, _MAX_ROWS = 16, 10_000


class TrainerState:
    """Reads the state that ``transformers.Trainer`` saves beside its checkpoints."""

    format = "hf-trainer-state"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is a trainer state, by its two marks."""
        return source.name.endswith(".json") and (
            b'"log_history"' in head or b'"global_step"' in head
        )

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job; EvidenceError names the field that is wrong."""
        data, sha256 = source.json()
        history = data.get("log_history")
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise EvidenceError(
                "log_history is missing or no list of entries",
                expected="a list of objects",
                where=f"{source.path}: log_history",
            )
        curve = _curve(history)
        last: Row = next((r for r in reversed(history) if "train_runtime" in r), {})
        planned = _real(data, "num_train_epochs", source)
        state = State(
            steps=_whole(data, "global_step", source),
            max_steps=_whole(data, "max_steps", source),
            logging_steps=whole(data.get("logging_steps")),
            epoch=_real(data, "epoch", source),
            flops=_real(data, "total_flos", source) or None,
        )
        facts = {
            **curve.facts(),
            "steps": state.steps,
            "step_interval": None,
            "max_steps": state.max_steps,
            "epochs": state.epoch,
            # A run that is planned in steps writes sys.maxsize here.
            "planned_epochs": planned if planned is not None and planned < 1e6 else None,
            "impossible": contradictions(state, history),
            "tokens": _whole(data, "num_input_tokens_seen", source) or None,
            "batch_size": _whole(data, "train_batch_size", source),
            "flops": state.flops,
            "elapsed": real(last.get("train_runtime")),
            "logged": len(history),
            "history": _digests(data, history),
        }
        return (gpu_job(source, self.format, sha256, **facts),)


class TrainResults:
    """Reads the summary that ``transformers.Trainer`` saves of its runs."""

    format = "hf-train-results"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is a summary of a training run, by the field that every one has."""
        return source.name.endswith(".json") and b'"train_runtime"' in head

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job; EvidenceError names the field that is wrong."""
        data, sha256 = source.json()
        job = gpu_job(
            source,
            self.format,
            sha256,
            elapsed=_real(data, "train_runtime", source),
            epochs=_real(data, "epoch", source),
            examples=_whole(data, "train_samples", source),
            flops=_real(data, "total_flos", source) or None,
            tokens=_whole(data, "num_input_tokens_seen", source) or None,
            tokens_per_second=_real(data, "train_tokens_per_second", source),
        )
        return (job,)


def _curve(history: list[Row]) -> Curve:
    curve = Curve()
    for row in history:
        if "loss" in row or "learning_rate" in row:
            curve.add(row.get("step"), row.get("loss"), row.get("learning_rate"))
    return curve


def _digests(data: Row, history: list[Row]) -> tuple[str, ...]:
    """Return a digest of settings and rows up to each row; none of a history that is too long."""
    if len(history) > _MAX_ROWS:
        return ()
    running = hashlib.sha256(_plain({k: data.get(k) for k in _SETTINGS}))
    found = []
    for row in history:
        running.update(_plain(row))
        found.append(running.hexdigest()[:_DIGITS])
    return tuple(found)


def _plain(row: Row) -> bytes:
    return json.dumps(row, sort_keys=True, default=str).encode() + b"\n"


def _whole(data: Row, key: str, source: SourceFile) -> int | None:
    if data.get(key) is None:
        return None
    value = whole(data[key]) if not isinstance(data[key], str) else None
    if value is None:
        raise EvidenceError(
            f"{key} is {str(data[key])[:80]!r}",
            expected="a whole number",
            where=f"{source.path}: {key}",
        )
    return value


def _real(data: Row, key: str, source: SourceFile) -> float | None:
    if data.get(key) is None:
        return None
    value = real(data[key]) if isinstance(data[key], int | Decimal) else None
    if value is None or value < 0:
        raise EvidenceError(
            f"{key} is {str(data[key])[:80]!r}",
            expected="a number",
            where=f"{source.path}: {key}",
        )
    return value
