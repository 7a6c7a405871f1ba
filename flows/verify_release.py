"""A stranger's judgement of a published repository as a Prefect flow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from prefect import State, flow, task
from pydantic import Field

from audit_flow.collectors.weight_comparison import MAX_CANDIDATES
from audit_flow.errors import EvidenceError
from audit_flow.model import TrustFile
from audit_flow.policy_file import load_policy
from audit_flow.sources.hub import parse_name
from audit_flow.verify import Asked, verify_repository
from audit_flow.verify.candidates import Sampled, sample_candidate
from flows import opening
from flows.caching import FRESH, RETRIES, only
from flows.runner import task_runner
from flows.shown import show
from flows.states import end_state, tell_gate
from flows.values import Audited, Repo, Text, Url

Bases = Annotated[tuple[Text, ...], Field(max_length=MAX_CANDIDATES)]


@task(name="sample", task_run_name="sample-{base}", **FRESH)
def sample_task(base: str, endpoint: str | None) -> Sampled | None:
    """Read the sample of one candidate for the base model, as anybody sees it."""
    return sample_candidate(base, endpoint)


@task(name="verify", **RETRIES, retry_condition_fn=only(EvidenceError), **FRESH)
def verify_task(  # noqa: PLR0913, PLR0917 - one parameter for each choice of the verifier
    repo: Repo,
    revision: str | None = None,
    policy: str = "third-party",
    endpoint: str | None = None,
    trust: str | None = None,
    full: bool = False,
    bases: tuple[str, ...] = (),
    fingerprints: str | None = None,
    samples: tuple[Sampled, ...] = (),
) -> Audited:
    """Judge one commit of a repository as anybody sees it: without a token."""
    asked = Asked(
        trust=opening.trust_of(trust) or TrustFile(),
        bases=bases,
        fingerprints=Path(fingerprints) if fingerprints else None,
        samples=samples,
    )
    found = verify_repository(
        parse_name(repo, endpoint, revision), None, load_policy(policy), full=full, asked=asked
    )
    return Audited(record=found.record, verdict=found.verdict)


@flow(name="verify-release", persist_result=False, task_runner=task_runner())
def verify_release(  # noqa: PLR0913, PLR0917 - one parameter for each choice of the verifier
    repo: Repo,
    revision: Text | None = None,
    policy: Text = "third-party",
    endpoint: Url | None = None,
    trust: Text | None = None,
    full: bool = False,
    bases: Bases = (),
    fingerprints: Text | None = None,
) -> State[Any]:
    """Verify a published repository without its publisher's help, under the verifier's own policy.

    ``bases`` are candidates for its base model, each sampled in a task of its own. Ends as
    ``audit_release`` does.
    """
    under_way = [sample_task.submit(base, endpoint) for base in bases]
    read = tuple(s for s in (future.result() for future in under_way) if s)
    found = verify_task(
        repo, revision, policy, endpoint, trust, full, tuple(bases), fingerprints, read
    )
    show(found)
    tell_gate(found.verdict)
    return end_state(found.verdict)
