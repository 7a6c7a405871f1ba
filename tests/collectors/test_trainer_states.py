"""A trainer's state is held against the history in it; honest ones of every kind are sound."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.readers import detect
from audit_flow.model import GpuJob
from audit_flow.sources.folder import Folder

State = dict[str, Any]


def state(seed: int, *, done: float = 1.0, digits: int = 4, every: int | None = None) -> State:
    """Write what the Trainer writes at the end of a run, also of one that stopped early."""
    rng = random.Random(seed)
    of_epoch, epochs = rng.randrange(60, 900), rng.randrange(2, 6)
    planned = of_epoch * epochs
    steps, logging = int(planned * done), every or rng.choice([10, 25, 50])
    rows: list[State] = [
        {"step": s, "epoch": round(s / of_epoch, digits), "loss": 3 - s / planned}
        for s in range(logging, steps + 1, logging)
    ]
    runtime = rng.uniform(50, 90_000)
    rows.append({
        "step": steps, "epoch": round(steps / of_epoch, digits), "train_runtime": runtime,
        "train_steps_per_second": round(planned / runtime, 3), "total_flos": 1e15 * steps,
    })  # fmt: skip
    return {
        "epoch": steps / of_epoch, "global_step": steps, "max_steps": planned,
        "logging_steps": logging, "num_train_epochs": epochs, "total_flos": 1e15 * steps,
        "log_history": rows,
    }  # fmt: skip


def impossible(root: Path, data: State) -> str | None:
    (root / "trainer_state.json").write_text(json.dumps(data))
    source = SourceFile(Folder.at(root), "trainer_state.json")
    (job,) = detect(source, "job-log").read(source)
    assert isinstance(job, GpuJob)
    assert job.step_interval is None
    return job.impossible


def checkpoint(data: State) -> State:
    """A state that was saved within the run has no summary, and its last row is a while ago."""
    steps = data["global_step"] - data["logging_steps"] // 2
    rows = [r for r in data["log_history"] if r["step"] <= steps and "loss" in r]
    return {**data, "global_step": steps, "epoch": data["epoch"] * steps / data["global_step"],
            "log_history": rows}  # fmt: skip


def older(data: State) -> State:
    return {k: v for k, v in data.items() if k != "logging_steps"}


def resumed(data: State) -> State:
    """The summary's run time is that of the last start alone, and its rate as well."""
    last = data["log_history"][-1]
    runtime = last["train_runtime"] / 3
    rate = round(data["max_steps"] / runtime, 3)
    rows = [*data["log_history"][:-1],
            {**last, "train_runtime": runtime, "train_steps_per_second": rate}]  # fmt: skip
    return {**data, "log_history": rows}


def evaluated_last(data: State) -> State:
    row = {"step": data["global_step"], "epoch": data["epoch"], "eval_loss": 1.0}
    return {**data, "log_history": [*data["log_history"], row]}


HONEST: tuple[Callable[[State], State], ...] = (dict, checkpoint, older, resumed, evaluated_last)


@pytest.mark.parametrize("kind", HONEST)
@pytest.mark.parametrize("done", [1.0, 0.62])
@pytest.mark.parametrize("digits", [2, 12])
@pytest.mark.parametrize("seed", range(4))
def test_an_honest_state_is_sound(
    kind: Callable[[State], State], done: float, digits: int, seed: int, tmp_path: Path
) -> None:
    assert impossible(tmp_path, kind(state(seed, done=done, digits=digits))) is None


def test_rows_of_epochs_may_be_further_apart_than_logging_steps(tmp_path: Path) -> None:
    data = {**state(1, every=700), "logging_steps": 500}
    rows = [{"step": s, "epoch": s / 700, "loss": 1.0} for s in (700, 1400, 2100)]
    data |= {"log_history": rows, "global_step": 2700, "epoch": 2700 / 700, "max_steps": 2800}
    assert impossible(tmp_path, data) is None


def test_a_first_step_that_is_logged_makes_no_interval(tmp_path: Path) -> None:
    data = older(checkpoint(state(2)))
    data["log_history"] = [{"step": 1, "epoch": 0.001, "loss": 9.0}, *data["log_history"]]
    assert impossible(tmp_path, data) is None


def doubled(data: State) -> None:
    data |= {"global_step": 2 * data["global_step"], "max_steps": 2 * data["max_steps"]}


def doubled_with_its_summary(data: State) -> None:
    doubled(data)
    data["epoch"] *= 2
    data["log_history"][-1] |= {"step": data["global_step"], "epoch": data["epoch"]}


def cut(data: State) -> None:
    rows = [r for r in data["log_history"] if "loss" in r]
    data["log_history"] = rows[: len(rows) // 2]


def halved(data: State) -> None:
    data |= {"global_step": data["global_step"] // 2, "epoch": data["epoch"] / 2}


def other_epochs(data: State) -> None:
    data["epoch"] *= 1.5


def faster(data: State) -> None:
    data["log_history"][-1]["train_steps_per_second"] *= 2


def shorter(data: State) -> None:
    data["log_history"][-1]["train_runtime"] /= 10


def other_operations(data: State) -> None:
    data["total_flos"] *= 2


LIES: tuple[Callable[[State], None], ...] = (
    doubled, doubled_with_its_summary, cut, halved, other_epochs, faster, shorter, other_operations,
)  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("seed", range(4))
def test_a_state_that_contradicts_its_history_is_told(
    lie: Callable[[State], None], seed: int, tmp_path: Path
) -> None:
    data = state(seed)
    lie(data)
    assert impossible(tmp_path, data)
