"""The whole way with PostgreSQL behind Prefect and behind the records."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.store import find_audit, read_audit
from tests.flows.conftest import TOKEN
from tests.flows.pipeline import Pipeline
from tests.flows.releases import approve, chosen, published, waiting_record
from tests.hub.server import HubServer
from tests.publish.releases import Small
from tests.store.test_servers import postgresql

pytestmark = pytest.mark.slow


def test_published_with_postgresql_behind_both(
    hub: HubServer, release: Small, tmp_path: Path
) -> None:
    home = tmp_path / "pipeline"
    home.mkdir()
    with postgresql(tmp_path) as address:
        prefect = address.replace("postgresql://", "postgresql+asyncpg://")
        settings = {
            "PREFECT_API_DATABASE_CONNECTION_URL": prefect,
            "AUDIT_FLOW_TRACKING_URI": address.rsplit("/", 1)[0] + "/template1",
            "HF_TOKEN": TOKEN,
        }
        pipeline = Pipeline(home, settings)
        try:
            pipeline.serve()
            pipeline.deploy()
            pipeline.work()
            run = pipeline.run("release/release", **chosen(release, hub))
            pipeline.wait(run, waiting=True)
            record = waiting_record(pipeline, run)
            approve(pipeline, run)
            state = pipeline.wait(run)
            assert state["type"] == "COMPLETED", pipeline.told(run)
            assert "hunter2" not in pipeline.told(run)
        finally:
            pipeline.stop()
        assert published(hub) == 1
        there = {
            "tracking_uri": settings["AUDIT_FLOW_TRACKING_URI"],
            "default_root": release.root / ".audit-flow",
        }
        (stored,) = find_audit(record, **there)  # type: ignore[arg-type]
        kept, verdict = read_audit(stored.run_id, **there)  # type: ignore[arg-type]
        assert (kept.sha256, verdict.outcome) == (record, "PASSED")
