"""Whether the numbers of training fit each other: within a log, and between logs of one job."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from audit_flow.analysis.accelerators import find_accelerator
from audit_flow.analysis.compute import close, most_steps, run_tokens, steps_of_epochs
from audit_flow.analysis.moments import seconds_between
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.linking import JobGroup, differences, given_gpus, job_groups, used_gpus, used_hours
from audit_flow.linking import planned as plan
from audit_flow.model import ClaimKind, Frozen, GpuJob, LineageRecord

# Schedulers count the minutes around a run.
_SLACK = 1.05
# Trainers write sums of a last, partial batch.
_PARTIAL = 1.05
Difference = tuple[str, str, str]


class NumbersPossible:
    """Asks whether steps, batches, examples, tokens and GPUs can all be true.

    PASSED where nothing can be compared: other rules tell what is missing.
    """

    id = "training.numbers-possible"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each contradiction, and one for each job without any."""
        del params
        groups = job_groups(record)
        for group in groups:
            found = [d for test in _TESTS for d in test(group)]
            unclear = list(_unexplained(group))
            for what, expected, actual in unclear:
                yield unproven(f"{group.about}: {what}", "nothing says where the time went",
                               expected, actual, *group.evidence)  # fmt: skip
            for what, expected, actual in found:
                yield failed(f"{group.about}: {what}", "not both can be true", expected, actual,
                             *group.evidence)  # fmt: skip
            if not found and not unclear:
                yield passed(group.about, "no numbers that contradict each other",
                             "numbers that fit", "they do, as far as they are stated",
                             *group.evidence)  # fmt: skip
        if not groups:
            yield nothing_to_judge(
                "training", "there is no job log to contradict", "no contradiction"
            )


def _batches(group: JobGroup) -> Iterator[Difference]:
    """The batch of a step is at most what all processes do between two steps."""
    for job in group.jobs:
        stated, each, world = job.global_batch_size, job.batch_size, job.world_size
        times = job.gradient_accumulation
        if not (stated and each and world and times):
            continue
        most = each * world * times
        # Processes that share one copy of a model take the same examples.
        if stated > most or most % stated:
            yield (
                "batch size",
                f"{each} × {times} × {world} = {most} examples a step ({job.source})",
                f"{stated} examples a step ({job.source})",
            )


def _epochs(group: JobGroup) -> Iterator[Difference]:
    for job in group.jobs:
        batch, epochs = job.global_batch_size or group.global_batch, job.epochs
        if epochs is None and job.steps is not None and job.steps == job.max_steps:
            epochs = job.planned_epochs
        if not (job.examples and batch and epochs and job.steps) or job.format == "mlperf-log":
            continue
        span = steps_of_epochs(job.examples, batch, epochs, job.world_size or 1)
        if job.steps > span.high or most_steps(job.steps, job.step_interval) < span.low:
            yield (
                "steps",
                f"{span.low:.0f} to {span.high:.0f} steps for {epochs:g} epochs of {job.examples} "
                f"examples, {batch} a step",
                f"{job.steps} steps ({job.source})",
            )


def _ends(group: JobGroup) -> Iterator[Difference]:
    for what, first, second in differences(group.told_accounts):
        yield f"two accounts, {what}", first, second
    for job in group.jobs:
        if job.impossible:
            yield "account", "numbers that fit each other", f"{job.impossible} ({job.source})"
        if job.steps and job.max_steps and job.steps > job.max_steps:
            yield "steps", f"at most {job.max_steps} steps", f"{job.steps} steps ({job.source})"
        if job.gpu_hours and job.gpus and job.elapsed:
            product = job.gpus * job.elapsed / 3600
            # Runs of a job that was queued again, and Pods, may have had the GPUs for less long.
            more = job.gpu_hours > product and not job.restarts
            if more and not close(job.gpu_hours, product):
                yield (
                    "GPU-hours",
                    f"{job.gpus} GPUs × {job.elapsed:g} s = {product:.4g}",
                    f"{job.gpu_hours:.4g} ({job.source})",
                )


