"""Readings are asked for of every node, whatever the monitor's columns and the files' names."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from audit_flow.checks.interface import NoParams
from audit_flow.checks.training_nodes import NodesWatched
from audit_flow.linking import link
from audit_flow.model import Evidence, GpuJob, Outcome, Subject, Trust, sha256_hex

RULE = NodesWatched()


def job(source: str, form: str, **facts: Any) -> GpuJob:
    return GpuJob(
        id=f"gpu-job:{source}", source=source, trust=Trust.SELF_REPORTED, format=form,
        job_id="4242", sha256=sha256_hex(source.encode()), **facts,
    )  # fmt: skip


def outcome(*jobs: GpuJob) -> Outcome:
    evidence: tuple[Evidence, ...] = jobs
    record = link(Subject(name="m"), (), evidence)
    (result,) = RULE.run(record, NoParams())
    return result.outcome


Monitors = Callable[[tuple[str, ...], int], list[GpuJob]]


def by_name(hosts: tuple[str, ...], each: int) -> list[GpuJob]:
    """nvidia-smi has no column of hosts: the files are called after them."""
    return [job(f"logs/{h}/gpu.csv", "gpu-monitor", gpus=each) for h in hosts]


def by_column(hosts: tuple[str, ...], each: int) -> list[GpuJob]:
    """An exporter names hosts, here with their domains."""
    return [
        job(f"logs/{i}.csv", "gpu-monitor", gpus=each, hosts=(f"{h}.cluster.local",))
        for i, h in enumerate(hosts)
    ]


def by_count(hosts: tuple[str, ...], each: int) -> list[GpuJob]:
    """Neither names nor hosts: only how many GPUs were read."""
    return [job(f"logs/part-{i}.csv", "gpu-monitor", gpus=each) for i, _ in enumerate(hosts)]


def without_index(hosts: tuple[str, ...], each: int) -> list[GpuJob]:
    """No column tells GPUs apart; the files are as many as the nodes."""
    del each
    return [job(f"logs/part-{i}.csv", "gpu-monitor") for i, _ in enumerate(hosts)]


FORMS: tuple[Monitors, ...] = (by_name, by_column, by_count, without_index)


@pytest.mark.parametrize("watch", FORMS)
@pytest.mark.parametrize("seed", range(5))
def test_a_node_that_is_dropped_is_missed(watch: Monitors, seed: int) -> None:
    rng = random.Random(seed)
    count, each = rng.randrange(2, 9), rng.choice([1, 4, 8])
    hosts = tuple(f"{rng.choice(['gpu', 'node-', 'r01n'])}{i:02d}" for i in range(count))
    account = job("sacct.txt", "slurm-sacct", hosts=hosts, nodes=count, gpus=count * each)
    readings = watch(hosts, each)
    assert outcome(account, *readings) is Outcome.PASSED
    for index in range(count):
        left = [r for r in readings if r is not readings[index]]
        assert outcome(account, *left) is Outcome.UNPROVEN


def test_only_a_trainer_says_how_many() -> None:
    trainer = job("train.log", "text-log", world_size=16)
    assert outcome(trainer, *by_count(("a", "b"), 8)) is Outcome.PASSED
    assert outcome(trainer, *by_count(("a",), 8)) is Outcome.UNPROVEN


def test_the_same_bytes_twice_are_one_node() -> None:
    account = job("sacct.txt", "slurm-sacct", hosts=("n1", "n2"), gpus=4)
    one, other = by_name(("n1", "n2"), 2)
    same = other.model_copy(update={"sha256": one.sha256})
    assert outcome(account, one, same) is Outcome.UNPROVEN


def test_a_job_that_was_started_again_had_its_nodes_twice() -> None:
    first = job("a.txt", "slurm-sacct", hosts=("n1", "n2"), gpus=4,
                started="2025-01-01T00:00:00", ended="2025-01-01T01:00:00")  # fmt: skip
    second = job("b.txt", "slurm-sacct", hosts=("n1", "n2"), gpus=4,
                 started="2025-01-01T02:00:00", ended="2025-01-01T03:00:00")  # fmt: skip
    assert outcome(first, second, *by_name(("n1", "n2"), 2)) is Outcome.PASSED
    beside = second.model_copy(update={"started": "2025-01-01T00:30:00", "job_id": "4242+1"})
    assert outcome(first, beside, *by_count(("n1", "n2"), 2)) is Outcome.UNPROVEN


def test_without_readings_or_account_there_is_nothing_to_miss() -> None:
    assert outcome(job("sacct.txt", "slurm-sacct", hosts=("n1",), gpus=4)) is Outcome.PASSED
    assert outcome(*by_name(("n1",), 4)) is Outcome.PASSED
    assert outcome() is Outcome.PASSED
