"""Whether things happened in an order in which they can: job, evaluation, announcement."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.moments import surely_before
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed
from audit_flow.linking import JobGroup, job_groups
from audit_flow.model import ClaimKind, Declared, EvalRun, Frozen, GpuJob, LineageRecord


class TimesInOrder:
    """Asks whether the times in logs, evaluations and announcement can all be true.

    A time without a zone is taken as that of any zone. PASSED where no times are known: the rule
    on what is said of jobs tells that.
    """

    id = "training.times-in-order"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each contradiction, and one for each job without any."""
        del params
        groups = job_groups(record)
        for group in groups:
            wrong = [
                *_within(group), *_together(group), *_after_inputs(group, groups),
                *_before_evaluation(group, record), *_before_announcement(group, record),
            ]  # fmt: skip
            yield from wrong
            if not wrong:
                yield _fine(group)
        if not groups:
            yield nothing_to_judge(
                "training", "there is no job log to contradict", "no contradiction"
            )


def _fine(group: JobGroup) -> Result:
    start, end = _first(group), _last(group)
    if not (start or end):
        return nothing_to_judge(
            group.about, "no times are stated", "times in order", *group.evidence
        )
    words = "no times that contradict each other"
    actual = f"{start or 'unknown'} to {end or 'unknown'}"
    return passed(group.about, words, "times in order", actual, *group.evidence)


def _first(group: JobGroup) -> str | None:
    return min((t for _, t in group.said(lambda j: j.started)), default=None)


def _last(group: JobGroup) -> str | None:
    return max((t for _, t in group.said(lambda j: j.ended)), default=None)


def _within(group: JobGroup) -> Iterator[Result]:
    for job in group.jobs:
        if job.disordered:
            yield failed(
                f"{group.about}: {job.id.removeprefix('gpu-job:')}", "the log contradicts itself",
                "times that go forward", job.disordered, job.id,
            )  # fmt: skip


def _together(group: JobGroup) -> Iterator[Result]:
    """A log of a job was written while the scheduler ran it."""
    for account in group.accounts:
        for job in (*group.trainers, *group.monitors):
            if len(group.accounts) > 1 and job.job_id != account.job_id:
                continue
            if _apart(account, job):
                yield failed(
                    f"{group.about}: {job.source}", "the log is of another time than the job",
                    f"within {account.started} to {account.ended} ({account.source})",
                    f"{job.started} to {job.ended}", account.id, job.id,
                )  # fmt: skip


def _apart(one: GpuJob, other: GpuJob) -> bool:
    pairs = ((one.ended, other.started), (other.ended, one.started))
    return any(a and b and surely_before(a, b) for a, b in pairs)


def _after_inputs(group: JobGroup, groups: tuple[JobGroup, ...]) -> Iterator[Result]:
    """A job that used what another wrote did not start before that one ended."""
    if group.stage is None:
        return
    used = {(d.path, d.md5) for d in group.stage.deps}
    for other in groups:
        if other.stage is None or other.stage.id == group.stage.id:
            continue
        if not used & {(o.path, o.md5) for o in other.stage.outs}:
            continue
        start, end = _first(group), _last(other)
        if start and end and surely_before(start, end):
            yield failed(
                f"{group.about}: inputs", "the job started before its inputs were made",
                f"after {end}, when {other.about} ended", f"started {start}",
                *group.evidence, *other.evidence,
            )  # fmt: skip


def _before_evaluation(group: JobGroup, record: LineageRecord) -> Iterator[Result]:
    """The released weights can't be measured before the job that makes them starts."""
    start = _first(group)
    measured = {x.target for x in record.links if x.relation == "measured"}
    runs = [r for r in record.of(EvalRun) if r.id in measured and r.measured_at]
    early: dict[str, EvalRun] = {}
    for run in runs if group.final and start else ():
        if run.measured_at and start and surely_before(run.measured_at, start):
            early.setdefault(run.source, run)
    for run in early.values():
        yield failed(
            f"{group.about}: {run.source}", "the weights were measured before they were trained",
            f"after {start}, when the job started", f"measured {run.measured_at}",
            run.id, *group.evidence,
        )  # fmt: skip


def _before_announcement(group: JobGroup, record: LineageRecord) -> Iterator[Result]:
    end = _last(group)
    for declared in record.of(Declared):
        if declared.announced and end and surely_before(declared.announced, end):
            yield failed(
                f"{group.about}: announcement", "the model was announced before the job ended",
                f"ended before {declared.announced}", f"ended {end}", *group.evidence,
            )  # fmt: skip
