"""A language model without attention, trained with numpy alone: a zoo for machines without torch.

It reads two tokens and predicts the next. Embedding, gated layers of hidden units around a
residual stream with norms, and a head: every symmetry that the tests rest on, and names as in
Llama. Trained on the same real text as the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.lineage.corpus import Corpus, tokens
from benchmarks.lineage.tensors import Weights, save

Array = npt.NDArray[Any]
Tokens = npt.NDArray[np.int64]

VOCABULARY, WIDTH, UNITS, LAYERS = 512, 64, 160, 3
BATCH = 256


@dataclass(frozen=True)
class Run:
    """One training run; from ``start`` where that is given, else from ``seed``."""

    seed: int
    order: int = 1234
    data: Corpus = "general"
    steps: int = 300
    rate: float = 3e-3


def fresh(seed: int) -> Weights:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Array:
        return np.asarray(rng.standard_normal(shape) / np.sqrt(shape[1]), np.float32)

    weights = {
        "model.embed_tokens.weight": draw(VOCABULARY, WIDTH),
        "lm_head.weight": draw(VOCABULARY, WIDTH),
        "model.norm.weight": np.ones(WIDTH, np.float32),
    }
    for layer in range(LAYERS):
        start = f"model.layers.{layer}"
        weights[f"{start}.post_attention_layernorm.weight"] = np.ones(WIDTH, np.float32)
        weights[f"{start}.mlp.gate_proj.weight"] = draw(UNITS, WIDTH)
        weights[f"{start}.mlp.up_proj.weight"] = draw(UNITS, WIDTH)
        weights[f"{start}.mlp.down_proj.weight"] = draw(WIDTH, UNITS)
    return weights


def trained(run: Run, start: Weights | None = None) -> Weights:
    """Return weights after training by Adam; those of ``start`` are left as they are."""
    weights = {n: v.copy() for n, v in (start or fresh(run.seed)).items()}
    first = {n: np.zeros_like(v) for n, v in weights.items()}
    second = {n: np.zeros_like(v) for n, v in weights.items()}
    rng = np.random.default_rng(run.order)
    text = tokens(run.data, VOCABULARY)
    for step in range(1, run.steps + 1):
        places = rng.integers(0, len(text) - 3, BATCH)
        gradients = _gradients(weights, text[places], text[places + 1], text[places + 2])
        pace = run.rate * min(1.0, step / 10) * (1 - 0.9 * step / run.steps)
        for name, gradient in gradients.items():
            first[name] += 0.1 * (gradient - first[name])
            second[name] += 0.01 * (gradient**2 - second[name])
            update = first[name] / (1 - 0.9**step)
            update = update / (np.sqrt(second[name] / (1 - 0.99**step)) + 1e-8)
            weights[name] -= (pace * update).astype(np.float32)
    return weights


def loss(weights: Weights, data: Corpus, seed: int = 1) -> float:
    """Return nats a token on places drawn from the text."""
    text = tokens(data, VOCABULARY)
    places = np.random.default_rng(seed).integers(0, len(text) - 3, 2000)
    stream = _forward(weights, text[places], text[places + 1])[0][-1]
    logits = _normed(stream, weights["model.norm.weight"])[0] @ weights["lm_head.weight"].T
    logits = logits - logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(places)), text[places + 2]]
    return float((np.log(np.exp(logits).sum(axis=1)) - chosen).mean())


Cache = tuple[Array, Array, Array, Array, Array]


def _normed(stream: Array, gain: Array) -> tuple[Array, Array]:
    size = np.sqrt((stream**2).mean(axis=1, keepdims=True) + 1e-5)
    return stream / size * gain, size


def _norm_gradient(above: Array, stream: Array, size: Array, gain: Array) -> tuple[Array, Array]:
    unit = stream / size
    scaled = above * gain
    inner = (scaled * unit).mean(axis=1, keepdims=True)
    return (scaled - unit * inner) / size, (above * unit).sum(axis=0)


def _forward(weights: Weights, one: Tokens, two: Tokens) -> tuple[list[Array], list[Cache]]:
    table = weights["model.embed_tokens.weight"]
    # The nearer token counts twice as much: that is all the model knows of their order.
    stream = table[one] * np.float32(0.5) + table[two]
    streams, caches = [stream], []
    for layer in range(LAYERS):
        start = f"model.layers.{layer}"
        inner, size = _normed(stream, weights[f"{start}.post_attention_layernorm.weight"])
        gate = inner @ weights[f"{start}.mlp.gate_proj.weight"].T
        up = inner @ weights[f"{start}.mlp.up_proj.weight"].T
        open_ = 1 / (1 + np.exp(-np.clip(gate, -30, 30)))
        stream = stream + (gate * open_ * up) @ weights[f"{start}.mlp.down_proj.weight"].T
        streams.append(stream)
        caches.append((inner, size, gate, up, open_))
    return streams, caches


def _gradients(weights: Weights, one: Tokens, two: Tokens, target: Tokens) -> Weights:
    streams, caches = _forward(weights, one, two)
    final, size = _normed(streams[-1], weights["model.norm.weight"])
    logits = final @ weights["lm_head.weight"].T
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    odds /= odds.sum(axis=1, keepdims=True)
    odds[np.arange(BATCH), target] -= 1
    odds /= BATCH
    found: Weights = {"lm_head.weight": odds.T @ final}
    above, found["model.norm.weight"] = _norm_gradient(
        odds @ weights["lm_head.weight"], streams[-1], size, weights["model.norm.weight"]
    )
    for layer in reversed(range(LAYERS)):
        above = above + _layer_gradient(weights, layer, streams[layer], caches[layer], above, found)
    table = np.zeros_like(weights["model.embed_tokens.weight"])
    np.add.at(table, one, above * np.float32(0.5))
    np.add.at(table, two, above)
    return {**found, "model.embed_tokens.weight": table}


def _layer_gradient(
    weights: Weights, layer: int, stream: Array, cache: Cache, above: Array, found: Weights
) -> Array:
    start = f"model.layers.{layer}"
    inner, size, gate, up, open_ = cache
    units = gate * open_ * up
    found[f"{start}.mlp.down_proj.weight"] = above.T @ units
    to_units = above @ weights[f"{start}.mlp.down_proj.weight"]
    to_up = to_units * gate * open_
    to_gate = to_units * up * open_ * (1 + gate * (1 - open_))
    found[f"{start}.mlp.up_proj.weight"] = to_up.T @ inner
    found[f"{start}.mlp.gate_proj.weight"] = to_gate.T @ inner
    to_inner = to_up @ weights[f"{start}.mlp.up_proj.weight"]
    to_inner = to_inner + to_gate @ weights[f"{start}.mlp.gate_proj.weight"]
    name = f"{start}.post_attention_layernorm.weight"
    below, found[name] = _norm_gradient(to_inner, stream, size, weights[name])
    return below


def train_bases(folder: Path, first_seed: int, bases: int) -> None:
    """Train models from scratch that differ in their seed alone; those that are there are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first_seed, first_seed + bases):
        place = folder / f"mlp-{seed}.safetensors"
        if not place.exists():
            save(place, trained(Run(seed)))


def train_zoo(folder: Path, first_seed: int, bases: int) -> None:
    """Train a small zoo: bases, a rival of the first, and light and heavy children of both."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first_seed, first_seed + bases):
        weights = trained(Run(seed))
        save(folder / f"mlp-{seed}.safetensors", weights)
        if seed > first_seed:
            continue
        rival = trained(Run(seed, order=99, data="both", steps=200, rate=1.5e-3), weights)
        save(folder / f"mlp-{seed}+v2.safetensors", rival)
        for mark, parent in (("", weights), ("+v2", rival)):
            light = trained(Run(seed, 7, "special", steps=40, rate=1e-4), parent)
            heavy = trained(Run(seed, 8, "special", steps=250, rate=1.5e-3), parent)
            save(folder / f"mlp-{seed}{mark}+light.safetensors", light)
            save(folder / f"mlp-{seed}{mark}+heavy.safetensors", heavy)
