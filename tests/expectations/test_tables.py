"""Tables are held against suites by the real Great Expectations, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_flow.model import ExpectationOutcome, Outcome, Suite
from audit_flow.sources.expectations import ExpectationsBeside
from tests.release_builder import build
from tests.release_parts import Built, validator

Rows = list[dict[str, Any]]


def suite(*expectations: tuple[str, dict[str, Any]], table: str = "dataset") -> Suite:
    written = [{"type": kind, "kwargs": kwargs} for kind, kwargs in expectations]
    return Suite.model_validate(
        {
            "name": "tests", "title": "For tests alone", "table": table, "files": ["*"],
            "min_rows": 1, "expectations": written,
        }
    )  # fmt: skip


A_AND_UNIQUE = (
    ("expect_column_values_to_not_be_null", {"column": "a"}),
    ("expect_column_values_to_be_unique", {"column": "a"}),
    ("expect_column_values_to_be_between", {"column": "a", "min_value": 0, "max_value": 9}),
)


def outcomes(tmp_path: Path, text: str, wanted: Suite, name: str = "t.jsonl") -> dict[str, Any]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return validator().validate(path, name, wanted, None)


def met(answer: dict[str, Any]) -> list[bool | None]:
    return [ExpectationOutcome.model_validate(o).met for o in answer["outcomes"]]


def lines(rows: Rows) -> str:
    return "".join(json.dumps(r) + "\n" for r in rows)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"a": 1}, {"a": 2}], [True, True, True, True]),
        ([{"a": 1}, {"a": 1}], [True, True, False, True]),
        ([{"a": 1}, {"a": 12}], [True, True, True, False]),
        ([{"a": 1}, {"b": 2}], [True, False, True, True]),
        ([{"a": 1}, {"a": float("nan")}], [True, False, True, True]),
        ([{"a": None}, {"a": None}], [True, False, True, True]),
        ([], [False]),
    ],
)
def test_each_expectation_is_answered(tmp_path: Path, rows: Rows, expected: list[bool]) -> None:
    assert met(outcomes(tmp_path, lines(rows), suite(*A_AND_UNIQUE))) == expected


def test_a_column_that_is_not_there_is_no_success(tmp_path: Path) -> None:
    answer = outcomes(tmp_path, lines([{"b": 1}]), suite(*A_AND_UNIQUE))
    assert met(answer)[0] is True
    assert not any(met(answer)[1:])


def test_csv_and_trainer_state_are_tables(tmp_path: Path) -> None:
    assert met(outcomes(tmp_path, "a,b\n1,x\n2,y\n", suite(*A_AND_UNIQUE), "t.csv")) == [True] * 4
    log = json.dumps({"log_history": [{"a": 1}, {"a": 2}]})
    assert met(outcomes(tmp_path, log, suite(*A_AND_UNIQUE), "t.json")) == [True] * 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.jsonl", '{"a": 1}\n[1]\n'),
        ("t.jsonl", '{"a": \n'),
        ("t.json", '"text"'),
        ("t.json", "[1, 2]"),
        ("t.csv", "a\n1,2,3\n"),
        ("t.jsonl", "\n".join(json.dumps({f"c{i}": 1}) for i in range(400))),
    ],
)
def test_what_is_no_table_stops_and_says_why(tmp_path: Path, name: str, text: str) -> None:
    answer = outcomes(tmp_path, text, suite(*A_AND_UNIQUE), name)
    assert name in answer["stopped"]
    assert "outcomes" not in answer


def test_a_number_of_items_that_is_not_known_is_not_asked(tmp_path: Path) -> None:
    counted = suite(
        ("expect_table_row_count_to_equal", {"value": "$benchmark_items"}), table="evaluation-rows"
    )
    path = tmp_path / "t.jsonl"
    path.write_text(lines([{"a": 1}, {"a": 2}]), encoding="utf-8")
    for items, expected in ((None, None), (2, True), (3, False)):
        answer = validator().validate(path, "t.jsonl", counted, items)
        assert met(answer) == [True, expected]


@pytest.mark.slow
def test_a_process_that_dies_is_told_and_another_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(lines([{"a": 1}]), encoding="utf-8")
    with ExpectationsBeside() as beside:
        assert beside._child is not None
        os.kill(beside._child.pid, signal.SIGKILL)
        answer = beside.validate(path, "t.jsonl", suite(*A_AND_UNIQUE), None)
        assert "ended with code" in answer["stopped"]
        path.write_text(lines([{"a": 2}]), encoding="utf-8")
        assert "outcomes" in beside.validate(path, "t.jsonl", suite(*A_AND_UNIQUE), None)


def _findings(built: Built) -> dict[str, Outcome]:
    findings = built.audit().verdict.findings
    return {f.about: f.outcome for f in findings if f.rule == "tables.expectations"}


def test_every_table_of_a_good_release_is_as_expected(tmp_path: Path) -> None:
    found = _findings(build(tmp_path))
    assert set(found.values()) == {Outcome.PASSED}
    assert len(found) >= 2


def _nan_loss(built: Built, path: str) -> None:
    built.edit(path, lambda s: s["log_history"][0].update(loss=float("nan")))


def _backwards(built: Built, path: str) -> None:
    built.edit(path, lambda s: s["log_history"].reverse())


def _no_log(built: Built, path: str) -> None:
    built.edit(path, lambda s: s["log_history"].clear())


@pytest.mark.parametrize("spoil", [_nan_loss, _backwards, _no_log])
def test_a_training_log_that_can_not_be_true_fails(
    tmp_path: Path, spoil: Callable[[Built, str], None]
) -> None:
    built = build(tmp_path)
    log = next(p for p in built.files() if p.endswith("trainer_state.json"))
    built.edit(log, lambda s: s["log_history"].append({"step": 10**6, "loss": 0.1}))
    spoil(built, log)
    assert _findings(built)[log] is Outcome.FAILED


def test_a_dataset_without_rows_fails(tmp_path: Path) -> None:
    built = build(tmp_path)
    data = next(p for p in _findings(built) if p.startswith("data"))
    built.write(data, "\n")
    assert _findings(built)[data] is Outcome.FAILED


def test_tables_beyond_the_limit_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit_flow.collectors.tables.MAX_TABLES", 1)
    found = list(_findings(build(tmp_path)).values())
    assert found.count(Outcome.PASSED) == 1
    assert found.count(Outcome.ERROR) == len(found) - 1 > 0
