"""prefect.yaml and the job templates say what the flows take, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from prefect.utilities.callables import parameter_schema

from flows.pools import POOLS
from tests.flows.pipeline import ROOT

PREFECT: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text())
DEPLOYMENTS: list[dict[str, Any]] = PREFECT["deployments"]
TEMPLATES = sorted((ROOT / "docs" / "pipeline").glob("*.json"))
SLOT = re.compile(r"\{\{ *(\w+) *\}\}")


def flow_of(entrypoint: str) -> Any:
    path, name = entrypoint.split(":")
    module = Path(path).with_suffix("").as_posix().replace("/", ".")
    return getattr(import_module(module), name)


def test_every_flow_has_one_deployment() -> None:
    named = [d["entrypoint"] for d in DEPLOYMENTS]
    here = {f"flows/{p.name}:{p.stem}" for p in (ROOT / "flows").glob("*release.py")}
    assert sorted(named) == sorted(here)
    assert "pull" not in PREFECT


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: str(d["name"]))
def test_a_deployment_fits_its_flow(deployment: dict[str, Any]) -> None:
    flow = flow_of(deployment["entrypoint"])
    assert flow.name == deployment["name"]
    assert deployment["enforce_parameter_schema"] is True
    assert deployment["tags"]
    known = parameter_schema(flow).model_dump()["properties"]
    assert set(deployment.get("parameters", {})) <= set(known)
    gpu = deployment["work_pool"]["name"] == "audit-flow-gpu"
    assert gpu == (deployment["name"] == "reproduce-release")
    if deployment["name"] == "publish-release":
        assert deployment["concurrency_limit"]["limit"] == 1


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("release", {"manifest": "r.yaml"}),
        ("release", {"manifest": "r.yaml", "repo": "no-organisation"}),
        ("release", {"manifest": "r.yaml", "repo": "../../api"}),
        ("release", {"manifest": "", "repo": "a/b"}),
        ("release", {"manifest": "r.yaml", "repo": "a/b", "review_seconds": 1}),
        ("release", {"manifest": "r.yaml", "repo": "a/b", "endpoint": "file:///etc"}),
        ("release", {"manifest": "r.yaml", "repo": "a/b", "signing": {"token": "hf_secret"}}),
        ("watch-release", {}),
        ("verify-release", {"repo": "a/b", "full": "perhaps"}),
    ],
)
def test_parameters_are_refused_before_anything_runs(name: str, given: dict[str, Any]) -> None:
    entry = next(d["entrypoint"] for d in DEPLOYMENTS if d["name"] == name)
    schema = parameter_schema(flow_of(entry)).model_dump()
    assert jsonschema.Draft202012Validator(schema).is_valid({"manifest": "r", "repo": "a/b"})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, schema)


def test_the_pools_that_are_made_are_those_that_are_named() -> None:
    assert set(POOLS) == {d["work_pool"]["name"] for d in DEPLOYMENTS}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: str(p.stem))
def test_a_job_template_is_whole(path: Path) -> None:
    template = json.loads(path.read_text())
    assert set(template) == {"job_configuration", "variables"}
    variables = template["variables"]
    jsonschema.Draft202012Validator.check_schema(variables)
    used = set(_slots(template["job_configuration"]))
    assert used == set(variables["properties"])
    defaults = {n: p["default"] for n, p in variables["properties"].items() if "default" in p}
    image = "registry.example/audit-flow@sha256:" + "0" * 64
    jsonschema.validate({**defaults, "image": image}, variables)
    for moved in ("registry.example/audit-flow:latest", "", image[:-1]):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**defaults, "image": moved}, variables)
    assert defaults["env"]["MLFLOW_DISABLE_TELEMETRY"] == "true"


def _slots(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _slots(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _slots(inner)
    elif isinstance(value, str):
        yield from SLOT.findall(value)


def test_the_automation_is_one_and_listens_for_events_that_there_are() -> None:
    from prefect.events.schemas.automations import AutomationCore, EventTrigger

    text = (ROOT / "docs" / "pipeline" / "alarm.yaml").read_text()
    automation = AutomationCore.model_validate(yaml.safe_load(text))
    assert isinstance(automation.trigger, EventTrigger)
    page = (ROOT / "docs" / "pipeline.md").read_text()
    for event in automation.trigger.expect:
        family, _, last = event.rpartition(".")
        assert family in page
        assert f".{last}`" in page
