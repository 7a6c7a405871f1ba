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


@pytest.mark.parametrize("watch", [by_name, by_column])
@pytest.mark.parametrize("requeued", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_nodes_of_an_earlier_run_make_up_for_none(
    watch: Monitors, requeued: bool, seed: int
) -> None:
    """A job was started again on other nodes, in one account or in two."""
    rng = random.Random(seed)
    count, each = rng.randrange(2, 6), rng.choice([1, 2, 8])
    nodes = [f"node{i:02d}" for i in rng.sample(range(100), 2 * count)]
    before, after = tuple(nodes[:count]), tuple(nodes[count:])
    last = job("b.txt", "slurm-sacct", hosts=after, nodes=count, gpus=count * each,
               restarts=1 if requeued else None,
               started="2025-01-01T00:00:00" if requeued else "2025-01-01T02:00:00",
               ended="2025-01-01T03:00:00")  # fmt: skip
    first = job("a.txt", "slurm-sacct", hosts=before, nodes=count, gpus=count * each,
                started="2025-01-01T00:00:00", ended="2025-01-01T01:00:00")  # fmt: skip
    accounts = [last] if requeued else [first, last]
    readings = watch((*before, *after), each)
    early, late = readings[:count], readings[count:]
    assert outcome(*accounts, *early, *late) is Outcome.PASSED
    for missing in late:
        left = [m for m in late if m is not missing]
        assert outcome(*accounts, *early, *left) is Outcome.UNPROVEN
    assert outcome(*accounts, *early) is Outcome.UNPROVEN


@pytest.mark.parametrize("count", [2, 5])
def test_readings_without_names_are_told_apart_by_their_times(count: int) -> None:
    account = job("a.txt", "slurm-sacct", gpus=2 * count, nodes=count, restarts=1)
    hosts = tuple(f"n{i}" for i in range(count))
    early = [
        m.model_copy(update={"id": f"early {m.id}", "sha256": sha256_hex(m.id.encode()),
                             "started": "2025-01-01T00:00:00", "ended": "2025-01-01T01:00:00"})
        for m in by_count(hosts, 2)
    ]  # fmt: skip
    times = {"started": "2025-01-01T02:00:00", "ended": "2025-01-01T03:00:00"}
    late = [m.model_copy(update=times) for m in by_count(hosts, 2)]
    assert outcome(account, *early, *late) is Outcome.PASSED
    assert outcome(account, *early, *late[1:]) is Outcome.UNPROVEN


def test_a_file_of_no_name_may_be_of_any_node() -> None:
    account = job("a.txt", "slurm-sacct", hosts=("gpu121", "gpu130"), nodes=2, gpus=4)
    named, unnamed = by_name(("gpu121",), 2), by_count(("x",), 2)
    assert outcome(account, *named, *unnamed) is Outcome.PASSED
