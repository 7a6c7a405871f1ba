"""From an approved verdict to a repository that a stranger has looked at, one at a time."""

from __future__ import annotations

from typing import Any

from prefect import State, get_client
from prefect.concurrency.sync import concurrency

from flows.states import passed, shut, tell
from flows.tasks import attest_task, keep_attestation, keep_publication, publish_task
from flows.values import Audited, Destination, Job, Signed, Signing
from flows.verify_release import verify_task

# How long a repository is still held by a worker that was killed.
_LEASE_SECONDS = 60
_WORDS = {"RETRACTED": "Retracted", "NOT RETRACTED": "NotRetracted", "REFUSED": "Blocked"}


def attested(job: Job, found: Audited, signing: Signing) -> Signed:
    """Sign the verdict, and keep the statements beside the manifest."""
    signed = attest_task(job, found, signing)
    keep_attestation(job, signed)
    return signed


def published(
    job: Job, found: Audited, signed: Signed, to: Destination, signing: Signing
) -> State[Any]:
    """Publish, look as a stranger, keep the signed statement; return the state to end in."""
    with _alone(to):
        made = publish_task(job, found, to, signing, signed)
    keep_publication(job, made)
    subject, page = found.verdict.subject, made.publication
    if made.word != "PUBLISHED" or page is None:
        tell(f"publication.{made.word.lower().replace(' ', '-')}", subject, repo=to.repo)
        return shut(_WORDS[made.word], f"{to.repo}: {made.word}: {'; '.join(made.problems)}")
    stranger = verify_task(to.repo, page.commit, to.stranger_policy, to.endpoint, job.trust)
    tell(
        "publication.published", subject, repo=to.repo, commit=page.commit,
        publication=page.id, stranger=stranger.verdict.outcome, repeated=made.repeated,
    )  # fmt: skip
    if stranger.verdict.outcome == "FAILED":
        return shut("Blocked", f"{to.repo}@{page.commit}: a stranger finds it contradicted")
    return passed(
        f"published {to.repo}@{page.commit}; a stranger judges {stranger.verdict.in_words()}"
    )


def _alone(to: Destination) -> Any:
    """Hold the repository: one publication at a time, whichever worker it runs on."""
    name = f"audit-flow-publish-{to.repo.replace('/', '--')}"
    with get_client(sync_client=True) as client:
        client.upsert_global_concurrency_limit_by_name(name, 1)
    return concurrency(
        name, occupy=1, timeout_seconds=3600, lease_duration=_LEASE_SECONDS, strict=True
    )
