"""GPUs and GPU-hours of Kubernetes: of Pods at once, and of all that ever ran."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.readers import detect
from audit_flow.model import GpuJob
from audit_flow.sources.folder import Folder

START = datetime(2025, 5, 1, 6, tzinfo=UTC)


def moment(seconds: float) -> str:
    return f"{START + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def containers(gpus: int) -> dict[str, Any]:
    return {"containers": [{"name": "t", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}]}


def pod(number: int, start: float, end: float, gpus: int, phase: str = "Succeeded") -> Any:
    ended = {"startedAt": moment(start), "finishedAt": moment(end), "exitCode": 0}
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": f"t-{number}", "uid": f"p{number}",
                     "ownerReferences": [{"kind": "Job", "uid": "j"}]},
        "spec": {**containers(gpus), "nodeName": f"n{number}"},
        "status": {"phase": phase, "startTime": moment(start),
                   "containerStatuses": [{"restartCount": 0, "state": {"terminated": ended}}]},
    }  # fmt: skip


def job(gpus: int, length: float, spec: dict[str, Any], kind: str = "Job") -> Any:
    spec = spec if kind != "Job" else {**spec, "template": {"spec": containers(gpus)}}
    return {
        "apiVersion": "batch/v1", "kind": kind, "metadata": {"name": "t", "uid": "j"},
        "spec": spec,
        "status": {"startTime": moment(0), "completionTime": moment(length),
                   "conditions": [{"type": "Complete", "status": "True"}]},
    }  # fmt: skip


def read(root: Path, *items: Any) -> GpuJob:
    (root / "job.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
    )
    source = SourceFile(Folder.at(root), "job.json")
    (found,) = detect(source, "job-log").read(source)
    assert isinstance(found, GpuJob)
    return found


@pytest.mark.parametrize("with_job", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_pods_that_ran_one_after_the_other_add_their_hours_only(
    seed: int, with_job: bool, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    gpus, at_once, rounds = rng.choice([1, 4, 8]), rng.randrange(1, 4), rng.randrange(2, 5)
    pods, start = [], 0.0
    for number in range(rounds):
        length = rng.randrange(60, 600)
        for beside in range(at_once):
            phase = "Failed" if number == 0 else "Succeeded"
            pods.append(pod(number * 10 + beside, start, start + length, gpus, phase))
        start += length
    whole = job(gpus, start, {"parallelism": at_once, "completions": at_once * (rounds - 1)})
    found = read(tmp_path, *([whole] if with_job else []), *pods)
    assert found.gpus == gpus * at_once
    assert found.gpu_hours == pytest.approx(gpus * at_once * start / 3600)
    assert (found.job_id, found.nodes) == ("j", at_once * (rounds - 1))


def test_a_pod_that_still_runs_leaves_the_hours_to_the_job(tmp_path: Path) -> None:
    running = pod(1, 0, 60, 2)
    running["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": moment(0)}}
    found = read(tmp_path, job(2, 3600, {"parallelism": 2}), running, pod(2, 0, 60, 2))
    assert (found.gpus, found.gpu_hours) == (4, 4)


def test_pods_that_were_taken_away_are_not_forgotten(tmp_path: Path) -> None:
    whole = job(2, 3600, {"parallelism": 2, "completions": 4})
    whole["status"]["succeeded"] = 4
    assert read(tmp_path, whole, pod(1, 0, 1800, 2)).gpu_hours == 4


def test_no_more_pods_than_are_wanted(tmp_path: Path) -> None:
    assert read(tmp_path, job(8, 3600, {"parallelism": 9, "completions": 2})).gpus == 16


REPLICAS: dict[str, dict[str, Any]] = {
    "PyTorchJob": {"pytorchReplicaSpecs": {
        "Master": {"replicas": 1, "template": {"spec": containers(8)}},
        "Worker": {"replicas": 3, "template": {"spec": containers(8)}}}},
    "MPIJob": {"mpiReplicaSpecs": {
        "Launcher": {"template": {"spec": {"containers": [{"name": "l"}]}}},
        "Worker": {"replicas": 8, "template": {"spec": containers(4)}}}},
    "JobSet": {"replicatedJobs": [{"replicas": 2, "template": {"spec": {
        "parallelism": 4, "completions": 4, "template": {"spec": containers(4)}}}}]},
    "RayJob": {"rayClusterSpec": {
        "headGroupSpec": {"template": {"spec": containers(0)}},
        "workerGroupSpecs": [{"replicas": 4, "template": {"spec": containers(8)}}]}},
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(REPLICAS))
def test_gpus_of_every_replica_count(kind: str, tmp_path: Path) -> None:
    found = read(tmp_path, job(0, 7200, REPLICAS[kind], kind))
    assert (found.gpus, found.gpu_hours) == (32, 64)
