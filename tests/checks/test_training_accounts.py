"""Accounts of one job count once, whatever files tell of it; parts that ran at once add up."""

from __future__ import annotations

from typing import Any

import pytest

from audit_flow.checks.interface import Check, NoParams, Result
from audit_flow.checks.training import JobFinished, TrainingClaims
from audit_flow.checks.training_described import JobDescribed
from audit_flow.checks.training_numbers import NumbersPossible
from audit_flow.linking import job_groups, link
from audit_flow.model import (
    ConfigValue,
    GpuJob,
    Outcome,
    Subject,
    TrainingClaim,
    TrainingConfig,
    Trust,
    sha256_hex,
)


def job(source: str, form: str = "slurm-sacct", number: str | None = "31", **facts: Any) -> GpuJob:
    return GpuJob(
        id=f"gpu-job:{source}", source=source, trust=Trust.SELF_REPORTED, format=form,
        job_id=number, sha256=sha256_hex(source.encode()), **facts,
    )  # fmt: skip


def account(source: str, **changes: Any) -> GpuJob:
    facts = {
        "gpus": 8, "elapsed": 7200.0, "gpu_hours": 16.0, "state": "COMPLETED", "cluster": "alps",
        "started": "2025-03-01T10:00:00", "ended": "2025-03-01T12:00:00",
    }  # fmt: skip
    return job(source, **{**facts, **changes})


def results(rule: Check, *jobs: GpuJob, **claims: object) -> list[Result]:
    made = tuple(
        TrainingClaim(id=f"training:{n}", source="release.yaml", name=n, value=str(v))
        for n, v in claims.items()
    )
    return list(rule.run(link(Subject(name="m"), made, jobs), NoParams()))


def outcome(rule: Check, *jobs: GpuJob, **claims: object) -> Outcome:
    order = (Outcome.PASSED, Outcome.UNPROVEN, Outcome.FAILED)
    return max((r.outcome for r in results(rule, *jobs, **claims)), key=order.index)


def copy(kind: str) -> GpuJob:
    return {
        "twice": account("b.txt"),
        "in UTC": account("b.json", started="2025-03-01T09:00:00Z", ended="2025-03-01T11:00:00Z"),
        "without a cluster": account("b.txt", cluster=None),
        "while it ran": account("b.txt", state="RUNNING", elapsed=90.0, gpu_hours=0.2, ended=None),
        "one run of two": account(
            "b.txt", elapsed=7200.0 / 8, gpu_hours=2.0, ended="2025-03-01T10:15:00"
        ),
    }[kind]


KINDS = ("twice", "in UTC", "without a cluster", "while it ran", "one run of two")


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_does_not_count_again(kind: str) -> None:
    first = account("a.txt", restarts=1 if kind == "one run of two" else None)
    jobs = (first, copy(kind))
    (group,) = job_groups(link(Subject(name="m"), (), jobs))
    assert group.gpu_hours == 16
    assert outcome(TrainingClaims(), *jobs, **{"gpu-hours": 16}) is Outcome.PASSED
    assert outcome(TrainingClaims(), *jobs, **{"gpu-hours": 32}) is Outcome.FAILED
    assert outcome(NumbersPossible(), *jobs) is Outcome.PASSED


@pytest.mark.parametrize(
    "changes",
    [{"gpus": 16, "gpu_hours": 32.0}, {"elapsed": 3600.0, "gpu_hours": 8.0},
     {"started": "2025-03-01T10:10:00"}, {"cluster": "other"}],
)  # fmt: skip
def test_copies_that_differ_are_told(changes: dict[str, Any]) -> None:
    found = results(NumbersPossible(), account("a.txt"), account("b.txt", **changes))
    assert [r for r in found if "two accounts" in r.about and r.outcome is Outcome.FAILED]


def test_other_numbers_are_other_jobs() -> None:
    jobs = (account("a.txt"), account("b.txt", number="32"), job("c", "hf-trainer-state", "31"))
    assert len(job_groups(link(Subject(name="m"), (), jobs))) == 2


def test_two_runs_of_one_job_are_no_copies() -> None:
    again = account("b.txt", started="2025-03-01T14:00:00", ended="2025-03-01T16:00:00")
    jobs = (account("a.txt"), again)
    assert outcome(TrainingClaims(), *jobs, **{"gpu-hours": 32}) is Outcome.PASSED
    assert outcome(NumbersPossible(), *jobs) is Outcome.PASSED


