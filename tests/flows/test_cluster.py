"""A real cluster of two worker processes: the same verdict bytes; one of them may be killed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_flow.audit import audit
from audit_flow.model import canonical_json
from audit_flow.policy_file import load_policy
from audit_flow.reproduce import reproductions
from audit_flow.sources.manifest import load
from audit_flow.store import find_audit, read_audit
from audit_flow.verify import Asked, verify_repository
from tests.flows.cluster import Cluster
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
from tests.lineage_models import changed, drawn, llama, written
from tests.publish.releases import Small

pytest.importorskip("distributed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# Prints what the flow's own tasks gave, as it would be kept: record and verdict.
AUDIT = """
import sys
from prefect import flow
from audit_flow.model import canonical_json
from flows.judging import audited
from flows.runner import task_runner
from flows.values import Job


@flow(task_runner=task_runner())
def whole():
    found = audited(Job(manifest=sys.argv[1], policy=sys.argv[2]))
    print("RECORD", canonical_json(found.record).decode())
    print("VERDICT", canonical_json(found.verdict).decode())


whole()
"""
VERIFY = """
import json, sys
from flows import verify_release

seen = []
verify_release.show = seen.append
repo, endpoint, *bases = sys.argv[1:]
verify_release.verify_release(repo, endpoint=endpoint, bases=bases, return_state=True)
from audit_flow.model import canonical_json
print("RECORD", canonical_json(seen[0].record).decode())
print("VERDICT", canonical_json(seen[0].verdict).decode())
"""


@pytest.fixture
def cluster(pipeline: Pipeline, tmp_path: Path) -> Iterator[Cluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    made = Cluster(folder, settings(pipeline, tmp_path))
    try:
        made.serve("one", "two")
        yield made
    finally:
        made.stop()


def settings(pipeline: Pipeline, tmp_path: Path) -> dict[str, str]:
    # A state folder of its own: nothing of an earlier run answers.
    here = {"XDG_STATE_HOME": str(tmp_path / "state")}
    return {**pipeline.env, **here, "PREFECT_LOCAL_STORAGE_PATH": str(tmp_path / "results")}


def run(code: str, cluster: Cluster, *words: str, **more: str) -> dict[str, str]:
    env = {**cluster.env, "AUDIT_FLOW_TASK_RUNNER": f"dask:{cluster.address}", **more}
    ran = subprocess.run(
        [sys.executable, "-c", code, *words], env=env, cwd=cluster.folder, check=False,
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    pairs = [line.partition(" ") for line in ran.stdout.splitlines()]
    return {name: text for name, _, text in pairs if name in {"RECORD", "VERDICT"}}


def local(manifest: Path, policy: str) -> dict[str, str]:
    """Judge in this process, as the command line does."""
    release = load(manifest)
    result = audit(release, load_policy(policy), reproductions(release))
    return told(result)


def told(result: Any) -> dict[str, str]:
    record, verdict = canonical_json(result.record), canonical_json(result.verdict)
    return {"RECORD": record.decode(), "VERDICT": verdict.decode()}


def test_digit_adder_on_two_workers_has_the_same_verdict_bytes(
    cluster: Cluster, tmp_path: Path
) -> None:
    manifest = copied_adder(tmp_path)
    found = run(AUDIT, cluster, str(manifest), "default", AUDIT_FLOW_SHARE_BYTES="50000")
    assert json.loads(found["VERDICT"])["outcome"] == "PASSED"
    assert found == local(manifest, "default")
    # One of them may be busy with MLflow's start while the other hashes.
    assert all(cluster.finished(name, "") for name in ("one", "two"))
    assert sum(cluster.finished(name, "hash-share-") for name in ("one", "two")) > 2
    assert sum(cluster.finished(name, "measure-") for name in ("one", "two")) == 2


def test_a_release_goes_the_whole_way_on_two_workers(
    pipeline: Pipeline, cluster: Cluster, hub: HubServer, release: Small, tmp_path: Path
) -> None:
    """Judged, approved, published and re-checked; what can be spread is hashed on the cluster."""
    on_cluster = settings(pipeline, tmp_path) | {
        "AUDIT_FLOW_TASK_RUNNER": f"dask:{cluster.address}",
        "AUDIT_FLOW_SHARE_BYTES": "2000",
    }
    with pipeline.worker_told(**on_cluster):
        run = pipeline.run("release/release", **chosen(release, hub))
        pipeline.wait(run, waiting=True)
        record = waiting_record(pipeline, run)
        approve(pipeline, run)
        state = pipeline.wait(run)
    assert state["type"] == "COMPLETED", pipeline.told(run)
    assert published(hub) == 1
    folder = release.root / ".audit-flow"
    (stored,) = find_audit(record, tracking_uri=None, default_root=folder)
    kept, verdict = read_audit(stored.run_id, tracking_uri=None, default_root=folder)
    found = {
        "RECORD": canonical_json(kept).decode(),
        "VERDICT": canonical_json(verdict).decode(),
    }
    assert found == local(release.path("release.yaml"), str(release.policy))
    assert sum(cluster.finished(name, "hash-share-") for name in ("one", "two")) > 2


def test_a_killed_worker_costs_one_task(cluster: Cluster, release: Small) -> None:
    add_large(release, 6, 700_000_000)
    manifest, policy = release.path("release.yaml"), str(release.policy)
    killing = threading.Thread(target=killed_at_work, args=(cluster, "one"))
    killing.start()
    found = run(AUDIT, cluster, str(manifest), policy, AUDIT_FLOW_SHARE_BYTES="700000000")
    killing.join()
    assert "one" not in cluster.started
    assert found == local(manifest, policy)
    # Seven shares: what the killed one had finished was not done again, but for one at most.
    done = [cluster.finished(name, "hash-share-") for name in ("one", "two")]
    assert 7 <= sum(done) <= 8, done
    assert done[1] < 8


def killed_at_work(cluster: Cluster, name: str) -> None:
    """Kill a worker with SIGKILL in its second task of hashing."""

    def at_work(client: Any) -> bool:
        address = next(
            (a for a, w in client.scheduler_info()["workers"].items() if w["name"] == name), None
        )
        keys = [str(k) for a, ks in client.processing().items() if a == address for k in ks]
        busy = any("hash-share" in k or "hash_share" in k for k in keys)
        return busy and cluster.finished(name, "hash-share-") >= 1

    cluster.until(at_work, 200)
    cluster.kill(name)


def with_candidates(hub: HubServer, tmp_path: Path) -> list[str]:
    """Publish a fine-tuned model, its base and three strangers; return the candidates."""
    base = drawn(llama(), 1)
    models = {"tuned": changed(base, 0.01, 9), "base": base}
    models |= {f"other-{n}": drawn(llama(), 10 + n) for n in range(3)}
    for name, weights in models.items():
        folder = written(tmp_path / "models" / name, weights)
        (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
        hub.add_repo(f"acme/{name}", {p.name: p for p in folder.iterdir()})
    return [f"acme/{name}" for name in models if name != "tuned"]


def test_candidates_for_the_base_are_sampled_apart_and_judged_the_same(
    cluster: Cluster, hub_server: HubServer, tmp_path: Path
) -> None:
    bases = with_candidates(hub_server, tmp_path)
    found = run(VERIFY, cluster, "acme/tuned", hub_server.url, *bases)
    asked = Asked(bases=tuple(bases))
    policy = load_policy("third-party")
    result = verify_repository("acme/tuned", None, policy, endpoint=hub_server.url, asked=asked)
    assert found == told(result)
    assert '"decision":"related"' in found["RECORD"]
    sampled = [cluster.finished(name, "sample-") for name in ("one", "two")]
    assert sum(sampled) == len(bases)
    assert min(sampled) >= 1, "sampling is spread over both"
