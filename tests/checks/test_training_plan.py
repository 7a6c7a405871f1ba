"""Figures of a state are held against the configuration, the data and the GPUs that were given."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import pytest

from audit_flow.checks.training_agreement import _resources
from audit_flow.checks.training_numbers import _planned_epochs, _planned_tokens, _processes
from audit_flow.linking import JobGroup
from audit_flow.model import (
    ConfigValue,
    DatasetDigest,
    GpuJob,
    PipelineStage,
    StageFile,
    TrainingConfig,
    Trust,
)
from tests.checks.test_training_accounts import account, job


@dataclass(frozen=True)
class Run:
    """An honest run of full sequences, in numbers; ``gpus`` share ``shared`` to a model."""

    steps: int
    each: int
    times: int
    gpus: int
    length: int
    rows: int
    shared: int = 1

    @property
    def batch(self) -> int:
        return self.each * self.times * self.gpus // self.shared


def drawn(seed: int, shared: int = 1) -> Run:
    rng = random.Random(seed)
    return Run(
        steps=rng.randrange(50, 9000), each=rng.choice([1, 2, 6, 32]),
        times=rng.choice([1, 2, 7, 16]), gpus=shared * rng.choice([1, 3, 8, 64]),
        length=rng.choice([128, 1000, 4096]), rows=rng.randrange(500, 90_000), shared=shared,
    )  # fmt: skip


def state(run: Run, **changes: Any) -> GpuJob:
    facts: dict[str, Any] = {
        "steps": run.steps, "batch_size": run.each, "tokens": run.steps * run.batch * run.length,
        "epochs": run.steps * run.batch / run.rows, "planned_epochs": 900.0,
    }  # fmt: skip
    return job("trainer_state.json", "hf-trainer-state", None, **{**facts, **changes})


def config(run: Run, **changes: Any) -> TrainingConfig:
    values = {
        "per_device_train_batch_size": run.each, "gradient_accumulation_steps": run.times,
        "max_seq_length": run.length, **changes,
    }  # fmt: skip
    kept = tuple(ConfigValue(name=n, value=str(v)) for n, v in values.items() if v is not None)
    return TrainingConfig(id="c", source="train.yaml", trust=Trust.SELF_REPORTED, values=kept)


def group(run: Run, log: GpuJob, settings: TrainingConfig, gpus: int | None = None) -> JobGroup:
    data = DatasetDigest(
        id="d", source="data/a.jsonl", trust=Trust.SELF_REPORTED, rows=run.rows,
        size=run.rows * run.length * 4,
    )  # fmt: skip
    stage = PipelineStage(
        id="s", source="dvc.lock", trust=Trust.SELF_REPORTED, name="train", command="sbatch run.sh",
        deps=(StageFile(path="data/a.jsonl"), StageFile(path="base/tokenizer.json")),
    )  # fmt: skip
    given = account("sacct.txt", gpus=run.gpus if gpus is None else gpus)
    return JobGroup((given, log), stage, (settings,), (data,), True)


def told(of: JobGroup) -> set[str]:
    found = [*_planned_tokens(of), *_planned_epochs(of), *_processes(of)]
    return {what for what, *_ in found}


@pytest.mark.parametrize("seed", range(20))
def test_an_honest_run_fits_its_plan(seed: int) -> None:
    run = drawn(seed)
    for world in (None, run.gpus):
        assert not told(group(run, state(run), config(run, world_size=world)))
    padded = state(run, tokens=run.steps * run.batch * run.length // 3)
    assert not told(group(run, padded, config(run)))


@pytest.mark.parametrize("shared", [2, 8])
@pytest.mark.parametrize("seed", range(5))
def test_processes_may_share_a_model(shared: int, seed: int) -> None:
    run = drawn(seed, shared)
    for named in ({"tensor_parallel_size": shared}, {"world_size": run.gpus, "tp": shared}):
        assert not told(group(run, state(run), config(run, **named)))


@pytest.mark.parametrize("seed", range(10))
def test_more_tokens_than_full_sequences_are_told(seed: int) -> None:
    run = drawn(seed)
    for factor in (1.1, 2, 30):
        more = state(run, tokens=int(run.steps * run.batch * run.length * factor))
        assert told(group(run, more, config(run))) == {"tokens"}
        assert told(group(run, more, config(run, world_size=run.gpus))) == {"tokens"}
        assert not told(group(run, more, config(run, gradient_accumulation_steps=None)))
    half = config(run, max_seq_length=run.length // 2)
    assert "tokens" in told(group(run, state(run), half))


def test_what_the_command_sets_comes_beside_the_configuration() -> None:
    run = drawn(3)
    more = state(run, tokens=4 * run.steps * run.batch * run.length)
    of = group(run, more, config(run))
    assert of.stage is not None
    for option in ("--gradient_accumulation_steps {}", "trainer.gradient_accumulation_steps={}"):
        command = f"torchrun train.py {option.format(4 * run.times)} --bf16"
        stage = of.stage.model_copy(update={"command": command})
        assert not told(replace(of, stage=stage))
    for name in ("dpo", "grpo"):
        stage = of.stage.model_copy(update={"name": name})
        assert not told(replace(of, stage=stage))


@pytest.mark.parametrize("seed", range(10))
def test_fewer_epochs_than_the_rows_make_are_told(seed: int) -> None:
    run = replace(drawn(seed), rows=600)
    run = replace(run, steps=50 + 100 * run.rows // run.batch)
    few = state(run, epochs=run.steps * run.batch / run.rows / 50)
    settings = config(run, world_size=run.gpus)
    assert told(group(run, few, settings)) == {"epochs"}
    # A stream has no epochs, upsampled rows count more than once, and an unnamed file is unknown.
    assert not told(group(run, few.model_copy(update={"planned_epochs": None}), settings))
    assert not told(group(run, few, config(run, world_size=run.gpus, dataset_repeats=50)))
    of = group(run, few, settings)
    assert of.stage is not None
    more = (*of.stage.deps, StageFile(path="data/b.jsonl"))
    assert not told(replace(of, stage=of.stage.model_copy(update={"deps": more})))
    # Long rows are cut into pieces: then the data is as long as all of them.
    (data,) = of.datasets
    long = data.model_copy(update={"size": run.rows * run.length * 60})
    assert not told(replace(of, datasets=(long,)))


@pytest.mark.parametrize("seed", range(10))
def test_more_processes_than_gpus_are_told(seed: int) -> None:
    run = drawn(seed)
    for name in ("world_size", "trainer.world_size", "ddp_world_size"):
        many = config(run, **{name: 4 * run.gpus})
        assert told(group(run, state(run), many)) >= {"processes"}
        few = config(run, **{name: max(1, run.gpus // 2)})
        assert "processes" not in told(group(run, state(run), few))
    unsure = config(run, num_processes=4 * run.gpus)
    of = group(run, state(run), unsure)
    assert not told(of)
    assert [same for *_, same in _resources(of)] == [False]
    again = account("sacct.txt", gpus=run.gpus, restarts=1)
    many = config(run, world_size=4 * run.gpus)
    assert not list(_processes(replace(of, jobs=(again, state(run)), configs=(many,))))


@pytest.mark.parametrize(("factor", "expected"), [(1, True), (0.5, True), (2, False)])
def test_a_configured_batch_is_held_against_its_parts(factor: float, expected: bool) -> None:
    run = replace(drawn(5), each=4, times=2)
    stated = config(run, global_batch_size=int(run.batch * factor))
    assert [same for *_, same in _resources(group(run, state(run), stated))] == [expected]
    in_tokens = config(run, total_batch_size=run.batch * run.length)
    assert [same for *_, same in _resources(group(run, state(run), in_tokens))] == [True]


@pytest.mark.parametrize(("model", "expected"), [("mi250x", set()), ("h100", {"processes"})])
def test_a_card_of_two_dies_has_two_processes(model: str, expected: set[str]) -> None:
    run = drawn(3)
    given = account("sacct.txt", gpus=run.gpus, gpu_model=model)
    twice = config(run, world_size=2 * run.gpus)
    of = replace(group(run, state(run), twice), jobs=(given, state(run)))
    assert {what for what, *_ in _processes(of)} == expected
