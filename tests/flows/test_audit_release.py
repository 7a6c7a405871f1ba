"""The flow and the command line give the same verdict, byte for byte, wherever its tasks run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from audit_flow.model import Verdict, canonical_json
from audit_flow.store import find_audit, read_audit
from tests.flows.pipeline import ROOT, Pipeline

pytestmark = pytest.mark.slow
CODE = """
import sys
from flows.audit_release import audit_release
ended = audit_release(sys.argv[1], tracking_uri=sys.argv[2], return_state=True)
print("ENDED", ended.type.value, ended.name, ended.message)
"""


def ran_by_command_line(manifest: Path, uri: str, folder: Path) -> tuple[Verdict, str, str]:
    ran = subprocess.run(
        [sys.executable, "-m", "audit_flow", "audit", str(manifest), "--format", "json",
         "--tracking-uri", uri],
        capture_output=True, text=True, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    document = json.loads(ran.stdout)
    said = {k: v for k, v in document["verdict"].items() if k not in {"counts", "in_words"}}
    return Verdict.model_validate(said), document["record_sha256"], ran.stderr


@pytest.mark.parametrize(
    ("example", "runner", "state"),
    [
        ("digit-adder", "threads", "Completed"),
        ("digit-adder", "dask", "Completed"),
        ("reflection-70b", "threads", "Blocked"),
    ],
)
def test_flow_and_command_line_agree(
    pipeline: Pipeline, tmp_path: Path, example: str, runner: str, state: str
) -> None:
    if runner == "dask" and not find_spec("prefect_dask"):
        pytest.skip("prefect-dask is not installed")
    manifest = ROOT / "examples" / example / "release.yaml"
    uri = f"sqlite:///{tmp_path}/audits.db"
    code = CODE.replace("sys.argv[1]", repr(str(manifest))).replace("sys.argv[2]", repr(uri))
    # A state folder of its own: nothing of an earlier run answers.
    settings = {"AUDIT_FLOW_TASK_RUNNER": runner, "XDG_STATE_HOME": str(tmp_path / "state")}
    told = pipeline.python(code, **settings, PREFECT_LOCAL_STORAGE_PATH=str(tmp_path / "results"))
    kind = "COMPLETED" if state == "Completed" else "FAILED"
    assert f"ENDED {kind} {state} " in told

    printed, record, said = ran_by_command_line(manifest, uri, tmp_path)
    assert "already recorded" in said, "the flow's audit is found again by its digests"
    (stored,) = find_audit(record, tracking_uri=uri, default_root=tmp_path)
    _, kept = read_audit(stored.run_id, tracking_uri=uri, default_root=tmp_path)
    assert canonical_json(kept) == canonical_json(printed)


def test_a_missing_manifest_fails_the_run(pipeline: Pipeline, tmp_path: Path) -> None:
    run = pipeline.run("audit-release/audit-release", manifest=str(tmp_path / "release.yaml"))
    state = pipeline.wait(run)
    assert state["type"] == "FAILED"
    assert "there is no" in state["message"]
