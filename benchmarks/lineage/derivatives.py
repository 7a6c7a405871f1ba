"""What is made of trained weights without training: merges, casts, pruning, relabelling …

Each derivative belongs to a class. ``found`` classes must all be found related; ``reported`` ones
are counted class by class; ``undecided`` ones must not be decided, for no test here can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from audit_flow.analysis.lineage.ggml import can_decode
from benchmarks.lineage.axes import axes, layer_of, layers, on_axis, taken, times
from benchmarks.lineage.plan import Layout
from benchmarks.lineage.tensors import Floats, Weights

Expectation = Literal["found", "reported", "undecided"]


@dataclass(frozen=True)
class Derivative:
    """``parent`` names the model whose child it is; None where several have a part in it.

    ``gguf`` is the type of a GGUF file that it is written to.
    """

    name: str
    kind: str
    expectation: Expectation
    weights: Weights
    parent: str | None
    dtype: str = "BF16"
    dtypes: Mapping[str, str] = field(default_factory=dict)
    gguf: str | None = None


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(70_000 + seed)


def size_of(layout: Layout, weights: Weights, letter: str) -> int:
    return max(
        int(values.shape[axis])
        for name, values in weights.items()
        for axis, found in enumerate(axes(layout, name, values.ndim))
        if found == letter
    )


def hidden_permuted(layout: Layout, weights: Weights, seed: int = 1) -> Weights:
    units = size_of(layout, weights, "f")
    for layer in layers(weights):
        order = rng(seed + layer).permutation(units)
        weights = on_axis(layout, weights, "f", taken(order), [layer])
    return weights


def residual_permuted(layout: Layout, weights: Weights, seed: int = 2) -> Weights:
    return on_axis(
        layout, weights, "d", taken(rng(seed).permutation(size_of(layout, weights, "d")))
    )


def signs_changed(layout: Layout, weights: Weights, seed: int = 3) -> Weights:
    signs = rng(seed).choice(np.array([-1, 1], np.float32), size_of(layout, weights, "d"))
    matrices = {n: v for n, v in weights.items() if v.ndim > 1}
    return {**weights, **on_axis(layout, matrices, "d", times(signs))}


def without_gains(weights: Weights) -> Weights:
    """Fold each norm's gain into the matrices that read from it (Llama and Mixtral names)."""
    result = dict(weights)
    for name, gain in weights.items():
        if name == "model.norm.weight":
            readers = ["lm_head.weight"]
        elif "input_layernorm" in name:
            readers = [name.replace("input_layernorm", f"self_attn.{t}_proj") for t in "qkv"]
        elif "post_attention_layernorm" in name:
            start = name.removesuffix("post_attention_layernorm.weight")
            readers = [
                n for n in weights
                if n.startswith(start) and re.search(r"gate|up_proj|\.w[13]\.", n)
            ]  # fmt: skip
        else:
            continue
        for reader in readers:
            result[reader] = result[reader] * gain
        result[name] = np.ones_like(gain)
    return result


def rotated(layout: Layout, weights: Weights, seed: int = 5) -> Weights:
    width = size_of(layout, weights, "d")
    turn = np.linalg.qr(rng(seed).standard_normal((width, width)))[0].astype(np.float32)

    def change(values: Floats, axis: int) -> Floats:
        if values.ndim == 1:
            return values
        turned: Floats = np.moveaxis(np.tensordot(values, turn, axes=(axis, 0)), -1, axis)
        return turned

    return on_axis(layout, without_gains(weights), "d", change)


def units_scaled(layout: Layout, weights: Weights, seed: int = 6) -> Weights:
    """Scale each hidden unit's up row, and its down column by the inverse (gated layers)."""
    draw = rng(seed).standard_normal(size_of(layout, weights, "f"), np.float32)
    factors = np.exp(np.float32(0.7) * draw)
    result = dict(weights)
    for name, values in weights.items():
        if "up_proj" in name or ".w3." in name:
            result[name] = values * factors[:, None]
        elif "down_proj" in name or ".w2." in name:
            result[name] = values / factors
    return result


def embedding_scaled(layout: Layout, weights: Weights) -> Weights:
    del layout
    return {n: v * np.float32(1.7) if v.ndim == 2 and layer_of(n) is None else v
            for n, v in weights.items()}  # fmt: skip