def _logs_differ(group: JobGroup) -> Iterator[Difference]:
    """Two trainers' logs of one job must say the same of what it did."""
    ids = {j.job_id.partition("+")[0] for j in group.jobs if j.job_id}
    # A job that was started again has a log of each start.
    if len(ids) > 1:
        return
    yield from _steps_differ(group)
    fields: tuple[tuple[str, Callable[[GpuJob], int | None], float], ...] = (
        ("tokens", lambda j: j.tokens, 0.02),
        ("global batch size", lambda j: j.global_batch_size, 0.0),
    )
    if any(j.restarts or _broke_off(j) for j in group.trainers):
        return
    for name, field, relative in fields:
        said = [(j, v) for j in group.trainers if (v := field(j))]
        for job, value in said[1:]:
            first, known = said[0]
            if not close(float(value), float(known), relative):
                yield name, f"{known} ({first.source})", f"{value} ({job.source})"


def _steps_differ(group: JobGroup) -> Iterator[Difference]:
    """All logs that tell of the job's end tell of the same step; the others of none beyond it."""
    told = [j for j in group.trainers if j.steps]
    # Logs of the last start first, and of these one that goes furthest.
    told.sort(key=lambda j: (_of_an_earlier_start(j, told), -(j.steps or 0)))
    for job in told[1:]:
        first, known, value = told[0], told[0].steps or 0, job.steps or 0
        above = value > most_steps(known, first.step_interval)
        below = most_steps(value, job.step_interval) < known
        if above or (below and not _of_an_earlier_start(job, told)):
            yield "steps", f"{known} ({first.source})", f"{value} ({job.source})"


def _broke_off(job: GpuJob) -> bool:
    return "FAILED" in (job.state or "")


def _of_an_earlier_start(job: GpuJob, told: list[GpuJob]) -> bool:
    """Say whether a log broke off, or ended before another log of the job began."""
    starts = [j.started for j in told if j is not job and j.started]
    ends = [seconds_between(job.ended, s) for s in starts] if job.ended else []
    return _broke_off(job) or any(e is not None and e >= 0 for e in ends)


def _machines(group: JobGroup) -> Iterator[Difference]:
    """What a trainer or a monitor saw can't be more than the scheduler gave."""
    given = [j for j in group.accounts if j.gpus is not None]
    if not given:
        return
    gpus, most = sum(j.gpus or 0 for j in given), max(j.gpus or 0 for j in given)
    where = given[0].source
    for job in (*group.trainers, *group.monitors):
        seen = used_gpus(job) if job.gpus is not None else job.world_size
        if seen and seen > gpus and not any(j.restarts for j in given):
            yield "GPUs", f"at most {most} allocated ({where})", f"{seen} seen ({job.source})"
    yield from _hours(group, given)
    yield from _durations(group, given)
    yield from _models(group)


def _hours(group: JobGroup, given: list[GpuJob]) -> Iterator[Difference]:
    """A trainer, or all nodes' readings together, used at most what was allocated."""
    if any(j.gpu_hours is None for j in given):
        return
    hours = sum(j.gpu_hours or 0 for j in given)
    most = hours * _SLACK + 0.1 * sum(j.gpus or 0 for j in given) / 60
    watched = {j.sha256 or j.id: j for j in group.monitors}.values()
    used = [(j.source, used_hours(j)) for j in (*group.trainers, *watched) if j.gpu_hours]
    if len(watched) > 1:
        together = sum(used_hours(j) for j in watched)
        used.append((f"{len(watched)} files of readings", together))
    for where, each in used:
        if each > most:
            allocated = f"at most {hours:.4g} allocated ({given[0].source})"
            yield "GPU-hours", allocated, f"{each:.4g} used ({where})"


