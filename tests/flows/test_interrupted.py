"""kill -9 of the worker and of its run in every phase: the run finishes, nothing is done twice."""

from __future__ import annotations

from collections.abc import Callable
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


def killed_in(pipeline: Pipeline, run: str, task: str, *, running: bool = False) -> None:
    """Kill the worker, and the run that it works at, when a task has begun; schedule it anew."""
    pipeline.until(begun(pipeline, run, task, running), 240, f"it is at {task}", run)
    pipeline.kill("worker-audit-flow")
    assert pipeline.flow_run(run)["state"]["type"] != "COMPLETED", f"too late for {task}"
    pipeline.work()
    pipeline.again(run)


def begun(pipeline: Pipeline, run: str, name: str, running: bool) -> Callable[[], bool]:
    wanted = {"RUNNING"} if running else {"RUNNING", "COMPLETED"}

    def there() -> bool:
        found = [t for t in pipeline.tasks(run) if t["name"].startswith(name)]
        return any(t["state"]["type"] in wanted for t in found)

    return there


def test_killed_in_every_phase_it_is_published_once(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    add_large(release, 3, SHARE)
    with pipeline.worker_told(AUDIT_FLOW_SHARE_BYTES=str(SHARE)):
        run = pipeline.run("release/release", **chosen(release, hub))
        killed_in(pipeline, run, "hash-share-")
        killed_in(pipeline, run, "judge")
        pipeline.wait(run, waiting=True)
        record = waiting_record(pipeline, run)

        # Nobody works while it waits; the answer is there when somebody does again.
        pipeline.kill("worker-audit-flow")
        approve(pipeline, run)
        pipeline.work()

        # Every request takes long enough to be killed between two of them.
        hub.options.latency = 0.3
        pipeline.until(lambda: bool(hub.writes()), 240, "it publishes", run)
        killed_in(pipeline, run, "publish")
        killed_in(pipeline, run, "verify")
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
        done = begun(pipeline, run, "collect", False)
        pipeline.until(begun(pipeline, run, "measure-0", False), 240, "it measures", run)
        pipeline.until(lambda: bool(measured(pipeline, run)) or done(), 240, "one is measured", run)
        before = measured(pipeline, run)
        pipeline.kill("worker-audit-flow")
        pipeline.work()
        pipeline.again(run)
        state = pipeline.wait(run, seconds=400)
    assert state["type"] == "COMPLETED", pipeline.told(run)
    assert before
    for name in before:
        assert last(pipeline, run, name) == "Cached", "what was measured is not measured again"


def measured(pipeline: Pipeline, run: str) -> list[str]:
    found = [t for t in pipeline.tasks(run) if t["name"].startswith("measure-")]
    return sorted(t["name"] for t in found if t["state"]["type"] == "COMPLETED")


def last(pipeline: Pipeline, run: str, name: str) -> str:
    found = [t for t in pipeline.tasks(run) if t["name"] == name]
    return str(max(found, key=lambda t: t["state"]["timestamp"])["state"]["name"])
