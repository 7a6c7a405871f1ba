"""A ledger is read as DVC reads it: what DVC would not take is an error, and nothing is hidden."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit_flow.collectors.dvc_ledger import read_ledger, relevant
from audit_flow.errors import EvidenceError
from audit_flow.sources.dvc_files import check_lock, check_plan
from audit_flow.sources.folder import Folder

MD5 = "0" * 32
LOCK: dict[str, Any] = {
    "schema": "2.0",
    "stages": {
        "train": {
            "cmd": "python train.py",
            "deps": [{"path": "data.txt", "hash": "md5", "md5": MD5, "size": 3}],
            "params": {"params.yaml": {"lr": 0.1, "optimizer": {"name": "adamw"}}},
            "outs": [
                {"path": "model.bin", "hash": "md5", "md5": MD5, "size": 3},
                {"path": "metrics.json", "hash": "md5", "md5": MD5, "size": 3},
                {"path": "loss.csv", "hash": "md5", "md5": MD5, "size": 3},
            ],
        }
    },
}
PLAN: dict[str, Any] = {
    "stages": {
        "train": {
            "cmd": "python train.py",
            "deps": ["data.txt"],
            "params": ["lr", "optimizer"],
            "outs": ["model.bin"],
            "metrics": [{"metrics.json": {"cache": False}}],
            "plots": ["loss.csv"],
        }
    }
}
Change = Callable[[dict[str, Any]], object]


def train(document: dict[str, Any]) -> Any:
    return document["stages"]["train"]


WRONG_LOCKS: dict[str, Change] = {
    "no schema": lambda d: d.pop("schema"),
    "another schema": lambda d: d.update(schema="1.0"),
    "a number as schema": lambda d: d.update(schema=2),
    "an unknown key": lambda d: d.update(extra=1),
    "an unknown key of a stage": lambda d: train(d).update(out=[]),
    "an unknown key of a file": lambda d: train(d)["deps"][0].update(sum=MD5),
    "no command": lambda d: train(d).pop("cmd"),
    "an empty command": lambda d: train(d).update(cmd=""),
    "another hash": lambda d: train(d)["deps"][0].update(hash="md0"),
    "a size as text": lambda d: train(d)["deps"][0].update(size="3"),
    "a size below 0": lambda d: train(d)["deps"][0].update(size=-1),
    "a turned size": lambda d: train(d)["deps"][0].update(size=True),
    "a path that is none": lambda d: train(d)["outs"][0].update(path=""),
    "a file twice": lambda d: train(d)["outs"].append(train(d)["outs"][0]),
    "a stage that is none": lambda d: d["stages"].update(train=[1]),
    "parameters without a file": lambda d: train(d).update(params={"lr": 1}),
}
WRONG_PLANS: dict[str, Change] = {
    "an unknown key": lambda d: d.update(stage={}),
    "an unknown key of a stage": lambda d: train(d).update(dep=["x"]),
    "null for a name": lambda d: train(d).update(deps=[None]),
    "a list for a name": lambda d: train(d).update(outs=[["model.bin"]]),
    "a number for a name": lambda d: train(d).update(deps=[17]),
    "one name for a list": lambda d: train(d).update(deps="data.txt"),
    "a name twice": lambda d: train(d).update(deps=["data.txt", "data.txt"]),
    "options of an input": lambda d: train(d).update(deps=[{"data.txt": {"cache": False}}]),
    "a folder that is none": lambda d: train(d).update(wdir=["."]),
    "a mapping of parameters": lambda d: train(d).update(params=[{"p.yaml": {"lr": None}}]),
    "a parameter that is no name": lambda d: train(d).update(params=[{"p.yaml": [{"lr": 1}]}]),
    "an empty mapping": lambda d: train(d).update(params=[{}]),
    "no command": lambda d: train(d).pop("cmd"),
}


def changed(document: dict[str, Any], change: Change) -> dict[str, Any]:
    again = copy.deepcopy(document)
    change(again)
    return again


@pytest.mark.parametrize("name", WRONG_LOCKS)
def test_a_lock_that_dvc_would_not_take_is_refused(name: str) -> None:
    check_lock(LOCK, "dvc.lock")
    with pytest.raises(EvidenceError):
        check_lock(changed(LOCK, WRONG_LOCKS[name]), "dvc.lock")


@pytest.mark.parametrize("name", WRONG_PLANS)
def test_a_plan_that_dvc_would_not_take_is_refused(name: str) -> None:
    check_plan(PLAN, "dvc.yaml")
    with pytest.raises(EvidenceError):
        check_plan(changed(PLAN, WRONG_PLANS[name]), "dvc.yaml")


@pytest.mark.parametrize(
    "stage",
    [
        {"foreach": ["a", "b"], "do": {"cmd": "x ${item}", "outs": ["${item}.txt"]}},
        {"matrix": {"seed": [1, 2]}, "cmd": ["a", "b"], "plots": [{"p.csv": {"x": "step"}}]},
        {"cmd": "x", "params": [{"p.yaml": None}, {"q.yaml": ["a"]}], "frozen": True, "desc": "d"},
    ],
)
def test_what_dvc_takes_is_taken(stage: dict[str, Any]) -> None:
    check_plan({"stages": {"s": stage}, "vars": [{"a": 1}]}, "dvc.yaml")


def ledger(folder: Path, lock: dict[str, Any], plan: dict[str, Any]) -> Any:
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    (folder / "dvc.yaml").write_text(yaml.safe_dump(plan))
    return relevant(read_ledger(Folder.at(folder)), ["model.bin"])


def test_metrics_and_plots_are_outputs(tmp_path: Path) -> None:
    [stage] = ledger(tmp_path, LOCK, PLAN)
    assert stage.stale is None


def without_model(lock: dict[str, Any]) -> None:
    del train(lock)["outs"][0]


@pytest.mark.parametrize("change", [without_model, lambda d: train(d).pop("outs")])
def test_a_stage_can_not_be_hidden_by_its_outputs(tmp_path: Path, change: Change) -> None:
    [stage] = ledger(tmp_path, changed(LOCK, change), PLAN)
    assert "dvc.yaml names" in (stage.stale or "")
    assert "model.bin" in {o.path for o in stage.outs}


@pytest.mark.parametrize(
    ("lock", "plan", "words"),
    [
        (lambda d: train(d).pop("params"), None, "dvc.lock does not"),
        (lambda d: train(d)["params"]["params.yaml"].pop("lr"), None, "params.yaml:lr"),
        (lambda d: train(d)["params"]["params.yaml"].pop("optimizer"), None, "optimizer"),
        (None, lambda d: train(d).update(params=["lr"]), "dvc.yaml does not"),
        (None, lambda d: train(d).update(params=["lr", "optimizer", "seed"]), "params.yaml:seed"),
    ],
)
def test_a_parameter_that_is_left_out_is_told(
    tmp_path: Path, lock: Change | None, plan: Change | None, words: str
) -> None:
    [stage] = ledger(
        tmp_path, changed(LOCK, lock or (lambda d: d)), changed(PLAN, plan or (lambda d: d))
    )
    assert words in (stage.stale or "")
