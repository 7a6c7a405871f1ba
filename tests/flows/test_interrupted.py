"""kill -9 of the worker and of its run in every phase: the run finishes, nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.approval import History
from audit_flow.store import find_audit
from tests.flows.pipeline import Pipeline
from tests.flows.releases import (
    add_large,
    approve,
    chosen,
    copied_adder,
    published,
    waiting_record,
)
from tests.hub.server import HubServer
from tests.publish.releases import Small

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SHARE = 300_000_000


def killed_after(pipeline: Pipeline, run: str, task: str) -> None:
    """Kill the worker, and the run that it works at, when a task is done; schedule it anew.

    The worker's own log tells: the server hears of tasks only some time later.
    """
    pipeline.until(lambda: done(pipeline, task), 400, f"{task} is done", run)
    stopped(pipeline, run)
    pipeline.work()
    pipeline.again(run)


def done(pipeline: Pipeline, task: str) -> bool:
    """Say whether a task has ended well since the worker was started last."""
    return f"Task run '{task}" in pipeline.said()


def stopped(pipeline: Pipeline, run: str) -> None:
    pipeline.kill("worker-audit-flow")
    assert pipeline.flow_run(run)["state"]["type"] != "COMPLETED", "too late to be killed"


def test_killed_in_every_phase_it_is_published_once(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    add_large(release, 3, SHARE)
    with pipeline.worker_told(AUDIT_FLOW_SHARE_BYTES=str(SHARE)):
        run = pipeline.run("release/release", **chosen(release, hub))
        killed_after(pipeline, run, "hash-share-")
        killed_after(pipeline, run, "link")
        pipeline.wait(run, waiting=True)
        record = waiting_record(pipeline, run)

        # Nobody works while it waits; the answer is there when somebody does again.
        pipeline.kill("worker-audit-flow")
        approve(pipeline, run)
        pipeline.work()

        # Every request takes long enough to be killed between two of them.
        hub.options.latency = 0.5
        pipeline.until(lambda: bool(hub.writes()), 400, "it publishes", run)
        stopped(pipeline, run)
        assert not done(pipeline, "publish")
        pipeline.work()
        pipeline.again(run)
        # Published and stated, it is being looked at as a stranger would.
        killed_after(pipeline, run, "keep-publication")
        hub.options.latency = 0
        state = pipeline.wait(run, seconds=400)
        assert state["type"] == "COMPLETED", pipeline.told(run)

    assert published(hub) == 1
    folder = release.root / ".audit-flow"
    (entry,) = History(folder / "reviews").read()
    assert entry.review.decided.record_sha256 == record
    assert len(find_audit(record, tracking_uri=None, default_root=folder)) == 1
    assert (release.root / "publication" / "publication.sigstore.json").is_file()


def test_killed_while_measuring_it_measures_nothing_twice(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    manifest = copied_adder(tmp_path)
    # A state folder of its own: nothing of an earlier run answers.
    with pipeline.worker_told(
        XDG_STATE_HOME=str(tmp_path / "state"),
        PREFECT_LOCAL_STORAGE_PATH=str(tmp_path / "results"),
    ):
        run = pipeline.run("audit-release/audit-release", manifest=str(manifest))
        killed_after(pipeline, run, "measure-")
        before = {n for n in ("measure-0", "measure-1") if f"Task run '{n}'" in pipeline.said(-2)}
        state = pipeline.wait(run, seconds=400)
        assert state["type"] == "COMPLETED", pipeline.told(run)
        said = pipeline.said()
    assert before
    for name in before:
        assert f"Task run '{name}' - Finished in state Cached" in said, "it is not measured again"
