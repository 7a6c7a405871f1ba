"""Logs of one job, joined by an id that they share: never by likeness.

An id is the scheduler's number, the system that an MLPerf log names, or the stage of the ledger
whose outputs the logs are, by digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from audit_flow.analysis.training_names import facts_of
from audit_flow.linking.accounts import number, once
from audit_flow.linking.earlier import job_logs
from audit_flow.model import DatasetDigest, GpuJob, LineageRecord, PipelineStage, TrainingConfig

V = TypeVar("V")
# Whose word counts first for what a job was given, and for what it did.
_ACCOUNTS = ("slurm-sacct", "slurm-json", "kubernetes", "mlperf-log")
_MONITORS = ("gpu-monitor",)
_MACHINES = ("wandb-metadata", "mlperf-system")


@dataclass(frozen=True)
class JobGroup:
    """The logs of one training job, and the ledger's stage that wrote them, if any."""

    jobs: tuple[GpuJob, ...]
    stage: PipelineStage | None
    configs: tuple[TrainingConfig, ...]
    datasets: tuple[DatasetDigest, ...]
    final: bool

    @property
    def about(self) -> str:
        """What findings call the job."""
        return f"stage {self.stage.name}" if self.stage else self.jobs[0].source

    @property
    def evidence(self) -> tuple[str, ...]:
        """The ids of everything that speaks of the job."""
        return tuple(j.id for j in self.jobs)

    def said(self, field: Callable[[GpuJob], V | None]) -> tuple[tuple[GpuJob, V], ...]:
        """Return which logs state a value, and which."""
        found = ((job, field(job)) for job in self.jobs)
        return tuple((job, value) for job, value in found if value is not None)

    def first(self, field: Callable[[GpuJob], V | None]) -> V | None:
        """Return the value of the first log that states one."""
        return next((value for _, value in self.said(field)), None)

    @cached_property
    def accounts(self) -> tuple[GpuJob, ...]:
        """What schedulers say, each job once; only of jobs that other logs name, if they do."""
        return once(self.told_accounts)

    @property
    def told_accounts(self) -> tuple[GpuJob, ...]:
        """The same with every copy, as two files may tell of one job."""
        found = tuple(j for j in self.jobs if j.format in _ACCOUNTS)
        named = {number(j) for j in self.jobs if j.job_id and j.format not in _ACCOUNTS}
        return tuple(j for j in found if number(j) in named) or found

    @property
    def monitors(self) -> tuple[GpuJob, ...]:
        """The readings of GPUs."""
        return tuple(j for j in self.jobs if j.format in _MONITORS)

    @property
    def gpu_hours(self) -> float | None:
        """GPUs times hours: by the scheduler, else by a trainer's log, else as watched."""
        if (stated := self.stated_hours) is not None:
            return stated
        if (watched := self.watched_hours) is not None:
            return watched
        gpus = self.first(lambda j: j.gpus)
        elapsed = [j.elapsed for j in self.jobs if j.elapsed and j.format not in _MACHINES]
        return gpus * max(elapsed) / 3600 if gpus is not None and elapsed else None

    @property
    def stated_hours(self) -> float | None:
        """GPU-hours by the scheduler, else by a trainer's log; not what was only watched.

        What was watched is at least what was used: it contradicts no claim of more.
        """
        hours = [j.gpu_hours for j in self.accounts if j.gpu_hours is not None]
        if hours:
            # A scheduler counts the jobs of one training; trainers' logs repeat each other.
            return sum(hours)
        return max((j.gpu_hours for j in self.trainers if j.gpu_hours is not None), default=None)

    @property
    def watched_hours(self) -> float | None:
        """GPU-hours that were watched: of all files together, without GPUs that stood idle."""
        files = {j.sha256 or j.id: j for j in self.monitors}.values()
        hours = [used_hours(j) for j in files if j.gpu_hours is not None]
        return sum(hours) if hours else None

    @property
    def trainers(self) -> tuple[GpuJob, ...]:
        """The logs of trainers: what the job did."""
        other = {*_ACCOUNTS, *_MONITORS, *_MACHINES}
        return tuple(j for j in self.jobs if j.format not in other)

    @property
    def global_batch(self) -> int | None:
        """Examples of one optimizer step: as stated, or from what every process does."""
        stated = self.first(lambda j: j.global_batch_size)
        if stated:
            return stated
        each, world = self.first(lambda j: j.batch_size), self.first(lambda j: j.world_size)
        accumulation = self.first(lambda j: j.gradient_accumulation)
        return each * world * accumulation if each and world and accumulation else None

    @cached_property
    def planned(self) -> dict[str, Any]:
        """What the job's configurations say that a log would, by the names of its fields."""
        return facts_of({v.name: v.value for c in self.configs for v in c.values})

    @property
    def steps(self) -> int | None:
        """The step that the job reached, as far as it is logged."""
        return self._furthest.steps if self._furthest else None

    @property
    def step_interval(self) -> int | None:
        """How far apart the steps of that log are, if it only names the last one logged."""
        return self._furthest.step_interval if self._furthest else None

    @cached_property
    def _furthest(self) -> GpuJob | None:
        return max((j for j in self.jobs if j.steps), key=lambda j: j.steps or 0, default=None)


