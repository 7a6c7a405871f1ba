"""A complete small release, made in a folder: what tests change one thing of.

Figures and names come from a seed. ``Built.relock`` and ``Built.announce`` bring the ledger and the
checksums up to date, which is what somebody who covers a change up would do.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.release_parts import (
    WORDS,
    Built,
    Plain,
    Task,
    default_policy,
    md5,
    protocol,
    recomputed,
    safetensors,
)

__all__ = ["Built", "Task", "build", "default_policy", "md5", "protocol", "recomputed"]


def build(
    root: Path,
    seed: int = 0,
    *,
    folders: bool = False,
    more: Callable[[Built, random.Random], None] | None = None,
    items: tuple[int, int] = (700, 1200),
) -> Built:
    """Make a good release; with ``folders`` the ledger tracks folders instead of files.

    ``more`` adds to the model's files before the ledger names them; each task has a number of items
    from ``items``.
    """
    rng = random.Random(seed)
    root.mkdir(parents=True, exist_ok=True)
    tasks = tuple(_task(rng, f"{rng.choice(WORDS)}_{i}", items) for i in range(2))
    word, org = rng.choice(WORDS), rng.choice(WORDS)
    built = Built(root, tasks, names={"base": f"{org}/{word}-base", "name": f"{word}-tuned"})
    _inputs(built, rng)
    _models(built, rng)
    if more is not None:
        more(built, rng)
    _log(built)
    _results(built)
    _pipeline(built, folders)
    _card(built)
    _manifest(built)
    built.announce()
    built.reproduce()
    return built


def _task(rng: random.Random, name: str, items: tuple[int, int]) -> Task:
    n = rng.randrange(*items)
    right = [i < round(n * rng.uniform(0.85, 0.95)) for i in range(n)]
    rng.shuffle(right)
    return Task(name, tuple(right))


def _inputs(built: Built, rng: random.Random) -> None:
    rows = [json.dumps({"text": f"{rng.choice(WORDS)} {i}"}) for i in range(rng.randrange(5, 40))]
    built.write("data/raw.txt", "\n".join(rng.choices(WORDS, k=20)) + "\n")
    built.write("data/train.jsonl", "\n".join(rows) + "\n")
    config = {
        "base_model": built.names["base"],
        "steps": rng.randrange(100, 2_000_000),
        "learning_rate": 0.001,
        "seed": rng.randrange(100),
        "optimizer": {"name": "adamw", "betas": [0.9, 0.95]},
    }
    built.write("configs/train.yaml", yaml.safe_dump(config))
    built.write("src/prepare.py", f"# {rng.random()}\n")
    built.write("src/train.py", f"# {rng.random()}\n")
    built.write("src/evaluate.py", f"# {rng.random()}\n")


def _models(built: Built, rng: random.Random) -> None:
    built.write("base/model.safetensors", safetensors({"w": rng.randbytes(64)}))
    built.write("base/config.json", json.dumps({"hidden_size": 8}))
    shards = {f"model-0000{i}-of-00002.safetensors": {f"w{i}": rng.randbytes(32)} for i in (1, 2)}
    for name, tensors in shards.items():
        built.write(f"model/{name}", safetensors(tensors))
    index = {
        "metadata": {"total_size": 64},
        "weight_map": {tensor: name for name, tensors in shards.items() for tensor in tensors},
    }
    built.write("model/model.safetensors.index.json", json.dumps(index))
    built.write("model/config.json", json.dumps({"hidden_size": 8, "tuned": True}))


def _log(built: Built) -> None:
    steps = _config(built)["steps"]
    history = [
        {"step": 1, "loss": 2.5, "learning_rate": 0.001, "epoch": 0.1},
        {"step": steps, "loss": 0.5, "learning_rate": 0.0, "epoch": 2.0},
    ]
    state = {"epoch": 2.0, "global_step": steps, "max_steps": steps, "log_history": history}
    built.write("logs/trainer_state.json", json.dumps({**state, "train_batch_size": 8}))


def _config(built: Built) -> Plain:
    found: Plain = yaml.safe_load(built.path("configs/train.yaml").read_text("utf-8"))
    return found


def _results(built: Built) -> None:
    results: Plain = {}
    for task in built.tasks:
        p, n = float(task.value), len(task.right)
        results[task.name] = {
            "alias": task.name,
            "exact_match,none": p,
            "exact_match_stderr,none": (p * (1 - p) / (n - 1)) ** 0.5,
        }
        rows = "".join(json.dumps(row) + "\n" for row in task.rows())
        built.write(f"results/samples_{task.name}.jsonl", rows)
    names = [t.name for t in built.tasks]
    document = {
        "results": results,
        "configs": {n: {"task": n, "generation_kwargs": {"do_sample": False}} for n in names},
        "versions": dict.fromkeys(names, 1.0),
        "n-shot": dict.fromkeys(names, 0),
        "n-samples": {
            t.name: {"original": len(t.right), "effective": len(t.right)} for t in built.tasks
        },
        "config": {"model": "hf", "model_args": "pretrained=model", "limit": None},
        "lm_eval_version": "0.4.9",
    }
    built.write("results/results.json", json.dumps(document))


def _pipeline(built: Built, folders: bool) -> None:
    model = ["model"] if folders else [n for n in built.files() if n.startswith("model/")]
    base = ["base"] if folders else [n for n in built.files() if n.startswith("base/")]
    results = ["results"] if folders else [n for n in built.files() if n.startswith("results/")]
    logs = ["logs/trainer_state.json"]
    config = "configs/train.yaml"
    train_deps = ["src/train.py", config, "data/train.jsonl", *base]
    stages: dict[str, Plain] = {
        "prepare": _stage("prepare", ["src/prepare.py", "data/raw.txt"], ["data/train.jsonl"]),
        "train": {
            **_stage("train", train_deps, [*model, *logs]),
            "params": [{config: ["learning_rate", "optimizer"]}],
        },
        "evaluate": _stage("evaluate", ["src/evaluate.py", *model], results),
    }
    lock = {name: _locked(built, name, stage) for name, stage in stages.items()}
    built.write("dvc.yaml", yaml.safe_dump({"stages": stages}, sort_keys=False))
    built.write("dvc.lock", yaml.safe_dump({"schema": "2.0", "stages": lock}, sort_keys=False))


def _stage(name: str, deps: list[str], outs: list[str]) -> Plain:
    return {"cmd": f"python src/{name}.py", "deps": deps, "outs": outs}


def _locked(built: Built, name: str, stage: Plain) -> Plain:
    locked = {
        "cmd": stage["cmd"],
        "deps": [built.entry(path) for path in stage["deps"]],
        "outs": [built.entry(path) for path in stage["outs"]],
    }
    if name == "train":
        config = _config(built)
        kept = {key: config[key] for key in ("learning_rate", "optimizer")}
        locked["params"] = {"configs/train.yaml": kept}
    return locked


def _card(built: Built) -> None:
    results = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": t.name, "type": t.name},
            "metrics": [{"type": "exact_match", "value": float(t.percent)}],
        }
        for t in built.tasks
    ]
    front = {
        "base_model": built.names["base"],
        "base_model_relation": "finetune",
        "model-index": [{"name": built.names["name"], "results": results}],
    }
    built.write("README.md", f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n# A model\n")


def _manifest(built: Built) -> None:
    scores = [
        {
            "benchmark": t.name,
            "metric": "exact_match",
            "value": float(t.percent),
            "unit": "percent",
            "n_items": len(t.right),
            "protocol": {
                "harness": "lm-eval",
                "task": t.name,
                "task_version": "1.0",
                "shots": 0,
                "system_prompt": "none",
                "chat_template": "none",
                "extraction": "none",
                "sampling": {"temperature": 0},
                "host": "self-hosted",
            },
        }
        for t in built.tasks
    ]
    shards = [n for n in built.files() if n.startswith("model/") and n.endswith(".safetensors")]
    manifest = {
        "schema": "audit-flow/release/v1",
        "release": {"name": built.names["name"], "version": "1.0"},
        "weights": "model",
        "card": "README.md",
        "base_model": {
            "id": built.names["base"],
            "relation": "finetune",
            "path": "base",
            "license": "apache-2.0",
        },
        "scores": scores,
        "training": [
            {"name": "steps", "value": _config(built)["steps"]},
            {"name": "learning-rate", "value": 0.001},
        ],
        "checksums": dict.fromkeys([*shards, "model/config.json"], "sha256:" + "0" * 64),
        "evidence": {
            "dvc": {"project": "."},
            "datasets": ["data/train.jsonl"],
            "training_configs": ["configs/train.yaml"],
            "job_logs": ["logs/trainer_state.json"],
            "evaluations": ["results/results.json"],
        },
    }
    built.write("release.yaml", yaml.safe_dump(manifest, sort_keys=False))
