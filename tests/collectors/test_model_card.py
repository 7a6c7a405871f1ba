"""Nothing on a card is hidden by how it is written."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from audit_flow.collectors.model_card import read_card
from audit_flow.model import ScoreClaim
from audit_flow.sources.folder import Folder
from tests.release_builder import build

FRONT = """base_model: a/b
model-index:
- results:
  - dataset: {name: x, type: x}
    metrics: [{type: acc, value: VALUE}]
"""


@pytest.mark.parametrize("start", ["", "\n", "  \n", "\ufeff", "\ufeff\n "])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_white_space_hides_no_claim(tmp_path: Path, start: str, ending: str) -> None:
    text = f"{start}---\n{FRONT.replace('VALUE', '93.4')}---\nrest".replace("\n", ending)
    (tmp_path / "README.md").write_bytes(text.encode())
    card, scores = read_card(Folder.at(tmp_path), "README.md")
    assert [s.value for s in scores] == [Decimal("93.4")]
    assert [b.base for b in card.bases] == ["a/b"]


@pytest.mark.parametrize(
    ("value", "unit"),
    [("0.9", "fraction"), ('"0.9 %"', "percent"), ("93", "percent"), ("1", None), ("250", None)],
)
def test_units(tmp_path: Path, value: str, unit: str | None) -> None:
    (tmp_path / "README.md").write_text(f"---\n{FRONT.replace('VALUE', value)}---\n")
    assert read_card(Folder.at(tmp_path), "README.md")[1][0].unit == unit


def test_a_second_number_hides_no_first(tmp_path: Path) -> None:
    built = build(tmp_path / "r")
    metrics = "".join(
        f"  - dataset: {{name: other, type: other}}\n    metrics: [{{type: acc, value: {v}}}]\n"
        for v in ("99.9", "10.5", "99.9")
    )
    built.replace("README.md", "  results:\n", f"  results:\n{metrics}")
    result = built.audit()
    values = [c.value for c in result.record.of(ScoreClaim) if c.benchmark == "other"]
    assert values == [Decimal("99.9"), Decimal("10.5")]
    assert result.verdict.outcome == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("written", "nested"), [("type: acc", "type: [acc]"), ("name: x,", "name: {a: x},")]
)
def test_what_is_no_text_is_told_and_not_taken_for_a_name(
    tmp_path: Path, written: str, nested: str
) -> None:
    text = FRONT.replace("VALUE", "93.4")
    assert written in text
    (tmp_path / "README.md").write_text(f"---\n{text.replace(written, nested)}---\n")
    card, scores = read_card(Folder.at(tmp_path), "README.md")
    assert scores == ()
    assert any("without dataset name, type or number" in told for told in card.unread)


@pytest.mark.parametrize("entry", ["{id: {a: 1}}", "{id: acme/x, task_id: [1]}"])
def test_a_nested_name_in_eval_results_is_told(tmp_path: Path, entry: str) -> None:
    (tmp_path / "README.md").write_text("# It\n")
    (tmp_path / ".eval_results").mkdir()
    text = f"- dataset: {entry}\n  value: 93.4\n"
    (tmp_path / ".eval_results" / "x.yaml").write_text(text)
    card, scores = read_card(Folder.at(tmp_path), "README.md")
    assert scores == ()
    assert any("result 1 has" in told for told in card.unread)
