"""SLURM's accounting as JSON: ``sacct --json`` and ``scontrol show job --json``.

Fields: the OpenAPI data parsers v0.0.3x to v0.0.4x that SLURM ships (``jobs[]``); numbers may be
bare or wrapped as ``{"set": true, "infinite": false, "number": 1}``.
"""

from __future__ import annotations

from typing import Any

from audit_flow.analysis.moments import from_epoch
from audit_flow.analysis.quantities import real, whole
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence, GpuJob
from audit_flow.sources.job_facts import MAX_JOBS, gpu_job, hosts, settings
from audit_flow.sources.job_steps import StepRow, disorder, impossible, together, with_step

_ENDS = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
    "PREEMPTED", "REVOKED", "TIMEOUT",
}  # fmt: skip


class SlurmJson:
    """Reads the document that ``sacct --json`` prints."""

    format = "slurm-json"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is a list of jobs with SLURM's own fields."""
        del source
        marks = (b'"job_id"', b'"derived_exit_code"', b'"association"', b'"tres"', b'"slurm"')
        return head.lstrip()[:1] == b"{" and b'"jobs"' in head and any(m in head for m in marks)

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job each; EvidenceError names the field that is wrong."""
        data, sha256 = source.json()
        jobs = data.get("jobs")
        if not isinstance(jobs, list) or not 0 < len(jobs) <= MAX_JOBS:
            raise EvidenceError(
                "jobs is missing, empty or no list", expected=f"1 to {MAX_JOBS} jobs",
                where=f"{source.path}: jobs",
            )  # fmt: skip
        merged: dict[str, list[dict[str, Any]]] = {}
        for index, job in enumerate(jobs):
            if not isinstance(job, dict) or _number(job.get("job_id")) is None:
                raise EvidenceError(
                    "an entry without a job id", expected="a job",
                    where=f"{source.path}: jobs.{index}",
                )  # fmt: skip
            merged.setdefault(_name(job), []).append(job)
        alone = len(merged) == 1
        return tuple(_job(source, sha256, n, runs, alone) for n, runs in merged.items())


def _name(job: dict[str, Any]) -> str:
    het = job.get("het")
    leader = _number(het.get("job_id")) if isinstance(het, dict) else _number(job.get("het_job_id"))
    if leader:
        offset = het.get("job_offset") if isinstance(het, dict) else job.get("het_job_offset")
        return f"{int(leader)}+{int(_number(offset) or 0)}"
    array = job.get("array")
    task = _number(array.get("task_id")) if isinstance(array, dict) else None
    parent = _number(array.get("job_id")) if isinstance(array, dict) else None
    if task is None and parent:
        task = _number(job.get("array_task_id"))
    number = int(_number(job.get("job_id")) or 0)
    return f"{int(parent)}_{int(task)}" if parent and task is not None else str(number)


def _job(
    source: SourceFile, sha256: str, name: str, runs: list[dict[str, Any]], alone: bool
) -> GpuJob:
    first, last = runs[0], runs[-1]
    given = [(_gpus(r), _elapsed(r)) for r in runs]
    gpus, hours = together([(count, length) for (count, _), length in given])
    models = dict.fromkeys(model for (_, model), _ in given if model)
    lengths = [length for _, length in given if length is not None]
    names = hosts(_text(last, "nodes") or "")
    association = last.get("association")
    account = association.get("account") if isinstance(association, dict) else None
    rows = [_row(r, name) for r in runs], [_row(s, _step_name(s, name)) for s in _steps(last)]
    return gpu_job(
        source, SlurmJson.format, sha256, "" if alone else name,
        job_id=name,
        name=_text(last, "name"),
        user=_text(last, "user") or _text(last, "user_name"),
        account=_text(last, "account") or account,
        cluster=_text(last, "cluster"),
        state=_state(last, name),
        submitted=_time(first, "submission", "submit_time"),
        started=_time(first, "start", "start_time"),
        ended=_ended(last),
        elapsed=sum(lengths) if lengths else None,
        nodes=whole(last.get("allocation_nodes")) or len(names) or None,
        hosts=names,
        gpus=gpus,
        gpu_model=", ".join(models) or None,
        gpu_hours=hours,
        disordered=disorder(*rows),
        impossible=impossible(*rows),
        restarts=len(runs) - 1 or whole(_number(last.get("restart_cnt"))) or None,
        config=settings({
            k: v for k in ("submit_line", "working_directory", "partition", "qos")
            if isinstance(v := last.get(k), str) and v
        }),
    )  # fmt: skip


def _steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    found = job.get("steps")
    return [s for s in found if isinstance(s, dict)] if isinstance(found, list) else []


def _step_name(step: dict[str, Any], job: str) -> str:
    inner = step.get("step")
    return f"{job}, step {inner.get('name', '?')}" if isinstance(inner, dict) else f"{job}, a step"


def _row(job: dict[str, Any], name: str) -> StepRow:
    """Return what a job or step says of times and GPUs, to be held against the others."""
    elapsed, (gpus, _) = _elapsed(job), _gpus(job)
    times = job.get("time")
    suspended = _number(times.get("suspended")) if isinstance(times, dict) else None
    return StepRow(
        name=name[:200],
        started=_time(job, "start", "start_time"),
        ended=_ended(job),
        lengths=() if elapsed is None else (elapsed,),
        suspended=suspended,
        gpus=gpus,
    )


def _text(job: dict[str, Any], key: str) -> str | None:
    value = job.get(key)
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    if isinstance(value, dict):
        return real(value.get("number")) if value.get("set", True) else None
    return real(value)


def _time(job: dict[str, Any], key: str, flat: str) -> str | None:
    times = job.get("time")
    value = times.get(key) if isinstance(times, dict) else job.get(flat)
    seconds = _number(value)
    return from_epoch(seconds) if seconds else None


def _elapsed(job: dict[str, Any]) -> float | None:
    times = job.get("time")
    return _number(times.get("elapsed")) if isinstance(times, dict) else None


def _ended(job: dict[str, Any]) -> str | None:
    """Return when a job ended; what scontrol expects of one that still runs is no end."""
    state = (_said(job) or "").upper().split()
    if not isinstance(job.get("time"), dict) and state and not _ENDS.intersection(state):
        return None
    return _time(job, "end", "end_time")


def _said(job: dict[str, Any]) -> str | None:
    state: Any = job.get("state", job.get("job_state"))
    if isinstance(state, dict):
        state = state.get("current")
    if isinstance(state, list):
        state = " ".join(map(str, state))
    return state if isinstance(state, str) and state else None


def _state(job: dict[str, Any], name: str) -> str | None:
    """Return the job's state; a job that completed with a step that did not has not."""
    state = _said(job)
    if not (state and state.upper().startswith("COMPLETED")):
        return state
    return with_step(state, [(_step_name(s, name), _said(s) or "") for s in _steps(job)])


def _gpus(job: dict[str, Any]) -> tuple[int | None, str | None]:
    """Return how many GPUs were allocated, and which; None where nothing names any.

    A cluster that does not track GPUs leaves them out: that is none known, not none.
    """
    tres, written = job.get("tres"), job.get("tres_alloc_str")
    counts: dict[str, int] = {}
    if isinstance(tres, dict) and isinstance(tres.get("allocated"), list):
        found = [t for t in tres["allocated"] if isinstance(t, dict) and t.get("type") == "gres"]
        counts = {str(t.get("name")): whole(_number(t.get("count"))) or 0 for t in found}
    elif isinstance(written, str):
        pairs = dict(p.split("=", 1) for p in written.split(",") if "=" in p)
        named = {k.removeprefix("gres/"): v for k, v in pairs.items() if k.startswith("gres/")}
        counts = {k: whole(v) or 0 for k, v in named.items()}
    typed = {k[4:]: v for k, v in counts.items() if k.startswith("gpu:")}
    if "gpu" not in counts and not typed:
        return None, None
    return counts.get("gpu", sum(typed.values())), ", ".join(typed) or None
