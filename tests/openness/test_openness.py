"""The class that files support, licences told by their texts, and the terms of bases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_flow.analysis.licenses import is_open, license_of_base, license_of_text, terms_of
from audit_flow.analysis.openness import (
    CLASS_I,
    CLASS_II,
    CLASS_III,
    COMPONENTS,
    missing_for,
    supported_class,
)
from audit_flow.checks.openness import DisclosureParams, DisclosuresMade
from audit_flow.model import Finding, Outcome
from tests.house.tree import ROOT
from tests.release_builder import Built, build

APACHE = (ROOT / "LICENSE").read_text("utf-8")
MIT = (
    "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n"
)
NC = "Creative Commons Attribution-NonCommercial 4.0 International Public License\n"
LLAMA = "LLAMA 3.1 COMMUNITY LICENSE AGREEMENT\nLlama 3.1 Version Release Date: July 23, 2024\n"
SOURCES = {"model-architecture", "data-card", "technical-report", *CLASS_II}


@pytest.mark.parametrize(
    ("text", "name", "open_"),
    [
        (APACHE, "apache-2.0", True),
        (MIT, "mit", True),
        (NC, "cc-by-nc-4.0", False),
        (LLAMA, "llama3.1", False),
        ("Attribution 4.0 International", "cc-by-4.0", True),
        ("all rights reserved", None, False),
    ],
)
def test_a_licence_is_told_by_its_text(text: str, name: str | None, open_: bool) -> None:
    assert license_of_text(text) == name
    assert is_open(name) is open_


@given(st.sets(st.sampled_from(COMPONENTS)))
def test_a_class_is_reached_only_with_all_below_it(have: set[str]) -> None:
    reached = supported_class(have)
    assert len(COMPONENTS) == 17
    paper = have | ({"technical-report"} if "research-paper" in have else set())
    whole = [set(CLASS_III) <= paper, set(CLASS_II) <= paper, set(CLASS_I) <= paper]
    expected = None
    for name, there in zip(("III", "II", "I"), whole, strict=True):
        if not there:
            break
        expected = name
    assert reached == expected
    if reached:
        assert missing_for(reached, have) == ()


def test_bases_are_known_by_name() -> None:
    named = {
        "meta-llama/Llama-3.1-8B": "llama3.1",
        "meta-llama/Meta-Llama-3-8B": "llama3",
        "meta-llama/Llama-2-7b-hf": "llama2",
        "google/gemma-2-9b": "gemma",
        "google/gemma-7b-it": "gemma",
        "google/gemma-3-4b-it": "gemma",
        "google/gemma-4-31b": None,
        "codellama/CodeLlama-7b-hf": "llama2",
        "someone/Llama-3.1-8B": None,
    }
    assert {name: license_of_base(name) for name in named} == named
    assert all(terms_of(found) for found in named.values() if found)


def findings(built: Built, rule: str) -> dict[str, Finding]:
    return {f.about: f for f in built.audit().verdict.findings if f.rule == rule}


def released(built: Built, name: str = "III") -> None:
    """Give a release files for every component of class II, under its own licence."""
    built.write("LICENSE", APACHE)
    components = {}
    for part in sorted(SOURCES):
        built.write(f"open/{part}.txt", part)
        components[part] = [f"open/{part}.txt"]
    built.edit(
        "release.yaml", lambda m: m.update(openness={"class": name, "components": components})
    )


@pytest.mark.parametrize(
    ("claimed", "outcome"),
    [("III", Outcome.PASSED), ("II", Outcome.PASSED), ("I", Outcome.FAILED)],
)
def test_the_class_is_that_of_the_files(claimed: str, outcome: Outcome, tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    released(built, claimed)
    assert findings(built, "openness.class")["openness"].outcome is outcome


@pytest.mark.parametrize("how", ["removed", "emptied", "relicensed", "unlicensed"])
def test_a_component_that_is_not_open_does_not_count(how: str, tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    released(built, "II")
    place = built.path("open/training-code.txt")
    if how == "removed":
        place.unlink()
    elif how == "emptied":
        place.write_text("", "utf-8")
    elif how == "relicensed":
        place.write_text("# SPDX-License-Identifier: CC-BY-NC-4.0\n", "utf-8")
    else:
        built.write("open/LICENSE", "all rights reserved")
    found = findings(built, "openness.class")["openness"]
    assert found.outcome is Outcome.FAILED
    assert "training-code" in found.actual


def based(built: Built, base: str | None, own: str, name: str) -> dict[str, Finding]:
    def change(manifest: Any) -> None:
        manifest["release"] |= {"name": name, "license": own}
        manifest["release"].pop("hub_id", None)
        manifest["base_model"]["license"] = base

    built.edit("release.yaml", change)
    return findings(built, "license.base-terms")


@pytest.mark.parametrize(
    ("base", "own", "name", "license_", "named"),
    [
        ("llama3.1", "llama3.1", "Llama-3.1-Swift-8B", Outcome.PASSED, Outcome.PASSED),
        ("llama3.1", "apache-2.0", "Swift-8B", Outcome.FAILED, Outcome.FAILED),
        ("llama3", "llama3", "Llama 3 Swift", Outcome.PASSED, Outcome.PASSED),
        ("llama3", "llama3", "Llama-Swift", Outcome.PASSED, Outcome.FAILED),
        ("gemma", "mit", "Swift", Outcome.FAILED, None),
        ("bigscience-openrail-m", "apache-2.0", "Swift", Outcome.FAILED, None),
        ("cc-by-nc-4.0", "mit", "Swift", Outcome.FAILED, None),
        ("mit", "cc-by-nc-4.0", "Swift", Outcome.PASSED, None),
        ("gemma", "other", "Swift", Outcome.UNPROVEN, None),
        ("cc-by-nc-sa-4.0", "cc-by-nc-4.0", "Swift", Outcome.FAILED, None),
        ("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "Swift", Outcome.PASSED, None),
        ("cc-by-sa-4.0", "gpl-3.0", "Swift", Outcome.PASSED, None),
        ("llama2", "llama2", "Swift", Outcome.PASSED, None),
        ("unheard-of", "mit", "Swift", Outcome.UNPROVEN, None),
    ],
)
def test_terms_of_the_base_are_held(
    base: str, own: str, name: str, license_: Outcome, named: Outcome | None, tmp_path: Path
) -> None:
    found = based(build(tmp_path / "r"), base, own, name)
    assert found["license"].outcome is license_
    assert (found["name"].outcome if "name" in found else None) is named


def test_a_policy_can_require_disclosures(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    params = DisclosureParams(required=("data-suppliers",))
    check = DisclosuresMade()
    (before,) = check.run(built.audit().record, params)
    built.edit("release.yaml", lambda m: m.update(disclosures={"data-suppliers": "Acme"}))
    (after,) = check.run(built.audit().record, params)
    assert (before.outcome, after.outcome) == (Outcome.UNPROVEN, Outcome.PASSED)
