"""What schedulers say of one job: each job once, whatever number of files tell of it."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.moments import seconds_between, surely_before
from audit_flow.model import GpuJob

# Schedulers round to whole seconds.
_ROUNDING = 2.0
_UNFINISHED = ("RUNNING", "PENDING", "SUSPENDED", "CONFIGURING", "COMPLETING", "RESIZING")


def number(job: GpuJob) -> str | None:
    """Return a job's number; the parts of a heterogeneous job have that of the whole."""
    return job.job_id.partition("+")[0] if job.job_id else None


def once(accounts: tuple[GpuJob, ...]) -> tuple[GpuJob, ...]:
    """Return each job once; of two copies the one that tells more."""
    return tuple(max(same, key=_told) for same in _copies(accounts))


def differences(accounts: tuple[GpuJob, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield what two copies of one job's account say differently: what, and both with source."""
    for same in _copies(accounts):
        kept = max(same, key=_told)
        for other in same:
            # One that was made before the job ended, or tells of fewer of its runs, is no lie.
            if other is kept or (other.restarts or 0) != (kept.restarts or 0):
                continue
            if not _runs_on(kept) and not _runs_on(other):
                for what, first, second in _differ(kept, other):
                    yield what, f"{first} ({kept.source})", f"{second} ({other.source})"


def at_once(accounts: tuple[GpuJob, ...], field: str) -> int:
    """Return the most that jobs had at one time: one that was started again had it twice."""
    sums = [sum(getattr(b, field) or 0 for b in accounts if _runs_with(a, b)) for a in accounts]
    return max(sums, default=0)


def given_gpus(accounts: tuple[GpuJob, ...]) -> int | None:
    """Return the most GPUs that a job can have had at one time; None where nobody can tell.

    Of a job that was queued again only the GPUs of its last run are known.
    """
    if not accounts or any(j.gpus is None or j.restarts for j in accounts):
        return None
    if all(j.started and j.ended for j in accounts):
        return at_once(accounts, "gpus") or None
    return sum(j.gpus or 0 for j in accounts) or None


def _copies(accounts: tuple[GpuJob, ...]) -> list[list[GpuJob]]:
    found: list[list[GpuJob]] = []
    for job in accounts:
        same = next((g for g in found if any(_is_copy(job, other) for other in g)), None)
        if same is None:
            found.append([job])
        else:
            same.append(job)
    return found


def _is_copy(one: GpuJob, other: GpuJob) -> bool:
    if not one.job_id or one.job_id != other.job_id or _apart(one, other):
        return False
    if one.cluster is None or other.cluster is None or one.cluster == other.cluster:
        return True
    # Another cluster's name on the same job: no two jobs of one number begin in one second.
    return bool(one.started and other.started and one.started[14:19] == other.started[14:19])


def _apart(one: GpuJob, other: GpuJob) -> bool:
    """Say whether these are two runs of a job that was queued again, each in a file of its own."""
    pairs = ((one.ended, other.started), (other.ended, one.started))
    return any(a and b and before(a, b) for a, b in pairs)


def before(one: str, other: str) -> bool:
    """Say whether one moment is not after another; of two without a zone as if of one zone."""
    between = seconds_between(one, other)
    return surely_before(one, other) if between is None else between >= 0


def _runs_on(job: GpuJob) -> bool:
    return (job.state or "").upper().startswith(_UNFINISHED)


def _told(job: GpuJob) -> tuple[int, bool, bool, float, str]:
    return (
        job.restarts or 0, job.ended is not None, job.gpu_hours is not None, job.gpu_hours or 0.0,
        # Of equals any will do, but always the same.
        job.id,
    )  # fmt: skip


def _differ(one: GpuJob, other: GpuJob) -> Iterator[tuple[str, str, str]]:
    if one.cluster and other.cluster and one.cluster != other.cluster:
        yield "cluster", one.cluster, other.cluster
    if one.gpus is not None and other.gpus is not None and one.gpus != other.gpus:
        yield "GPUs", str(one.gpus), str(other.gpus)
    lengths = [j.elapsed for j in (one, other) if j.elapsed is not None]
    if len(lengths) > 1 and abs(lengths[0] - lengths[1]) > _ROUNDING:
        yield "elapsed time", f"{lengths[0]:g} s", f"{lengths[1]:g} s"
    for name, first, second in (
        ("start", one.started, other.started), ("end", one.ended, other.ended),
    ):  # fmt: skip
        # One export may be of local time, the other of UTC.
        if first and second and first != second and first.endswith("Z") == second.endswith("Z"):
            yield name, first, second


def _runs_with(one: GpuJob, other: GpuJob) -> bool:
    """Say whether one job began while another ran; parts of a heterogeneous job always did."""
    if one is other or ("+" in (one.job_id or "") and number(one) == number(other)):
        return True
    if not (one.started and other.started and other.ended):
        return False
    return other.started <= one.started < other.ended