def _unexplained(group: JobGroup) -> Iterator[Difference]:
    """Less time elapsed than passed, and no column says that the job was suspended."""
    for job in group.accounts:
        span = seconds_between(job.started, job.ended) if job.started and job.ended else None
        if job.elapsed is None or span is None or job.restarts or job.impossible or job.note:
            continue
        if job.elapsed < 0.95 * span - 60:
            yield (
                "elapsed time",
                f"{span:g} s, from {job.started} to {job.ended}, or a column that says suspended",
                f"{job.elapsed:g} s ({job.source})",
            )


def _durations(group: JobGroup, given: list[GpuJob]) -> Iterator[Difference]:
    allowed = sum(j.elapsed or 0 for j in given)
    if not allowed or any(j.elapsed is None for j in given):
        return
    for job in group.trainers:
        if job.elapsed and job.elapsed > allowed * _SLACK + 60:
            yield (
                "duration",
                f"at most {allowed:g} s ({given[0].source})",
                f"{job.elapsed:g} s ({job.source})",
            )


def _models(group: JobGroup) -> Iterator[Difference]:
    """GPUs that one log names in full are not those of another kind in the next."""
    named = [(j, find_accelerator(m)) for j, m in group.said(lambda j: j.gpu_model)]
    known = [(j, c) for j, c in named if c is not None]
    for job, chip in known[1:]:
        first, other = known[0]
        # "h100" alone may be any of its forms.
        if chip.name.split()[:2] != other.name.split()[:2]:
            yield "GPU model", f"{other.name} ({first.source})", f"{chip.name} ({job.source})"


def _planned_tokens(group: JobGroup) -> Iterator[Difference]:
    """Tokens seen are at most those of full sequences; preference training sees two of each."""
    batch, lengths = plan.most_examples(group), plan.lengths(group)
    if plan.is_paired(group) or not batch or not lengths:
        return
    length = max(lengths)
    for job in group.jobs:
        steps = job.steps or group.steps
        if job.tokens and steps:
            most = run_tokens(most_steps(steps, job.step_interval), batch, length)
            if job.tokens > most * _PARTIAL:
                yield (
                    "tokens",
                    f"at most {steps} × {batch} × {length} = {most:.4g}",
                    f"{job.tokens} ({job.source})",
                )


def _planned_epochs(group: JobGroup) -> Iterator[Difference]:
    """Steps take no more examples than the epochs over all rows of the data hold.

    Fewer are honest: rows are packed, filtered, held out. More are pieces of long rows, which are
    full: then the data is long enough for them.
    """
    rows, batch, lengths = plan.rows(group), plan.least_examples(group), plan.lengths(group)
    if plan.is_paired(group) or not (rows and batch and lengths):
        return
    size = sum(d.size for d in group.datasets)
    for job in group.trainers:
        # A stream without an end has no epochs: transformers plans sys.maxsize of them.
        if job.examples or not (job.steps and job.epochs and job.planned_epochs):
            continue
        span = steps_of_epochs(rows, batch, job.epochs, 1)
        pieces = job.steps * batch / job.epochs * min(lengths)
        # A token is a byte or more of the data, but for marks at both ends of a row.
        if job.steps > span.high and pieces > _PARTIAL * (size + 2 * rows):
            yield (
                "epochs",
                f"at most {span.high:.0f} steps for {job.epochs:g} epochs of {rows} rows, "
                f"{batch} a step",
                f"{job.steps} steps ({job.source})",
            )


def _processes(group: JobGroup) -> Iterator[Difference]:
    """A job that is configured with more processes than it was given GPUs did not run so."""
    gpus, named = given_gpus(group.accounts), plan.processes(group)
    # Schedulers count such a card as one GPU or as two; programs see two.
    two = any("mi250" in (a.gpu_model or "").casefold() for a in group.accounts)
    if gpus and named and min(named) > gpus * (2 if two else 1):
        source = group.accounts[0].source
        yield "processes", f"at most {gpus} GPUs ({source})", f"{min(named)} configured"


_TESTS = (
    _batches, _epochs, _planned_tokens, _planned_epochs, _processes, _ends, _logs_differ, _machines,
)  # fmt: skip
