"""Write the logs, the configuration and the ledger of this example; README.md says why.

Run it in this folder: ``python simulate.py``. It draws from a fixed seed, so that it writes the
same bytes each time. Columns are those of sacct(1) and of ``nvidia-smi --help-query-gpu``.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

START = datetime(2026, 11, 21, 18, 2, 31)  # noqa: DTZ001  a cluster's own time: sacct names no zone
SECONDS = 72
NODES = ("node01", "node02")
GPUS_EACH, GPU = 2, "Tesla K80"
STEPS, BATCH_EACH, LENGTH = 1000, 2048, 14
EXAMPLES = 24_000
WORLD = len(NODES) * GPUS_EACH
BATCH = BATCH_EACH * WORLD
TOKENS = STEPS * BATCH * LENGTH
PARAMETERS = 299_904
EPOCHS = STEPS * BATCH / EXAMPLES
LOGS = ("logs/sacct.txt", "logs/trainer_state.json", *(f"logs/gpu-{n}.csv" for n in NODES))


def sacct() -> str:
    """Return what ``sacct -P -j 48151`` would print: the job and its steps."""
    end = START + timedelta(seconds=SECONDS)
    given = f"billing=16,cpu=16,gres/gpu:k80={WORLD},gres/gpu={WORLD},mem=64G,node={len(NODES)}"
    rows = [
        _row("48151", "adder", START - timedelta(seconds=41), START, end, given),
        _row("48151.batch", "batch", START, START, end, "cpu=8,mem=32G,node=1"),
        _row("48151.extern", "extern", START, START, end, given),
        _row("48151.0", "python", START + timedelta(seconds=1), START + timedelta(seconds=1), end,
             given),
    ]  # fmt: skip
    return "".join("|".join(cells.values()) + "\n" for cells in ({k: k for k in rows[0]}, *rows))


def _row(
    number: str, name: str, submit: datetime, start: datetime, end: datetime, given: str
) -> dict[str, str]:
    whole = "." not in number
    seconds = int((end - start).total_seconds())
    return {
        "JobID": number, "JobName": name, "User": "adder" if whole else "",
        "Account": "examples", "Cluster": "simulated", "Partition": "gpu" if whole else "",
        "State": "COMPLETED", "ExitCode": "0:0", "Submit": f"{submit:%Y-%m-%dT%H:%M:%S}",
        "Start": f"{start:%Y-%m-%dT%H:%M:%S}", "End": f"{end:%Y-%m-%dT%H:%M:%S}",
        "Elapsed": f"00:{seconds // 60:02d}:{seconds % 60:02d}", "ElapsedRaw": str(seconds),
        "NNodes": "1" if name == "batch" else str(len(NODES)),
        "NodeList": NODES[0] if name == "batch" else "node[01-02]", "AllocTRES": given,
    }  # fmt: skip


def readings(rng: random.Random, node: int) -> str:
    """Return what one node's nvidia-smi would print every four seconds."""
    head = (
        "timestamp, index, name, uuid, utilization.gpu [%], utilization.memory [%],"
        " memory.used [MiB], power.draw [W], temperature.gpu"
    )
    lines = [head]
    for second in range(2, SECONDS - 1, 4):
        when = START + timedelta(seconds=second, milliseconds=rng.randrange(1000))
        lines += [_reading(rng, when, node, gpu) for gpu in range(GPUS_EACH)]
    return "\n".join(lines) + "\n"


def _reading(rng: random.Random, when: datetime, node: int, gpu: int) -> str:
    cells = (
        f"{when:%Y/%m/%d %H:%M:%S}.{when.microsecond // 1000:03d}", str(gpu), GPU,
        f"GPU-{node}{gpu}c0ffee-0000-4000-8000-00000000000{gpu}", f"{rng.randrange(88, 100)} %",
        f"{rng.randrange(30, 60)} %", f"{rng.randrange(6100, 6140)} MiB",
        f"{rng.uniform(110, 148):.2f} W", str(rng.randrange(60, 75)),
    )  # fmt: skip
    return ", ".join(cells)


