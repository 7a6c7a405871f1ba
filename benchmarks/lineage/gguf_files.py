"""Write models as GGUF files, quantised: by the gguf package, and types of 256 by a packer here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lineage.tensors import Floats, Weights

QUANTIZED = ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "MXFP4")
"""What the gguf package can write itself."""

K_QUANTS = ("Q4_K", "Q6_K")
_SIDE, _BLOCK = 256, 32


def as_gguf(place: Path, weights: Weights, kind: str, words: int = 0) -> None:
    """Write a model: matrices whose rows are long enough in ``kind``, vectors as 32-bit floats.

    ``words`` is the length of the vocabulary that is written among the settings.
    """
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    writer = GGUFWriter(str(place), "llama")
    if words:
        writer.add_array("tokenizer.ggml.tokens", [f"word {n}" for n in range(words)])
    for name, values in weights.items():
        chosen = "F32" if values.ndim == 1 else kind
        if chosen in K_QUANTS and values.shape[-1] % _SIDE:
            chosen = "Q8_0"
        if chosen in QUANTIZED and values.shape[-1] % _BLOCK:
            chosen = "F16"
        type_ = GGMLQuantizationType[chosen]
        data: Any = quants.quantize(values, type_) if chosen not in K_QUANTS else (
            np.frombuffer(k_quantized(values, chosen), np.uint8).reshape(*values.shape[:-1], -1)
        )  # fmt: skip
        writer.add_tensor(name, data, raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def k_quantized(values: Floats, kind: str) -> bytes:
    """Pack rows of a multiple of 256 weights; the scales are the plainest that fit."""
    blocks = np.ascontiguousarray(values, np.float32).reshape(-1, _SIDE)
    return {"Q4_K": _q4_k, "Q6_K": _q6_k}[kind](blocks).tobytes()


def _q6_k(blocks: Floats) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Sixteen groups of 16 weights, a signed scale of 8 bits each, numbers from −32 to 31."""
    groups = blocks.reshape(-1, 16, 16)
    scales = np.abs(groups).max(axis=2) / 31
    whole = (scales.max(axis=1) / 127).astype(np.float16)
    small = np.rint(scales / np.maximum(whole.astype(np.float32), 1e-12)[:, None]).clip(1, 127)
    step = small * whole.astype(np.float32)[:, None]
    numbers = np.rint(groups / np.maximum(step, 1e-12)[:, :, None]).clip(-32, 31) + 32
    # Two halves of 128 weights; in each, four quarters of 32 share bytes.
    n = numbers.astype(np.uint8).reshape(-1, 2, 4, 32)
    low = np.concatenate([n[:, :, 0] & 15 | (n[:, :, 2] & 15) << 4,
                          n[:, :, 1] & 15 | (n[:, :, 3] & 15) << 4], axis=2)  # fmt: skip
    high = (
        n[:, :, 0] >> 4 | (n[:, :, 1] >> 4) << 2 | (n[:, :, 2] >> 4) << 4 | (n[:, :, 3] >> 4) << 6
    )
    return np.concatenate(
        [low.reshape(-1, 128), high.reshape(-1, 64), small.astype(np.int8).view(np.uint8),
         whole.view(np.uint8).reshape(-1, 2)], axis=1,
    )  # fmt: skip


def _q4_k(blocks: Floats) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Eight groups of 32 weights; scale and minimum of 6 bits each, numbers from 0 to 15."""
    groups = blocks.reshape(-1, 8, 32)
    least = np.minimum(groups.min(axis=2), 0)
    scales, minima = (groups.max(axis=2) - least) / 15, -least
    whole = [(v.max(axis=1) / 63).astype(np.float16) for v in (scales, minima)]
    small = [np.rint(v / np.maximum(w.astype(np.float32), 1e-12)[:, None]).clip(0, 63)
             for v, w in zip((scales, minima), whole, strict=True)]  # fmt: skip
    step, below = (v * w.astype(np.float32)[:, None] for v, w in zip(small, whole, strict=True))
    shifted = (groups + below[:, :, None]) / np.maximum(step, 1e-12)[:, :, None]
    n = np.rint(shifted).clip(0, 15).astype(np.uint8).reshape(-1, 4, 2, 32)
    s, m = (v.astype(np.uint8) for v in small)
    packed = np.concatenate([
        s[:, :4] | (s[:, 4:] >> 4) << 6, m[:, :4] | (m[:, 4:] >> 4) << 6,
        s[:, 4:] & 15 | (m[:, 4:] & 15) << 4,
    ], axis=1)  # fmt: skip
    numbers = (n[:, :, 0] | n[:, :, 1] << 4).reshape(-1, 128)
    parts = [w.view(np.uint8).reshape(-1, 2) for w in whole]
    return np.concatenate([*parts, packed, numbers], axis=1)
