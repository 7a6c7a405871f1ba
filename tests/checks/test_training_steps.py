"""What a log's last step says of a claim, a plan and another log."""

from __future__ import annotations

from typing import Any

import pytest

from audit_flow.checks.interface import NoParams
from audit_flow.checks.training import JobFinished, TrainingClaims
from audit_flow.checks.training_numbers import NumbersPossible
from audit_flow.linking import link
from audit_flow.model import (
    ConfigValue,
    GpuJob,
    Outcome,
    Subject,
    TrainingClaim,
    TrainingConfig,
    Trust,
)
from tests.checks.test_training_accounts import job, outcome

PASSED, FAILED, UNPROVEN = Outcome.PASSED, Outcome.FAILED, Outcome.UNPROVEN


def log(source: str, steps: int, every: int | None = None, **facts: Any) -> GpuJob:
    return job(source, "text-log", steps=steps, step_interval=every, **facts)


@pytest.mark.parametrize(
    ("last", "every", "claimed", "expected"),
    [
        (1000, None, 1000, PASSED), (999, None, 1000, FAILED), (1000, None, 999, FAILED),
        (999, 50, 1000, PASSED), (990, 10, 1000, PASSED), (950, 50, 1000, PASSED),
        (900, 50, 1000, FAILED), (1000, 50, 999, FAILED), (999, 1, 1000, PASSED),
        (9, 1, 1000, FAILED),
    ],
)  # fmt: skip
def test_a_last_logged_step_contradicts_a_claim_beyond_its_interval(
    last: int, every: int | None, claimed: int, expected: Outcome
) -> None:
    assert outcome(TrainingClaims(), log("a.log", last, every), steps=claimed) is expected
    exact = log("trainer_state.json", claimed)
    assert outcome(NumbersPossible(), log("a.log", last, every), exact) is expected


@pytest.mark.parametrize(
    ("logged", "claimed", "expected"),
    [(800, 800, PASSED), (800, 1000, FAILED), (1000, 1000, PASSED), (None, 1000, PASSED),
     (None, 1200, FAILED), (1200, 1200, FAILED), (None, 800, FAILED)],
)  # fmt: skip
def test_a_plan_of_more_steps_is_no_contradiction_where_a_log_says_how_many(
    logged: int | None, claimed: int, expected: Outcome
) -> None:
    config = TrainingConfig(
        id="config:train.yaml", source="train.yaml", trust=Trust.SELF_REPORTED,
        values=(ConfigValue(name="max_steps", value="1000"),),
    )  # fmt: skip
    claim = TrainingClaim(id="t", source="release.yaml", name="steps", value=str(claimed))
    logs = () if logged is None else (log("a.log", logged),)
    record = link(Subject(name="m"), (claim,), (config, *logs))
    (result,) = TrainingClaims().run(record, NoParams())
    # Without a ledger nobody knows which record is of the final job.
    assert result.outcome is expected or (logged == 1200 and result.outcome is UNPROVEN)


def test_the_last_step_of_a_plan_may_not_be_logged() -> None:
    assert outcome(JobFinished(), log("a.log", 990, 10, max_steps=1000)) is PASSED
    assert outcome(JobFinished(), log("a.log", 990, None, max_steps=1000)) is FAILED


def test_a_row_that_falls_back_hides_no_other_final_step() -> None:
    other = log("trainer_state.json", 1000)
    for again in (None, 1):
        assert outcome(NumbersPossible(), log("a.log", 2000, 50, restarts=again), other) is FAILED
        assert outcome(NumbersPossible(), log("a.log", 1000, 50, restarts=again), other) is PASSED


def test_logs_of_earlier_starts_end_earlier_and_never_later() -> None:
    last = log("b.log", 1000, started="2025-01-02T00:00:00", ended="2025-01-02T06:00:00")
    first = log("a.log", 500, started="2025-01-01T00:00:00", ended="2025-01-01T06:00:00")
    assert outcome(NumbersPossible(), first, last) is PASSED
    beyond = first.model_copy(update={"steps": 1500})
    assert outcome(NumbersPossible(), beyond, last) is FAILED
    beside = first.model_copy(update={"ended": "2025-01-02T03:00:00"})
    assert outcome(NumbersPossible(), beside, last) is FAILED
    assert outcome(NumbersPossible(), log("a.log", 500, state="FAILED: out of memory"),
                   last) is PASSED  # fmt: skip
