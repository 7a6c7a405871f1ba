"""The reference pages say all there is, and nothing that there is not."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from audit_flow.analysis.comparison import ScoreParams
from audit_flow.checks import CHECKS
from audit_flow.checks.contamination import OverlapParams
from audit_flow.checks.findings import FindingsParams, ScoreFindingsParams
from audit_flow.checks.interface import GAPS_IN_WORDS
from audit_flow.checks.served_rows import ServedParams
from audit_flow.checks.training_compute import PossibleParams, ThroughputParams, UsualParams
from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.published import read_published
from audit_flow.collectors.readers import READERS, detect
from audit_flow.errors import InputError
from audit_flow.gate.judge import UNASSESSED
from audit_flow.linking import ledger
from audit_flow.model import Rule
from audit_flow.policy_file import bundled, load_policy
from audit_flow.policy_file.cases import CaseFile
from audit_flow.report import json_format
from audit_flow.sources import manifest_entries as manifest
from audit_flow.sources import manifest_schema, yaml_text
from audit_flow.sources.folder import Folder
from audit_flow.sources.wire import validate
from benchmarks.incidents.form import read_case
from tests.docs.pages import anchors, blocks, first_column, headings, section, slug, text
from tests.house.tree import ROOT

ALL_RULES = [*(r for name in bundled() for r in load_policy(name).rules), UNASSESSED]
PARTS = ("PASSED", "FAILED", "UNPROVEN", "Does not prove", "Remedy")


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_every_rule_has_its_texts_and_its_heading(rule: Rule) -> None:
    assert all((rule.title, rule.failure, rule.remedy))
    assert rule.docs == f"docs/rules.md#{slug(rule.id)}"
    assert slug(rule.id) in anchors("docs/rules.md")
    bullets = re.findall(r"^- \*\*([\w ]+):\*\* \S", section("docs/rules.md", rule.id), re.M)
    assert [b for b in bullets if b != "ERROR"] == list(PARTS)


def test_every_check_has_a_rule_in_the_default_policy_and_a_heading() -> None:
    rules = {rule.id for rule in load_policy("default").rules}
    assert {check.id for check in CHECKS} == rules
    assert set(headings(text("docs/rules.md"))) == {"Rules", UNASSESSED.id, *rules}


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys of a wire type as release-yaml.md writes them."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.alias or name}"
        yield path
        found = re.findall(r"manifest_entries\.(\w+Entry)", repr(field.annotation))
        if name == "checksums":
            yield f"{path}.<path>"
        for inner in dict.fromkeys(found):
            mark = "[]." if "list[" in repr(field.annotation) else "."
            yield from keys(getattr(manifest, inner), f"{path}{mark}")


def test_every_key_of_the_manifest_is_documented_and_no_other() -> None:
    documented = first_column(text("docs/release-yaml.md"))
    assert sorted(documented) == sorted(keys(manifest.ReleaseManifest))
    assert "scores[].protocol.sampling.top_p" in documented


def test_the_example_manifest_is_one() -> None:
    [example] = [body for lang, body in blocks(text("docs/release-yaml.md")) if lang == "yaml"]
    document = yaml_text.parse(example.encode())
    parsed = validate(manifest.ReleaseManifest, document, "docs", InputError)
    assert len(parsed.claims()) == 4


@pytest.mark.parametrize(
    ("name", "current"),
    [
        ("release-v1.json", manifest_schema.schema_text),
        ("report-v1.json", json_format.schema_text),
    ],
)
def test_the_published_schemas_are_current(name: str, current: Any) -> None:
    published = (ROOT / "docs/schemas" / name).read_text("utf-8")
    assert published == current(), f"write the new text of {current.__module__}.schema_text()"
    jsonschema.Draft202012Validator.check_schema(json.loads(published))


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/release.yaml")), ids=str)
def test_the_schema_takes_what_the_reader_takes(path: Path) -> None:
    document = yaml.safe_load(path.read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(manifest_schema.release_schema())
    validator.validate(document)
    document["release"]["version"] = 1.5
    document.setdefault("evidence", {})["evaluations"] = ["a.json", {"path": "b.json"}]
    validator.validate(document)
    for wrong in ({"shema": 1}, {"scores": [{"benchmark": "x"}]}, {"weights": 3}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**document, **wrong})


def test_every_gap_is_explained_with_its_kind() -> None:
    explained = re.findall(
        r"^- `([a-z-]+)` \((contradicted|open)\b[^)]*\): \S", text("docs/lineage.md"), re.M
    )
    names = [name for name, _ in explained]
    assert sorted(names) == sorted(GAPS_IN_WORDS)


def gap_names() -> set[str]:
    """Name the gaps that linking can make, as far as they are written out in its source."""
    found = {name for _, changed, absent in ledger._ROLES.values() for name in (changed, absent)}
    for module in (ROOT / "audit_flow/linking").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "new_gap":
                first = node.args[0]
                found |= {str(first.value)} if isinstance(first, ast.Constant) else set()
    return found


def test_every_gap_that_linking_makes_has_words() -> None:
    names = gap_names()
    assert {"weights-without-job", "base-model-changed"} <= names
    assert names <= set(GAPS_IN_WORDS)


def test_every_format_that_is_read_has_a_heading() -> None:
    assert {reader.format for reader in READERS} <= set(headings(text("docs/evidence.md")))


def test_the_reported_results_example_is_read(tmp_path: Path) -> None:
    [example] = [body for lang, body in blocks(text("docs/evidence.md")) if lang == "yaml"]
    (tmp_path / "post-mortem.yaml").write_text(example)
    source = SourceFile(Folder.at(tmp_path), "post-mortem.yaml")
    [run] = detect(source, "evaluation").read(source)
    assert run.source == "post-mortem.yaml"


def test_the_policy_examples_hold(tmp_path: Path) -> None:
    policy, waivers, cases = [b for lang, b in blocks(text("docs/policies.md")) if lang == "yaml"]
    (tmp_path / "acme.yaml").write_text(policy + waivers)
    loaded = load_policy(str(tmp_path / "acme.yaml"))
    assert len(loaded.rules) == len(load_policy("default").rules)
    assert {r.id: r.params for r in loaded.rules}["scores.reproduced"]["pass_margin"] == 0.03
    assert [w.about for w in loaded.waivers] == ["data/licensed.jsonl"]
    assert len(CaseFile.model_validate(yaml.safe_load(cases)).cases) == 2


def test_the_parameters_are_the_default_policys() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", text("docs/policies.md"), re.M)
    documented = {name: float(value) for name, value in rows}
    scores = ScoreParams().model_dump()
    training = PossibleParams().model_dump() | UsualParams().model_dump()
    training |= ThroughputParams().model_dump()
    overlap = OverlapParams().model_dump()
    assert documented == scores | training | overlap
    published = (ScoreFindingsParams(), FindingsParams(), ServedParams())
    told = [p.model_dump() for p in published]
    shown = {"assumed_items": 100} | told[1] | told[2]
    assert all(f"`{n}` ({_in_words(v)})" in text("docs/policies.md") for n, v in shown.items())
    for rule in load_policy("default").rules:
        named = ({"suites"}, {"required"}, {"required", "ledger"})
        own = set(rule.params) in named or rule.params in told
        known = (rule.params in ({}, scores, overlap), rule.params.items() <= training.items())
        assert any(known) or own


def _in_words(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def test_the_case_and_findings_of_the_incidents_page_are_read(tmp_path: Path) -> None:
    blocks_ = [b for lang, b in blocks(text("docs/incidents.md")) if lang == "yaml"]
    names = ("claims.yaml", "reproduction.yaml", "findings.yaml")
    for name, body in zip(names, blocks_, strict=True):
        (tmp_path / name).write_text(body)
    case = read_case(tmp_path)
    assert [c.id for c in case.claims] == ["math", "base"]
    assert case.expected.blocking == ("math-again",)
    found = read_published(SourceFile(Folder.at(tmp_path), "findings.yaml"))
    assert [e.kind for e in found] == ["published-finding", "served-row"]


def test_every_bundled_policy_is_listed() -> None:
    table = section("docs/policies.md", "Bundled policies")
    assert set(first_column(table)) == set(bundled())
