"""Readings that were copied from another node are told from those of two nodes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit_flow.checks.interface import NoParams
from audit_flow.checks.training_nodes import NodesWatched
from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.readers import detect
from audit_flow.linking import link
from audit_flow.model import GpuJob, Outcome, Subject, Trust
from audit_flow.sources.folder import Folder

START = datetime(2025, 4, 1, 8, 0, 0, 250_000, tzinfo=UTC)
ALONE = (True, False)


def readings(
    seed: int, node: int, rows: int = 20, *, uuid: bool = True, steady: bool = False
) -> str:
    rng = random.Random(f"{seed} {node}")
    own = ", uuid" if uuid else ""
    lines = [f"timestamp, index{own}, utilization.gpu [%], power.draw [W]"]
    for number in range(rows):
        when = START + timedelta(seconds=30 * number, microseconds=rng.randrange(400_000))
        for gpu in range(2):
            name = f", GPU-{seed:04x}{node:04x}-{gpu:04x}" if uuid else ""
            use, power = (0, 25.0) if steady else (rng.randrange(80, 100), rng.uniform(200, 400))
            lines.append(f"{when:%Y/%m/%d %H:%M:%S.%f}, {gpu}{name}, {use} %, {power:.2f} W")
    return "\n".join(lines) + "\n"


def outcome(root: Path, *texts: str) -> Outcome:
    found = [GpuJob(
        id="gpu-job:sacct.txt", source="sacct.txt", trust=Trust.SELF_REPORTED, job_id="5",
        format="slurm-sacct", gpus=4, nodes=2, hosts=("n1", "n2"),
    )]  # fmt: skip
    for number, text in enumerate(texts, start=1):
        (root / f"gpu-n{number}.csv").write_text(text)
        source = SourceFile(Folder.at(root), f"gpu-n{number}.csv")
        (job,) = detect(source, "job-log").read(source)
        assert isinstance(job, GpuJob)
        found.append(job.model_copy(update={"job_id": "5"}))
    (result,) = NodesWatched().run(link(Subject(name="m"), (), tuple(found)), NoParams())
    return result.outcome


@pytest.mark.parametrize("uuid", ALONE)
@pytest.mark.parametrize("steady", ALONE)
@pytest.mark.parametrize("seed", range(3))
def test_two_nodes_are_two(seed: int, steady: bool, uuid: bool, tmp_path: Path) -> None:
    texts = [readings(seed, n, uuid=uuid, steady=steady) for n in (1, 2)]
    assert outcome(tmp_path, *texts) is Outcome.PASSED


def another_line(text: str) -> str:
    return text + "\n"


def other_ids(text: str) -> str:
    return text.replace("GPU-", "GPU-ffff")


def a_day_later(text: str) -> str:
    return text.replace("2025/04/01", "2025/04/02")


def another_order(text: str) -> str:
    header, *rows = text.splitlines()
    rows[::2], rows[1::2] = rows[1::2], rows[::2]
    return "\n".join([header, *rows]) + "\n"


COPIES: tuple[Callable[[str], str], ...] = (another_line, other_ids, a_day_later, another_order)


@pytest.mark.parametrize("change", COPIES)
@pytest.mark.parametrize("uuid", ALONE)
@pytest.mark.parametrize("seed", range(3))
def test_a_copy_is_not_another_node(
    change: Callable[[str], str], seed: int, uuid: bool, tmp_path: Path
) -> None:
    text = readings(seed, 1, uuid=uuid)
    assert outcome(tmp_path, text, change(text)) is Outcome.UNPROVEN


def test_a_short_copy_is_told_by_its_ids(tmp_path: Path) -> None:
    text = readings(1, 1, rows=2)
    assert outcome(tmp_path, text, text + "\n") is Outcome.UNPROVEN


def test_one_gpu_under_two_hosts_is_one(tmp_path: Path) -> None:
    header, *rows = readings(2, 1).splitlines()
    lines = [f"host, {header}", *(f"n1, {r}" for r in rows), *(f"n2, {r}" for r in rows)]
    assert outcome(tmp_path, "\n".join(lines)) is Outcome.UNPROVEN


def test_one_node_in_two_files_counts_its_gpus_once(tmp_path: Path) -> None:
    header, *rows = readings(3, 1).splitlines()
    early, late = [header, *rows[:20]], [header, *rows[20:]]
    texts = ["\n".join(lines) + "\n" for lines in (early, late)]
    assert outcome(tmp_path, *texts) is Outcome.UNPROVEN
