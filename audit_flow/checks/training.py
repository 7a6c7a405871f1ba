"""What is said about training agrees with the configuration and the job's log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from audit_flow.analysis.compute import close, most_steps
from audit_flow.analysis.quantities import names_count, real, rounds_to, scaled
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.linking import JobGroup, at_once, job_groups, job_logs
from audit_flow.model import (
    ClaimKind,
    Frozen,
    GpuJob,
    LineageRecord,
    PipelineStage,
    TrainingClaim,
    TrainingConfig,
    WeightsDigest,
)

# What a claim may be called, and the settings and log fields that speak of it.
_SETTINGS = {
    "epochs": ("epochs", "num_train_epochs", "num_epochs"),
    "steps": ("steps", "max_steps", "num_steps"),
    "learning-rate": ("learning_rate", "lr"),
    "batch-size": ("batch_size", "per_device_train_batch_size", "train_batch_size"),
    "seed": ("seed", "random_seed", "global_seed", "manual_seed", "seed_everything"),
    "global-batch-size": (
        "global_batch_size", "total_train_batch_size", "global_train_batch_size",
        "effective_batch_size",
    ),
    "world-size": ("world_size", "ddp_world_size", "distributed_world_size"),
    "sequence-length": (
        "sequence_length", "max_seq_length", "max_sequence_length", "max_seq_len", "seq_length",
        "seq_len", "sequence_len", "encoder_seq_length", "context_length", "cutoff_len",
        "block_size",
    ),
}  # fmt: skip
# Within a section they may speak of something else: of generation, of workers that read data.
_AT_TOP = {"world-size": ("num_processes",), "sequence-length": ("max_length",)}
_LOGGED = {
    "epochs": "epochs",
    "steps": "steps",
    "tokens": "tokens",
    "batch-size": "batch_size",
    "global-batch-size": "global_batch_size",
    "world-size": "world_size",
    "sequence-length": "sequence_length",
    "seed": "seed",
    "examples": "examples",
}
# Measured, not counted: stated with as many digits as the author likes.
_MEASURED = {"epochs", "tokens", "gpu-hours"}
# With few digits more than the usual tolerance is honest, and more than this never.
_ROUNDED, _COARSEST = {"tokens", "gpu-hours"}, 0.05
# What a configuration only plans.
_PLANNED = {"steps", "epochs"}
# What a launcher may set otherwise than the configuration: a log knows, where one says it.
_LAUNCHED = {"world-size", "global-batch-size", "sequence-length"}
_OF_THE_WHOLE = {"gpus", "gpu-hours"}
_COUNTED = {"parameters", "params", "number-of-parameters"}
_GOOD = {"COMPLETED", "COMPLETE", "SUCCEEDED", "FINISHED"}


class TrainingClaims:
    """Compares each training claim with what configurations and logs say of it."""

    id = "training.claims"
    decides: frozenset[ClaimKind] = frozenset({"training"})
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each training claim; PASSED where none is made."""
        del params
        claims = list(record.of(TrainingClaim))
        for claim in claims:
            yield _judge(claim, record)
        if not claims:
            yield nothing_to_judge("training", "nothing is claimed about training", "no claim")


class JobFinished:
    """Asks each job's log whether the job reached its last step."""

    id = "training.job-finished"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each job log; UNPROVEN where there is none."""
        del params
        groups = [g for g in job_groups(record) if _is_training(g)]
        for group in groups:
            yield from _finished(group)
        if not groups:
            yield unproven("job log", "there is no job log", "a log of the training job", "none")


def _is_training(group: JobGroup) -> bool:
    """Say whether a log tells of steps or of a job's end: readings and machines do not."""
    return any(j.steps is not None or j.state or j.losses for j in group.jobs)


def _finished(group: JobGroup) -> Iterator[Result]:
    steps, planned = group.steps, group.first(lambda j: j.max_steps)
    expected, actual = f"{planned} steps", f"{steps} steps"
    about, evidence = group.about, group.evidence
    stopped = _stopped(group)
    bad = sum(j.bad_losses for j in group.jobs)
    if stopped:
        yield failed(about, "the job did not end well", "a state of success", stopped, *evidence)
    elif (steps is None or planned is None) and (recorded := _recorded(group)):
        words, code = "the recorded command succeeded", "exit code 0"
        yield passed(about, words, code, f"{code} ({recorded.source})", *evidence)
    elif steps is None or planned is None:
        yield unproven(about, "no log says how far it got", expected, actual, *evidence)
    elif steps <= planned <= most_steps(steps, group.step_interval):
        yield passed(about, "the job finished", expected, actual, *evidence)
    else:
        yield failed(about, "the job ended elsewhere", expected, actual, *evidence)
    if bad:
        words, count = "losses are no numbers", f"{bad} are NaN or infinite"
        yield failed(f"{about}: losses", words, "losses that are numbers", count, *evidence)


