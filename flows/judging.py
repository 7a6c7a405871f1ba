"""The way from a manifest to a verdict, as tasks: hash → measure → collect → link → judge."""

from __future__ import annotations

from pathlib import Path

from audit_flow.collectors import hashing_shares
from audit_flow.sources.manifest import load
from flows.ahead import start_ahead
from flows.runner import share_bytes, threads_of_each
from flows.shown import show
from flows.states import tell_gate
from flows.tasks import (
    collect_task,
    hash_share_task,
    hash_task,
    judge_task,
    link_task,
    measure_task,
    record_task,
)
from flows.values import Audited, Hashed, Job, Measured


def hashed(job: Job) -> Hashed:
    """Hash the release: what is large in shares, each a task of its own on whatever machine."""
    shares = hashing_shares(load(Path(job.manifest)), share_bytes())
    if len(shares) < 2:
        return hash_task.submit(job, []).result()
    threads = threads_of_each(len(shares))
    under_way = [hash_share_task.submit(job, n, names, threads) for n, names in enumerate(shares)]
    return hash_task.submit(job, [future.result() for future in under_way]).result()


def measured(job: Job) -> tuple[Hashed, list[Measured]]:
    """Hash the release and run its evaluations, each as a task of its own."""
    found = hashed(job)
    # Measuring needs the root alone; rows of many files would go along with each task.
    root = Hashed(weights_sha256=found.weights_sha256)
    numbers = range(len(load(Path(job.manifest)).manifest.reproduce))
    started = [measure_task.submit(job, number, root) for number in numbers]
    return found, [future.result() for future in started]


def audited(job: Job) -> Audited:
    """Audit a release on the bytes of now: the same record and verdict as the command line's."""
    start_ahead(job)
    files, runs = measured(job)
    record = link_task(collect_task.submit(job, files, runs).result())
    return Audited(record=record, verdict=judge_task(job, record))


def recorded(job: Job, found: Audited) -> str:
    """Keep an audit in MLflow, show it, tell the gate's event; return where it is kept."""
    stored = record_task(job, found)
    show(found, stored)
    tell_gate(found.verdict)
    return f"MLflow run {stored.run_id}"
