"""Planting items in the training data of a release fails by the rule; claims need output."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_flow.model import Finding, Outcome, Overlap
from tests.release_builder import Built, build

DATA = "data/train.jsonl"


def findings(built: Built, rule: str) -> list[Finding]:
    return [f for f in built.audit().verdict.findings if f.rule == rule]


def asked(built: Built, words: int) -> list[tuple[str, str]]:
    """Give the items of the first task texts of so many words, and return these."""
    rng = random.Random(words)
    task = built.tasks[0]
    items = [
        (" ".join(f"w{rng.randrange(10**6)}" for _ in range(words)), f"a{i}")
        for i in range(len(task.right))
    ]
    rows = task.rows()
    for row, (question, answer) in zip(rows, items, strict=True):
        row |= {"doc": {"question": question, "answer": answer}, "target": answer}
    name = f"results/samples_{task.name}.jsonl"
    built.edit_rows(name, lambda old: old.__setitem__(slice(None), rows))
    return items


def plant(built: Built, items: list[tuple[str, str]], share: float) -> None:
    chosen = items[: int(len(items) * share)]
    with built.path(DATA).open("a", encoding="utf-8") as stream:
        for question, answer in chosen:
            stream.write(json.dumps({"question": question, "answer": answer}) + "\n")


def settled(built: Built) -> None:
    built.relock()
    built.announce()
    built.reproduce()


@pytest.mark.parametrize("words", [2, 9, 40])
@pytest.mark.parametrize(
    ("share", "outcome", "warned"),
    [
        (0.0, Outcome.PASSED, Outcome.PASSED),
        (0.01, Outcome.PASSED, Outcome.FAILED),
        (0.05, Outcome.FAILED, Outcome.FAILED),
    ],
)
def test_planted_items_are_found(
    words: int, share: float, outcome: Outcome, warned: Outcome, tmp_path: Path
) -> None:
    built = build(tmp_path / "r", seed=words)
    plant(built, asked(built, words), share)
    settled(built)
    task = built.tasks[0].name
    verdict = built.audit().verdict
    said = {(f.rule, f.about): f for f in verdict.findings}
    assert said["data.contamination", task].outcome is outcome
    assert said["data.contamination-checked", task].outcome is warned
    assert verdict.outcome == ("FAILED" if outcome is Outcome.FAILED else "PASSED")
    if share:
        assert f"item 0 in {DATA}, row" in said["data.contamination-checked", task].actual


def test_without_rows_or_data_nobody_looked(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    built.edit("release.yaml", lambda m: m["evidence"].update(datasets=[]))
    assert [f.outcome for f in findings(built, "data.contamination-checked")] == [Outcome.UNPROVEN]


def test_data_that_is_no_text_is_said(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    built.path(DATA).write_bytes(b"\x00\x01" * 100)
    built.relock()
    result = built.audit()
    (fact, *_) = result.record.of(Overlap)
    assert fact.unread
    said = {f.outcome for f in result.verdict.findings if f.rule == "data.contamination"}
    assert said == {Outcome.UNPROVEN}


def claim(entry: dict[str, Any]) -> Callable[[Any], None]:
    return lambda manifest: manifest.update(decontamination=[entry])


OUTPUTS: dict[str, tuple[str, Outcome]] = {
    "report.json": (json.dumps({"removed": {"arc": 12}, "checked": 4000}), Outcome.PASSED),
    "hits.jsonl": ('{"doc": 1}\n{"doc": 7}\n', Outcome.PASSED),
    "hits.csv": ("doc,ngram\n1,x\n", Outcome.PASSED),
    "empty.json": ("{}", Outcome.UNPROVEN),
    "broken.json": ("{", Outcome.UNPROVEN),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_claim_needs_its_output(name: str, tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    built.edit("release.yaml", claim({"tool": "decon", "output": name}))
    rule = "data.decontamination"
    assert findings(built, rule)[0].outcome is Outcome.UNPROVEN
    text, outcome = OUTPUTS[name]
    built.write(name, text)
    assert findings(built, rule)[0].outcome is outcome
    built.edit("release.yaml", claim({"tool": "decon"}))
    assert findings(built, rule)[0].outcome is Outcome.UNPROVEN
    assert built.audit().verdict.outcome == "INCONCLUSIVE"


def test_a_claim_that_items_contradict_fails(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    plant(built, asked(built, 30), 0.01)
    settled(built)
    built.write("report.json", '{"removed": 3}')
    entry = {"tool": "decon", "output": "report.json"}
    built.edit("release.yaml", claim(entry))
    assert findings(built, "data.decontamination")[0].outcome is Outcome.FAILED
    built.edit("release.yaml", claim(entry | {"benchmarks": ["another"]}))
    assert findings(built, "data.decontamination")[0].outcome is Outcome.PASSED
