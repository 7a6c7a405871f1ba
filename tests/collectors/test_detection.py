"""Every file of evidence is recognised by exactly one reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.collectors.readers import READERS, detect
from audit_flow.errors import EvidenceError
from tests.collectors.reading import DATA, source, write

EVALUATIONS = [r for r in READERS if r.family == "evaluation"]
FORMATS = {
    "lm_eval/**/results*.json": "lm-eval-0.4",
    "lm_eval_v03/*.json": "lm-eval-0.3",
    "bigcode/*.json": "bigcode-eval",
    "inspect/*.json": "inspect",
    "inspect/*.eval": "inspect",
    "inspect/*.txt": "inspect",
    "lighteval/*.json": "lighteval",
    "simple_evals/*.json": "simple-evals",
    "helm/*/run_spec.json": "helm",
    "helm/*/stats.json": "helm",
    "helm/*/scenario_state.json": "helm",
    "olmes/*.json": "olmes",
    "olmes/*.jsonl": "olmes",
    "every_eval_ever/*.json": "every-eval-ever",
}
FILES = [(path, name) for pattern, name in FORMATS.items() for path in sorted(DATA.glob(pattern))]
OTHERS = [
    *DATA.glob("helm/*/scenario.json"),
    *DATA.glob("helm/*/per_instance_stats.json"),
    *DATA.glob("every_eval_ever/*.jsonl"),
    *DATA.glob("lm_eval/**/*.jsonl"),
    *DATA.glob("lighteval/*.parquet"),
]


def test_every_format_has_a_sample() -> None:
    named = {name for _, name in FILES} | {"reported-results"}
    assert named == {reader.format for reader in EVALUATIONS}


@pytest.mark.parametrize(("path", "name"), FILES, ids=lambda v: getattr(v, "name", v))
def test_exactly_one_reader_recognises_it(path: Path, name: str) -> None:
    file = source(path)
    head = file.head()
    assert [r.format for r in EVALUATIONS if r.recognises(file, head)] == [name]


@pytest.mark.parametrize("path", OTHERS, ids=lambda p: p.name)
def test_what_only_belongs_to_a_run_is_no_run(path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"lm-eval-0\.4, lm-eval-0\.3"):
        detect(source(path), "evaluation")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '"results"', "{", '{"results": {}}', '{"results": [1]}', '{"score": 1}',
     '{"config": {}}', "PK\x03\x04", '{"a": {"b": {"c": {"d": 1}}}}', "}]{", ":::", '{"x":}'],
)  # fmt: skip
def test_other_content_is_not_recognised(tmp_path: Path, text: str) -> None:
    with pytest.raises(EvidenceError):
        detect(source(write(tmp_path / "results.json", text)), "evaluation")


def test_a_task_named_like_another_format_confuses_nobody(tmp_path: Path) -> None:
    tasks = {"eval": {"acc": 0.5, "acc_stderr": 0.1}, "config_general": {"acc": 0.5}}
    old = write(tmp_path / "old.json", {"results": tasks, "versions": {"a, b": 0}})
    assert detect(source(old), "evaluation").format == "lm-eval-0.3"
    new = {"results": {"evaluation_results": {"acc,none": 0.5}}}
    assert detect(source(write(tmp_path / "new.json", new)), "evaluation").format == "lm-eval-0.4"
