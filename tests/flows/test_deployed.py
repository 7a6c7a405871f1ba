"""What the server knows of the deployments: pools, limits, tags, schedules; what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from tests.flows.pipeline import ROOT, Pipeline
from tests.flows.releases import chosen, published
from tests.hub.server import HubServer
from tests.publish.releases import Small

pytestmark = pytest.mark.slow
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())[
    "deployments"
]
HOLD = """
import sys
from pathlib import Path
from time import sleep
from flows.publishing import _alone
from flows.values import Destination

with _alone(Destination(repo=sys.argv[1])):
    print("HELD", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: str(d["name"]))
def test_a_deployment_is_on_the_server_as_it_is_written(
    pipeline: Pipeline, deployment: dict[str, Any]
) -> None:
    name = deployment["name"]
    there = pipeline.ask("GET", f"/deployments/name/{name}/{name}")
    assert there["work_pool_name"] == deployment["work_pool"]["name"]
    assert there["tags"] == deployment["tags"]
    assert there["enforce_parameter_schema"] is True
    limit = deployment.get("concurrency_limit")
    assert (there["global_concurrency_limit"] or {}).get("limit") == (limit and limit["limit"])
    if limit:
        assert there["concurrency_options"]["collision_strategy"] == limit["collision_strategy"]
    schedules = [(s["schedule"]["cron"], s["active"]) for s in there["schedules"]]
    assert schedules == [(s["cron"], s["active"]) for s in deployment.get("schedules", ())]


@pytest.mark.parametrize(
    ("name", "given", "named"),
    [
        ("release", {}, "repo"),
        ("release", {"repo": "no-organisation"}, "no-organisation"),
        ("release", {"repo": "a/b", "review_seconds": 0}, "0"),
        ("release", {"repo": "a/b", "signing": {"token": "hf_secret"}}, "token"),
        ("publish-release", {"repo": "a/b", "endpoint": "ftp://h"}, "ftp"),
        ("verify-release", {"repo": "a/b", "bases": "a/c"}, "a/c"),
        ("watch-release", {"repo": ["a/b"]}, "a/b"),
        ("audit-release", {"manifest": 7}, "7"),
    ],
)
def test_the_server_refuses_wrong_parameters_and_makes_no_run(
    pipeline: Pipeline, name: str, given: dict[str, Any], named: str
) -> None:
    there = pipeline.ask("GET", f"/deployments/name/{name}/{name}")
    before = runs_of(pipeline, there["id"])
    with urllib3.PoolManager(timeout=30) as pool:
        answer = pool.request(
            "POST", f"{pipeline.api}/deployments/{there['id']}/create_flow_run",
            json={"parameters": given},
        )  # fmt: skip
    assert answer.status in {409, 422}, answer.data[:500]
    assert named in answer.data.decode()
    assert runs_of(pipeline, there["id"]) == before


def runs_of(pipeline: Pipeline, deployment: str) -> int:
    wanted = {"deployments": {"id": {"any_": [deployment]}}}
    return int(pipeline.ask("POST", "/flow_runs/count", wanted))


@contextmanager
def held(pipeline: Pipeline, repo: str) -> Iterator[None]:
    """Hold a repository, as a publication of another worker does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, repo], env=pipeline.env, cwd=pipeline.folder,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "HELD\n"
        yield
    finally:
        process.communicate("", timeout=60)


def test_one_publication_at_a_time_for_each_repository(
    pipeline: Pipeline, hub: HubServer, release: Small, tmp_path: Path
) -> None:
    with held(pipeline, "acme/small"):
        run = pipeline.run("publish-release/publish-release", **chosen(release, hub))
        signed = lambda: "Task run 'keep-attestation" in pipeline.said()  # noqa: E731
        pipeline.until(signed, 500, "it is about to publish", run)
        with held(pipeline, "acme/other"):
            # Another repository's publication may be under way; this one waits for its own.
            assert hub.writes() == []
            assert "Task run 'publish" not in pipeline.said()
    state = pipeline.wait(run, seconds=500)
    assert state["type"] == "COMPLETED", pipeline.told(run)
    assert published(hub) == 1