def heads_permuted(layout: Layout, weights: Weights, seed: int = 8) -> Weights:
    """Exchange the two key-value groups of every layer, with their queries (Llama names)."""
    del layout, seed
    result = dict(weights)
    for name, values in weights.items():
        if any(f"{t}_proj" in name for t in "qkv"):
            result[name] = np.roll(values, values.shape[0] // 2, axis=0)
        elif "o_proj" in name:
            result[name] = np.roll(values, values.shape[1] // 2, axis=1)
    return result


def with_vocabulary(layout: Layout, weights: Weights, more: int, seed: int = 9) -> Weights:
    def change(values: Floats, axis: int) -> Floats:
        if more < 0:
            return np.take(values, np.arange(values.shape[axis] + more), axis=axis)
        shape = list(values.shape)
        shape[axis] = more
        new = (values.std() * rng(seed).standard_normal(shape)).astype(np.float32)
        extended: Floats = np.concatenate([values, new], axis=axis)
        return extended

    return on_axis(layout, weights, "v", change)


def relayered(weights: Weights, order: list[int]) -> Weights:
    result = {n: v for n, v in weights.items() if layer_of(n) is None}
    for new, old in enumerate(order):
        for name, values in weights.items():
            if layer_of(name) == old:
                result[name.replace(f".{old}.", f".{new}.", 1)] = values
    return result


def units_pruned(layout: Layout, weights: Weights, seed: int = 10) -> Weights:
    units = size_of(layout, weights, "f")
    for layer in layers(weights):
        keep = np.sort(rng(seed + layer).permutation(units)[: units * 3 // 4])
        weights = on_axis(layout, weights, "f", taken(keep), [layer])
    return weights


def width_pruned(layout: Layout, weights: Weights, seed: int = 11) -> Weights:
    width = size_of(layout, weights, "d")
    keep = np.sort(rng(seed).permutation(width)[: width * 3 // 4])
    return on_axis(layout, weights, "d", taken(keep))


def magnitude_pruned(weights: Weights) -> Weights:
    return {n: np.where(np.abs(v) < np.median(np.abs(v)), np.float32(0), v) if v.ndim == 2 else v
            for n, v in weights.items()}  # fmt: skip


def noised(weights: Weights, strength: float, seed: int = 12) -> Weights:
    draw = rng(seed)
    return {
        n: v + np.float32(strength * v.std()) * draw.standard_normal(v.shape, np.float32)
        if v.ndim == 2 else v
        for n, v in sorted(weights.items())
    }  # fmt: skip


def rounded(weights: Weights, bits: int, group: int) -> Weights:
    """Round matrices of the layers to a grid for each group of ``group`` numbers of a row."""
    return {n: _grid(v, bits, group)[0] if v.ndim == 2 and layer_of(n) is not None else v
            for n, v in weights.items()}  # fmt: skip


def _grid(values: Floats, bits: int, group: int) -> tuple[Floats, Floats, Floats]:
    top = 2 ** (bits - 1) - 1
    group = group if group and values.shape[1] % group == 0 else group // 2
    parts = values.reshape(len(values), -1, group or values.shape[1])
    scale = np.abs(parts).max(axis=2, keepdims=True) / top + 1e-12
    whole = np.round(parts / scale)
    back: Floats = (whole * scale).reshape(values.shape).astype(np.float32)
    return back, whole.reshape(values.shape), scale[:, :, 0]


def stored_int8(weights: Weights) -> tuple[Weights, dict[str, str]]:
    """Store matrices of the layers as 8-bit integers with a scale a row."""
    result, dtypes = dict(weights), {}
    for name, values in weights.items():
        if values.ndim == 2 and layer_of(name) is not None:
            _, whole, scale = _grid(values, 8, 0)
            result[name], dtypes[name] = whole, "I8"
            result[name.replace(".weight", ".SCB")] = scale[:, 0]
            dtypes[name.replace(".weight", ".SCB")] = "F32"
    return result, dtypes


def packed(weights: Weights) -> tuple[Weights, dict[str, str]]:
    """Store matrices of the layers as GPTQ does: eight 4-bit numbers in an int32, transposed."""
    result, dtypes = {}, {}
    for name, values in weights.items():
        if values.ndim != 2 or layer_of(name) is None:
            result[name] = values
            continue
        _, whole, scale = _grid(values, 4, 32)
        nibbles = (whole.T.astype(np.int64) + 8).reshape(values.shape[1] // 8, 8, -1)
        shifts = (4 * np.arange(8))[None, :, None]
        words = (nibbles << shifts).sum(axis=1).astype(np.uint32).view(np.int32)
        stem = name.removesuffix(".weight")
        result[f"{stem}.qweight"] = words.astype(np.float64)
        dtypes[f"{stem}.qweight"] = "I32"
        result[f"{stem}.scales"] = scale.T.copy()
    return result, dtypes


def renamed(weights: Weights, seed: int = 14) -> Weights:
    """Give other names that keep the layers' numbers, and that sort otherwise."""
    words: dict[str, str] = {}
    for name in sorted(weights):
        for part in name.split("."):
            if not part.isdigit() and part not in words:
                words[part] = f"{rng(seed + len(words)).integers(10**6):06x}q"
    return {".".join(words.get(p, p) for p in n.split(".")): v for n, v in weights.items()}


def nameless(weights: Weights) -> Weights:
    """Call tensors by meaningless letters, in the order that they came in."""
    return {f"t{chr(97 + n // 26)}{chr(97 + n % 26)}": v for n, v in
            enumerate(weights[k] for k in sorted(weights))}  # fmt: skip


def linear(one: Weights, other: Weights, share: float) -> Weights:
    return {n: v * np.float32(1 - share) + other[n] * np.float32(share) for n, v in one.items()}


def slerp(one: Weights, other: Weights, share: float) -> Weights:
    result = {}
    for name, a in one.items():
        b = other[name]
        cosine = float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-30))
        angle = np.arccos(np.clip(cosine, -1, 1))
        if angle < 1e-4:
            result[name] = linear({name: a}, {name: b}, share)[name]
            continue
        left, right = np.sin((1 - share) * angle), np.sin(share * angle)
        result[name] = ((left * a + right * b) / np.sin(angle)).astype(np.float32)
    return result


def ties(base: Weights, tuned: list[Weights], keep: float = 0.3) -> Weights:
    """Merge by trimming, electing signs and averaging those that agree (Yadav et al. 2023)."""
    result = {}
    for name, start in base.items():
        changes = np.stack([t[name] - start for t in tuned])
        least = np.quantile(np.abs(changes).reshape(len(tuned), -1), 1 - keep, axis=1)
        trimmed = np.where(np.abs(changes) >= least.reshape(-1, *[1] * start.ndim), changes, 0)
        sign = np.sign(trimmed.sum(axis=0))
        agree = (np.sign(trimmed) == sign) & (trimmed != 0)
        result[name] = (start + (trimmed * agree).sum(0) / np.maximum(agree.sum(0), 1)).astype(
            np.float32
        )
    return result


def dare(base: Weights, tuned: Weights, drop: float = 0.9, seed: int = 15) -> Weights:
    """Drop most of the change at random and rescale the rest (Yu et al. 2024)."""
    draw = rng(seed)
    return {
        n: (b + np.where(draw.random(b.shape) < drop, 0, tuned[n] - b) / (1 - drop)).astype(
            np.float32
        )
        for n, b in sorted(base.items())
    }


Maker = Callable[[], Iterator[Derivative]]


def derivatives(
    layout: Layout, parent: str, base: Weights, tuned: Mapping[str, Weights]
) -> Iterator[Derivative]:
    """Yield what is made of a parent and of its children ``light`` and ``heavy``."""

    def one(
        name: str, kind: str, weights: Weights, expectation: Expectation = "found",
        dtype: str = "BF16", dtypes: Mapping[str, str] | None = None,
    ) -> Derivative:  # fmt: skip
        return Derivative(
            f"{parent}~{name}", kind, expectation, weights, parent, dtype, dtypes or {}
        )

    rms = layout.startswith("llama") or layout in {"moe", "mlp"}
    last = layers(base)[-1]
    yield one("renamed", "renamed", renamed(base))
    yield one("nameless", "renamed", nameless(base))
    for dtype in ("F16", "F32", "F8_E4M3", "F8_E5M2"):
        yield one(f"cast-{dtype}", "dtype cast", base, dtype=dtype)
    yield one("int8", "int8", rounded(base, 8, 0))
    weights, dtypes = stored_int8(base)
    yield one("stored-int8", "int8", weights, dtypes=dtypes)
    yield one("int4", "int4, stored as floats", rounded(base, 4, 32), "reported")
    weights, dtypes = packed(base)
    yield one("packed4", "GPTQ-like packed", weights, "reported", "F16", dtypes)
    for bits in ("Q8_0", "Q4_0") if can_decode() else ():
        yield replace(one(f"gguf-{bits}", f"GGUF {bits}", base, "reported"), gguf=bits)
    yield one("vocabulary+128", "vocabulary", with_vocabulary(layout, base, 128))
    yield one("vocabulary-100", "vocabulary", with_vocabulary(layout, base, -100))
    yield one("layer-dropped", "depth", relayered(base, [n for n in layers(base) if n != 1]))
    yield one("deeper", "depth", relayered(base, [0, 1, 1, *layers(base)[2:], last]))
    yield one("units-pruned", "pruned", units_pruned(layout, base))
    yield one("magnitude-pruned", "pruned", magnitude_pruned(base))
    yield one("width-pruned", "width pruned", width_pruned(layout, base), "reported")
    yield one("hidden-permuted", "one relabelling", hidden_permuted(layout, base))
    yield one("residual-permuted", "one relabelling", residual_permuted(layout, base))
    for strength in (0.1, 0.5, 1.0):
        yield one(f"noise-{strength}", "noised", noised(base, strength), "reported")
    if rms:
        yield one("signs-changed", "one relabelling", signs_changed(layout, base))
    if rms:
        yield one("units-scaled", "scaled", units_scaled(layout, base))
    if rms and layout != "mlp":
        yield one("heads-permuted", "one relabelling", heads_permuted(layout, base))
    yield one("embedding-scaled", "scaled", embedding_scaled(layout, base))
    if layout in {"llama", "llama-wide", "moe", "mlp"}:
        turned = rotated(layout, base)
        yield one("rotated", "rotated", turned)
        yield one(
            "rotated+hidden-permuted", "rotated and relabelled",
            hidden_permuted(layout, turned), "undecided",
        )  # fmt: skip
    both = residual_permuted(layout, hidden_permuted(layout, base))
    yield one("both-permuted", "two relabellings", both, "reported")
    yield from _of_children(layout, parent, base, tuned)


def _of_children(
    layout: Layout, parent: str, base: Weights, tuned: Mapping[str, Weights]
) -> Iterator[Derivative]:
    def one(
        name: str, kind: str, weights: Weights, expectation: Expectation = "found",
        dtypes: Mapping[str, str] | None = None,
    ) -> Derivative:  # fmt: skip
        return Derivative(
            f"{parent}~{name}", kind, expectation, weights, parent, "BF16", dtypes or {}
        )

    if not {"light", "heavy"} <= tuned.keys():
        return
    light, heavy = tuned["light"], tuned["heavy"]
    yield one("merge-linear", "linear merge", linear(light, heavy, 0.5))
    yield one("merge-slerp", "SLERP merge", slerp(light, heavy, 0.4))
    yield one("merge-ties", "TIES merge", ties(base, [light, heavy]), "reported")
    yield one("merge-dare", "DARE merge", dare(base, heavy), "reported")
    weights, dtypes = stored_int8(hidden_permuted(layout, heavy))
    yield one("heavy+hidden-permuted+int8", "tuned and relabelled", weights, "reported", dtypes)
    yield one("heavy+residual-permuted", "tuned and relabelled",
              residual_permuted(layout, heavy), "reported")  # fmt: skip
    yield one("heavy+layer-dropped", "tuned and cut",
              relayered(heavy, [n for n in layers(heavy) if n != 1]), "reported")  # fmt: skip
    yield one("heavy+int4", "tuned and int4", rounded(heavy, 4, 32), "reported")


def between_rivals(
    layout: Layout, first: str, second: str, one: Weights, other: Weights
) -> Iterator[Derivative]:
    """Yield merges that two rival parents have a part in."""
    del layout
    for share in (0.25, 0.5, 0.75):
        yield Derivative(
            f"{first}~merged-{share}~{second}", "merge of rivals", "found",
            linear(one, other, share), None,
        )  # fmt: skip
