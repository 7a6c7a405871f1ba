"""`reproduce-release` on its own pool: what the claims name is run, or it is told what was not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.flows.pipeline import Pipeline
from tests.flows.releases import copied_adder

pytestmark = pytest.mark.slow
NAME = "reproduce-release/reproduce-release"
POOL = "audit-flow-gpu"


@pytest.fixture
def gpu(pipeline: Pipeline, tmp_path: Path) -> Iterator[Pipeline]:
    """Have a worker of the pool that is for reproduction alone, with nothing kept."""
    settings = {
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PREFECT_LOCAL_STORAGE_PATH": str(tmp_path / "results"),
    }
    before = dict(pipeline.settings)
    pipeline.settings |= settings
    pipeline.work(POOL)
    try:
        yield pipeline
    finally:
        pipeline.settings = before
        pipeline.kill(f"worker-{POOL}")


def reproduced(pipeline: Pipeline, manifest: Path) -> tuple[str, str]:
    run = pipeline.run(NAME, manifest=str(manifest))
    state = pipeline.wait(run)
    assert pipeline.flow_run(run)["work_pool_name"] == POOL
    return state["name"], str(state["message"])


def test_digit_adder_is_measured_and_what_can_t_be_is_told(gpu: Pipeline, tmp_path: Path) -> None:
    manifest = copied_adder(tmp_path)
    entries = yaml.safe_load(manifest.read_text())["reproduce"]
    assert reproduced(gpu, manifest) == (
        "Completed",
        f"{len(entries)} runs on the released weights",
    )

    # A harness that is not in the worker's environment: nothing is taken for a run.
    text = yaml.safe_load(manifest.read_text())
    text["reproduce"][0]["adapter"] = "lm-eval"
    manifest.write_text(json.dumps(text))
    name, message = reproduced(gpu, manifest)
    assert name == "Held"
    assert "lm" in message
    gpu.until(lambda: bool(gpu.events("audit-flow.reproduction.held")), 30, "the event is there")


def test_a_task_that_can_t_be_read_holds_the_run(gpu: Pipeline, tmp_path: Path) -> None:
    manifest = copied_adder(tmp_path)
    task = manifest.parent / yaml.safe_load(manifest.read_text())["reproduce"][0]["task"]
    task.write_text("task: [")
    name, message = reproduced(gpu, manifest)
    assert name == "Held"
    assert task.name in message