def test_parts_of_a_heterogeneous_job_add_up() -> None:
    parts = [account(f"{n}.txt", number=f"31+{n}", gpus=4, gpu_hours=8.0) for n in range(3)]
    for told in (parts, [p.model_copy(update={"started": None, "ended": None}) for p in parts]):
        assert outcome(TrainingClaims(), *told, gpus=12) is Outcome.PASSED
        assert outcome(TrainingClaims(), *told, gpus=4) is Outcome.FAILED
        assert outcome(TrainingClaims(), *told, **{"gpu-hours": 24}) is Outcome.PASSED


READINGS: dict[str, Any] = {
    "form": "gpu-monitor", "gpus": 8, "elapsed": 3600.0, "gpu_hours": 8.0, "samples": 60,
}  # fmt: skip


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [(8, Outcome.PASSED), (40, Outcome.UNPROVEN), (2, Outcome.FAILED)],
)
def test_readings_alone_contradict_no_claim_of_more(claimed: int, expected: Outcome) -> None:
    state = job("state.json", "hf-trainer-state", steps=9, elapsed=3500.0)
    jobs = (state, job("gpu.csv", **READINGS))
    assert outcome(TrainingClaims(), *jobs, **{"gpu-hours": claimed}) is expected


@pytest.mark.parametrize(("idle", "expected"), [(4, Outcome.PASSED), (None, Outcome.FAILED)])
def test_neighbours_that_stand_idle_are_not_used(idle: int | None, expected: Outcome) -> None:
    given = account("a.txt", gpus=4, elapsed=3600.0, gpu_hours=4.0, ended="2025-03-01T11:00:00")
    jobs = (given, job("gpu.csv", **READINGS, idle=idle, max_utilisation=90.0))
    assert outcome(NumbersPossible(), *jobs) is expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"elapsed": 0.0, "gpu_hours": 0.0}, "little of the job"), ({"idle": 8}, "never did"),
     ({"idle": 2}, "never did"), ({}, "")],
)  # fmt: skip
def test_readings_that_show_little_are_told(changes: dict[str, Any], words: str) -> None:
    monitor = job("gpu.csv", **{**READINGS, "elapsed": 7000.0, **changes})
    told = [r.message for r in results(JobDescribed(), account("a.txt"), monitor)
            if "readings" in r.about]  # fmt: skip
    assert [words in m for m in told] == ([True] if words else [])


def test_a_node_may_be_watched_by_one_file_after_another() -> None:
    own = tuple(f"GPU-{n:08x}" for n in range(8))
    files = [job(f"{n}.csv", **READINGS, devices=own) for n in range(2)]
    found = results(JobDescribed(), account("a.txt"), *files)
    assert not [r for r in found if "readings" in r.about]


def test_tasks_that_never_began_did_not_end_badly() -> None:
    done = account("a.txt", steps=5, max_steps=5)
    never = account("a.txt#2", state="CANCELLED by 7", started=None, ended=None, elapsed=0.0,
                    gpu_hours=0.0)  # fmt: skip
    assert outcome(JobFinished(), done, never) is Outcome.PASSED
    assert outcome(JobFinished(), never) is not Outcome.PASSED


def test_a_completed_job_with_a_failed_step_did_not_end_well() -> None:
    state = "COMPLETED with a step FAILED (31.0)"
    assert outcome(JobFinished(), account("a.txt", state=state)) is Outcome.FAILED


def configured(
    claim: str, value: object, *settings: tuple[str, str], logs: tuple[GpuJob, ...] = ()
) -> Outcome:
    values = tuple(ConfigValue(name=n, value=v) for n, v in settings)
    config = TrainingConfig(id="c", source="train.yaml", trust=Trust.SELF_REPORTED, values=values)
    made = TrainingClaim(id="t", source="release.yaml", name=claim, value=str(value))
    (result,) = TrainingClaims().run(link(Subject(name="m"), (made,), (config, *logs)), NoParams())
    return result.outcome


@pytest.mark.parametrize(
    ("claim", "setting"),
    [("world-size", "world_size"), ("world_size", "trainer.world_size"),
     ("world-size", "num_processes"), ("sequence-length", "max_seq_length"),
     ("Sequence Length", "data.seq_length"), ("sequence-length", "max_length"),
     ("global-batch-size", "global_batch_size"), ("seed", "seed_everything"),
     ("warmup-steps", "optim.warmup_steps"), ("batch-size", "per_device_train_batch_size")],
)  # fmt: skip
def test_a_claim_is_found_in_the_configuration(claim: str, setting: str) -> None:
    assert configured(claim, 16, ("lr", "0.1"), (setting, "16")) is Outcome.PASSED
    assert configured(claim, 16, (setting, "8")) is Outcome.FAILED