def trainer_state(rng: random.Random) -> dict[str, Any]:
    """Return what ``transformers.Trainer`` would save."""
    history: list[dict[str, Any]] = [
        {
            "epoch": round(step / STEPS * EPOCHS, 4),
            "learning_rate": 0.0025 * min(1.0, step / 100),
            "loss": round(0.25 + 2.2 * math.exp(-step / 180) + rng.uniform(-0.02, 0.02), 4),
            "step": step,
        }
        for step in range(50, STEPS + 1, 50)
    ]
    flops = 6.0 * PARAMETERS * TOKENS
    runtime = {"train_runtime": 66.4, "train_steps_per_second": round(STEPS / 66.4, 3)}
    history.append({"epoch": EPOCHS, "step": STEPS, "total_flos": flops, **runtime})
    return {
        "epoch": EPOCHS, "global_step": STEPS, "max_steps": STEPS, "logging_steps": 50,
        "num_input_tokens_seen": TOKENS, "num_train_epochs": math.ceil(EPOCHS),
        "train_batch_size": BATCH_EACH, "total_flos": flops, "log_history": history,
    }  # fmt: skip


def config() -> dict[str, Any]:
    """Return the configuration of the job."""
    return {
        "model": "audit-flow/cluster-adder", "base_model": "audit-flow/digit-adder-base",
        "dataset": "data/train.jsonl", "seed": 7,
        "steps": STEPS, "per_device_train_batch_size": BATCH_EACH,
        "gradient_accumulation_steps": 1, "world_size": WORLD, "max_seq_length": LENGTH,
        "learning_rate": 0.0025,
    }  # fmt: skip


def pipeline() -> dict[str, Any]:
    """Return the stages of dvc.yaml."""
    model = sorted(p.as_posix() for p in Path("model").glob("*") if p.name != "README.md")
    results = sorted(p.as_posix() for p in Path("results").glob("*"))
    base = sorted(p.as_posix() for p in Path("base").glob("*"))
    read = ["src/train.py", "configs/train.yaml", "data/train.jsonl", *base]
    return {
        "train": {
            "cmd": "srun python src/train.py configs/train.yaml",
            "deps": read,
            "outs": [{name: {"cache": False}} for name in (*model, *LOGS)],
        },
        "evaluate": {
            "cmd": "lm_eval --include_path tasks --tasks add_3digit",
            "deps": ["tasks/add_3digit.yaml", "data/eval_add_3digit.jsonl", *model],
            "outs": [{name: {"cache": False}} for name in results],
        },
    }


def locked(stages: dict[str, Any]) -> dict[str, Any]:
    """Return dvc.lock for the files as they are now."""

    def entry(name: str) -> dict[str, Any]:
        data = Path(name).read_bytes()
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return {"path": name, "hash": "md5", "md5": digest, "size": len(data)}

    return {
        "schema": "2.0",
        "stages": {
            name: {
                "cmd": stage["cmd"],
                "deps": [entry(n) for n in stage["deps"]],
                "outs": [entry(n) for out in stage["outs"] for n in out],
            }
            for name, stage in stages.items()
        },
    }


def main() -> None:
    """Write every file that is simulated, then the ledger."""
    rng = random.Random(20261121)
    for folder in ("logs", "configs"):
        Path(folder).mkdir(exist_ok=True)
    Path("logs/sacct.txt").write_text(sacct(), "utf-8")
    state = json.dumps(trainer_state(rng), indent=2, sort_keys=True)
    Path("logs/trainer_state.json").write_text(state + "\n", "utf-8")
    for number, node in enumerate(NODES):
        Path(f"logs/gpu-{node}.csv").write_text(readings(rng, number), "utf-8")
    Path("configs/train.yaml").write_text(yaml.safe_dump(config(), sort_keys=False), "utf-8")
    stages = pipeline()
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False), "utf-8")
    Path("dvc.lock").write_text(yaml.safe_dump(locked(stages), sort_keys=False), "utf-8")


if __name__ == "__main__":
    main()
