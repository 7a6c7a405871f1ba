"""HELM: a real run's folder, splits, perturbations, trials."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from audit_flow.errors import EvidenceError, MissingEvidence
from audit_flow.model import EvalRun
from tests.collectors.reading import DATA, mean_of, one, read, read_known, samples_of, unread, write

RUN = DATA / "helm/philosophy"
TASK = "mmlu:subject=philosophy,method=multiple_choice_joint"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(RUN, tmp_path / "run")


def statistics() -> Iterator[dict[str, Any]]:
    yield from json.loads((RUN / "stats.json").read_text(), parse_float=Decimal)


def change(path: Path, edit: Any) -> None:
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))


def test_every_score_of_every_split_is_read_with_its_digits() -> None:
    runs = read(RUN / "run_spec.json")
    expected = sorted(
        str(s["mean"]) for s in statistics() if "exact_match" in s["name"]["name"] and s["count"]
    )
    assert sorted(str(r.value) for r in runs if "exact_match" in r.metric) == expected
    assert not any(r.metric.startswith(("num_", "inference_")) for r in runs)


def test_every_file_of_a_run_tells_the_same() -> None:
    def known(runs: tuple[EvalRun, ...]) -> list[EvalRun]:
        return sorted(runs, key=lambda r: r.id)

    assert known(read(RUN / "run_spec.json")) == known(read(RUN / "stats.json"))
    assert known(read(RUN / "run_spec.json")) == known(read(RUN / "scenario_state.json"))


def test_instances_give_the_figures_again() -> None:
    counted = [r for r in read(RUN / "stats.json") if r.samples]
    assert len(counted) >= 8
    for run in counted:
        assert mean_of(run) == pytest.approx(float(run.value))
        assert samples_of(run).items == run.n_items


def test_protocol_weights_and_items() -> None:
    run = one(read(RUN / "run_spec.json"), TASK, "exact_match", "/test")
    assert (run.n_items, run.n_original, run.runs, run.status) == (9, 311, 1, "incomplete")
    assert run.weights_stated == "openai/gpt2"
    assert (run.protocol.shots, run.protocol.host) == (5, "self-hosted")
    assert run.protocol.extraction == "multiple_choice_joint"
    assert samples_of(run).items_sha256
    assert run.note == "limited to 10 instances: 9 evaluated, of 311"


def test_splits_and_perturbations_are_tasks_of_their_own() -> None:
    runs = read(RUN / "stats.json")
    assert one(runs, f"{TASK} [valid]", "exact_match").n_items == 1
    worst = one(runs, f"{TASK} [test/robustness,worst]", "exact_match")
    assert worst.note
    assert "perturbed" in worst.note
    assert worst.samples is None


def test_trials_are_repeats(folder: Path) -> None:
    def twice(rows: list[Any]) -> None:
        rows += [row | {"train_trial_index": 1} for row in rows]

    change(folder / "per_instance_stats.json", twice)
    seen = samples_of(one(read(folder / "stats.json"), TASK, "exact_match", "/test"))
    assert (seen.rows, seen.items, seen.duplicates) == (18, 9, 0)


def test_a_doubled_instance_is_a_duplicate(folder: Path) -> None:
    change(folder / "per_instance_stats.json", lambda rows: rows.append(rows[0]))
    seen = samples_of(one(read(folder / "stats.json"), TASK, "exact_match", "/test"))
    assert (seen.duplicates, seen.conflicts) == (1, 0)


def test_failed_requests_leave_the_run_incomplete(folder: Path) -> None:
    def fail(state: dict[str, Any]) -> None:
        state["request_states"][0]["result"]["success"] = False

    change(folder / "scenario_state.json", fail)
    run = read(folder / "stats.json")[0]
    assert run.status == "incomplete"
    assert run.note
    assert run.note.startswith("1 of 10 requests failed")


def test_without_prompts_the_items_are_not_told(folder: Path) -> None:
    (folder / "scenario_state.json").unlink()
    run = one(read(folder / "stats.json"), TASK, "exact_match", "/test")
    assert (samples_of(run).items, samples_of(run).items_sha256) == (9, None)


@pytest.mark.parametrize("state", [True, False])
def test_a_limit_that_was_not_reached_left_nothing_out(folder: Path, state: bool) -> None:
    change(folder / "run_spec.json", lambda s: s["adapter_spec"].update(max_eval_instances=11))
    if not state:
        (folder / "scenario_state.json").unlink()
    run = one(read(folder / "stats.json"), TASK, "exact_match", "/test")
    assert (run.n_items, run.n_original) == (9, 9)
    assert run.status == ("success" if state else "unknown")
    assert run.note is None


def test_a_limit_on_a_benchmark_of_unknown_size(folder: Path) -> None:
    change(folder / "run_spec.json", lambda s: s.update(name="own:subject=x,model=openai_gpt2"))
    run = one(read(folder / "stats.json"), "own:subject=x", "exact_match", "/test")
    assert (run.n_items, run.n_original, run.status) == (9, None, "incomplete")
    assert run.note == "limited to 10 instances: 9 evaluated, how many there are is not stated"


def test_a_statistic_that_is_nan_is_told_and_the_others_are_read(folder: Path) -> None:
    path = folder / "stats.json"
    before = {r.id for r in read(path)}

    def spoil(stats: list[Any]) -> None:
        for stat in stats:
            if stat["name"] == {"name": "exact_match", "split": "test"}:
                stat["mean"] = float("nan")

    change(path, spoil)
    assert {r.id for r in read_known(path)} == {
        i for i in before if not i.endswith("/exact_match/test")
    }
    assert re.search(r"exact_match/test: stats.json: rows\[\d+\].mean: mean is 'NaN'", unread(path))


@pytest.mark.parametrize("name", ["stats.json", "run_spec.json"])
def test_a_run_without_its_other_half_is_missing_evidence(folder: Path, name: str) -> None:
    (folder / name).unlink()
    other = ({"stats.json", "run_spec.json"} - {name}).pop()
    with pytest.raises(MissingEvidence, match=name):
        read(folder / other)


def test_a_statistic_without_a_mean_is_told(folder: Path) -> None:
    write(folder / "stats.json", [{"name": {"name": "em"}, "count": 1}])
    assert "mean is missing" in unread(folder / "run_spec.json")


@pytest.mark.parametrize("stats", [[{"count": 1}], []])
def test_what_is_no_statistic_is_an_error(folder: Path, stats: Any) -> None:
    write(folder / "stats.json", stats)
    with pytest.raises(EvidenceError, match=r"stats.json"):
        read(folder / "run_spec.json")


def test_an_instance_without_id_is_an_error(folder: Path) -> None:
    change(folder / "per_instance_stats.json", lambda rows: rows[3].pop("instance_id"))
    with pytest.raises(EvidenceError, match=r"rows\[3\].instance_id"):
        read(folder / "stats.json")
