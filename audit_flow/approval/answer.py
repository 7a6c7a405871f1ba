"""An answer that came from outside, over an orchestrator: it becomes a review exactly once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from audit_flow.approval.decide import Asked, decide, decided_on
from audit_flow.approval.entry import Entry
from audit_flow.approval.history import History
from audit_flow.approval.standing import standing
from audit_flow.errors import ApprovalError, StaleDecision
from audit_flow.model import Decided, Decision, Frozen, Verdict
from audit_flow.model.base import Sha256Hex
from audit_flow.model.review import Reason, Reviewer

if TYPE_CHECKING:
    from audit_flow.signing import Signer


class Answer(Frozen):
    """What a waiting run is told: who decides what and why, on which record.

    ``review_sha256`` names the entry of the history where the decision was kept before the run was
    told of it; without one, the answer itself is the decision.
    """

    decision: Decision
    reviewer: Reviewer
    reason: Reason
    record_sha256: Sha256Hex
    review_sha256: Sha256Hex | None = None


def take(
    answer: Answer,
    current: Verdict,
    history: History,
    *,
    signer: Signer | None = None,
    now: dt.datetime | None = None,
) -> Entry:
    """Return the review that an answer stands for, kept in the history once however often asked.

    Raises StaleDecision for an answer about another record than that of ``current``, ApprovalError
    for a review that is not in the history or says something else.
    """
    of_now = decided_on(current)
    # Step 1: the answer is about the record that is there now.
    if answer.record_sha256 != of_now.record_sha256:
        raise StaleDecision(
            f"an answer about record {answer.record_sha256}",
            expected=f"one about the record that waits, {of_now.record_sha256}",
            remedy="Look at the audit of this run and decide on that one",
        )
    entries = history.read()
    # Step 2: a review that was kept before is looked up; its digest alone says nothing.
    if answer.review_sha256 is not None:
        return _named(answer, entries, of_now)
    # Step 3: a run that goes on after an interruption asks again; the word is kept already.
    kept = _last_word(answer, entries, of_now)
    if kept is not None:
        return kept
    # Step 4: the answer itself is the decision.
    asked = Asked(
        decision=answer.decision,
        reason=answer.reason,
        decided=of_now,
        seen=standing(entries, of_now).seen,
    )
    return decide(asked, answer.reviewer, current, history, signer=signer, now=now)


def _named(answer: Answer, entries: tuple[Entry, ...], of_now: Decided) -> Entry:
    found = next((e for e in entries if e.sha256 == answer.review_sha256), None)
    if found is None:
        raise ApprovalError(
            f"no review {answer.review_sha256} is kept",
            expected="a review of this history",
            remedy="Decide again, where the reviews of this store are kept",
        )
    if found.review.decided != of_now or not _says_the_same(found, answer):
        raise ApprovalError(
            f"review {answer.review_sha256} says something else than the answer that names it",
            expected="the same decision, reviewer, reason and digests",
            remedy="Decide again on the audit of this run",
        )
    return found


def _last_word(answer: Answer, entries: tuple[Entry, ...], of_now: Decided) -> Entry | None:
    mine = [
        e for e in entries if e.review.decided == of_now and e.review.reviewer == answer.reviewer
    ]
    return mine[-1] if mine and _says_the_same(mine[-1], answer) else None


def _says_the_same(entry: Entry, answer: Answer) -> bool:
    review = entry.review
    return (review.decision, review.reviewer, review.reason) == (
        answer.decision,
        answer.reviewer,
        answer.reason,
    )
