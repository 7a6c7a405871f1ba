"""Whether a training run can be true: its arithmetic operations against its machines' time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from audit_flow.analysis.accelerators import Accelerator, find_accelerator
from audit_flow.analysis.compute import (
    Interval,
    exactly,
    run_tokens,
    training_flops,
    utilisation,
)
from audit_flow.analysis.published_runs import usual_rate
from audit_flow.analysis.quantities import scaled
from audit_flow.analysis.training_names import plain
from audit_flow.checks.interface import Result, failed, nothing_to_judge, passed, unproven
from audit_flow.linking import JobGroup, job_groups
from audit_flow.model import (
    ClaimKind,
    Frozen,
    LineageRecord,
    ParameterCount,
    TrainingClaim,
    WeightsDigest,
)

_PACKED = ("packing", "sample packing", "pack sequences", "packed", "neat packing")


class PossibleParams(Frozen):
    """The highest share of the peak that any published training run has reached."""

    max_utilisation: float = Field(default=0.65, gt=0, le=1)


class UsualParams(Frozen):
    """Between which shares of the peak published training runs lie."""

    lowest: float = Field(default=0.05, gt=0, lt=1)
    highest: float = Field(default=0.6, gt=0, le=1)


class ThroughputParams(Frozen):
    """How far from published runs of a like size a run may lie before it is told.

    ``like_size`` is the factor between parameters up to which a run is compared.
    """

    like_size: float = Field(default=3.0, ge=1)
    times_slower: float = Field(default=4.0, ge=1)
    times_faster: float = Field(default=1.5, ge=1)


@dataclass(frozen=True)
class _Run:
    """What can be computed of one job, and what is missing for more."""

    group: JobGroup
    flops: Interval | None
    hours: float | None
    chip: Accelerator | None
    precision: str | None
    missing: tuple[str, ...]
    active: int = 0
    tokens: Interval | None = None

    def rate(self) -> Interval | None:
        """Return the tokens that each GPU took in a second."""
        if self.tokens is None or not self.hours:
            return None
        return self.tokens / (self.hours * 3600)

    def share(self) -> Interval | None:
        """Return the utilisation of the machines' peak."""
        if self.flops is None or not self.hours or self.chip is None:
            return None
        return utilisation(self.flops, self.hours, self.chip.peak(self.precision))

    def written(self) -> str:
        """Return what the share was computed from."""
        flops, hours = self.flops or exactly(0), self.hours or 0
        chip = self.chip.name if self.chip else "unknown GPUs"
        return f"{flops.written()} FLOP in {hours:.4g} GPU-hours of {chip}"


class ComputePossible:
    """Asks of each job whether its machines could do what is said to have been computed.

    PASSED where numbers are missing: the rule on what is usual tells that.
    """

    id = "training.compute-possible"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = PossibleParams

    def run(self, record: LineageRecord, params: PossibleParams) -> Iterator[Result]:
        """Return a result for each job that can be computed, one for the release without any."""
        spoken = False
        for run in _runs(record):
            if result := _possible(run, params.max_utilisation):
                spoken = True
                yield result
        if not spoken:
            yield nothing_to_judge(
                "training", "parameters, tokens, GPUs and hours are not all known of any job",
                "nothing impossible",
            )  # fmt: skip


class ComputeUsual:
    """Asks whether each job used its machines as published training runs do."""

    id = "training.compute-usual"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = UsualParams

    def run(self, record: LineageRecord, params: UsualParams) -> Iterator[Result]:
        """Return a result for each job; UNPROVEN names what is missing."""
        runs = list(_runs(record))
        for run in runs:
            yield _usual(run, params)
            if result := _counted(run, record):
                yield result
        if not runs:
            yield unproven("training", "there is no job log", "a log of the training job", "none")


class ThroughputUsual:
    """Asks whether each GPU took as many tokens a second as in published runs of a like size.

    PASSED where no published run is like this one, or numbers are missing: the rule on utilisation
    tells which.
    """

    id = "training.throughput"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = ThroughputParams

    def run(self, record: LineageRecord, params: ThroughputParams) -> Iterator[Result]:
        """Return a result for each job that can be compared, one for the release without any."""
        found = [result for run in _runs(record) if (result := _throughput(run, params))]
        yield from found
        if not found:
            yield nothing_to_judge(
                "training", "no published run to compare with", "a run of a like size"
            )


def _throughput(run: _Run, params: ThroughputParams) -> Result | None:
    rate = run.rate()
    if rate is None or run.chip is None or not run.active:
        return None
    usual = usual_rate(run.active, run.chip, params.like_size)
    if usual is None:
        return None
    named = ", ".join(f"{r.name} ({r.source})" for r in usual.runs[:3])
    more = f" and {len(usual.runs) - 3} more" if len(usual.runs) > 3 else ""
    expected = f"{usual.low:,.0f} to {usual.high:,.0f} tokens a second on each GPU: {named}{more}"
    actual = f"{rate.written()} tokens a second on each {run.chip.name}"
    about, evidence = run.group.about, run.group.evidence
    low, high = usual.low / params.times_slower, usual.high * params.times_faster
    if rate.high < low or rate.low > high:
        words = "slower" if rate.high < low else "faster"
        message = f"{words} than published runs of a like size"
        return failed(about, message, expected, actual, *evidence)
    return passed(about, "as fast as published runs of a like size", expected, actual, *evidence)


