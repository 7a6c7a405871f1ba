"""The tensor types of GGUF files: their numbers, how many weights a block holds and its bytes.

Source: the type table of ggml (ggml-org/llama.cpp, MIT licence).
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import numpy as np

from audit_flow.analysis.lineage.arrays import Floats

TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
    26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
}  # fmt: skip
"""By ggml's number: name, weights a block, bytes a block."""

_INTERMEDIATE = ("Q8_1", "Q8_K")
BLOCKS = {n: size for n, block, size in TYPES.values() if block > 1 and n not in _INTERMEDIATE}
"""Bytes of a block of the types that the gguf package decodes, where it is installed."""


@cache
def can_decode() -> bool:
    """Say whether the gguf package is there, the extra ``gguf``."""
    return find_spec("gguf") is not None


def dequantized(data: bytes, name: str) -> Floats:
    """Return the weights in whole blocks of a type of BLOCKS; ValueError for one unknown to gguf.

    The arithmetic is that of ggml's own reference, in 32-bit floats.
    """
    from gguf import GGMLQuantizationType, quants

    blocks = np.frombuffer(data, np.uint8).reshape(-1, BLOCKS[name])
    with np.errstate(all="ignore"):
        try:
            values = quants.dequantize(blocks, GGMLQuantizationType[name])
        except (NotImplementedError, KeyError) as error:
            raise ValueError(f"{name} is not decoded by the gguf package that is here") from error
    return np.asarray(values, np.float32).reshape(-1)
