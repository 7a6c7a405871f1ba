"""Whether jobs are described whole, and their checkpoints listed."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.compute import label_fits, run_tokens
from audit_flow.analysis.quantities import whole
from audit_flow.analysis.training_names import facts_of, plain
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.linking import JobGroup, at_once, before, job_groups, used_gpus
from audit_flow.model import (
    CheckpointIndex,
    ClaimKind,
    Frozen,
    GpuJob,
    LineageRecord,
    TrainingClaim,
    TrainingConfig,
)

# Readings that begin late or end early still show a job; those of an instant do not.
_LEAST_WATCHED = 0.5


class JobDescribed:
    """Asks of each job what its logs leave out."""

    id = "training.job-described"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each job: UNPROVEN for what no log says."""
        del params
        groups = job_groups(record)
        for group in groups:
            yield _described(group)
            yield from _watched(group)
        if not groups:
            yield unproven("training", "there is no job log", "a log of the training job", "none")


class CheckpointsListed:
    """Asks whether the list of checkpoints is whole and each name fits its step."""

    id = "training.checkpoints"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return the breaks of each list; PASSED where none is named."""
        del params
        indexes = list(record.of(CheckpointIndex))
        for index in indexes:
            wrong = [*_listed(index), *_last_step(index, record), *_gap(index, record),
                     *_labels(index, record)]  # fmt: skip
            for what, expected, actual in wrong:
                yield failed(f"{index.source}: {what}", "the list is not whole", expected, actual,
                             index.id)  # fmt: skip
            if not wrong:
                yield passed(index.source, "the list is whole", "every checkpoint once",
                             f"{index.rows} checkpoints", index.id)  # fmt: skip
        if not indexes:
            yield nothing_to_judge("checkpoints", "no list of checkpoints is named", "no list")


def _described(group: JobGroup) -> Result:
    # What a scheduler gave comes before what others saw of it.
    jobs = (*group.accounts, *group.trainers, *group.jobs)
    said = {
        "who": group.first(lambda j: j.user or j.account),
        "when": next((f"{j.started} to {j.ended}" for j in jobs if j.started and j.ended), None),
        "where": group.first(lambda j: j.cluster or ", ".join(j.hosts[:3]) or None),
        "how many GPUs": next((j.gpus for j in jobs if j.gpus is not None), None),
        "which GPUs": group.first(lambda j: j.gpu_model),
        "GPU-hours": group.gpu_hours,
        "steps": group.steps,
        "losses": group.first(lambda j: j.last_loss),
    }
    missing = [what for what, value in said.items() if value is None]
    known = "; ".join(f"{k}: {v}" for k, v in said.items() if v is not None)
    expected = "who, when, where, GPUs, hours, steps and losses"
    if missing:
        words = f"no log says {', '.join(missing)}"
        return unproven(group.about, words, expected, known or "nothing", *group.evidence)
    return passed(group.about, "the job is described", expected, known, *group.evidence)


def _watched(group: JobGroup) -> Iterator[Result]:
    """Readings of little of the job's time, or of GPUs that stood still, show little of it."""
    about, evidence = f"{group.about}: readings", group.evidence
    for files, length in _parts(group) if group.monitors else ():
        watched = sum(m.elapsed or 0.0 for m in files)
        if watched < _LEAST_WATCHED * length:
            names = ", ".join(m.source for m in files[:5])
            yield unproven(about, "little of the job was watched",
                           f"at least {_LEAST_WATCHED:.0%} of {length:g} s",
                           f"{watched:g} s ({names})", *evidence)  # fmt: skip
    seen = sum(m.gpus or 0 for m in group.monitors)
    used = sum(used_gpus(m) for m in group.monitors)
    wanted = min(at_once(group.accounts, "gpus") or seen, seen)
    if used < wanted:
        yield unproven(about, "GPUs of the job never did anything", f"{wanted} GPUs in use",
                       f"{used} GPUs in use", *evidence)  # fmt: skip


def _parts(group: JobGroup) -> Iterator[tuple[list[GpuJob], float]]:
    """Yield readings that belong together, and for how long they had to be taken."""
    runs = [j for j in group.accounts if j.elapsed]
    length = max((j.elapsed or 0.0 for j in (*runs, *group.trainers)), default=0.0)
    if any(j.restarts for j in runs):
        # Nobody says how long each run took, and on which nodes: only that of all together.
        yield list(group.monitors), length * (at_once(group.accounts, "nodes") or 1)
        return
    for files in _of_one_node(group.monitors):
        # Of several jobs each node had to be watched during its own.
        own = [j.elapsed or 0.0 for j in runs if any(_at_one_time(j, m) for m in files)]
        yield files, max(own) if len(runs) > 1 and own else length


def _at_one_time(run: GpuJob, monitor: GpuJob) -> bool:
    """Say whether readings may be of a run: not if they ended before it, or began after it."""
    pairs = ((monitor.ended, run.started), (run.ended, monitor.started))
    return not any(a and b and before(a, b) for a, b in pairs)


def _of_one_node(monitors: tuple[GpuJob, ...]) -> list[list[GpuJob]]:
    """Return the files by what they watched: that of one node may be in several, one by one."""
    found: list[list[GpuJob]] = []
    for job in monitors:
        seen = {*job.devices, *job.hosts}
        same = next((g for g in found if any(seen & {*m.devices, *m.hosts} for m in g)), None)
        if same is None:
            found.append([job])
        else:
            same.append(job)
    return found


def _listed(index: CheckpointIndex) -> Iterator[tuple[str, str, str]]:
    if index.duplicates:
        yield "duplicates", "each row once", f"{index.duplicates} rows stand twice"
    if index.mislabelled:
        yield "places", "the step in each place", f"another in {', '.join(index.mislabelled)}"
    if index.usual_gap and index.largest_gap and index.largest_gap > 2 * index.usual_gap:
        yield "gaps", f"every {index.usual_gap} steps", f"a gap of {index.largest_gap} steps"


def _claimed(record: LineageRecord, *names: str) -> int | None:
    found = (whole(c.value) for c in record.of(TrainingClaim) if plain(c.name) in names)
    return next((n for n in found if n), None)


def _last_step(index: CheckpointIndex, record: LineageRecord) -> Iterator[tuple[str, str, str]]:
    final = _claimed(record, "steps", "final step")
    if final and index.series == 1 and index.last_step != final:
        yield "final step", f"step {final}", f"the list ends at step {index.last_step}"


def _gap(index: CheckpointIndex, record: LineageRecord) -> Iterator[tuple[str, str, str]]:
    promised = _claimed(record, "checkpoint interval", "checkpoint every", "save steps")
    if promised and index.usual_gap and index.usual_gap > promised:
        yield "interval", f"every {promised} steps", f"every {index.usual_gap} steps"


def _labels(index: CheckpointIndex, record: LineageRecord) -> Iterator[tuple[str, str, str]]:
    each = _tokens_per_step(record)
    for label in index.labels if each else ():
        computed = label.step * (each or 0)
        if not label_fits(label.tokens, label.unit, computed):
            yield f"name {label.name}", f"{computed:.6g} tokens", f"{label.tokens:.6g} tokens"


def _tokens_per_step(record: LineageRecord) -> float | None:
    found = set()
    for config in record.of(TrainingConfig):
        facts = facts_of({v.name: v.value for v in config.values})
        batch, length = facts.get("global_batch_size"), facts.get("sequence_length")
        if batch and length:
            found.add(run_tokens(1, batch, length))
    return found.pop() if len(found) == 1 else None