def _possible(run: _Run, most: float) -> Result | None:
    about, evidence = run.group.about, run.group.evidence
    if run.hours == 0 and run.group.steps:
        return failed(
            about, "training took no time on any GPU", "more than 0 GPU-hours",
            f"{run.group.steps} steps in 0 GPU-hours", *evidence,
        )  # fmt: skip
    share = run.share()
    if share is None:
        return None
    expected, actual = f"at most {most:.0%} of the peak", f"{_percent(share)}: {run.written()}"
    if share.low > most:
        words = "no machine is known to compute that fast"
        return failed(about, words, expected, actual, *evidence)
    return passed(about, "the machines could do this", expected, actual, *evidence)


def _usual(run: _Run, params: UsualParams) -> Result:
    about, evidence = run.group.about, run.group.evidence
    expected = f"{params.lowest:.0%} to {params.highest:.0%} of the peak"
    share = run.share()
    if share is None:
        words = f"not known: {', '.join(run.missing) or 'GPU-hours'}"
        return unproven(about, "utilisation can't be computed", expected, words, *evidence)
    actual = f"{_percent(share)}: {run.written()}"
    if share.high < params.lowest or share.low > params.highest:
        words = "an unusual utilisation of the machines"
        return failed(about, words, expected, actual, *evidence)
    return passed(about, "a usual utilisation of the machines", expected, actual, *evidence)


def _counted(run: _Run, record: LineageRecord) -> Result | None:
    """Compare the operations that a trainer counted itself with those that follow."""
    stated = run.group.first(lambda j: j.flops)
    if stated is None or run.flops is None or run.flops.low <= 0:
        return None
    del record
    expected = f"{run.flops.written()} FLOP, by parameters and tokens"
    actual = f"{stated:.3g} FLOP, as the trainer counted"
    name, evidence = f"{run.group.about}: operations", run.group.evidence
    # Trainers count padding, leave out embeddings, or take 6 N D where 4 N D would do.
    if run.flops.low / 3 <= stated <= run.flops.high * 3:
        return passed(name, "the trainer's own count agrees", expected, actual, *evidence)
    return failed(name, "the trainer's own count is another", expected, actual, *evidence)


def _percent(share: Interval) -> str:
    low, high = f"{share.low:.3%}", f"{share.high:.3%}"
    return low if low == high else f"{low} to {high}"


def _runs(record: LineageRecord) -> Iterator[_Run]:
    groups = job_groups(record)
    for group in groups:
        if not any(j.steps or j.tokens or j.flops or j.gpu_hours for j in group.jobs):
            continue
        count, frozen = _parameters(group, record)
        tokens, whence = _tokens(group, record, len(groups) == 1)
        flops = None
        if count and tokens:
            flops = training_flops(count.active, count.looked_up, tokens, frozen)
        names = [n for _, n in group.said(lambda j: j.gpu_model)]
        chips = [c for c in map(find_accelerator, names) if c]
        precision = group.first(lambda j: j.precision) or group.planned.get("precision")
        # Of two names for the GPUs the faster counts: a bound must not accuse.
        chip = max(chips, key=lambda c: c.peak(precision)) if chips else None
        missing = [
            *([] if count else ["the number of parameters"]),
            *([] if tokens else [whence]),
            *([] if group.gpu_hours is not None else ["GPU-hours"]),
            *([] if chip else [f"the peak rate of {names[0]}" if names else "which GPUs"]),
        ]
        active = count.active if count else 0
        hours = group.gpu_hours
        yield _Run(group, flops, hours, chip, precision, tuple(missing), active, tokens)


def _parameters(group: JobGroup, record: LineageRecord) -> tuple[ParameterCount | None, bool]:
    """Return the parameters that the job trained, and whether most of them were frozen."""
    found = {w.role: w.parameters for w in record.of(WeightsDigest)}
    released, base = found.get("released"), found.get("base")
    if released and released.adapter:
        return base, True
    if group.final:
        lora = any("lora" in plain(v.name) for c in group.configs for v in c.values)
        return released, lora
    return base, False


def _tokens(group: JobGroup, record: LineageRecord, alone: bool) -> tuple[Interval | None, str]:
    """Return the tokens that the job trained on, or what is missing to know them."""
    logged = [t for _, t in group.said(lambda j: j.tokens) if t]
    # A claim is of the release: it is that of this job only where no other could be meant.
    meant = group.final and (group.stage is not None or bool(group.steps) or alone)
    claimed = [t for t in map(_claimed_tokens, record.of(TrainingClaim)) if t and meant]
    if logged or claimed:
        known = [float(max(logged))] if logged else claimed
        return exactly(max(known)), ""
    values = group.planned
    length = group.first(lambda j: j.sequence_length) or values.get("sequence_length")
    batch = group.global_batch or values.get("global_batch_size")
    if not (group.steps and length and batch):
        parts = (("steps", group.steps), ("batch size", batch), ("sequence length", length))
        return None, f"tokens, or {' and '.join(n for n, v in parts if not v)}"
    most = run_tokens(group.steps, batch, length)
    # Without packing a sequence may be of any length: then this is only the most there can be.
    return Interval(most if _is_packed(group) else 0.0, most), ""


def _claimed_tokens(claim: TrainingClaim) -> float | None:
    named = plain(claim.name) in {"tokens", "training tokens", "total tokens"}
    return scaled(claim.value) if named else None


def _is_packed(group: JobGroup) -> bool:
    pairs = [(v.name, v.value) for c in group.configs for v in c.values]
    pairs += [(v.name, v.value) for j in group.jobs for v in j.config]
    return any(plain(n).rsplit(".", 1)[-1] in _PACKED and v.casefold() == "true" for n, v in pairs)
