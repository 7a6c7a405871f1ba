"""A recorded command closes dataset → job → weights without a ledger, and can't be bent."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_flow.model import GpuJob, Outcome, PipelineStage, Trust, TrustFile
from audit_flow.policy_file import trusted_key
from tests.record.recorded import Made, made, of


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Train and record once for all tests that only change what is there afterwards."""
    built = made(tmp_path_factory.mktemp("once") / "r")
    assert built.train().returncode == 0
    return built


@pytest.fixture
def trained(once: Made, tmp_path: Path) -> Made:
    shutil.copytree(once.root, tmp_path / "r")
    return Made(tmp_path / "r", once.key, once.public)


LINEAGE = ("lineage.datasets", "lineage.training", "lineage.weights", "lineage.pipeline")
Tamper = Callable[[Made], object]


def test_a_recorded_training_closes_the_lineage(tmp_path: Path) -> None:
    built = made(tmp_path / "r", 1)
    done = built.train()
    assert (done.returncode, "step 0 loss" in done.stdout) == (0, True), done.stderr
    record, verdict = built.judge()
    links = {(link.relation, link.source, link.target) for link in record.links}
    stage = "stage:train.record.json"
    assert {
        ("used", "file:data/train.jsonl", stage),
        ("configured", "file:config.json", stage),
        ("generated", stage, "weights:model"),
        ("logged", stage, "gpu-job:train.record.json"),
    } <= links
    for rule in (*LINEAGE, "training.job-finished"):
        assert {f.outcome for f in of(verdict, rule)} == {Outcome.PASSED}, rule
    assert not [f for f in verdict.findings if f.outcome in {Outcome.FAILED, Outcome.ERROR}]


def append(path: str) -> Tamper:
    def change(built: Made) -> None:
        with (built.root / path).open("a", encoding="utf-8") as stream:
            stream.write("\n")

    return change


def other_weights(built: Made) -> None:
    place = built.root / "model/model.safetensors"
    raw = bytearray(place.read_bytes())
    raw[-1] ^= 1
    place.write_bytes(raw)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (append("data/train.jsonl"), "lineage.datasets"),
        (append("config.json"), "lineage.training"),
        (append("train.py"), "lineage.pipeline"),
        (append("train.log"), "lineage.pipeline"),
        (other_weights, "lineage.weights"),
    ],
    ids=["dataset", "config", "code", "log", "weights"],
)
def test_what_changed_since_is_named(change: Tamper, rule: str, trained: Made) -> None:
    change(trained)
    assert Outcome.FAILED in {f.outcome for f in of(trained.judge()[1], rule)}


def test_without_the_record_nothing_is_proven(trained: Made) -> None:
    (trained.root / "train.record.json").unlink()
    _, verdict = trained.judge()
    assert verdict.outcome == "INCONCLUSIVE"
    assert of(verdict, "lineage.weights")[0].outcome is Outcome.UNPROVEN


def trusting(built: Made, role: str = "training") -> TrustFile:
    return TrustFile(keys=(trusted_key(built.public, "trainer", (role,)),))


def trusts(built: Made, trust: TrustFile | None) -> set[Trust]:
    record, _ = built.judge(trust)
    return {e.trust for noun in (PipelineStage, GpuJob) for e in record.of(noun)}


def test_a_record_is_signed_only_by_whom_the_verifier_trusts(trained: Made, tmp_path: Path) -> None:
    built, other = trained, made(tmp_path / "b" / "r")
    assert trusts(built, None) == {Trust.SELF_REPORTED}
    assert trusts(built, trusting(other)) == {Trust.SELF_REPORTED}
    assert trusts(built, trusting(built, "evaluation")) == {Trust.SELF_REPORTED}
    assert trusts(built, trusting(built)) == {Trust.SIGNED}


def test_a_signed_record_that_was_edited_is_refused(trained: Made) -> None:
    built = trained
    place = built.root / "train.record.json"
    bundle = json.loads(place.read_text("utf-8"))
    signature = bundle["dsseEnvelope"]["signatures"][0]["sig"]
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = signature[:20] + "AAAA" + signature[24:]
    place.write_text(json.dumps(bundle), "utf-8")
    _, verdict = built.judge(trusting(built))
    assert of(verdict, "signatures.valid")[0].outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("script", "status"),
    [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)],
)
def test_a_command_that_fails_is_recorded_as_failed(
    script: str, status: int, tmp_path: Path
) -> None:
    built = made(tmp_path / "r")
    (built.root / "train.py").write_text(f"{built.root.joinpath('train.py').read_text()}\n{script}")
    assert built.train().returncode == status
    _, verdict = built.judge()
    assert verdict.outcome == "FAILED"
    assert of(verdict, "lineage.pipeline")[0].outcome is Outcome.FAILED
    assert Outcome.FAILED in {f.outcome for f in of(verdict, "training.job-finished")}


