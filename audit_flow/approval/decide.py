"""Taking one decision: against the digests of now, beside what others decided meanwhile."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from audit_flow.approval.entry import Entry
from audit_flow.approval.history import History
from audit_flow.approval.standing import standing
from audit_flow.errors import ApprovalError, StaleDecision
from audit_flow.model import Decided, Decision, Frozen, Review, Verdict, content_digest

if TYPE_CHECKING:
    from audit_flow.signing import Signer


class Asked(Frozen):
    """What a reviewer sends: the decision, why, on which digests, and what he had seen.

    ``seen`` is the digest of the last review of these digests that he was shown, or ``none``.
    """

    decision: Decision
    reason: str
    decided: Decided
    seen: str


def decide(
    asked: Asked,
    reviewer: str,
    current: Verdict,
    history: History,
    *,
    newest: Decided | None = None,
    signer: Signer | None = None,
    now: dt.datetime | None = None,
) -> Entry:
    """Keep a reviewer's decision, or raise and keep nothing.

    ``current`` is the verdict as it was read back and proven just now; ``newest`` the digests of
    the release's newest audit, where there is another. Raises StaleDecision for digests that have
    changed and for a decision that another one overtook, ApprovalError for an approval of what has
    not PASSED.
    """
    # Step 1: the digests are those of the audit that is there now.
    of_now = decided_on(current)
    if asked.decided != of_now:
        raise _changed(asked.decided, of_now)
    # Step 2: no newer audit of the release has other digests.
    if newest is not None and newest != of_now:
        raise _changed(
            of_now, newest, "which has changed since: a newer audit has replaced this one"
        )
    # Step 3: only PASSED can be approved; an exception is a waiver, never a click.
    if asked.decision == "approve" and current.outcome != "PASSED":
        raise ApprovalError(
            f"an approval of a verdict that is {current.outcome}",
            expected="a verdict that is PASSED",
            remedy="Repair what the findings name and audit again, or write a waiver in the policy",
        )
    review = _review(asked, reviewer, current, now)

    # Step 4: under the history's lock, nobody has decided since the reviewer looked.
    def judge(entries: tuple[Entry, ...]) -> Review:
        found = standing(entries, of_now)
        if found.seen != asked.seen:
            about = [e.review.reviewer for e in entries if e.review.decided == of_now]
            who = "you yourself have" if about[-1:] == [reviewer] else "somebody else has"
            raise StaleDecision(
                f"{who} decided on these digests since the form was opened",
                expected="a decision by one who has seen all earlier ones",
                remedy="Read the new review, and decide again if there is more to say",
            )
        return review

    return history.append(judge, signer)


def decided_on(verdict: Verdict) -> Decided:
    """Return the digests that a decision on this verdict is about."""
    return Decided(
        record_sha256=verdict.record_sha256,
        verdict_sha256=content_digest(verdict),
        policy_sha256=verdict.policy_sha256,
        subject_sha256=verdict.subject.weights_sha256,
    )


def _review(asked: Asked, reviewer: str, current: Verdict, now: dt.datetime | None) -> Review:
    try:
        return Review(
            reviewer=reviewer,
            decision=asked.decision,
            reason=asked.reason,
            subject=current.subject.name[:1_000],
            decided=asked.decided,
            time=now or dt.datetime.now(dt.UTC),
        )
    except ValueError as error:
        raise ApprovalError(
            "a decision without a usable reason or reviewer",
            expected="a reason of 3 to 10,000 characters and a reviewer's name",
            remedy="Write why, in a sentence",
        ) from error


def _changed(was: Decided, now: Decided, why: str = "which has changed since") -> StaleDecision:
    pairs = (
        ("record", was.record_sha256, now.record_sha256),
        ("verdict", was.verdict_sha256, now.verdict_sha256),
        ("policy", was.policy_sha256, now.policy_sha256),
        ("weights", was.subject_sha256, now.subject_sha256),
    )
    name, old, new = next(p for p in pairs if p[1] != p[2])
    return StaleDecision(
        f"a decision on {name} {old or 'without digest'}, {why}",
        expected=f"the {name} of the newest audit, {new or 'without digest'}",
        remedy="Look at the newest audit of the release and decide on that one",
    )
