"""States that a trainer saved before its job ended: they tell nothing that the last does not."""

from __future__ import annotations

from audit_flow.model import GpuJob, LineageRecord


def job_logs(record: LineageRecord) -> tuple[GpuJob, ...]:
    """Return the job logs of a record without earlier states of the same jobs; pure."""
    jobs = tuple(record.of(GpuJob))
    saved = [j for j in jobs if j.history]
    return tuple(j for j in jobs if not any(is_earlier(j, other) for other in saved))


def is_earlier(one: GpuJob, other: GpuJob) -> bool:
    """Say whether one state is of the same job as another, and was saved before it.

    Its settings are the same and its rows are the first of the other's. One that contradicts
    itself, or has done more of anything, is none: it stays told.
    """
    count = len(one.history)
    if not count or one.format != other.format or one.impossible or one.disordered:
        return False
    if other.history[count - 1 : count] != one.history[-1:]:
        return False
    return _is_less(one.steps, other.steps) and not any(
        _is_less(getattr(other, field), getattr(one, field))
        for field in ("epochs", "tokens", "flops", "elapsed")
    )


def _is_less(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one < other