def used_gpus(job: GpuJob) -> int:
    """Return the GPUs that did something: on a shared node idle ones may be somebody else's."""
    return max((job.gpus or 0) - (job.idle or 0), 0)


def used_hours(job: GpuJob) -> float:
    """Return the GPU-hours of those."""
    return (job.gpu_hours or 0.0) * used_gpus(job) / job.gpus if job.gpus else 0.0


def job_groups(record: LineageRecord) -> tuple[JobGroup, ...]:
    """Return the jobs of a record, each with all logs that an id joins; pure."""
    jobs = list(job_logs(record))
    logged = {x.target: x.source for x in record.links if x.relation == "logged"}
    stages = {s.id: s for s in record.of(PipelineStage)}
    final = {x.source for x in record.links if x.relation == "generated"}
    groups = _joined(jobs, logged)
    return tuple(_group(g, record, stages.get(_stage(g, logged)), final) for g in groups)


def _stage(group: list[GpuJob], logged: dict[str, str]) -> str:
    return next((logged[j.id] for j in group if j.id in logged), "")


def _group(
    jobs: list[GpuJob], record: LineageRecord, stage: PipelineStage | None, final: set[str]
) -> JobGroup:
    configs, datasets = tuple(record.of(TrainingConfig)), tuple(record.of(DatasetDigest))
    if stage is not None:
        read = {d.path for d in stage.deps} | {p.name.partition(":")[0] for p in stage.params}
        configs = tuple(c for c in configs if _read_by(c.source, read))
        datasets = tuple(d for d in datasets if _read_by(d.source, read))
    elif len(configs) > 1:
        # Without a ledger nobody knows which of them the job ran with.
        configs = ()
    return JobGroup(
        jobs=tuple(sorted(jobs, key=lambda j: j.id)),
        stage=stage,
        configs=configs,
        datasets=datasets,
        final=stage is None or stage.id in final,
    )


def _read_by(path: str, read: set[str]) -> bool:
    return any(path == r or path.startswith(f"{r}/") or r.startswith(f"{path}/") for r in read)


def _joined(jobs: list[GpuJob], logged: dict[str, str]) -> list[list[GpuJob]]:
    """Return the sets of jobs that share an id, directly or through others."""
    leader: dict[str, str] = {}

    def lead(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for job in jobs:
        for key in _ids(job, logged):
            leader[lead(key)] = lead(job.id)
    groups: dict[str, list[GpuJob]] = {}
    for job in jobs:
        groups.setdefault(lead(job.id), []).append(job)
    return sorted(groups.values(), key=lambda g: min(j.id for j in g))


def _ids(job: GpuJob, logged: dict[str, str]) -> Iterator[str]:
    if job.id in logged:
        yield f"stage {logged[job.id]}"
    if job.job_id:
        yield f"job {number(job)}"
    if job.cluster and job.format in {"mlperf-log", "mlperf-system"}:
        yield f"system {job.cluster}"
