"""Publishing one release as a Prefect flow, for those who review elsewhere."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.judging import audited, recorded
from flows.publishing import attested, published
from flows.runner import task_runner
from flows.states import end_state
from flows.values import Branch, Destination, Job, Repo, Signing, Text, Url


@flow(name="publish-release", persist_result=False, task_runner=task_runner())
def publish_release(  # noqa: PLR0913, PLR0917 - one parameter for each choice of the operator
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
) -> State[Any]:
    """Audit, sign and publish: only what PASSED, in one commit, looked at again as a stranger.

    Nothing is asked of the Hub otherwise. Ends as ``audit_release`` does, or Failed and named
    Retracted.
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
    return published(job, found, attested(job, found, signing), to, signing)
