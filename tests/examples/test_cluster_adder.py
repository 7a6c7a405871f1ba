"""The release with a cluster's evidence passes; each lie of a kind is denied by the rule that fits.

The ledger is brought up to date as by somebody who covers a change up: only the numbers tell.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit_flow.audit import audit
from audit_flow.model import Evidence, Outcome, Verdict
from audit_flow.policy_file import load_policy
from audit_flow.reproduce import recompute
from audit_flow.sources.manifest import load
from tests.release_parts import Built, validator

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/cluster-adder"
SACCT, NODE1, NODE2 = "logs/sacct.txt", "logs/gpu-node01.csv", "logs/gpu-node02.csv"
STATE, DATA, ITEMS = "logs/trainer_state.json", "data/train.jsonl", "data/eval_add_3digit.jsonl"
Change = Callable[[Built], None]


@pytest.fixture(scope="module")
def runs() -> tuple[Evidence, ...]:
    """Measure the weights once: no change touches them."""
    return recompute(load(EXAMPLE / "release.yaml"))


@pytest.fixture
def copy(tmp_path: Path, runs: tuple[Evidence, ...]) -> Built:
    ignore = shutil.ignore_patterns(".audit-flow", "__pycache__")
    shutil.copytree(EXAMPLE, tmp_path / "r", ignore=ignore)
    return Built(tmp_path / "r", (), runs)


def judged(built: Built) -> Verdict:
    release = load(built.path("release.yaml"))
    return audit(release, load_policy("default"), built.runs, tables=validator()).verdict


def test_it_passes_without_a_warning(copy: Built) -> None:
    verdict = judged(copy)
    assert verdict.outcome == "PASSED"
    assert not [f for f in verdict.findings if f.outcome is not Outcome.PASSED]


def test_it_is_what_its_script_writes(copy: Built) -> None:
    before = {n: copy.path(n).read_bytes() for n in copy.files()}
    subprocess.run([sys.executable, "simulate.py"], cwd=copy.root, check=True, timeout=60)
    assert {n: copy.path(n).read_bytes() for n in copy.files()} == before


def cell(column: str, new: str, row: int = 1) -> Change:
    """Write another value into a column of the scheduler's table; row 1 is the job."""

    def change(built: Built) -> None:
        lines = built.path(SACCT).read_text("utf-8").splitlines()
        cells = lines[row].split("|")
        cells[lines[0].split("|").index(column)] = new
        lines[row] = "|".join(cells)
        built.write(SACCT, "\n".join(lines) + "\n")

    return change


def both(*changes: Change) -> Change:
    def change(built: Built) -> None:
        for each in changes:
            each(built)

    return change


def claim(name: str, value: object) -> Change:
    def write(manifest: dict[str, Any]) -> None:
        next(c for c in manifest["training"] if c["name"] == name)["value"] = value

    return lambda built: built.edit("release.yaml", write)


def swap(column: str, other: str, row: int = 1) -> Change:
    def change(built: Built) -> None:
        lines = built.path(SACCT).read_text("utf-8").splitlines()
        cells = dict(zip(lines[0].split("|"), lines[row].split("|"), strict=True))
        cell(column, cells[other], row)(built)
        cell(other, cells[column], row)(built)

    return change


def swap_readings(built: Built) -> None:
    lines = built.path(NODE2).read_text("utf-8").splitlines()
    first, last = lines[1], lines[-1]
    lines[1], lines[-1] = last[:23] + first[23:], first[:23] + last[23:]
    built.write(NODE2, "\n".join(lines) + "\n")


def swap_steps(built: Built) -> None:
    def change(state: dict[str, Any]) -> None:
        history = state["log_history"]
        history[3]["step"], history[9]["step"] = history[9]["step"], history[3]["step"]

    built.edit(STATE, change)


def tenth_of_everything(built: Built) -> None:
    """A consistent lie: the whole job, its steps and its readings took a tenth of the time."""
    text = built.path(SACCT).read_text("utf-8")
    text = text.replace("18:03:43", "18:02:38").replace("00:01:12|72", "00:00:07|7")
    text = text.replace("00:01:11|71", "00:00:06|6")
    built.write(SACCT, text)
    for name in (NODE1, NODE2):
        built.write(name, "\n".join(built.path(name).read_text("utf-8").splitlines()[:5]) + "\n")
    built.edit(STATE, lambda s: s["log_history"][-1].update(train_runtime=5.5))