@pytest.mark.parametrize(
    ("claim", "setting"),
    [("world-size", "num_gpus"), ("world-size", "data.num_processes"), ("seed", "data_seed"),
     ("sequence-length", "generation.max_length"), ("global-batch-size", "total_batch_size")],
)  # fmt: skip
def test_settings_of_something_else_contradict_no_claim(claim: str, setting: str) -> None:
    assert configured(claim, 16, (setting, "8")) is Outcome.UNPROVEN


@pytest.mark.parametrize(
    ("claim", "setting", "field"),
    [("world-size", "num_processes", "world_size"),
     ("sequence-length", "max_seq_length", "sequence_length"),
     ("global-batch-size", "global_batch_size", "global_batch_size")],
)  # fmt: skip
def test_a_launcher_may_set_what_the_configuration_says(
    claim: str, setting: str, field: str
) -> None:
    """As in OLMoE's jobs, of 8 configured processes and 32 that ran."""
    log = job("a.log", "text-log", None, **{field: 32})
    assert configured(claim, 32, (setting, "8"), logs=(log,)) is Outcome.PASSED
    assert configured(claim, 8, (setting, "8"), logs=(log,)) is Outcome.FAILED


@pytest.mark.parametrize(
    ("known", "claimed", "expected"),
    [(114_688_000, "110M", Outcome.PASSED), (114_688_000, "115M", Outcome.PASSED),
     (114_688_000, "114.6M", Outcome.PASSED), (114_688_000, "114688000", Outcome.PASSED),
     (114_688_000, "0.11B", Outcome.PASSED), (114_688_000, "100M", Outcome.FAILED),
     (114_688_000, "120M", Outcome.FAILED), (114_688_000, "0.1B", Outcome.FAILED),
     (114_688_000, "110000000", Outcome.FAILED), (114_688_000, "119M", Outcome.FAILED),
     (114_688_000, "229M", Outcome.FAILED), (1_960_000_000, "1.9B", Outcome.PASSED)],
)  # fmt: skip
def test_tokens_may_be_rounded_to_the_digits_that_are_written(
    known: int, claimed: str, expected: Outcome
) -> None:
    state = job("state.json", "hf-trainer-state", steps=9, tokens=known)
    assert outcome(TrainingClaims(), state, tokens=claimed) is expected


@pytest.mark.parametrize(
    ("known", "claimed", "expected"),
    [(0.00778, "0.008", Outcome.PASSED), (0.0778, "0.08", Outcome.PASSED),
     (0.0778, "0.07", Outcome.FAILED), (16, "17", Outcome.FAILED), (16.4, "16", Outcome.PASSED),
     (16, "1.6K", Outcome.FAILED), (1640, "1.6K", Outcome.PASSED), (16, "10", Outcome.FAILED)],
)  # fmt: skip
def test_gpu_hours_may_be_rounded_too(known: float, claimed: str, expected: Outcome) -> None:
    given = account("a.txt", gpu_hours=known, elapsed=None, gpus=None)
    assert outcome(TrainingClaims(), given, **{"gpu-hours": claimed}) is expected


@pytest.mark.parametrize("length", [60.0, 7200.0])
def test_a_node_is_watched_during_its_own_run(length: float) -> None:
    first = account("a.txt", number="31", started="2025-03-01T06:00:00",
                    ended="2025-03-01T06:10:00", elapsed=600.0)  # fmt: skip
    second = account("b.txt", number="32")
    joined = [j.model_copy(update={"job_id": "31"}) for j in (first, second)]
    early = job("n1.csv", "gpu-monitor", gpus=8, elapsed=min(length, 590.0), devices=("a",),
                started="2025-03-01T06:00:05", ended="2025-03-01T06:09:55")  # fmt: skip
    late = job("n2.csv", "gpu-monitor", gpus=8, elapsed=length, devices=("b",),
               started="2025-03-01T10:00:05", ended="2025-03-01T11:59:55")  # fmt: skip
    told = [r for r in results(JobDescribed(), *joined, early, late) if "readings" in r.about]
    assert len(told) == (2 if length == 60 else 0)


@pytest.mark.parametrize(("share", "expected"), [(0.95, False), (0.1, True)])
def test_a_requeued_job_is_watched_in_all_of_its_runs(share: float, expected: bool) -> None:
    given = account("a.txt", restarts=1, nodes=2, elapsed=600.0 + 1800.0)
    files = [
        job(f"{node}.csv", "gpu-monitor", gpus=4, elapsed=share * length, devices=(node,))
        for node, length in (("n1", 600.0), ("n2", 600.0), ("n3", 1800.0), ("n4", 1800.0))
    ]
    found = results(JobDescribed(), given, *files)
    assert any("readings" in r.about for r in found) is expected
