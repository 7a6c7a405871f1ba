"""What a run waits for: an answer to this very verdict, found again for no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from audit_flow.model import Verdict
from flows import reviewing
from flows.reviewing import Approval
from flows.values import Audited
from tests.report import builders

PASSED = builders.passed()
ANSWER = {
    "decision": "approve",
    "reviewer": "Ada",
    "reason": "read it",
    "record_sha256": PASSED.record.sha256,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what Prefect is asked, as it is asked."""
    seen: dict[str, Any] = {}

    def suspend(wait_for_input: Any, timeout: int, key: str) -> Any:
        seen.update(wanted=wait_for_input, timeout=timeout, key=key)
        return SimpleNamespace(**ANSWER, review_sha256=None)

    monkeypatch.setattr(reviewing, "suspend_flow_run", suspend)
    monkeypatch.setattr(reviewing, "_tag", lambda tag: None)
    monkeypatch.setattr(reviewing, "tell", lambda *a, **k: None)
    return seen


def key_for(asked: dict[str, Any], **changes: Any) -> str:
    verdict: Verdict = PASSED.verdict.model_copy(update=changes)
    reviewing._ask(Audited(record=PASSED.record, verdict=verdict), 60)
    return str(asked["key"])


def test_an_answer_is_found_again_for_the_same_verdict_alone(asked: dict[str, Any]) -> None:
    first = key_for(asked)
    assert key_for(asked) == first
    assert PASSED.verdict.record_sha256 in asked["wanted"]._description
    others = [
        key_for(asked, policy_sha256="1" * 64),
        key_for(asked, record_sha256="1" * 64),
        key_for(asked, findings=()),
    ]
    assert len({first, *others}) == 4


@pytest.mark.parametrize("left_out", sorted(ANSWER))
def test_no_answer_without_every_field(left_out: str) -> None:
    with pytest.raises(ValidationError):
        Approval.model_validate({k: v for k, v in ANSWER.items() if k != left_out})


@pytest.mark.parametrize(
    "changes",
    [
        {"decision": "yes"}, {"reviewer": ""}, {"reason": "ok"}, {"record_sha256": "latest"},
        {"approve": True},
    ],
)  # fmt: skip
def test_no_answer_with_another_word(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Approval.model_validate({**ANSWER, **changes})