def _recorded(group: JobGroup) -> GpuJob | None:
    """Return what was recorded of the command itself, which knows its exit code."""
    return next((j for j in group.jobs if j.format == "command-record" and j.state), None)


def _stopped(group: JobGroup) -> str | None:
    """Return the state of the log that ended last, if it is none of success."""
    # Of an array, tasks that were taken back before they began did nothing.
    told = [j for j in group.jobs if j.state and (j.started or j.elapsed != 0)] or [
        j for j in group.jobs if j.state
    ]
    last = max(told, key=lambda j: (j.ended or "", j.id), default=None)
    if last is None or last.state is None or _is_good(last.state.upper()):
        return None
    return f"{last.state} ({last.source})"


def _is_good(state: str) -> bool:
    # A scheduler counts a job as completed whose script ended well, whatever its steps did.
    return state.split(maxsplit=1)[0] in _GOOD and " WITH A STEP " not in state


@dataclass(frozen=True)
class _Said:
    """What a record says of a claim; ``most`` if it may be more, ``planned`` if none was done."""

    where: str
    value: str
    evidence: str
    most: int | None = None
    planned: bool = False

    def agrees(self, claimed: str, same: Callable[[str, str], bool]) -> bool:
        """Say whether a claim may be true beside it."""
        number = real(claimed)
        if self.most is None or number is None:
            return same(self.value, claimed)
        return (real(self.value) or 0.0) <= number <= self.most


def _judge(claim: TrainingClaim, record: LineageRecord) -> Result:
    same = _comparison(_key(claim.name))
    said = _done(list(_statements(claim.name, record)), claim, same)
    if not said and _key(claim.name) == "gpu-hours" and (watched := _watched(claim, record)):
        return watched
    if not said:
        return unproven(
            claim.id, f"nothing that was read speaks of {claim.name}", claim.value, "not stated"
        )
    agreeing = {s.where for s in said if s.agrees(claim.value, same)}
    for one in said:
        if one.where not in agreeing and (_final_job(record) or not agreeing):
            words = f"{one.where} says otherwise"
            return failed(claim.id, words, claim.value, one.value, one.evidence)
        if one.where not in agreeing:
            words = "records disagree, and no ledger tells which of them is of the final job"
            actual = f"{one.value} in {one.where}"
            return unproven(claim.id, words, claim.value, actual, one.evidence)
    first = next(s for s in said if s.agrees(claim.value, same))
    many = len(agreeing) > 1
    words = f"{', '.join(sorted(agreeing))} agree" if many else f"{first.where} agrees"
    return passed(claim.id, words, claim.value, first.value, first.evidence)


def _done(said: list[_Said], claim: TrainingClaim, same: Callable[[str, str], bool]) -> list[_Said]:
    """Leave out plans of more than was done, where a log says what was: jobs end early."""
    logs = [s for s in said if not s.planned]
    if not logs:
        return said
    reached = all(s.agrees(claim.value, same) for s in logs)
    plans = [s for s in said if s.planned]
    if reached:
        kept = [s for s in plans if same(s.value, claim.value) or _is_more(claim.value, s.value)]
    else:
        kept = [s for s in plans if _is_more(claim.value, s.value)]
    return [*kept, *logs]


def _is_more(one: str, other: str) -> bool:
    first, second = scaled(one), scaled(other)
    return first is not None and second is not None and first > second and not close(first, second)


def _statements(name: str, record: LineageRecord) -> Iterator[_Said]:
    """Yield where something is said of a name, what, and which evidence says it."""
    key, job = _key(name), _final_job(record)
    logged = list(_logged(_LOGGED.get(key), record, job))
    if not (logged and key in _LAUNCHED):
        yield from _configured(key, _named(name, key), record, job)
    if key in _COUNTED:
        yield from _counted(record)
    elif key in _OF_THE_WHOLE:
        yield from _whole_job(key, record, job)
    else:
        yield from logged