def forget(path: str) -> Change:
    """Take every trace of a file away: itself, its line in the manifest and in the ledger."""

    def change(built: Built) -> None:
        built.remove(path)
        built.edit("release.yaml", lambda m: m["evidence"]["job_logs"].remove(path))
        drop = re.escape(path)
        for name, pattern in (
            ("dvc.yaml", rf"(?m)^ *- {drop}:\n +cache: false\n"),
            ("dvc.lock", rf"(?m)^ *- path: {drop}\n(?: +\w+: .*\n){{3}}"),
        ):
            text, count = re.subn(pattern, "", built.path(name).read_text("utf-8"))
            assert count == 1
            built.write(name, text)

    return change


def another_answer(built: Built) -> None:
    built.edit_rows(DATA, lambda rows: rows[17].update(answer="1"))


def planted(built: Built) -> None:
    items = built.path(ITEMS).read_text("utf-8").splitlines()[::20]
    rows = built.path(DATA).read_text("utf-8").splitlines()
    for number, item in enumerate(items):
        rows[number * 401] = item
    built.write(DATA, "\n".join(rows) + "\n")


def decontaminated(built: Built) -> None:
    claims = [{"tool": "decon", "benchmarks": ["add_3digit"]}]
    built.edit("release.yaml", lambda m: m.update(decontamination=claims))


def copied_readings(built: Built) -> None:
    """The readings of one node under the names of both."""
    built.write(NODE2, built.path(NODE1).read_bytes())


LIES: dict[str, tuple[Change, str]] = {
    "a tenth of the GPU-hours, all of it": (tenth_of_everything, "training.compute-possible"),
    "a tenth of the GPU-hours, elapsed": (
        both(cell("ElapsedRaw", "7"), cell("Elapsed", "00:00:07")),
        "training.compute-possible",
    ),
    "a tenth of the GPU-hours, one of two columns": (
        cell("Elapsed", "00:00:07"),
        "training.numbers-possible",
    ),
    "a tenth of the GPU-hours, claimed": (claim("gpu-hours", 0.008), "training.claims"),
    "a quarter of the GPUs, claimed": (claim("gpus", 1), "training.claims"),
    "a quarter of the GPUs, allocated": (
        cell("AllocTRES", "cpu=16,gres/gpu:k80=1,gres/gpu=1,node=2"),
        "training.numbers-possible",
    ),
    "GPUs by kind and in all": (
        cell("AllocTRES", "cpu=16,gres/gpu:k80=4,gres/gpu=1,node=2"),
        "training.numbers-possible",
    ),
    "start and end swapped": (swap("Start", "End"), "training.times-in-order"),
    "submit and start swapped": (swap("Submit", "Start"), "training.times-in-order"),
    "submit and end swapped": (swap("Submit", "End"), "training.times-in-order"),
    "start and end of the batch step swapped": (swap("Start", "End", 2), "training.times-in-order"),
    "start and end of the last step swapped": (swap("Start", "End", 4), "training.times-in-order"),
    "two readings swapped": (swap_readings, "training.times-in-order"),
    "two steps swapped": (swap_steps, "tables.expectations"),
    "a row of the data edited": (another_answer, "lineage.datasets"),
    "5 % of the items planted": (planted, "data.contamination"),
}
# What nothing contradicts: it is not proven any more.
UNPROVEN: dict[str, tuple[Change, str]] = {
    "a node's log dropped": (lambda b: b.remove(NODE1), "evidence.present"),
    "a node's log dropped, and its name": (forget(NODE1), "training.nodes-watched"),
    "the other node's log dropped, and its name": (forget(NODE2), "training.nodes-watched"),
    "one node's readings for both": (copied_readings, "training.nodes-watched"),
    "decontaminated, without an output": (decontaminated, "data.decontamination"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LIES, *UNPROVEN])
def test_what_was_changed_is_denied_by_the_rule_that_fits(name: str, copy: Built) -> None:
    change, rule = (LIES | UNPROVEN)[name]
    outcome = Outcome.FAILED if name in LIES else Outcome.UNPROVEN
    change(copy)
    if rule not in {"lineage.datasets", "evidence.present"}:
        copy.relock()
    verdict = judged(copy)
    denied = {(f.rule, f.outcome) for f in verdict.findings if f.blocks}
    assert (rule, outcome) in denied, sorted(map(str, denied))
    assert verdict.outcome == ("FAILED" if name in LIES else "INCONCLUSIVE")


def test_without_covering_up_the_ledger_tells(copy: Built) -> None:
    cell("ElapsedRaw", "7")(copy)
    denied = {f.rule for f in judged(copy).findings if f.blocks and f.outcome is Outcome.FAILED}
    assert {"lineage.training", "training.numbers-possible"} <= denied
