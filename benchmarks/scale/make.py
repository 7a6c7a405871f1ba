"""The releases that are measured, made anew for each run."""

from __future__ import annotations

import json
from pathlib import Path

import yaml


def shards_release(folder: Path, count: int, size: int) -> Path:
    """Make a release of sparse shards: a header each, and then nothing but holes (zeros)."""
    model = folder / "model"
    model.mkdir(parents=True)
    index = {}
    for number in range(1, count + 1):
        name = f"model-{number:05}-of-{count:05}.safetensors"
        tensor = f"layers.{number}.weight"
        index[tensor] = name
        _sparse(model / name, tensor, size)
    (model / "config.json").write_text('{"hidden_size": 8}')
    text = {"metadata": {"total_size": count * size}, "weight_map": index}
    (model / "model.safetensors.index.json").write_text(json.dumps(text))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Large\n")
    return _manifest(folder, [])


def _sparse(place: Path, tensor: str, size: int) -> None:
    header = json.dumps({tensor: {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}})
    raw = header.encode() + b" " * (-len(header) % 8)
    with place.open("wb") as out:
        out.write(len(raw).to_bytes(8, "little") + raw)
        out.truncate(8 + len(raw) + size)


def claims_release(folder: Path, count: int) -> Path:
    """Make a release with many claimed scores, each with a result of 1,000 items."""
    shards_release(folder, 1, 64)
    names = [f"benchmark_{n:05}" for n in range(count)]
    values = {name: (500 + n % 400) / 1000 for n, name in enumerate(names)}
    results = {
        "results": {n: {"alias": n, "acc,none": v, "acc_stderr,none": (v * (1 - v) / 999) ** 0.5}
                    for n, v in values.items()},
        "configs": {n: {"task": n} for n in names},
        "versions": dict.fromkeys(names, 1.0),
        "n-shot": dict.fromkeys(names, 0),
        "n-samples": {n: {"original": 1000, "effective": 1000} for n in names},
        "config": {"model": "hf", "model_args": "pretrained=model", "limit": None},
        "lm_eval_version": "0.4.9",
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(results))
    scores = [
        {"benchmark": n, "metric": "acc", "value": v, "unit": "fraction", "n_items": 1000}
        for n, v in values.items()
    ]
    return _manifest(folder, scores)


def _manifest(folder: Path, scores: list[dict[str, object]]) -> Path:
    document: dict[str, object] = {
        "schema": "audit-flow/release/v1",
        "release": {"name": "large", "version": "1.0"},
        "weights": "model",
        "card": "README.md",
    }
    if scores:
        document |= {"scores": scores, "evidence": {"evaluations": ["results.json"]}}
    (folder / "release.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder
