"""Bytes of tensors as 32-bit floats, for the data types that hold one number an element."""

from __future__ import annotations

from functools import cache

import numpy as np

from audit_flow.analysis.lineage.arrays import Floats
from audit_flow.analysis.lineage.ggml import BLOCKS, can_decode, dequantized

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""Types whose numbers are the weights themselves; the others are up to a scale stored apart."""

READABLE = FLOATS | {"F8_E4M3", "F8_E5M2", "I8"}


def is_readable(dtype: str) -> bool:
    """Say whether numbers of a data type can be decoded here."""
    return dtype in READABLE or (dtype in BLOCKS and can_decode())


def decoded(data: bytes, dtype: str) -> Floats:
    """Return the numbers that the bytes hold; what is not finite or not readable becomes NaN.

    ``dtype`` is one of READABLE, as safetensors names it, or a type of blocks of GGUF; the length
    of ``data`` fits it. Numbers of 8 bits are returned without their scale, those of blocks with
    theirs.
    """
    if dtype in BLOCKS:
        return dequantized(data, dtype)
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype in _EIGHT_BITS:
        exponent, mantissa = _EIGHT_BITS[dtype]
        return _eight_bit_table(exponent, mantissa)[np.frombuffer(data, np.uint8)]
    kind = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I8": "i1"}[dtype]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.frombuffer(data, kind).astype(np.float32)


_EIGHT_BITS = {"F8_E4M3": (4, 3), "F8_E5M2": (5, 2)}


@cache
def _eight_bit_table(exponent_bits: int, mantissa_bits: int) -> Floats:
    """Return the value of each byte (Open Compute Project, 8-bit floating point, revision 1.0)."""
    code = np.arange(256)
    sign = np.where(code & 0x80, -1.0, 1.0)
    exponent = (code & 0x7F) >> mantissa_bits
    mantissa = (code & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    bias = (1 << (exponent_bits - 1)) - 1
    small = mantissa * 2.0 ** (1 - bias)
    value = np.where(exponent == 0, small, (1 + mantissa) * 2.0 ** (exponent - bias))
    if exponent_bits == 5:  # as IEEE 754: the largest exponent is infinity and NaN
        value = np.where(exponent == 31, np.nan, value)
    else:  # only all bits set is NaN
        value = np.where((code & 0x7F) == 0x7F, np.nan, value)
    table: Floats = (sign * value).astype(np.float32)
    return table
