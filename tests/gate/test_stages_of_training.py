"""Training in stages: weights between them are no data, and every stage's own data is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.model import Finding, Outcome
from tests.release_builder import Built, build

CHECKPOINT = {
    "model.safetensors": "weights",
    "config.json": "{}",
    "tokenizer.json": "{}",
}


def with_stages(root: Path, count: int, *, extra: str = "") -> Built:
    """Make a release whose training went on from checkpoints of earlier stages in turn."""
    built = build(root, 3)
    before: list[str] = []
    stages = {}
    for number in range(count):
        data = f"data/stage{number}.jsonl"
        built.write(data, f'{{"text": "{number}"}}\n')
        for name, text in CHECKPOINT.items():
            built.write(f"stage{number}/{name}", f"{text}{number}")
        files = [f"stage{number}/{name}" for name in CHECKPOINT]
        outs = files
        if extra:
            built.write(f"stage{number}/{extra}", f"{number}")
            outs.append(f"stage{number}/{extra}")
        stages[f"stage{number}"] = {"cmd": f"run {number}", "deps": [data, *before], "outs": outs}
        before = outs
    named = [f"data/stage{number}.jsonl" for number in range(count)]
    built.edit("release.yaml", lambda m: m["evidence"]["datasets"].extend(named))
    built.edit("dvc.yaml", lambda d: d["stages"]["train"]["deps"].extend(before))
    built.edit("dvc.yaml", lambda d: d["stages"].update(stages))
    built.edit("dvc.lock", lambda d: _lock(built, d["stages"], stages, before))
    return built


def _lock(built: Built, lock: dict, stages: dict, before: list[str]) -> None:  # type: ignore[type-arg]
    for name, stage in stages.items():
        lock[name] = {
            "cmd": stage["cmd"],
            **{kind: [built.entry(p) for p in stage[kind]] for kind in ("deps", "outs")},
        }
    lock["train"]["deps"] += [built.entry(path) for path in before]


def undeclared(built: Built) -> set[str]:
    findings: list[Finding] = [
        f
        for f in built.audit().verdict.findings
        if f.rule == "lineage.datasets" and f.outcome is not Outcome.PASSED
    ]
    return {f.about for f in findings}


@pytest.mark.parametrize("count", [1, 2, 4])
def test_checkpoints_of_earlier_stages_are_no_data(count: int, tmp_path: Path) -> None:
    assert undeclared(with_stages(tmp_path / "r", count)) == set()


@pytest.mark.parametrize("hidden", [0, 1, 2])
def test_data_of_an_earlier_stage_is_asked_for(hidden: int, tmp_path: Path) -> None:
    built = with_stages(tmp_path / "r", 3)
    data = f"data/stage{hidden}.jsonl"
    built.edit("release.yaml", lambda m: m["evidence"]["datasets"].remove(data))
    assert undeclared(built) == {data}


@pytest.mark.parametrize("name", ["made.jsonl", "made.parquet", "made.csv"])
def test_data_beside_a_checkpoint_is_still_data(name: str, tmp_path: Path) -> None:
    assert undeclared(with_stages(tmp_path / "r", 1, extra=name)) == {f"stage0/{name}"}


@pytest.mark.parametrize("name", ["train.bin", "train.pt", "tokens.txt"])
def test_tokens_that_a_stage_prepared_are_data(name: str, tmp_path: Path) -> None:
    built = build(tmp_path / "r", 3)
    for file in ("dvc.yaml", "dvc.lock", "release.yaml"):
        built.write(file, built.path(file).read_text().replace("train.jsonl", name))
    built.path("data/train.jsonl").rename(built.path(f"data/{name}"))
    built.edit("release.yaml", lambda m: m["evidence"].update(datasets=["data/raw.txt"]))
    assert f"data/{name}" in undeclared(built)


def test_derived_data_that_is_not_declared_is_still_a_gap(tmp_path: Path) -> None:
    built = build(tmp_path / "r", 3)
    built.edit("release.yaml", lambda m: m["evidence"].update(datasets=["data/raw.txt"]))
    assert "data/train.jsonl" in undeclared(built)