def _named(name: str, key: str) -> Callable[[str], bool]:
    """Return whether a setting is the one that a claim is about."""
    anywhere = {_key(n) for n in (name, *_SETTINGS.get(key, ()))}
    at_top = anywhere | {_key(n) for n in _AT_TOP.get(key, ())}

    def speaks(setting: str) -> bool:
        flat = _key(setting)
        return flat in at_top or flat.rsplit(".", 1)[-1] in anywhere

    return speaks


def _configured(
    key: str, speaks: Callable[[str], bool], record: LineageRecord, job: set[str]
) -> Iterator[_Said]:
    planned = key in _PLANNED
    for stage in record.of(PipelineStage):
        for param in stage.params if stage.id in job else ():
            if speaks(param.name.rpartition(":")[2]):
                yield _Said(f"stage {stage.name}", param.value, stage.id, planned=planned)
    for config in record.of(TrainingConfig):
        for value in config.values if not job or config.source in job else ():
            if speaks(value.name):
                yield _Said(config.source, value.value, config.id, planned=planned)


def _logged(field: str | None, record: LineageRecord, job: set[str]) -> Iterator[_Said]:
    for log in job_logs(record) if field else ():
        logged = getattr(log, field or "") if not job or log.id in job else None
        if logged is not None:
            last = field == "steps" and log.step_interval is not None
            most = most_steps(logged, log.step_interval) if last else None
            yield _Said(log.source, str(logged), log.id, most)


def _counted(record: LineageRecord) -> Iterator[_Said]:
    for weights in record.of(WeightsDigest):
        count = weights.parameters
        if weights.role == "released" and count is not None and not count.adapter:
            yield _Said(weights.source, str(count.total), weights.id)


def _whole_job(key: str, record: LineageRecord, job: set[str]) -> Iterator[_Said]:
    """Yield what all logs of a job come to together: one log may tell of one node."""
    for group in job_groups(record):
        if job and not job & set(group.evidence):
            continue
        if key == "gpus":
            value: float | None = at_once(group.accounts, "gpus")
            value = value or max((j.gpus for j in group.trainers if j.gpus), default=None)
        else:
            value = group.stated_hours
        if value is not None:
            yield _Said(group.about, f"{value:.6g}", group.evidence[0])


def _watched(claim: TrainingClaim, record: LineageRecord) -> Result | None:
    """Hold hours against readings alone: watching part of a job contradicts no claim of more."""
    job = _final_job(record)
    groups = [g for g in job_groups(record) if not job or job & set(g.evidence)]
    group = next((g for g in groups if g.watched_hours), None)
    claimed = scaled(claim.value)
    if group is None or group.watched_hours is None or claimed is None:
        return None
    seen, evidence = f"{group.watched_hours:.6g} watched ({group.about})", group.evidence[0]
    if _comparison("gpu-hours")(str(group.watched_hours), claim.value):
        return passed(claim.id, "readings agree", claim.value, seen, evidence)
    if claimed < group.watched_hours:
        return failed(claim.id, "readings show more", claim.value, seen, evidence)
    return unproven(claim.id, "readings show no more", claim.value, seen, evidence)


def _key(name: str) -> str:
    return name.casefold().replace("_", "-").replace(" ", "-")


def _comparison(key: str) -> Callable[[str, str], bool]:
    if key in _COUNTED:
        return _names
    if key in _ROUNDED:
        return lambda known, claimed: _close(known, claimed) or _rounds(known, claimed)
    return _close if key in _MEASURED else _equal


def _rounds(known: str, claimed: str) -> bool:
    """Say whether a claim is what is known, in the few digits that its author wrote."""
    value = scaled(known)
    return value is not None and rounds_to(claimed, value, _COARSEST)


def _names(counted: str, claimed: str) -> bool:
    return names_count(claimed, int(counted)) is True


def _close(one: str, other: str) -> bool:
    """Say whether two measured figures agree but for rounding."""
    first, second = scaled(one), scaled(other)
    if first is None or second is None:
        return _equal(one, other)
    return close(first, second)


def _final_job(record: LineageRecord) -> set[str]:
    """Return the stages that generated the released weights, and what belongs to them.

    A claim about training is about the job that made these weights, not about that of its base.
    Empty where no ledger tells them apart.
    """
    stages = {x.source for x in record.links if x.relation == "generated"}
    found = set(stages)
    for stage in record.of(PipelineStage):
        if stage.id in stages:
            found |= {d.path for d in stage.deps} | {p.name.partition(":")[0] for p in stage.params}
    found |= {x.target for x in record.links if x.relation == "logged" and x.source in stages}
    return found


def _equal(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return one.casefold() == other.casefold()
