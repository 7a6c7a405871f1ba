from __future__ import annotations

import contextlib
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.text_log import TextLog
from audit_flow.errors import EvidenceError
from audit_flow.model import GpuJob
from audit_flow.sources.folder import Folder

LOGS = Path(__file__).parents[1] / "data" / "training_logs"


def text(name: str) -> str:
    return (LOGS / f"{name}.log").read_text("utf-8")


def read(path: Path, data: bytes | str) -> GpuJob:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    (job,) = TextLog().read(SourceFile(Folder.at(path.parent), path.name))
    assert isinstance(job, GpuJob)
    return job


CASES: dict[str, tuple[str, dict[str, object]]] = {
    "torchtitan": (
        text("torchtitan"),
        {
            "steps": 1000, "max_steps": 1000, "global_batch_size": 8, "sequence_length": 8192,
            "parameters": 8_030_261_248, "gpu_model": "NVIDIA H100 80GB HBM3",
            "first_loss": 12.2407,
            "last_loss": 3.5, "losses": 3, "started": "2024-06-01T12:00:00.123000",
        },
    ),
    "megatron": (
        text("megatron"),
        {
            "steps": 1000, "max_steps": 1000, "world_size": 64, "global_batch_size": 512,
            "batch_size": 2, "sequence_length": 4096, "seed": "1234", "first_loss": 10.9,
            "last_loss": 2.5, "learning_rate": 3e-5, "elapsed": 8000.0,
        },
    ),
    "nanogpt": (
        text("nanogpt"),
        {
            "steps": 600, "max_steps": 600, "tokens": 600 * 491_520, "parameters": 123_590_000,
            "seed": "1337", "last_loss": 3.2,
        },
    ),
    "transformers": (
        text("hf_console"),
        {
            "steps": 126, "max_steps": 126, "examples": 1000, "global_batch_size": 16,
            "gradient_accumulation": 2, "batch_size": 4, "planned_epochs": 2.0, "epochs": 2.0,
            "elapsed": 126.0, "first_loss": 2.31, "last_loss": 1.11, "losses": 2, "ended": None,
        },
    ),
    "llama-factory": (
        text("llama_factory"),
        {"steps": 100, "max_steps": 100, "tokens": 60_000, "elapsed": 600.0, "last_loss": 0.7},
    ),
    "litgpt": (
        text("lightning"),
        {"steps": 100, "seed": "42", "gpu_model": "NVIDIA A100-SXM4-80GB", "last_loss": 1.345},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_consoles_of_trainers_are_read(name: str, tmp_path: Path) -> None:
    log, expected = CASES[name]
    job = read(tmp_path / "train.log", log)
    assert {k: getattr(job, k) for k in expected} == expected
    assert job.disordered is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gzip"])
def test_the_encoding_of_a_log_changes_nothing(encoding: str, tmp_path: Path) -> None:
    plain = read(tmp_path / "a.log", text("megatron"))
    raw = text("megatron").replace("\n", "\r\n")
    data = gzip.compress(raw.encode()) if encoding == "gzip" else raw.encode(encoding)
    other = read(tmp_path / "b.log", data)
    skip = {"id", "source", "sha256"}
    assert other.model_dump(exclude=skip) == plain.model_dump(exclude=skip)


def test_a_job_that_broke_down_says_so(tmp_path: Path) -> None:
    job = read(tmp_path / "slurm-4711_3.out", text("broken"))
    assert job.state is not None
    assert job.state.startswith("FAILED")
    assert (job.job_id, job.steps, job.bad_losses) == ("4711_3", 20, 1)


def test_advice_in_a_log_is_no_setting(tmp_path: Path) -> None:
    advice = "If this was unintended please pass in `--num_processes=1`.\n"
    ran = "Num processes: 32\nstep: 1 loss: 2.0\n"
    assert read(tmp_path / "a.log", advice + ran).world_size == 32


def test_a_command_line_gives_what_the_log_does_not(tmp_path: Path) -> None:
    command = "+ accelerate launch --num_processes 8 train.py --seed=7 --max_seq_length 2048\n"
    job = read(tmp_path / "a.log", command + "step: 1 loss: 2.0\n")
    assert (job.world_size, job.seed, job.sequence_length) == (8, "7", 2048)


def test_files_named_with_their_digests_are_inputs_and_outputs(tmp_path: Path) -> None:
    digest, other = "a" * 64, "b" * 64
    log = f"{digest}  data/train.jsonl\nstep: 1 loss: 2.0\nsaved model.safetensors sha256:{other}\n"
    job = read(tmp_path / "a.log", log)
    assert [(f.path, f.sha256) for f in job.inputs] == [("data/train.jsonl", digest)]
    assert [(f.path, f.sha256) for f in job.outputs] == [("model.safetensors", other)]


@pytest.mark.parametrize("log", ["", "training will begin\n", "cuda is there\n" * 5])
def test_a_log_without_training_is_an_error_with_a_place(log: str, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no step and no loss"):
        read(tmp_path / "a.log", log)


def test_binary_data_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as caught:
        read(tmp_path / "a.log", b"step: 1 loss: 2\nstep: 2 \0 loss: 3\n")
    assert caught.value.where == "a.log, line 2"


def test_damaged_gzip_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="gzip"):
        read(tmp_path / "a.log.gz", gzip.compress(text("megatron").encode())[:-20])


_STYLES = (
    "{when} step {step} | loss: {loss} | lr: {rate}",
    "[{when}] step: {step}, loss: {loss}, learning_rate: {rate}",
    "{when} - INFO - trainer - {{'step': {step}, 'loss': {loss}, 'learning_rate': {rate}}}",
    '{{"timestamp": "{when}", "step": {step}, "loss": {loss}, "lr": {rate}}}',
    "{when} global_step={step} train_loss={loss} lr={rate}",
)


@given(
    style=st.sampled_from(_STYLES),
    losses=st.lists(st.floats(0.001, 900, allow_nan=False), min_size=1, max_size=30),
    first=st.integers(1, 1000),
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_style_steps_and_losses_come_back(
    style: str, losses: list[float], first: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [
        style.format(when=f"2024-05-01T10:{n:02d}:00Z", step=first + n, loss=loss, rate=0.001)
        for n, loss in enumerate(losses)
    ]
    job = read(tmp_path_factory.mktemp("log") / "a.log", "\n".join(rows))
    assert (job.steps, job.losses) == (first + len(losses) - 1, len(losses))
    assert (job.first_loss, job.last_loss) == (losses[0], losses[-1])
    assert job.started == "2024-05-01T10:00:00Z"
    assert job.elapsed == 60.0 * (len(losses) - 1)


@given(data=st.binary(max_size=3000))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_the_reader(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    with contextlib.suppress(EvidenceError):
        read(tmp_path_factory.mktemp("log") / "a.log", data)


@pytest.mark.parametrize("steps", [1, 2000, 123_456])
def test_planned_steps_before_a_note_in_brackets_are_read(steps: int, tmp_path: Path) -> None:
    head = "[rank0]:[titan] 2026-05-02 10:02:10,000 - root - INFO - Trainer is initialized with "
    line = f"{head}sequence length 2048, total steps {steps} (warmup 200)."
    job = read(tmp_path / "t.log", f"{line}\nstep:  1  loss:  9.1\n")
    assert (job.max_steps, job.sequence_length) == (steps, 2048)
