"""GPUs, states and ends of a scheduler's account, where its table says less than one thinks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.readers import detect
from audit_flow.errors import EvidenceError
from audit_flow.model import GpuJob
from audit_flow.sources.folder import Folder
from tests.collectors.test_scheduler_accounts import account

Row = dict[str, str]


def read(root: Path, text: str, name: str = "sacct.txt") -> tuple[GpuJob, ...]:
    (root / name).write_text(text)
    source = SourceFile(Folder.at(root), name)
    return tuple(j for j in detect(source, "job-log").read(source) if isinstance(j, GpuJob))


def table(rows: list[Row], sep: str = "|", end: str = "") -> str:
    columns = list(dict.fromkeys(c for r in rows for c in r))
    lines = [columns, *([r.get(c, "") for c in columns] for r in rows)]
    return "".join(sep.join(cells) + end + "\n" for cells in lines)


def wide(rows: list[Row], widths: dict[str, int]) -> str:
    """Write a table as sacct does without -P: what does not fit ends with a plus."""
    columns = list(rows[0])
    sizes = [widths.get(c, 24) for c in columns]

    def line(cells: list[str]) -> str:
        fit = (c if len(c) <= s else c[: s - 1] + "+" for c, s in zip(cells, sizes, strict=True))
        return " ".join(c.rjust(s) for c, s in zip(fit, sizes, strict=True)) + " \n"

    rule = " ".join("-" * s for s in sizes) + " \n"
    return line(columns) + rule + "".join(line([r[c] for c in columns]) for r in rows)


@pytest.mark.parametrize("given", ["billing=8,cpu=64,mem=1T,node=2", "", "cpu=4"])
@pytest.mark.parametrize("seed", range(3))
def test_a_cluster_that_does_not_track_gpus_says_nothing_of_them(
    given: str, seed: int, tmp_path: Path
) -> None:
    rows = [{**r, "AllocTRES": given} for r in account(seed)]
    (job,) = read(tmp_path, table(rows))
    assert (job.gpus, job.gpu_hours, job.elapsed) == (None, None, float(rows[0]["ElapsedRaw"]))


def test_none_is_none_where_it_is_said(tmp_path: Path) -> None:
    (job,) = read(tmp_path, table([{**account(1)[0], "AllocTRES": "cpu=4,gres/gpu=0"}]))
    assert (job.gpus, job.gpu_hours) == (0, 0)


@pytest.mark.parametrize(("nodes", "gpus"), [("1", 6), ("3", None)])
def test_gpus_of_the_older_column(nodes: str, gpus: int | None, tmp_path: Path) -> None:
    row = {**account(2)[0], "AllocTRES": "cpu=9,node=1", "AllocGRES": "gpu:v100:6,nvme:1"}
    (job,) = read(tmp_path, table([{**row, "NNodes": nodes}]))
    # Of several nodes nobody can tell whether the count is of each.
    assert (job.gpus, job.gpu_model) == (gpus, "v100")


@pytest.mark.parametrize("column", ["AllocTRES", "NodeList", "Start"])
def test_a_cell_that_was_cut_is_an_error_that_says_what_to_do(column: str, tmp_path: Path) -> None:
    rows = account(3)[:1]
    (job,) = read(tmp_path, wide(rows, {"AllocTRES": 60}))
    assert job.gpus
    with pytest.raises(EvidenceError) as caught:
        read(tmp_path, wide(rows, {"AllocTRES": 60, column: len(rows[0][column]) - 1}))
    assert "--parsable2" in str(caught.value.remedy)
    assert str(caught.value.where).endswith("line 3")


def test_a_name_that_was_cut_hides_no_number(tmp_path: Path) -> None:
    row = {**account(3)[0], "JobName": "pretraining-of-everything"}
    (job,) = read(tmp_path, wide([row], {"AllocTRES": 60, "JobName": 10}))
    assert (job.name, bool(job.gpus)) == ("pretraini+", True)


@pytest.mark.parametrize("end", ["", "|"])
@pytest.mark.parametrize("name", ["sft|lr3", "a||b", "|"])
def test_a_separator_in_a_cell_does_not_shift_columns(name: str, end: str, tmp_path: Path) -> None:
    rows = account(4)
    (job,) = read(tmp_path, table(rows, end=end))
    assert job.gpus
    rows[2]["User"] = name
    with pytest.raises(EvidenceError) as caught:
        read(tmp_path, table(rows, end=end))
    assert str(caught.value.where).endswith("line 4")


def test_commas_within_cells_and_between_them(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError):
        read(tmp_path, table(account(5), sep=","))


RUNS = ((64, 7200), (16, 1800), (8, 600))


def test_runs_of_a_job_that_was_queued_again_count_with_their_own_gpus(tmp_path: Path) -> None:
    rows = []
    for number, (gpus, length) in enumerate(RUNS):
        rows.append({
            "JobID": "7", "State": "REQUEUED" if number < 2 else "COMPLETED",
            "ElapsedRaw": str(length), "AllocTRES": f"gres/gpu={gpus}",
        })  # fmt: skip
    hours = sum(g * s for g, s in RUNS) / 3600
    (job,) = read(tmp_path, table(rows))
    assert job.gpu_hours == pytest.approx(hours)
    assert (job.gpus, job.restarts) == (8, 2)
    jobs = [json_job(gpus, length) for gpus, length in RUNS]
    (other,) = read(tmp_path, json.dumps({"jobs": jobs}), "sacct.json")
    assert (other.gpu_hours, other.gpus, other.restarts) == (job.gpu_hours, 8, 2)
    rows[1]["AllocTRES"] = "cpu=4"
    (unknown,) = read(tmp_path, table(rows))
    assert (unknown.gpus, unknown.gpu_hours) == (None, None)


def json_job(gpus: int | None, length: int, **changes: Any) -> dict[str, Any]:
    found = [{"type": "cpu", "name": "", "count": 64}]
    found += [] if gpus is None else [{"type": "gres", "name": "gpu", "count": gpus}]
    start = 1_750_000_000
    return {
        "job_id": 7, "state": {"current": ["COMPLETED"]}, "tres": {"allocated": found},
        "time": {"start": start, "end": start + length, "elapsed": length}, **changes,
    }  # fmt: skip


def test_json_without_gpus_says_nothing_of_them(tmp_path: Path) -> None:
    (job,) = read(tmp_path, json.dumps({"jobs": [json_job(None, 60)]}), "sacct.json")
    assert (job.gpus, job.gpu_hours) == (None, None)
    flat = {"job_id": 7, "job_state": ["COMPLETED"], "tres_alloc_str": "cpu=4,node=1"}
    (job,) = read(tmp_path, json.dumps({"jobs": [flat]}), "sacct.json")
    assert job.gpus is None


@pytest.mark.parametrize("state", ["FAILED", "OUT_OF_MEMORY", "TIMEOUT"])
@pytest.mark.parametrize("step", [1, 3])
def test_a_step_that_failed_is_said(state: str, step: int, tmp_path: Path) -> None:
    rows = account(6)
    rows[step]["State"] = state
    (job,) = read(tmp_path, table(rows))
    assert job.state == f"COMPLETED with a step {state} ({rows[step]['JobID']})"
    data = json_job(4, 60, steps=[{"step": {"name": "0"}, "state": [state]}])
    (job,) = read(tmp_path, json.dumps({"jobs": [data]}), "sacct.json")
    assert (job.state or "").startswith(f"COMPLETED with a step {state}")


def test_monitors_that_were_stopped_with_the_job_failed_nobody(tmp_path: Path) -> None:
    rows = account(6)
    rows[3]["State"] = "CANCELLED by 1001"
    (job,) = read(tmp_path, table(rows))
    assert job.state == "COMPLETED"


@pytest.mark.parametrize(
    ("state", "ended"), [("RUNNING", False), ("PENDING", False), ("COMPLETED", True)]
)
def test_the_end_that_is_only_expected_is_none(state: str, ended: bool, tmp_path: Path) -> None:
    job = {"job_id": 9, "job_state": [state], "start_time": 1_750_000_000,
           "end_time": {"set": True, "number": 1_750_172_800}, "tres_alloc_str": "gres/gpu=4",
           "cluster": "c"}  # fmt: skip
    (found,) = read(tmp_path, json.dumps({"jobs": [job]}), "scontrol.json")
    assert (found.ended is not None, found.gpu_hours) == (ended, 192 if ended else None)


def test_parts_of_a_heterogeneous_job_have_the_number_of_the_whole(tmp_path: Path) -> None:
    new = [json_job(2, 60, job_id=70 + n, het={"job_id": 70, "job_offset": {"number": n}})
           for n in range(2)]  # fmt: skip
    found = read(tmp_path, json.dumps({"jobs": new}), "sacct.json")
    assert [j.job_id for j in found] == ["70+0", "70+1"]
