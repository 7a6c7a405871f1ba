"""The audit of one release as a Prefect flow."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.judging import audited, recorded
from flows.runner import task_runner
from flows.states import end_state
from flows.values import Job, Text, TrackingUri


@flow(name="audit-release", persist_result=False, task_runner=task_runner())
def audit_release(
    manifest: Text,
    policy: Text = "default",
    tracking_uri: TrackingUri | None = None,
    trust: Text | None = None,
) -> State[Any]:
    """Audit the release that a manifest describes; ``trust`` is the path of a trust file.

    Ends Completed on PASSED, Failed and named Blocked on FAILED, Failed and named Held on
    INCONCLUSIVE.
    """
    job = Job(manifest=manifest, policy=policy, tracking_uri=tracking_uri, trust=trust)
    found = audited(job)
    return end_state(found.verdict, recorded(job, found))
