"""A decision holds for the digests that it names and for no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.approval import History, decide, standing
from audit_flow.approval.decide import decided_on
from audit_flow.errors import ApprovalError, StaleDecision
from audit_flow.model import Decided
from tests.approval.cases import asked, kept, other, verdict
from tests.store.releases import Answer


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.mark.parametrize("field", list(Decided.model_fields))
@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_a_decision_on_another_digest_is_refused(
    history: History, field: str, decision: str
) -> None:
    now = verdict()
    stale = asked(now, decision=decision, decided=other(decided_on(now), field))
    with pytest.raises(StaleDecision):
        decide(stale, "ana", now, history)
    assert history.read() == ()


@pytest.mark.parametrize("field", list(Decided.model_fields))
def test_a_newer_audit_makes_a_decision_stale(history: History, field: str) -> None:
    now = verdict()
    with pytest.raises(StaleDecision):
        decide(asked(now), "ana", now, history, newest=other(decided_on(now), field))
    assert history.read() == ()


def test_a_newer_audit_of_the_same_digests_changes_nothing(history: History) -> None:
    now = verdict()
    entry = decide(asked(now), "ana", now, history, newest=decided_on(now))
    assert entry.review.decided == decided_on(now)


@pytest.mark.parametrize("outcome", ["FAILED", "INCONCLUSIVE"])
def test_only_passed_can_be_approved(history: History, outcome: Answer) -> None:
    now = verdict(outcome)
    with pytest.raises(ApprovalError, match=outcome):
        kept(history, now)
    assert kept(history, now, decision="refuse").review.decision == "refuse"


def test_whoever_was_overtaken_looks_again(history: History) -> None:
    now = verdict()
    first = kept(history, now, "ana")
    with pytest.raises(StaleDecision):
        kept(history, now, "eva", decision="refuse")
    assert kept(history, now, "eva", decision="refuse", seen=first.sha256).number == 2


def test_reviews_of_other_releases_overtake_nobody(history: History) -> None:
    kept(history, verdict(name="one"))
    assert kept(history, verdict(name="two")).number == 2


def test_one_refusal_outweighs_approvals_until_it_is_taken_back(history: History) -> None:
    now = verdict()
    decided = decided_on(now)

    def state() -> str:
        return standing(history.read(), decided).state

    assert state() == "open"
    seen = kept(history, now, "ana").sha256
    assert state() == "approved"
    seen = kept(history, now, "eva", decision="refuse", seen=seen).sha256
    seen = kept(history, now, "bo", seen=seen).sha256
    assert state() == "refused"
    kept(history, now, "eva", decision="approve", seen=seen)
    assert state() == "approved"


@pytest.mark.parametrize("reason", ["", "  ", "x", "y" * 10_001])
def test_a_reason_is_needed(history: History, reason: str) -> None:
    with pytest.raises(ApprovalError):
        kept(history, verdict(), reason=reason)
    assert history.read() == ()
