"""A stranger's judgement of a published repository as a Prefect flow."""

from __future__ import annotations

from typing import Any

from prefect import State, flow, task

from audit_flow.errors import EvidenceError
from audit_flow.model import TrustFile
from audit_flow.policy_file import load_policy
from audit_flow.sources.hub import parse_name
from audit_flow.verify import Asked, verify_repository
from flows import opening
from flows.caching import FRESH, RETRIES, only
from flows.runner import task_runner
from flows.shown import show
from flows.states import end_state, tell_gate
from flows.values import Audited, Repo, Text, Url


@task(name="verify", **RETRIES, retry_condition_fn=only(EvidenceError), **FRESH)
def verify_task(
    repo: Repo,
    revision: str | None = None,
    policy: str = "third-party",
    endpoint: str | None = None,
    trust: str | None = None,
    full: bool = False,
) -> Audited:
    """Judge one commit of a repository as anybody sees it: without a token."""
    asked = Asked(trust=opening.trust_of(trust) or TrustFile())
    found = verify_repository(
        parse_name(repo, endpoint, revision), None, load_policy(policy), full=full, asked=asked
    )
    return Audited(record=found.record, verdict=found.verdict)


@flow(name="verify-release", persist_result=False, task_runner=task_runner())
def verify_release(
    repo: Repo,
    revision: Text | None = None,
    policy: Text = "third-party",
    endpoint: Url | None = None,
    trust: Text | None = None,
    full: bool = False,
) -> State[Any]:
    """Verify a published repository without its publisher's help, under the verifier's own policy.

    Ends as ``audit_release`` does.
    """
    found = verify_task(repo, revision, policy, endpoint, trust, full)
    show(found)
    tell_gate(found.verdict)
    return end_state(found.verdict)
