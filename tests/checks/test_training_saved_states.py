"""A state that a trainer saved on the way tells nothing more than its last; another job's does."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from audit_flow.checks.training import TrainingClaims
from audit_flow.checks.training_numbers import NumbersPossible
from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.trainer_state import TrainerState
from audit_flow.linking import job_groups, link
from audit_flow.model import GpuJob, Outcome, Subject
from audit_flow.sources.folder import Folder
from tests.checks.test_training_accounts import outcome

Saved = dict[str, Any]


def run(seed: int) -> Saved:
    """A state as it is after the last step."""
    rng = random.Random(seed)
    every, rows = rng.choice([1, 7, 50]), rng.randrange(4, 60)
    steps = every * rows
    history: list[Saved] = [
        {"step": s, "epoch": round(3 * s / steps, 4), "loss": rng.uniform(1, 4), "lr": 1e-4 / s}
        for s in range(every, steps + 1, every)
    ]
    history.append({"step": steps, "epoch": 3.0, "train_runtime": 900.5})
    return {
        "global_step": steps, "max_steps": steps, "num_train_epochs": 3, "epoch": 3.0,
        "logging_steps": every, "train_batch_size": 8, "num_input_tokens_seen": steps * 4096,
        "total_flos": steps * 1e12, "log_history": history,
    }  # fmt: skip


def saved_at(state: Saved, share: float) -> Saved:
    """The state of the same run at a share of its steps."""
    step = int(share * state["global_step"])
    done = step / state["global_step"]
    return state | {
        "global_step": step, "epoch": 3 * done, "num_input_tokens_seen": step * 4096,
        "total_flos": step * 1e12,
        "log_history": [r for r in state["log_history"] if r["step"] <= step],
    }  # fmt: skip


def read(tmp_path: Path, *states: Saved) -> list[GpuJob]:
    """Return what is read of states, as logs of one job."""
    jobs = []
    for number, state in enumerate(states):
        name = f"c{number}/trainer_state.json"
        (tmp_path / f"c{number}").mkdir()
        (tmp_path / name).write_text(json.dumps(state, indent=number))
        (job,) = TrainerState().read(SourceFile(Folder.at(tmp_path), name))
        assert isinstance(job, GpuJob)
        jobs.append(job.model_copy(update={"job_id": "31"}))
    return jobs


def judged(*jobs: GpuJob) -> set[Outcome]:
    last = max(j.steps or 0 for j in jobs)
    claims = outcome(TrainingClaims(), *jobs, steps=last, tokens=last * 4096)
    return {claims, outcome(NumbersPossible(), *jobs)}


@pytest.mark.parametrize("seed", range(12))
def test_states_of_checkpoints_count_for_nothing(seed: int, tmp_path: Path) -> None:
    final = run(seed)
    jobs = read(tmp_path, *(saved_at(final, s) for s in (0.3, 0.5, 0.9)), final)
    assert judged(*jobs) == {Outcome.PASSED}
    (group,) = job_groups(link(Subject(name="m"), (), tuple(jobs)))
    assert [j.steps for j in group.jobs] == [final["global_step"]]


CHANGES: dict[str, Saved] = {
    "another plan": {"max_steps": 99_999}, "another batch": {"train_batch_size": 16},
    "more tokens": {"num_input_tokens_seen": 10**12}, "no rows": {"log_history": []},
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("seed", range(3))
def test_a_state_of_other_settings_stays_told(name: str, seed: int, tmp_path: Path) -> None:
    final = run(seed)
    other = saved_at(final, 0.5) | CHANGES[name]
    assert judged(*read(tmp_path, other, final)) != {Outcome.PASSED}


@pytest.mark.parametrize("row", [0, -1])
@pytest.mark.parametrize("seed", range(3))
def test_a_state_of_other_rows_stays_told(row: int, seed: int, tmp_path: Path) -> None:
    final = run(seed)
    other = json.loads(json.dumps(saved_at(final, 0.5)))
    other["log_history"][row]["loss"] += 0.01
    assert judged(*read(tmp_path, other, final)) != {Outcome.PASSED}
