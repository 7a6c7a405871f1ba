"""What a run is told from outside becomes a review once, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_flow.approval import Answer, Asked, Entry, History, decide, decided_on, standing, take
from audit_flow.errors import ApprovalError, StaleDecision
from audit_flow.model import Decision, Verdict, content_digest
from tests.attestation.desk import SIGNER
from tests.report import builders

PASSED = builders.passed().verdict
RECORD = PASSED.record_sha256


def answer(decision: Decision = "approve", **changes: str) -> Answer:
    known = {"reviewer": "Ada", "reason": "read it", "record_sha256": RECORD}
    return Answer.model_validate({"decision": decision, **known, **changes})


def kept_by_the_dashboard(history: History, verdict: Verdict, decision: Decision) -> Entry:
    seen = standing(history.read(), decided_on(verdict)).seen
    asked = Asked(decision=decision, reason="read it", decided=decided_on(verdict), seen=seen)
    return decide(asked, "Ada", verdict, history)


def test_an_answer_is_kept_once_however_often_the_run_is_interrupted(tmp_path: Path) -> None:
    history = History(tmp_path)
    first = take(answer(), PASSED, history, signer=SIGNER)
    again = take(answer(), PASSED, history, signer=SIGNER)
    assert first == again
    assert history.read() == (first,)
    assert first.bundle is not None
    assert standing(history.read(), decided_on(PASSED)).state == "approved"


@given(st.text("0123456789abcdef", min_size=64, max_size=64))
def test_an_answer_about_another_record_is_refused(digest: str) -> None:
    history = History(Path("/nonexistent/never/written"))
    if digest != RECORD:
        with pytest.raises(StaleDecision, match=digest):
            take(answer(record_sha256=digest), PASSED, history)


def test_a_refusal_outweighs_an_answer_that_comes_later(tmp_path: Path) -> None:
    history = History(tmp_path)
    take(answer("refuse"), PASSED, history)
    take(answer(reviewer="Bob"), PASSED, history)
    assert standing(history.read(), decided_on(PASSED)).state == "refused"


def test_a_change_of_mind_and_back_is_kept_each_time(tmp_path: Path) -> None:
    history = History(tmp_path)
    wanted: tuple[Decision, ...] = ("approve", "refuse", "approve")
    for decision in wanted:
        take(answer(decision), PASSED, history)
    assert [e.review.decision for e in history.read()] == list(wanted)


def test_a_review_that_was_kept_before_is_found_by_its_digest(tmp_path: Path) -> None:
    history = History(tmp_path)
    kept = kept_by_the_dashboard(history, PASSED, "approve")
    assert take(answer(review_sha256=kept.sha256), PASSED, history) == kept
    assert len(history.read()) == 1


@pytest.mark.parametrize(
    "changes", [{"reviewer": "Eve"}, {"reason": "another"}, {"review_sha256": "0" * 64}]
)
def test_a_review_that_says_something_else_than_its_answer_is_refused(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    history = History(tmp_path)
    kept = kept_by_the_dashboard(history, PASSED, "approve")
    given = {"review_sha256": kept.sha256, **changes}
    with pytest.raises(ApprovalError):
        take(answer("approve", **given), PASSED, history)


def test_a_review_of_an_older_verdict_on_the_same_record_opens_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    older = PASSED.model_copy(update={"policy_sha256": "1" * 64})
    kept = kept_by_the_dashboard(history, older, "approve")
    assert content_digest(older) != content_digest(PASSED)
    with pytest.raises(ApprovalError):
        take(answer(review_sha256=kept.sha256), PASSED, history)
    assert standing(history.read(), decided_on(PASSED)).state == "open"


@pytest.mark.parametrize("audit", [builders.failed, builders.inconclusive])
def test_what_did_not_pass_can_not_be_approved(tmp_path: Path, audit: object) -> None:
    verdict = audit().verdict  # type: ignore[operator]
    with pytest.raises(ApprovalError):
        take(answer(record_sha256=verdict.record_sha256), verdict, History(tmp_path))
    assert History(tmp_path).read() == ()
