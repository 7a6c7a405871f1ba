"""Small valid samples, written after the formats' manuals, where no real one is at hand."""

from __future__ import annotations

import json
from typing import Any

from tests.fuzz.interface import Seed

Samples = dict[str, tuple[Seed, ...]]


def _json(value: Any, name: str, **more: Any) -> Seed:
    return Seed(json.dumps(value).encode(), name, **more)


STATE = {
    "epoch": 2.0,
    "global_step": 200,
    "max_steps": 200,
    "train_batch_size": 8,
    "total_flos": 1.5e15,
    "num_train_epochs": 2,
    "best_metric": 0.4,
    "log_history": [
        {"step": 1, "loss": 2.5, "learning_rate": 0.001, "epoch": 0.1, "grad_norm": 1.2},
        {"step": 200, "loss": 0.5, "learning_rate": 0.0, "epoch": 2.0, "eval_loss": 0.6},
        {"step": 200, "train_runtime": 120.5, "train_samples_per_second": 10.1, "epoch": 2.0},
    ],
}
LINK = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "out.bin", "digest": {"sha256": "a" * 64}}],
    "predicateType": "https://in-toto.io/attestation/link/v0.3",
    "predicate": {
        "name": "train",
        "command": ["python", "train.py", "--x"],
        "materials": [{"uri": "data.bin", "name": "data.bin", "digest": {"sha256": "b" * 64}}],
        "byproducts": {
            "return-value": 0,
            "log": {"name": "log.txt", "digest": {"sha256": "c" * 64}},
        },
        "environment": {
            "startedOn": "2026-01-01T00:00:00Z",
            "finishedOn": "2026-01-01T01:00:00Z",
            "hardware": {"gpus": [{"name": "H100", "uuid": "GPU-1"}]},
            "variables": {"A": "b"},
        },
    },
}
PROVENANCE = {
    **LINK,
    "predicateType": "https://slsa.dev/provenance/v1",
    "predicate": {
        "buildDefinition": {
            "buildType": "x",
            "externalParameters": {"command": ["make"]},
            "resolvedDependencies": [{"uri": "git+https://x/y", "digest": {"gitCommit": "d" * 40}}],
        },
        "runDetails": {
            "builder": {"id": "x"},
            "metadata": {
                "invocationId": "1",
                "startedOn": "2026-01-01T00:00:00Z",
                "finishedOn": "2026-01-01T01:00:00Z",
            },
            "byproducts": [{"name": "log", "digest": {"sha256": "e" * 64}}],
        },
    },
}
SLURM = {
    "meta": {"slurm": {"version": {"major": "23"}}},
    "jobs": [
        {
            "job_id": 4242,
            "name": "sft",
            "user": "alice",
            "account": "ml",
            "cluster": "alps",
            "partition": "gpu",
            "state": {"current": ["COMPLETED"], "reason": "None"},
            "nodes": "gpu[01-02]",
            "allocation_nodes": 2,
            "exit_code": {"return_code": {"set": True, "number": 0}, "status": ["SUCCESS"]},
            "derived_exit_code": {"return_code": {"number": 0}, "status": "SUCCESS"},
            "time": {
                "start": 1714557600,
                "end": 1714564800,
                "elapsed": 7200,
                "submission": 1714550000,
            },
            "tres": {
                "allocated": [
                    {"type": "gres", "name": "gpu:h100", "count": 8},
                    {"type": "cpu", "name": "", "count": 64},
                ]
            },
            "association": {"account": "ml"},
            "steps": [],
        }
    ],
}
SACCT = (
    "JobID|JobName|User|Account|Cluster|Partition|State|ExitCode|Submit|Start|End|Elapsed|ElapsedRaw|NNodes|NodeList|AllocTRES\n"
    "4242|sft|alice|ml|alps|gpu|COMPLETED|0:0|2024-05-01T09:00:00|2024-05-01T10:00:00|2024-05-01T12:00:00|02:00:00|7200|2|gpu[01-02]|"
    "billing=64,cpu=64,gres/gpu:h100=8,gres/gpu=8,mem=1T,node=2\n"
    "4242.batch|batch||ml|alps||COMPLETED|0:0||2024-05-01T10:00:00|2024-05-01T12:00:00|1-02:00:00|7200|1|gpu01|cpu=32,mem=1T,node=1\n"
)
SACCT_FIXED = (
    "       JobID    JobName  Partition    Account  AllocCPUS      State ExitCode \n"
    "------------ ---------- ---------- ---------- ---------- ---------- -------- \n"
    "4242                sft        gpu         ml         64  COMPLETED      0:0 \n"
)
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "sft-0",
        "namespace": "ml",
        "uid": "1-2",
        "labels": {"job-name": "sft"},
        "ownerReferences": [{"kind": "Job", "name": "sft", "uid": "9"}],
    },
    "spec": {
        "nodeName": "n1",
        "containers": [
            {
                "name": "t",
                "image": "x@sha256:" + "f" * 64,
                "command": ["python"],
                "args": ["t.py"],
                "resources": {"limits": {"nvidia.com/gpu": "8", "cpu": "64", "memory": "1Ti"}},
            }
        ],
    },
    "status": {
        "phase": "Succeeded",
        "startTime": "2024-05-01T10:00:00Z",
        "containerStatuses": [
            {
                "name": "t",
                "state": {
                    "terminated": {
                        "exitCode": 0,
                        "startedAt": "2024-05-01T10:00:00Z",
                        "finishedAt": "2024-05-01T12:00:00Z",
                    }
                },
            }
        ],
    },
}
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "sft", "uid": "9", "namespace": "ml"},
    "spec": {"completions": 1, "parallelism": 1, "template": {"spec": POD["spec"]}},
    "status": {
        "succeeded": 1,
        "startTime": "2024-05-01T10:00:00Z",
        "completionTime": "2024-05-01T12:00:00Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    },
}
GPU_QUERY = (
    "timestamp, index, name, uuid, utilization.gpu [%], memory.used [MiB], power.draw [W]\n"
    "2024/11/23 12:00:29.950, 0, NVIDIA H100 80GB HBM3, GPU-0, 91 %, 70000 MiB, 600.50 W\n"
    "2024/11/23 12:01:29.950, 0, NVIDIA H100 80GB HBM3, GPU-0, 93 %, 71000 MiB, [N/A]\n"
)
DCGM = (
    "#Entity   GPUTL   MCUTL   POWER   TMPTR\n"
    "ID                %       %       W       C\n"
    "GPU 0     95      40      610.2   60\nGPU 1     -       N/A     600     61\n"
)
WANDB = {
    "os": "Linux",
    "python": "3.11",
    "startedAt": "2024-05-01T10:00:00.123456",
    "codePath": "train.py",
    "program": "train.py",
    "args": ["--lr", "1e-4"],
    "host": "gpu01",
    "username": "alice",
    "gpu": "NVIDIA H100",
    "gpu_count": 8,
    "gpu_devices": [{"name": "NVIDIA H100", "memory_total": 85899345920}],
    "gpu_nvidia": [{"name": "NVIDIA H100", "memoryTotal": "85899345920"}],
    "cpu_count": 64,
    "git": {"remote": "https://x/y", "commit": "a" * 40},
    "slurm": {"job_id": "4242", "nodelist": "gpu[01-02]"},
}
REPORTED = """schema: audit-flow/reported-results/v1
by: Some Lab
measured_by: third-party
date: 2024-09-07
source: https://example.org/post
weights: {hub_id: org/model, revision: abc}
protocol: {harness: lm-eval, shots: 5}
results:
- {benchmark: MMLU, metric: acc, value: 71.30, unit: percent, n_items: 14042}
- {benchmark: GSM8K, metric: exact_match, value: 0.5, unit: fraction}
"""
CONFIG = """model_name_or_path: org/base
learning_rate: 1.0e-5
num_train_epochs: 3
per_device_train_batch_size: 4
gradient_accumulation_steps: 8
dataset: [a.jsonl, {path: b, split: train}]
lora: {r: 16, alpha: 32, modules: [q, k]}
seed: 42
"""
TOML = (
    '[model]\nname = "org/base"\n[train]\nlr = 1e-5\nsteps = 1000\n'
    'when = 2024-01-01T00:00:00Z\n[[data]]\npath = "x"\n'
)

