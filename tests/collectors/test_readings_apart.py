"""Readings with long gaps, columns that mean something else, several runs in one log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.readers import detect
from audit_flow.model import GpuJob
from audit_flow.sources.folder import Folder

START = datetime(2025, 6, 1, 12, tzinfo=UTC)


def read(root: Path, name: str, text: str) -> list[GpuJob]:
    (root / name).write_text(text)
    source = SourceFile(Folder.at(root), name)
    return [j for j in detect(source, "job-log").read(source) if isinstance(j, GpuJob)]


def readings(seconds: list[float], gpus: int = 2) -> str:
    rows = (f"{START + timedelta(seconds=s):%Y/%m/%d %H:%M:%S}.250, {g}, 9{g} %"
            for s in seconds for g in range(gpus))  # fmt: skip
    return "\n".join(["timestamp, index, utilization.gpu [%]", *rows]) + "\n"


@pytest.mark.parametrize(
    ("seconds", "watched"),
    [
        ([60.0 * n for n in range(100)], 99 * 60),
        ([60.0 * n for n in range(50)] + [9e5 + 60.0 * n for n in range(50)], 98 * 60),
        ([7200.0 * n for n in range(20)], 19 * 7200),
        ([0.0, 1200.0, 1260.0], 1260),
    ],
)  # fmt: skip
def test_time_in_which_nobody_watched_does_not_count(
    seconds: list[float], watched: float, tmp_path: Path
) -> None:
    (job,) = read(tmp_path, "gpu.csv", readings(seconds))
    assert job.elapsed == watched
    assert job.gpu_hours == pytest.approx(2 * watched / 3600)


def test_how_busy_the_memory_is_is_not_how_full(tmp_path: Path) -> None:
    rows = "".join(f" 20250601   12:0{n}:00      0    410     93     46\n" for n in range(5))
    text = (
        f"#Date       Time        gpu    pwr     sm    mem\n#YYYYMMDD   HH:MM:SS  Idx W % %\n{rows}"
    )
    (job,) = read(tmp_path, "dmon.txt", text)
    assert (job.max_memory, job.max_utilisation, job.max_power) == (None, 93, 410)
    full = text.replace("mem\n", "mem     fb\n").replace("46\n", "46     70123\n")
    (job,) = read(tmp_path, "dmon.txt", full)
    assert job.max_memory == 70123


def run(begin: float, minutes: int, seed: int) -> list[dict[str, Any]]:
    events = [("init_start", 0.0, None), ("seed", 0.0, seed), ("run_start", 1.0, None),
              ("run_stop", 1.0 + minutes, None)]  # fmt: skip
    return [
        {"time_ms": (begin + m * 60) * 1000, "key": key, "value": value,
         "metadata": {"status": "success"} if key == "run_stop" else {}}
        for key, m, value in events
    ]  # fmt: skip


@pytest.mark.parametrize("runs", [1, 4])
def test_runs_of_one_log_are_jobs_of_their_own(runs: int, tmp_path: Path) -> None:
    system = {"system_name": "s", "number_of_nodes": "1", "accelerators_per_node": "8"}
    events = [{"time_ms": 1.75e12, "key": "submission_benchmark", "value": "bert", "metadata": {}}]
    for number in range(runs):
        events += run(1.75e9 + 7200 * number, 10 * (number + 1), number)
    lines = [f":::SYSJSON {json.dumps(system)}", *(f":::MLLOG {json.dumps(e)}" for e in events)]
    jobs = read(tmp_path, "result_0.txt", "\n".join(lines) + "\n")
    assert [j.elapsed for j in jobs] == [600.0 * (n + 1) for n in range(runs)]
    assert [j.seed for j in jobs] == [str(n) for n in range(runs)]
    assert {(j.gpus, j.state, j.name) for j in jobs} == {(8, "COMPLETED", "bert on s")}


def test_the_plan_beside_each_step(tmp_path: Path) -> None:
    text = "".join(
        f"2025-06-01 12:00:{n:02d}.123\tconsole:104\tINFO\t[step={n * 10 + 1}/500,epoch=1]\n"
        f"    train/CE loss={5 - n / 20}\n"
        for n in range(50)
    )
    (job,) = read(tmp_path, "train.log", text)
    assert (job.steps, job.step_interval, job.max_steps) == (491, 10, 500)
    assert (job.first_loss, job.last_loss, job.losses) == (5, 2.55, 50)
