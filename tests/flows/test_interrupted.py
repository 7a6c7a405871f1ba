"""kill -9 of the worker and of its run in every phase: the run finishes, nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from audit_flow.approval import History
from audit_flow.store import find_audit
from tests.flows.pipeline import Pipeline
from tests.flows.releases import approve, chosen, published, waiting_record
from tests.hub.server import HubServer
from tests.publish.releases import Small

pytestmark = pytest.mark.slow


def restarted(pipeline: Pipeline, run: str) -> None:
    pipeline.kill("worker-audit-flow")
    pipeline.work()
    pipeline.again(run)


def begun(pipeline: Pipeline, run: str, name: str) -> Callable[[], bool]:
    return lambda: any(t["name"].startswith(name) for t in pipeline.tasks(run))


def test_killed_while_judging_while_waiting_and_while_publishing(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    run = pipeline.run("release/release", **chosen(release, hub))
    pipeline.until(begun(pipeline, run, "open-store"), 120, "it is at work", run)
    restarted(pipeline, run)
    pipeline.wait(run, waiting=True)
    record = waiting_record(pipeline, run)

    # Nobody works while it waits; the answer is there when somebody does again.
    pipeline.kill("worker-audit-flow")
    approve(pipeline, run)
    pipeline.work()

    # Every request takes long enough to be killed between two of them.
    hub.options.latency = 0.3
    pipeline.until(lambda: bool(hub.writes()), 120, "it publishes", run)
    restarted(pipeline, run)
    hub.options.latency = 0
    state = pipeline.wait(run, seconds=300)
    assert state["type"] == "COMPLETED", pipeline.told(run)

    assert published(hub) == 1
    folder = release.root / ".audit-flow"
    (entry,) = History(folder / "reviews").read()
    assert entry.review.decided.record_sha256 == record
    assert len(find_audit(record, tracking_uri=None, default_root=folder)) == 1
    assert (release.root / "publication" / "publication.sigstore.json").is_file()
