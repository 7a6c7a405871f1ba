"""What a run ends in: only PASSED lets anything go on, and no release writes its own message."""

from __future__ import annotations

import pytest
from hypothesis import given
from prefect.client.schemas.objects import StateType

from audit_flow.errors import InputError
from flows.runner import task_runner
from flows.shown import _rows
from flows.states import end_state
from tests.report import builders
from tests.report.hostile import UNSAFE, any_text, audit_named


@pytest.mark.parametrize(
    ("audit", "kind", "name"),
    [
        ("passed", StateType.COMPLETED, "Completed"),
        ("failed", StateType.FAILED, "Blocked"),
        ("inconclusive", StateType.FAILED, "Held"),
    ],
)
def test_only_passed_completes(audit: str, kind: StateType, name: str) -> None:
    verdict = builders.ALL[audit]().verdict
    state = end_state(verdict, "MLflow run 1")
    assert (state.type, state.name) == (kind, name)
    assert verdict.subject.name in str(state.message)
    blocking = [f.rule for f in verdict.findings if f.blocks]
    assert all(rule in str(state.message) for rule in blocking[:5])


@given(any_text)
def test_hostile_names_stay_text(text: str) -> None:
    verdict = audit_named(text).verdict
    message = str(end_state(verdict).message)
    assert message.startswith("FAILED")
    assert not UNSAFE.search(message)
    cells = [cell for row in _rows(verdict) for cell in row.values()]
    assert not any(UNSAFE.search(cell) for cell in cells)


@pytest.mark.parametrize("named", ["thread", "threads:8", "dusk", "dask2", "process"])
def test_an_unknown_task_runner_is_told(named: str) -> None:
    with pytest.raises(InputError, match="threads, dask"):
        task_runner(named)
