"""Whether the rows of a scheduler's account of one job, its own and its steps', can all be true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from audit_flow.analysis.moments import clocks_changed, seconds_between

# Schedulers round to whole seconds; a step's end may be noted a little after the job's.
_ROUNDING, _EDGE = 2.0, 60.0
_FAILED = ("FAIL", "OUT_OF", "NODE_FAIL", "TIMEOUT", "BOOT_FAIL", "DEADLINE")


@dataclass(frozen=True)
class StepRow:
    """A row of the account: a job or a step of it; ``lengths`` are its elapsed times in seconds.

    ``suspended`` is None where no column says it, ``typed`` are the GPUs that are named by kind.
    """

    name: str
    started: str | None = None
    ended: str | None = None
    lengths: tuple[float, ...] = ()
    suspended: float | None = None
    cpu_seconds: float | None = None
    cpus: int | None = None
    gpus: int | None = None
    typed: int | None = None


def disorder(own: list[StepRow], steps: list[StepRow]) -> str | None:
    """Return which times of an account contradict each other; None if none do."""
    found = [words for row in (*own, *steps) for words in _backwards(row)]
    if len(own) == 1:
        found += [words for step in steps for words in _outside(own[0], step)]
    return "; ".join(found[:5]) or None


def impossible(own: list[StepRow], steps: list[StepRow]) -> str | None:
    """Return which lengths and GPUs of an account contradict each other; None if none do."""
    found = [words for row in (*own, *steps) for words in (*_lengths(row), *_kinds(row))]
    most = max((r.gpus for r in own if r.gpus is not None), default=None)
    found += [
        f"{step.name} has {step.gpus} GPUs and the job {most}"
        for step in steps
        if most is not None and step.gpus and step.gpus > most
    ]
    return "; ".join(found[:5]) or None


def together(runs: list[tuple[int | None, float | None]]) -> tuple[int | None, float | None]:
    """Return the GPUs that a job had in its last run, and the GPU-hours of all runs.

    A run is its GPUs and its seconds. GPUs are None where nobody says what a run had, and so are
    hours: part of them would be too few.
    """
    ran = [(gpus, seconds) for gpus, seconds in runs if seconds != 0] or runs[-1:]
    counts = [gpus for gpus, _ in ran if gpus is not None]
    if len(counts) < len(ran):
        return None, None
    spent = [gpus * seconds for gpus, seconds in ran if gpus is not None and seconds is not None]
    return counts[-1] if counts else None, sum(spent) / 3600 if len(spent) == len(ran) else None


def with_step(state: str, steps: list[tuple[str, str]]) -> str:
    """Return a completed job's state with the first step that failed, where one did."""
    bad = (f"{said} ({name})" for name, said in steps if said.upper().startswith(_FAILED))
    failed = next(bad, None)
    return f"{state} with a step {failed}" if failed else state


def _backwards(row: StepRow) -> Iterator[str]:
    span = _span(row)
    if span is not None and span < 0:
        yield f"{row.name}: ended {row.ended} is before started {row.started}"


def _outside(job: StepRow, step: StepRow) -> Iterator[str]:
    """A step runs while its job does."""
    if job.started and step.started and _before(step.started, job.started):
        yield f"{step.name} started {step.started}, before the job at {job.started}"
    if job.ended and step.ended and _before(job.ended, step.ended, _EDGE):
        yield f"{step.name} ended {step.ended}, after the job at {job.ended}"


def _before(one: str, other: str, slack: float = _ROUNDING) -> bool:
    return (seconds_between(one, other) or 0.0) > slack


def _lengths(row: StepRow) -> Iterator[str]:
    for one, other in pairwise(row.lengths):
        if abs(one - other) > _ROUNDING:
            yield f"{row.name}: {one:g} s and {other:g} s elapsed"
    elapsed, span = next(iter(row.lengths), None), _span(row)
    if elapsed is None:
        return
    if span is not None and span >= 0 and row.suspended is not None:
        # Some versions count suspended time as elapsed.
        low = span - row.suspended - _ROUNDING
        if elapsed < low and not clocks_changed(row.started or "", elapsed - span):
            yield f"{row.name}: {elapsed:g} s elapsed between times {span:g} s apart"
    if row.cpu_seconds is not None and row.cpus:
        product = elapsed * row.cpus
        if abs(product - row.cpu_seconds) > _ROUNDING * row.cpus + 0.01 * product:
            spent = f"{row.cpu_seconds:g} CPU-seconds"
            yield f"{row.name}: {elapsed:g} s on {row.cpus} CPUs and {spent}"


def _kinds(row: StepRow) -> Iterator[str]:
    if row.gpus is not None and row.typed is not None and row.typed > row.gpus:
        yield f"{row.name}: {row.typed} GPUs by kind and {row.gpus} in all"


def _span(row: StepRow) -> float | None:
    return seconds_between(row.started, row.ended) if row.started and row.ended else None
