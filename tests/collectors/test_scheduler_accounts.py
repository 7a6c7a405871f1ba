"""Rows of a scheduler's account that can't all be true, in whatever columns they come."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.readers import detect
from audit_flow.model import GpuJob
from audit_flow.sources.folder import Folder

Row = dict[str, str]
ZONES = {"none": "", "UTC": "Z", "east": "+0530"}


def account(seed: int, zone: str = "") -> list[Row]:
    """Return a job with its steps; figures come from a seed and fit each other."""
    rng = random.Random(seed)
    start = datetime(2025, rng.randrange(1, 13), rng.randrange(1, 28), 3, 15, tzinfo=UTC)
    seconds, gpus, cpus = rng.randrange(900, 9_000), rng.choice([1, 4, 16]), rng.choice([4, 64])
    kind = rng.choice(["h100", "a100", "nvidia_l40s", "mi250x"])
    number = rng.choice(["4242", "77_3"])

    def row(name: str, after: int, given: str) -> Row:
        begun, length = start + timedelta(seconds=after), seconds - after
        return {
            "JobID": name, "State": "COMPLETED", "User": "alice", "NNodes": "2",
            "NodeList": "gpu[07-08]", "AllocTRES": given, "AllocCPUS": str(cpus),
            "Submit": f"{start - timedelta(minutes=9):%Y-%m-%dT%H:%M:%S}{zone}",
            "Start": f"{begun:%Y-%m-%dT%H:%M:%S}{zone}",
            "End": f"{start + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}{zone}",
            "Elapsed": str(timedelta(seconds=length)), "ElapsedRaw": str(length),
            "CPUTimeRAW": str(length * cpus), "Suspended": "00:00:00",
        }  # fmt: skip

    given = f"cpu={cpus},gres/gpu:{kind}={gpus},gres/gpu={gpus},node=2"
    return [
        row(number, 0, given), row(f"{number}.batch", 0, f"cpu={cpus},node=1"),
        row(f"{number}.extern", 0, given), row(f"{number}.0", 4, given),
    ]  # fmt: skip


def read(root: Path, rows: list[Row], seed: int) -> GpuJob:
    rng = random.Random(seed)
    order, sep = rng.sample(list(rows[0]), len(rows[0])), rng.choice("|\t;")
    lines = [sep.join(order), *(sep.join(r[c] for c in order) for r in rows)]
    (root / "sacct.txt").write_text("\n".join(lines) + "\n")
    source = SourceFile(Folder.at(root), "sacct.txt")
    (job,) = detect(source, "job-log").read(source)
    assert isinstance(job, GpuJob)
    return job


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("steps", [True, False])
def test_an_account_as_it_was_written_is_sound(
    seed: int, zone: str, steps: bool, tmp_path: Path
) -> None:
    rows = account(seed, ZONES[zone])[: None if steps else 1]
    job = read(tmp_path, rows, seed)
    assert (job.disordered, job.impossible) == (None, None)
    assert job.gpu_hours == pytest.approx((job.gpus or 0) * int(rows[0]["ElapsedRaw"]) / 3600)
    assert (job.started or "").endswith("Z") == (zone != "none")


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("seed", range(4))
def test_start_and_end_swapped_in_any_row(row: int, seed: int, tmp_path: Path) -> None:
    rows = account(seed)
    rows[row] |= {"Start": rows[row]["End"], "End": rows[row]["Start"]}
    assert read(tmp_path, rows, seed).disordered


@pytest.mark.parametrize("column", ["ElapsedRaw", "Elapsed"])
@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("seed", range(4))
def test_a_tenth_of_the_time_in_one_column(
    column: str, row: int, seed: int, tmp_path: Path
) -> None:
    rows = account(seed)
    length = int(rows[row]["ElapsedRaw"]) // 10
    rows[row][column] = str(length) if column == "ElapsedRaw" else str(timedelta(seconds=length))
    assert read(tmp_path, rows, seed).impossible


@pytest.mark.parametrize("seed", range(4))
def test_a_tenth_of_the_time_in_every_column_but_start_and_end(seed: int, tmp_path: Path) -> None:
    rows = account(seed)
    for row in rows:
        length = int(row["ElapsedRaw"]) // 10
        row |= {"ElapsedRaw": str(length), "Elapsed": str(timedelta(seconds=length))}
        row["CPUTimeRAW"] = str(length * int(row["AllocCPUS"]))
    assert "apart" in (read(tmp_path, rows, seed).impossible or "")


def test_an_hour_of_summer_time_accuses_nobody(tmp_path: Path) -> None:
    for hours in (1, -1):
        rows = account(3)[:1]
        end = datetime.fromisoformat(rows[0]["End"]) + timedelta(hours=hours)
        rows[0]["End"] = f"{end:%Y-%m-%dT%H:%M:%S}"
        rows[0]["Start"] = rows[0]["Start"].replace("T03", "T01")
        shift = timedelta(hours=2).total_seconds()
        for column in ("ElapsedRaw",):
            rows[0][column] = str(int(rows[0][column]) + int(shift))
        rows[0]["Elapsed"] = str(timedelta(seconds=int(rows[0]["ElapsedRaw"])))
        rows[0]["CPUTimeRAW"] = str(int(rows[0]["ElapsedRaw"]) * int(rows[0]["AllocCPUS"]))
        rows[0]["Submit"] = rows[0]["Start"]
        job = read(tmp_path, rows, 3)
        assert (job.disordered, job.impossible) == (None, None)


@pytest.mark.parametrize(
    "given", ["gres/gpu:h100=8,gres/gpu=1", "gres/gpu=0,gres/gpu:h100=4,node=2"]
)
def test_more_gpus_by_kind_than_in_all(given: str, tmp_path: Path) -> None:
    rows = account(1)[:1]
    rows[0]["AllocTRES"] = given
    assert "by kind" in (read(tmp_path, rows, 1).impossible or "")


def test_a_step_with_more_gpus_than_its_job(tmp_path: Path) -> None:
    rows = account(2)
    rows[0]["AllocTRES"] = "gres/gpu=1"
    rows[3]["AllocTRES"] = "gres/gpu=8"
    assert "and the job 1" in (read(tmp_path, rows, 2).impossible or "")


def number(value: int) -> dict[str, Any]:
    return {"set": True, "infinite": False, "number": value}


def document(start: int = 1_700_000_000, length: int = 7200) -> dict[str, Any]:
    def times(begun: int, elapsed: int) -> dict[str, Any]:
        return {"start": number(begun), "end": number(begun + elapsed), "elapsed": elapsed,
                "suspended": 0}  # fmt: skip

    tres = {"allocated": [{"type": "gres", "name": "gpu", "count": 8}]}
    step = {"step": {"name": "0", "id": "4242.0"}, "time": times(start + 5, length - 5),
            "tres": tres}  # fmt: skip
    job = {
        "job_id": 4242, "name": "sft", "user": "alice", "nodes": "gpu[01-02]", "tres": tres,
        "state": {"current": ["COMPLETED"]}, "time": times(start, length), "steps": [step],
    }  # fmt: skip
    return {"meta": {"slurm": {}}, "jobs": [job]}


def part(data: dict[str, Any], *, step: bool) -> dict[str, Any]:
    job: dict[str, Any] = data["jobs"][0]
    found: dict[str, Any] = job["steps"][0] if step else job
    return found


def read_json(root: Path, data: dict[str, Any]) -> GpuJob:
    (root / "sacct.json").write_text(json.dumps(data))
    source = SourceFile(Folder.at(root), "sacct.json")
    (job,) = detect(source, "job-log").read(source)
    assert isinstance(job, GpuJob)
    return job


def test_the_same_of_json(tmp_path: Path) -> None:
    good = read_json(tmp_path, document())
    assert (good.disordered, good.impossible, good.gpu_hours) == (None, None, 16)
    for step in (False, True):
        data = document()
        times = part(data, step=step)["time"]
        times["start"], times["end"] = times["end"], times["start"]
        assert read_json(tmp_path, data).disordered
        data = document()
        part(data, step=step)["time"]["elapsed"] = 720
        assert "apart" in (read_json(tmp_path, data).impossible or "")
