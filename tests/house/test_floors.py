"""Sizes that keep the code readable, and the shape of the plug-in families."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.house.tree import ROOT, functions, sources, tracked_files

MODULE_LINES = 400
FUNCTION_LINES = 60
MEDIAN_LINES = 10
PRODUCT = ("audit_flow", "flows")
EVERYTHING = (*PRODUCT, "tests", "benchmarks", "requirements", "examples")
# family -> the module that lists its members, and modules that are parts of members, not members
FAMILIES = {
    "checks": ("__init__", set[str]()),
    "collectors": (
        "readers",
        {
            "announcement",
            "collect",
            "one_each",
            "readers",
            "dataset_folders",
            "declared",
            "decontamination",
            "dvc_ledger",
            "model_card",
            "signature",
            "weights",
            "evidence_signature",
            "openness",
            "overlap",
            "own_claims",
            "published",
            "record_signature",
            "tables",
            "weight_comparison",
        },
    ),
    "report": (
        "__init__",
        {"announced", "findings", "reading", "neutral", "plot", "chain", "terminal"},
    ),
}


def module_lines(path: Path) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def test_modules_are_short() -> None:
    lengths = {str(path): module_lines(path) for path in sources(*EVERYTHING)}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES} == {}


def test_functions_are_short() -> None:
    found = [each for path in sources(*EVERYTHING) for each in functions(path)]
    assert [each for each in found if each[1] > FUNCTION_LINES] == []


def test_half_of_the_functions_are_shorter_than_ten_lines() -> None:
    lengths = [length for path in sources(*PRODUCT) for _, length in functions(path)]
    assert statistics.median(lengths) < MEDIAN_LINES


def test_no_module_is_called_utils() -> None:
    names = {path.stem for path in sources(*EVERYTHING)}
    assert names.isdisjoint({"utils", "util", "helpers", "common", "misc"})


def test_nothing_unpickles_or_evaluates() -> None:
    forbidden = ("pickle.load", "marshal.load", "shelve.open", "yaml.load(", "yaml.unsafe_load")
    found = [
        f"{path}: {word}"
        for path in sources(*PRODUCT)
        for word in forbidden
        if word in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert found == []


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_has_one_interface_and_lists_its_members(family: str) -> None:
    folder = Path("audit_flow") / family
    names = {path.name for path in tracked_files() if path.parent == folder}
    if not names:
        pytest.skip(f"{folder} is not built yet")
    assert {"__init__.py", "interface.py"} <= names
    listing, parts = FAMILIES[family]
    listed = (ROOT / folder / f"{listing}.py").read_text(encoding="utf-8")
    members = {Path(name).stem for name in names if name.endswith(".py")}
    missing = {
        member
        for member in members - {"__init__", "interface"} - parts
        if not member.startswith("_") and member not in listed
    }
    assert missing == set()
