"""Training evidence of a cluster passes; what can't be true fails by the rule that fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_flow.model import Outcome, Verdict
from tests.gate.tampering import failed_rules
from tests.gate.training_release import DATA, LOGS, trained
from tests.release_builder import Built

SACCT, READINGS, _ = LOGS


@pytest.mark.parametrize("seed", range(4))
def test_a_release_with_all_its_logs_passes(seed: int, tmp_path: Path) -> None:
    verdict = trained(tmp_path / "r", seed).audit().verdict
    assert verdict.outcome == "PASSED"
    other = [(f.rule, f.about, f.message) for f in verdict.findings if f.outcome != Outcome.PASSED]
    assert not other


def field(built: Built, column: str, change: Callable[[str], str]) -> None:
    """Change one cell of the scheduler's table."""
    head, row = built.path(SACCT).read_text("utf-8").splitlines()
    names, cells = head.split("|"), row.split("|")
    cells[names.index(column)] = change(cells[names.index(column)])
    built.write(SACCT, f"{head}\n{'|'.join(cells)}\n")


def a_tenth_of_the_time(built: Built) -> None:
    """A consistent lie: elapsed, end and readings are all of a tenth of the time."""
    head, row = built.path(SACCT).read_text("utf-8").splitlines()
    cells = dict(zip(head.split("|"), row.split("|"), strict=True))
    elapsed = int(cells["ElapsedRaw"]) // 10
    hours, rest = divmod(elapsed, 3600)
    start = cells["Start"]
    at = int(start[11:13]) * 3600 + int(start[14:16]) * 60 + int(start[17:19]) + elapsed
    clock = f"{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}"
    field(built, "ElapsedRaw", lambda _: str(elapsed))
    field(built, "End", lambda _: f"{start[:11]}{clock}")
    assert hours >= 0
    assert rest >= 0
    for name in LOGS[1:]:
        lines = built.path(name).read_text("utf-8").splitlines()
        built.write(name, "\n".join(lines[: max(3, len(lines) // 10)]) + "\n")


def a_tenth_of_the_gpus(built: Built) -> None:
    field(built, "AllocTRES", lambda t: re.sub(r"gpu(:k80)?=\d+", r"gpu\1=1", t))


def swapped(one: str, other: str) -> Callable[[Built], None]:
    def change(built: Built) -> None:
        head, row = built.path(SACCT).read_text("utf-8").splitlines()
        cells = dict(zip(head.split("|"), row.split("|"), strict=True))
        field(built, one, lambda _: cells[other])
        field(built, other, lambda _: cells[one])

    return change


def swapped_readings(built: Built) -> None:
    lines = built.path(READINGS).read_text("utf-8").splitlines()
    lines[1], lines[-1] = lines[-1], lines[1]
    built.write(READINGS, "\n".join(lines) + "\n")


def announced_before_the_end(built: Built) -> None:
    built.edit("release.yaml", lambda m: m["release"].update(announced="2023-12-31"))


def another_years_job(built: Built) -> None:
    for column in ("Submit", "Start", "End"):
        field(built, column, lambda t: f"2023{t[4:]}")


def more_tokens(built: Built) -> None:
    built.edit(
        "logs/trainer_state.json",
        lambda s: s.update(num_input_tokens_seen=s["num_input_tokens_seen"] * 10),
    )


def evaluated_before(built: Built) -> None:
    built.edit("results/results.json", lambda r: r.update(date=1_600_000_000.0))


def other_gpus(built: Built) -> None:
    for name in LOGS[1:]:
        built.write(name, built.path(name).read_text("utf-8").replace("K80", "V100-SXM2-32GB"))


LIES: dict[str, tuple[Callable[[Built], None], str]] = {
    "a tenth of the time": (a_tenth_of_the_time, "training.compute-possible"),
    "fewer GPUs than were seen": (a_tenth_of_the_gpus, "training.numbers-possible"),
    "start and end swapped": (swapped("Start", "End"), "training.times-in-order"),
    "submit and end swapped": (swapped("Submit", "End"), "training.times-in-order"),
    "two readings swapped": (swapped_readings, "training.times-in-order"),
    "announced before the end": (announced_before_the_end, "training.times-in-order"),
    "the scheduler's job of another year": (another_years_job, "training.times-in-order"),
    "evaluated before it was trained": (evaluated_before, "training.times-in-order"),
    "ten times the tokens": (more_tokens, "training.numbers-possible"),
    "other GPUs in the readings": (other_gpus, "training.numbers-possible"),
}


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_can_not_be_true_fails(name: str, seed: int, tmp_path: Path) -> None:
    """The ledger is brought up to date: only the numbers are left to tell."""
    change, rule = LIES[name]
    built = trained(tmp_path / "r", seed)
    change(built)
    built.relock()
    verdict = built.audit().verdict
    assert verdict.outcome == "FAILED"
    assert rule in failed_rules(verdict)
    assert all(r.startswith(("training.", "scores.")) for r in failed_rules(verdict))


def test_an_edited_log_breaks_the_lineage(tmp_path: Path) -> None:
    built = trained(tmp_path / "r")
    a_tenth_of_the_time(built)
    rules = failed_rules(built.audit().verdict)
    assert {"lineage.training", "training.compute-possible"} & rules


@pytest.mark.parametrize("name", LOGS)
def test_a_log_that_is_gone_leaves_it_unproven(name: str, tmp_path: Path) -> None:
    built = trained(tmp_path / "r")
    built.remove(name)
    verdict = built.audit().verdict
    assert verdict.outcome == "INCONCLUSIVE"
    assert "evidence.present" in unproven(verdict)


def test_a_node_without_readings_is_said(tmp_path: Path) -> None:
    """Also when every trace of its log is gone."""
    built = trained(tmp_path / "r")
    built.remove(READINGS)
    built.edit("release.yaml", lambda m: m["evidence"]["job_logs"].remove(READINGS))
    built.edit("dvc.yaml", lambda d: d["stages"]["train"]["outs"].remove(READINGS))

    def forget(lock: dict[str, dict[str, dict[str, list[dict[str, str]]]]]) -> None:
        outs = lock["stages"]["train"]["outs"]
        outs[:] = [o for o in outs if o["path"] != READINGS]

    built.edit("dvc.lock", forget)
    verdict = built.audit().verdict
    assert verdict.outcome == "INCONCLUSIVE"
    assert "training.nodes-watched" in unproven(verdict)


def test_an_edited_row_of_the_data_is_named(tmp_path: Path) -> None:
    built = trained(tmp_path / "r")
    built.edit_rows(DATA, lambda rows: rows[0].update(text="another"))
    verdict = built.audit().verdict
    assert verdict.outcome == "FAILED"
    findings = [f for f in verdict.findings if f.rule == "lineage.datasets"]
    assert any(f.about == DATA and "dataset-changed" in f.message for f in findings)


def test_a_log_that_can_not_be_read_is_an_error_with_its_line(tmp_path: Path) -> None:
    built = trained(tmp_path / "r")
    built.write(SACCT, built.path(SACCT).read_text("utf-8") + "4243|cut\n")
    built.relock()
    verdict = built.audit().verdict
    errors = [f for f in verdict.findings if f.outcome is Outcome.ERROR]
    assert verdict.outcome == "INCONCLUSIVE"
    assert any("line 3" in f.actual for f in errors)


def test_logs_that_no_id_joins_are_not_merged(tmp_path: Path) -> None:
    """Without a ledger the scheduler's hours are of nobody knows which job."""
    built = trained(tmp_path / "r")
    built.edit("release.yaml", lambda m: m["evidence"].pop("dvc"))
    a_tenth_of_the_time(built)
    verdict = built.audit().verdict
    assert "training.compute-possible" not in failed_rules(verdict)
    assert "training.compute-usual" in unproven(verdict)


def unproven(verdict: Verdict) -> set[str]:
    return {f.rule for f in verdict.findings if f.outcome is Outcome.UNPROVEN}
