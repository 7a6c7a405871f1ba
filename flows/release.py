"""One release from its evidence to its publication, with a person's decision in between."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import State, flow
from pydantic import Field

from audit_flow.errors import ApprovalError
from flows.judging import audited, recorded
from flows.publishing import attested, published
from flows.reviewing import approved
from flows.runner import task_runner
from flows.states import end_state, shut
from flows.tasks import look_task
from flows.values import Branch, Destination, Job, Repo, Signing, Text, Url

_WEEK = 7 * 24 * 3600
Seconds = Annotated[int, Field(ge=10, le=52 * _WEEK)]


@flow(name="release", persist_result=False, task_runner=task_runner())
def release(  # noqa: PLR0913, PLR0917 - one parameter for each choice of the operator
    manifest: Text,
    repo: Repo,
    policy: Text = "default",
    trust: Text | None = None,
    branch: Branch = "main",
    endpoint: Url | None = None,
    stranger_policy: Text = "third-party",
    replace: bool = False,
    token_file: Text | None = None,
    read_token_file: Text | None = None,
    signing: Signing = Signing(),  # noqa: B008 - frozen
    review_seconds: Seconds = _WEEK,
) -> State[Any]:
    """Audit, attest, record, wait for a reviewer, publish, look as a stranger, state what happened.

    Resumed or run again, it judges the bytes of now: an approval of another record opens nothing.
    Ends Completed when it is published; Failed and named Blocked, Held, Refused or Retracted
    otherwise.
    """
    job = Job(manifest=manifest, policy=policy, trust=trust)
    to = Destination(
        repo=repo,
        branch=branch,
        endpoint=endpoint,
        stranger_policy=stranger_policy,
        replace=replace,
        token_file=token_file,
        read_token_file=read_token_file,
    )
    found = audited(job)
    where = recorded(job, found)
    if found.verdict.outcome != "PASSED":
        return end_state(found.verdict, where)
    look_task(job, to)
    signed = attested(job, found, signing)
    try:
        approved(job, found, signing, review_seconds)
    except ApprovalError as error:
        return shut("Refused", str(error))
    return published(job, found, signed, to, signing)