WRITTEN: Samples = {
    "hf-trainer-state": (_json(STATE, "trainer_state.json"),),
    "hf-train-results": (
        _json(
            {
                "epoch": 2.0,
                "train_runtime": 12.5,
                "train_samples": 100,
                "train_loss": 0.5,
                "total_flos": 1e15,
            },
            "train_results.json",
        ),
    ),
    "command-record": (_json(LINK, "record.json"), _json(PROVENANCE, "provenance.json")),
    "slurm-json": (_json(SLURM, "jobs.json"),),
    "slurm-sacct": (
        Seed(SACCT.encode(), "sacct.txt"),
        Seed(SACCT_FIXED.encode(), "sacct.log"),
        Seed(SACCT.replace("|", ",").encode(), "sacct.csv"),
    ),
    "kubernetes": (
        _json({"apiVersion": "v1", "kind": "List", "items": [JOB, POD]}, "job.json"),
        _json(POD, "pod.json"),
    ),
    "gpu-monitor": (Seed(GPU_QUERY.encode(), "gpu.csv"), Seed(DCGM.encode(), "dcgm.txt")),
    "step-table": (
        Seed(
            b"step,loss,lr,time\n1,2.5,1e-4,2024-05-01T10:00:00\n2,2.4,1e-4,1714557600\n", "log.csv"
        ),
        Seed(b"step\tloss\tcheckpoint\n100\t2.5\ts3://b/c\n", "index.tsv"),
    ),
    "wandb-metadata": (_json(WANDB, "wandb-metadata.json"),),
    "reported-results": (Seed(REPORTED.encode(), "reported.yaml"),),
    "training-config": (
        Seed(CONFIG.encode(), "train.yaml"),
        Seed(TOML.encode(), "train.toml"),
        _json({"lr": 1e-5, "steps": 100, "nested": {"a": [1, 2]}}, "train.json"),
    ),
    "mlperf-system": (
        _json(
            {
                "submitter": "x",
                "system_name": "y",
                "number_of_nodes": "1",
                "accelerator_model_name": "H100",
                "accelerators_per_node": "8",
                "host_processor_model_name": "z",
            },
            "system.json",
        ),
    ),
    "text-log": (
        Seed(
            b"step: 1 loss: 2.5 lr: 1e-4\nstep: 2 loss: 2.4 lr: 1e-4 "
            b"| 50%|xx | 1/2 [00:01<00:01]\n"
            b"{'loss': 2.5, 'epoch': 0.1}\n2024-05-01 10:00:00 "
            b"saving checkpoint to out/model.safetensors\n"
            b"--learning_rate 1e-4 --model_name_or_path org/base\n",
            "train.log",
        ),
    ),
}