def test_weights_that_lay_there_before_are_no_product(trained: Made) -> None:
    built = trained
    done = built.record("--output", "model", "--name", "again", "--", sys.executable, "-c", "pass")
    assert done.returncode == 3
    assert "no product" in done.stderr
    subjects = [s["name"] for s in built.predicate("again")["subject"]]
    assert subjects == ["again.log"]


def test_an_input_that_the_command_changes_is_seen(tmp_path: Path) -> None:
    built = made(tmp_path / "r")
    with (built.root / "train.py").open("a", encoding="utf-8") as stream:
        stream.write("Path('data/train.jsonl').open('a').write('more')\n")
    assert built.train().returncode == 3
    assert built.predicate()["predicate"]["byproducts"]["changedMaterials"] == ["data/train.jsonl"]
    assert built.judge()[1].outcome == "FAILED"


def test_a_folder_of_data_holds_no_file_more(tmp_path: Path) -> None:
    built = made(tmp_path / "r")
    text = (built.root / "release.yaml").read_text("utf-8").replace("data/train.jsonl", "data")
    (built.root / "release.yaml").write_text(text, "utf-8")
    read = ("--input", "data", "--input", "config.json", "--output", "model")
    assert built.record(*read, "--", sys.executable, "train.py").returncode == 0
    assert of(built.judge()[1], "lineage.datasets")[0].outcome is Outcome.PASSED
    (built.root / "data/more.jsonl").write_text("{}\n", "utf-8")
    assert of(built.judge()[1], "lineage.datasets")[0].outcome is Outcome.FAILED


def test_secrets_are_withheld(tmp_path: Path) -> None:
    built = made(tmp_path / "r")
    command = (sys.executable, "train.py", "--api-key", "s3cret", "--hf-token=s3cret")
    done = built.record("--output", "model", "--", *command, HF_TOKEN="s3cret", OMP_NUM_THREADS="1")
    assert done.returncode == 0
    told = json.dumps(built.predicate())
    assert "s3cret" not in told
    assert '"OMP_NUM_THREADS": "1"' in told
    refused = built.record("--output", "model", "--env", "HF_TOKEN", "--", "true", HF_TOKEN="x")
    assert refused.returncode == 2


FAKE = """#!/bin/sh
case "$1" in
*driver_version*) echo "0, GPU-1, NVIDIA H100 80GB HBM3, 81559, 550.54";;
*) echo "GPU-1, 93, 70123, 655.5";;
esac
"""


def test_gpus_and_their_use_are_recorded(tmp_path: Path) -> None:
    built = made(tmp_path / "r")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "nvidia-smi").write_text(FAKE, "utf-8")
    (tools / "nvidia-smi").chmod(0o755)
    assert built.train("--gpu-interval", "0.1", PATH=f"{tools}:/usr/bin:/bin").returncode == 0
    (job,) = built.judge()[0].of(GpuJob)
    assert (job.gpus, job.gpu_model, job.max_utilisation) == (1, "NVIDIA H100 80GB HBM3", 93.0)
    assert job.gpu_hours == pytest.approx((job.elapsed or 0) / 3600)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_command_and_is_recorded(
    number: signal.Signals, tmp_path: Path
) -> None:
    built = made(tmp_path / "r")
    script = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    (built.root / "wait.py").write_text(f"{script}print('up', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, "-m", "audit_flow", "record", "--key", str(built.key), "--output"]
    with subprocess.Popen(
        [*command, "model", "--", sys.executable, "wait.py"],
        cwd=built.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert time.monotonic() - began < 20
    assert built.predicate("wait")["predicate"]["byproducts"]["signal"] == number.name
    left = [p.name for p in built.root.iterdir() if p.name.startswith(".")]
    assert left == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--", "true"),
        ("--output", "model", "--input", "absent", "--", "true"),
        ("--output", "../elsewhere", "--", "true"),
        ("--output", "model", "--", "no-such-command-here"),
        ("--output", "model"),
    ],
)
def test_a_wrong_command_runs_and_writes_nothing(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    built = made(tmp_path / "r")
    before = sorted(p.name for p in built.root.iterdir())
    assert built.record(*arguments).returncode == 2
    assert sorted(p.name for p in built.root.iterdir()) == before


def test_the_record_of_another_command_is_not_written_over(tmp_path: Path) -> None:
    built = made(tmp_path / "r")
    first = ("--output", "one", "--", "sh", "-c", "echo 1 > one")
    second = ("--output", "two", "--", "sh", "-c", "echo 2 > two")
    assert built.record(*first).returncode == 0
    before = (built.root / "sh.record.json").read_bytes()
    refused = built.record(*second)
    assert refused.returncode == 2
    assert "--name" in refused.stderr
    assert (built.root / "sh.record.json").read_bytes() == before
    assert not (built.root / "two").exists()
    assert built.record("--name", "second", *second).returncode == 0
    # A step that runs again replaces its own record.
    assert built.record(*first).returncode == 0
