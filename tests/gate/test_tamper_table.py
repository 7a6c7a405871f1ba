"""Change one thing of a good release and its rule fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.model import Outcome
from tests.gate.tampering import (
    BY_NAME,
    failed_rules,
)
from tests.release_builder import build


@pytest.mark.parametrize("folders", [False, True], ids=["files", "folders"])
@pytest.mark.parametrize("seed", range(3))
def test_a_good_release_passes(tmp_path: Path, seed: int, folders: bool) -> None:
    verdict = build(tmp_path / "r", seed, folders=folders).audit().verdict
    assert verdict.outcome == "PASSED", [f for f in verdict.findings if f.outcome != "PASSED"]
    # What its one log does not say of the machines leaves warnings, and nothing else.
    deny = [f for f in verdict.findings if f.level == "deny"]
    assert {f.outcome for f in deny} == {Outcome.PASSED}
    assert {f.rule for f in verdict.findings if f.outcome is not Outcome.PASSED} <= {
        "training.job-described",
        "training.compute-usual",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_each_change_fails_its_rule(tmp_path: Path, name: str) -> None:
    case = BY_NAME[name]
    built = build(tmp_path / "r", seed=len(name))
    case.change(built)
    verdict = built.audit().verdict
    assert verdict.outcome == "FAILED"
    assert set(case.rules) <= failed_rules(verdict), failed_rules(verdict)


FOLDER_CASES = ("weights byte", "dataset", "result", "base weights", "weights config", "log")


@pytest.mark.parametrize("name", FOLDER_CASES)
def test_a_ledger_of_folders_notices_the_same(tmp_path: Path, name: str) -> None:
    built = build(tmp_path / "r", seed=len(name), folders=True)
    BY_NAME[name].change(built)
    verdict = built.audit().verdict
    assert verdict.outcome == "FAILED"
    assert set(BY_NAME[name].rules) <= failed_rules(verdict)
