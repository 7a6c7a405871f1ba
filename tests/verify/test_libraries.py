"""A library of fingerprints grows: it comes to hold the releases that are looked up in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_flow.cli.fingerprint import fingerprint
from audit_flow.cli.verify import verify
from benchmarks.lineage.tensors import Weights
from tests.lineage_models import changed, drawn, llama, written

SHAPES = llama()
BASE = drawn(SHAPES, 1)
CHILD = changed(BASE, 0.3, 2)


def model(folder: Path, name: str, weights: Weights, base: str = "base") -> Path:
    place = written(folder / name, weights)
    text = f"---\nbase_model: {base}\nbase_model_relation: finetune\n---\n# It\n"
    (place / "README.md").write_text(text)
    return place


def library(folder: Path, *names: str) -> Path:
    """Make fingerprints of the models of these names."""
    known = folder / "known"
    known.mkdir(exist_ok=True)
    for name in names:
        place = known / f"{name}.fingerprint"
        made = CliRunner().invoke(
            fingerprint, [str(folder / name), "--output", str(place)], standalone_mode=False
        )
        assert made.return_value == 0, made.output
    return known


def finding(folder: Path, known: Path, *more: str) -> dict[str, str]:
    result = CliRunner().invoke(
        verify, [str(folder), "--fingerprints", str(known), "--format", "json", *more],
        standalone_mode=False,
    )  # fmt: skip
    findings = json.loads(result.output)["verdict"]["findings"]
    (found,) = (f for f in findings if f["rule"] == "base-model.candidates")
    return dict(found)


@pytest.fixture(autouse=True)
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.mark.parametrize("also", ["the release", "its copy", "both"])
def test_a_library_that_holds_the_release_fails_no_honest_card(also: str, tmp_path: Path) -> None:
    model(tmp_path, "base", BASE)
    release = model(tmp_path, "child", CHILD)
    model(tmp_path, "copy", CHILD)
    names = {"the release": ["child"], "its copy": ["copy"], "both": ["child", "copy"]}[also]
    found = finding(release, library(tmp_path, "base", *names))
    assert found["outcome"] == "PASSED"
    if "copy" in names:
        assert "copy holds the same weights" in found["message"]


def test_what_the_release_is_a_copy_of_still_counts_where_it_is_named(tmp_path: Path) -> None:
    """Somebody who names the candidate himself has asked for it to be held against the claim."""
    model(tmp_path, "base", BASE)
    model(tmp_path, "original", CHILD)
    release = model(tmp_path, "child", CHILD)
    known = library(tmp_path, "base")
    found = finding(release, known, "--base", str(tmp_path / "original"))
    assert found["outcome"] == "FAILED"
    assert "original" in found["actual"]


def test_a_card_that_names_the_wrong_one_still_fails(tmp_path: Path) -> None:
    model(tmp_path, "base", BASE)
    model(tmp_path, "rival", changed(BASE, 0.3, 8))
    release = model(tmp_path, "child", CHILD, "rival")
    model(tmp_path, "copy", CHILD)
    found = finding(release, library(tmp_path, "base", "rival", "copy"))
    assert found["outcome"] == "FAILED"
