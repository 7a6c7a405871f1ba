"""Real logs of OLMoE and MLPerf, and OLMo's indexes of checkpoints (tests/data/README.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.readers import detect
from audit_flow.model import CheckpointIndex, Evidence, GpuJob
from audit_flow.sources.folder import Folder

DATA = Path(__file__).parents[1] / "data"


def read(name: str) -> Evidence:
    path = DATA / name
    source = SourceFile(Folder.at(path.parent), path.name)
    (found,) = detect(source, "job-log").read(source)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "examples", "batch", "epochs", "steps", "hours"),
    [("sft", 607_950, 128, 2, 9500, 1042.1), ("dpo", 60_917, 32, 3, 5712, 430.7)],
)
def test_olmoe_jobs_are_read_whole(
    name: str, examples: int, batch: int, epochs: int, steps: int, hours: float
) -> None:
    job = read(f"olmoe/olmoe-{name}-logs.txt.gz")
    assert isinstance(job, GpuJob)
    assert (job.examples, job.global_batch_size, job.planned_epochs) == (examples, batch, epochs)
    assert (job.steps, job.max_steps, job.losses, job.bad_losses) == (steps, steps, steps, 0)
    assert (job.world_size, job.nodes, job.gpus, job.precision) == (32, 4, 32, "bf16")
    assert job.gpu_hours == pytest.approx(hours, rel=1e-3)
    assert job.disordered is None
    assert job.state is None


@pytest.mark.slow
def test_the_base_model_of_the_sft_log_is_told_by_commit() -> None:
    job = read("olmoe/olmoe-sft-logs.txt.gz")
    assert isinstance(job, GpuJob)
    named = {v.name: v.value for v in job.config}
    assert named["base_model"] == "allenai/OLMoE-7B-A1B"
    assert named["base_model_revision"] == "18050db312a6c9714b636537149672b0d77df3e1"


@pytest.mark.parametrize(
    ("name", "rows", "last", "usual", "duplicates"),
    [
        ("OLMo-2-1124-7B", 935, 928_000, 1000, 0),
        ("OLMo-2-1124-13B", 690, 596_057, 1000, 40),
        ("OLMo-2-0425-1B", 195, 1_907_359, 10_000, 0),
    ],
)
def test_indexes_of_checkpoints_are_counted(
    name: str, rows: int, last: int, usual: int, duplicates: int
) -> None:
    index = read(f"olmoe/{name}.csv")
    assert isinstance(index, CheckpointIndex)
    assert (index.rows, index.last_step) == (rows, last)
    assert (index.usual_gap, index.duplicates) == (usual, duplicates)
    assert (index.first_step, index.mislabelled) == (0, ())


def test_an_mlperf_result_gives_its_gpu_hours() -> None:
    job = read("mlperf/nvidia_h200_llama2_70b_lora_result_0.txt")
    assert isinstance(job, GpuJob)
    assert (job.gpus, job.gpu_model, job.state) == (8, "NVIDIA H200-SXM5-141GB", "COMPLETED")
    assert job.gpu_hours == pytest.approx(8 * 1411.212 / 3600)
    assert (job.steps, job.seed) == (384, "16930")


def test_an_mlperf_system_gives_its_machines() -> None:
    job = read("mlperf/XE9640x4H100-SXM-80GB.json")
    assert isinstance(job, GpuJob)
    assert (job.gpus, job.nodes, job.gpu_model) == (4, 1, "NVIDIA H100-SXM5-80GB")
