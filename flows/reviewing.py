"""Waiting for a person: the run is suspended until a review of these very digests is there.

Prefect only carries the answer. What counts is the review that is kept beside the record: one that
the dashboard has kept before the run began to wait is found, and a state that somebody sets by hand
approves nothing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from prefect import get_client
from prefect.context import get_run_context
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from audit_flow.approval import Answer, decided_on, standing
from audit_flow.approval.waiting import TAG
from audit_flow.errors import ApprovalError
from audit_flow.model import Verdict, content_digest
from audit_flow.store.note import summary
from flows.states import tell
from flows.tasks import review_task, reviews_of
from flows.values import Audited, Job, Signing

_SHA256 = r"^[0-9a-f]{64}$"


class Approval(RunInput):
    """What a reviewer answers; every field but the last has to be filled in.

    ``record_sha256`` is the record he has read: an answer about another one is refused.
    """

    decision: Literal["approve", "refuse"]
    reviewer: Annotated[str, Field(min_length=2, max_length=200)]
    reason: Annotated[str, Field(min_length=3, max_length=10_000)]
    record_sha256: Annotated[str, Field(pattern=_SHA256)]
    review_sha256: Annotated[str, Field(pattern=_SHA256)] | None = None


def approved(job: Job, audited: Audited, signing: Signing, seconds: int) -> str:
    """Return who approved and why; suspends the run where nobody has decided yet.

    Raises ApprovalError for a refusal, for an answer about other digests, and for an approval that
    the history of reviews does not hold.
    """
    verdict = audited.verdict
    if _standing(job, verdict) == "open":
        answer = _ask(audited, seconds)
        review_task(job, answer, verdict, signing)
    return _require(job, verdict)


def _standing(job: Job, verdict: Verdict) -> str:
    return standing(reviews_of(job).read(), decided_on(verdict)).state


def _ask(audited: Audited, seconds: int) -> Answer:
    digest = audited.verdict.record_sha256
    _tag(f"{TAG}{digest}")
    tell("approval.waiting", audited.verdict.subject, record_sha256=digest)
    text = (
        f"Read the audit, then approve or refuse it. The record that you decide on:\n\n{digest}\n\n"
    )
    wanted = Approval.with_initial_data(description=text + summary(audited.record, audited.verdict))
    # By its verdict: what was answered about another record or policy is never found again.
    key = f"review-{content_digest(audited.verdict)}"
    given = suspend_flow_run(wait_for_input=wanted, timeout=seconds, key=key)
    return Answer.model_validate({name: getattr(given, name) for name in Answer.model_fields})


def _tag(tag: str) -> None:
    """Mark the run, so that the dashboard finds who waits for which record."""
    run = get_run_context().flow_run  # type: ignore[union-attr]
    if run is None:
        return
    others = {t for t in run.tags if not t.startswith(TAG)}
    with get_client(sync_client=True) as client:
        client.update_flow_run(run.id, tags=sorted({*others, tag}))


def _require(job: Job, verdict: Verdict) -> str:
    state = standing(reviews_of(job).read(), decided_on(verdict))
    last = state.reviews[-1] if state.reviews else None
    event = "approved" if state.state == "approved" else "refused"
    digest = verdict.record_sha256
    who = f"{last.reviewer}: {last.reason}" if last else "nobody"
    tell(f"approval.{event}", verdict.subject, record_sha256=digest, by=who[:500])
    if state.state != "approved":
        raise ApprovalError(f"refused by {who}", expected="an approval of this record")
    return who
