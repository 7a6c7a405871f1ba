"""The real release: PASSED as it lies here, FAILED when touched, INCONCLUSIVE when taken away."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_flow.audit import audit
from audit_flow.policy_file import load_policy
from audit_flow.report.interface import AuditResult
from audit_flow.reproduce import recompute
from audit_flow.sources.manifest import load
from tests.release_parts import validator

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = Path("examples/digit-adder")
NOT_EVIDENCE = {"release.yaml", "expected.yaml", "README.md", ".gitignore"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("dvc.yaml", "dvc.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    ignore = shutil.ignore_patterns(".audit-flow", "__pycache__")
    shutil.copytree(ROOT / EXAMPLE, tmp_path / EXAMPLE, ignore=ignore)
    return tmp_path


def judged(root: Path) -> AuditResult:
    release = load(root / EXAMPLE / "release.yaml")
    return audit(release, load_policy("default"), recompute(release), tables=validator())


def failed(result: AuditResult) -> set[str]:
    return {f.rule for f in result.verdict.findings if f.outcome == "FAILED" and f.level == "deny"}


def edit(path: Path, pattern: str, new: str) -> None:
    text = path.read_text()
    changed, count = re.subn(pattern, new, text, count=1)
    assert count, f"{pattern} is not in {path.name}"
    path.write_text(changed)


def flip(path: Path, at: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def raise_score(root: Path) -> None:
    manifest = root / EXAMPLE / "release.yaml"
    value = re.search(r"value: ([0-9.]+)\n", manifest.read_text())
    assert value
    edit(manifest, r"value: [0-9.]+\n", f"value: {float(value.group(1)) + 3:.1f}\n")


def rename_base(root: Path) -> None:
    edit(root / EXAMPLE / "release.yaml", r"id: audit-flow/digit-adder-base", "id: other/base")


def change_result(root: Path) -> None:
    path = root / EXAMPLE / "results/results.json"
    results = json.loads(path.read_text())
    task = sorted(results["results"])[0]
    results["results"][task]["exact_match,none"] += 0.002
    path.write_text(json.dumps(results))


def change_sample(root: Path) -> None:
    edit(
        root / EXAMPLE / "results/samples_add_2digit.jsonl",
        r'"exact_match": 1.0',
        '"exact_match": 0.0',
    )


def swap_steps(root: Path) -> None:
    path = root / EXAMPLE / "logs/finetune/trainer_state.json"
    state = json.loads(path.read_text())
    one, other = state["log_history"][3], state["log_history"][9]
    one["step"], other["step"] = other["step"], one["step"]
    path.write_text(json.dumps(state))


TAMPERINGS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "a byte of the weights": (
        lambda r: flip(r / EXAMPLE / "model/model.safetensors", 0.7),
        {"lineage.weights", "checksums.match"},
    ),
    "a byte of the weights' header": (
        lambda r: flip(r / EXAMPLE / "model/model.safetensors", 0.0005),
        {"lineage.weights", "checksums.match"},
    ),
    "a claimed score": (raise_score, {"scores.reproduced", "card.agrees"}),
    "the dataset": (
        lambda r: flip(r / EXAMPLE / "data/train_finetune.jsonl", 0.5),
        {"lineage.datasets"},
    ),
    "the training config": (
        lambda r: edit(r / EXAMPLE / "configs/finetune.yaml", "seed: 2", "seed: 3"),
        {"lineage.training", "training.claims"},
    ),
    "the base model's name": (rename_base, {"base-model.lineage", "card.agrees"}),
    "the base model's weights": (
        lambda r: flip(r / EXAMPLE / "base/model.safetensors", 0.7),
        {"base-model.lineage"},
    ),
    "the evaluation's result": (change_result, {"lineage.evaluations", "scores.recounted"}),
    "a sample row": (change_sample, {"lineage.evaluations", "scores.recounted"}),
    "the job log": (
        lambda r: edit(r / EXAMPLE / "logs/finetune/trainer_state.json", '"epoch"', '"epoch2"'),
        {"lineage.training"},
    ),
    "two steps of the job log": (swap_steps, {"tables.expectations", "lineage.training"}),
    "the tokenizer": (
        lambda r: flip(r / EXAMPLE / "model/tokenizer_config.json", 0.5),
        {"lineage.weights"},
    ),
    "the evaluation's items": (
        lambda r: edit(r / EXAMPLE / "data/eval_add_2digit.jsonl", r"\+", "+1"),
        {"lineage.pipeline"},
    ),
    "the pipeline's plan": (
        lambda r: edit(r / "dvc.yaml", "train.py configs/finetune.yaml", "train.py other.yaml"),
        {"lineage.pipeline"},
    ),
}


def test_the_release_passes(copy: Path) -> None:
    result = judged(copy)
    assert result.verdict.outcome == "PASSED", [
        (f.rule, f.about, f.message) for f in result.verdict.findings if f.blocks
    ]
    warned = {
        f.rule for f in result.verdict.findings if f.level == "warn" and f.outcome != "PASSED"
    }
    # It was trained on a processor: no log speaks of GPUs.
    assert warned == {"training.job-described", "training.compute-usual"}
    assert judged(copy) == result


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_fails_with_the_rule_that_fits(copy: Path, name: str) -> None:
    tamper, rules = TAMPERINGS[name]
    tamper(copy)
    result = judged(copy)
    assert result.verdict.outcome == "FAILED"
    assert rules <= failed(result)


def evidence_files() -> list[str]:
    inside = sorted(p for p in (ROOT / EXAMPLE).rglob("*") if p.is_file())
    names = [p.relative_to(ROOT).as_posix() for p in inside if ".audit-flow" not in p.parts]
    kept = [n for n in names if n.removeprefix(f"{EXAMPLE}/") not in NOT_EVIDENCE]
    return ["dvc.lock", "dvc.yaml", *(n for n in kept if "__pycache__" not in n)]


@pytest.mark.slow
@pytest.mark.parametrize("name", evidence_files())
def test_taking_a_file_away_is_inconclusive_and_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    result = judged(copy)
    assert result.verdict.outcome == "INCONCLUSIVE", failed(result)
    said = " ".join(
        f"{f.about} {f.actual} {f.expected}" for f in result.verdict.findings if f.blocks
    )
    assert name.rsplit("/", 1)[-1] in said


@pytest.mark.slow
@pytest.mark.parametrize(
    "entry",
    [
        "datasets",
        "training_configs",
        "job_logs",
        "evaluations",
        "dvc",
        "card",
        "weights",
        "checksums",
        "reproduce",
        "path",
        "base_model",
    ],
)
def test_not_naming_evidence_does_not_help(copy: Path, entry: str) -> None:
    manifest = copy / EXAMPLE / "release.yaml"
    pattern = rf"(?m)^( *){entry}:.*\n((\1 +.*|\1-.*)\n)*"
    edit(manifest, pattern, "")
    assert judged(copy).verdict.outcome == "INCONCLUSIVE"
