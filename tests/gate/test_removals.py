"""Take anything away from a release and nothing passes; the same input gives the same bytes."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from audit_flow.model import EvalRun, Outcome, sha256_hex
from audit_flow.report.interface import AuditResult
from tests.gate.tampering import (
    BY_NAME,
    INDEX,
    RESULTS,
    SHARD,
    Tamper,
    failed_rules,
    samples,
)
from tests.release_builder import Built, build

# --- taking evidence away ------------------------------------------------------------------------

FILES = (
    "README.md",
    "base/model.safetensors",
    "base/config.json",
    "configs/train.yaml",
    "data/train.jsonl",
    "data/raw.txt",
    "dvc.lock",
    "dvc.yaml",
    "logs/trainer_state.json",
    "model/config.json",
    INDEX,
    RESULTS,
    "samples",
    "src/train.py",
    "src/evaluate.py",
    "src/prepare.py",
)
SECTIONS = ("dvc", "datasets", "training_configs", "job_logs", "evaluations")
KEYS = ("weights", "card", "base_model", "scores", "checksums")


def remove_file(name: str) -> Tamper:
    return lambda built: built.remove(samples(built) if name == "samples" else name)


def remove_section(name: str) -> Tamper:
    return lambda built: built.edit("release.yaml", lambda m: m["evidence"].pop(name))


def remove_key(name: str) -> Tamper:
    return lambda built: built.edit("release.yaml", lambda m: m.pop(name))


def remove_runs(built: Built) -> None:
    built.runs = ()


REMOVALS: dict[str, Tamper] = {
    **{f"file {name}": remove_file(name) for name in FILES},
    **{f"evidence.{name}": remove_section(name) for name in SECTIONS},
    **{f"key {name}": remove_key(name) for name in KEYS},
    "runs": remove_runs,
}


def test_the_table_of_removals_covers_every_file_of_the_release(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    named = {samples(built) if f == "samples" else f for f in FILES}
    twins = {f"results/samples_{built.tasks[1].name}.jsonl", "release.yaml"}
    shards = {SHARD, SHARD.replace("00001-of", "00002-of")}
    assert set(built.files()) == named | twins | shards


@pytest.mark.slow
@pytest.mark.parametrize("removal", REMOVALS)
def test_what_is_taken_away_is_missed(tmp_path: Path, removal: str) -> None:
    built = build(tmp_path / "r", seed=len(removal))
    REMOVALS[removal](built)
    result = built.audit()
    assert result.verdict.outcome == "INCONCLUSIVE", failed_rules(result.verdict)
    name = removal.partition(" ")[2] if removal.startswith("file") else ""
    if name:
        path = samples(built) if name == "samples" else name
        open_findings = [f for f in result.verdict.findings if f.outcome is not Outcome.PASSED]
        assert any(path in f"{f.about} {f.expected} {f.actual}" for f in open_findings)


def test_a_shard_that_its_index_names_can_t_be_taken_away(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    built.remove(SHARD)
    assert built.audit().verdict.outcome == "FAILED"
    built.remove(INDEX)
    assert built.audit().verdict.outcome == "INCONCLUSIVE"


def test_without_any_weights_nothing_is_accused(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    for name in [f for f in built.files() if f.startswith("model/")]:
        built.remove(name)
    assert built.audit().verdict.outcome == "INCONCLUSIVE"


def test_a_configuration_of_which_the_ledger_holds_a_part_is_not_proven(tmp_path: Path) -> None:
    """The lock holds two settings; the file says more, and nobody knows since when."""
    built = build(tmp_path / "r")
    for name in ("dvc.yaml", "dvc.lock"):
        built.edit(name, drop_config)
    verdict = built.audit().verdict
    assert verdict.outcome == "INCONCLUSIVE"
    found = [f for f in verdict.findings if f.rule == "lineage.training"]
    assert any("training-config-partly-tracked" in f.message for f in found)


def drop_config(document: Any) -> None:
    deps = document["stages"]["train"]["deps"]
    paths = [d["path"] if isinstance(d, dict) else d for d in deps]
    del deps[paths.index("configs/train.yaml")]


PAIRS = (
    "weights byte, all covered up",
    "claim",
    "dataset",
    "training config",
    "result",
    "base in the manifest",
    "own lower result",
    "training claim",
    "pickle",
    "command",
    "older checkpoint",
    "card base",
    "other weights measured",
)


def never_made_good(tmp_path: Path, name: str, removals: list[str]) -> None:
    good = build(tmp_path / "r", seed=len(name))
    BY_NAME[name].change(good)
    for index, removal in enumerate(removals):
        built = good.copy(tmp_path / str(index))
        # What a change wrote into one file may be gone with it: then nothing is left to remove.
        with suppress(FileNotFoundError, KeyError):
            REMOVALS[removal](built)
        assert built.audit().verdict.outcome != "PASSED", removal


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_taking_away_never_makes_good(tmp_path: Path, name: str) -> None:
    start = PAIRS.index(name)
    never_made_good(tmp_path, name, list(REMOVALS)[start :: len(PAIRS)])


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_taking_anything_away_never_makes_good(tmp_path: Path, name: str) -> None:
    never_made_good(tmp_path, name, list(REMOVALS))


# --- the same answer, byte for byte --------------------------------------------------------------


def both(result: AuditResult) -> tuple[bytes, bytes]:
    return json.dumps(result.verdict.plain()).encode(), json.dumps(result.record.plain()).encode()


@pytest.mark.parametrize("name", ["", "weights byte", "claim and card", "header"])
def test_the_same_release_gives_the_same_bytes(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build(tmp_path / "r", seed=5)
    if name:
        BY_NAME[name].change(built)
    first = both(built.audit())
    assert both(built.audit()) == first
    assert both(built.audit(runs=reversed(built.runs))) == first
    assert both(built.copy(tmp_path / "deep" / "elsewhere").audit()) == first
    monkeypatch.chdir(built.root)
    assert both(Built(Path(), built.tasks, built.runs).audit()) == first


def test_evidence_of_two_minds_under_one_name_is_refused(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    run = built.runs[0]
    assert isinstance(run, EvalRun)
    lower = run.model_copy(update={"value": run.value / 2, "sha256": sha256_hex(b"other")})
    for runs in ((lower, *built.runs), (*built.runs, lower)):
        verdict = built.audit(runs=runs).verdict
        assert verdict.outcome != "PASSED"
