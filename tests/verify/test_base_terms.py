"""A stranger holds card and name of a repository against the terms of its well-known base."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.model import Outcome
from audit_flow.policy_file import load_policy
from audit_flow.verify.repository import verify_folder
from tests.release_parts import safetensors

PASSED, FAILED, UNPROVEN = Outcome.PASSED, Outcome.FAILED, Outcome.UNPROVEN


@pytest.mark.parametrize(
    ("folder", "base", "card_license", "text", "expected"),
    [
        ("Swift-8B", "meta-llama/Llama-3.1-8B", "apache-2.0", "", {FAILED, UNPROVEN}),
        ("Llama-Swift", "meta-llama/Llama-3.1-8B", "llama3.1", "Built with Llama", {PASSED}),
        ("Swift", "google/gemma-2-9b", "mit", "", {FAILED}),
        ("Swift", "acme/own-base", "mit", "", {UNPROVEN}),
    ],
)
def test_the_terms_of_a_known_base(
    folder: str, base: str, card_license: str, text: str, expected: set[Outcome], tmp_path: Path
) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / "README.md").write_text(
        f"---\nlicense: {card_license}\nbase_model: {base}\n---\n# A model\n{text}\n", "utf-8"
    )
    (place / "model.safetensors").write_bytes(safetensors({"w": b"12345678"}))
    verdict = verify_folder(place, load_policy("third-party")).verdict
    found = [f for f in verdict.findings if f.rule == "license.base-terms"]
    assert {f.outcome for f in found} == expected
    assert {f.level for f in found} == {"warn"}
    assert verdict.outcome == "INCONCLUSIVE"
