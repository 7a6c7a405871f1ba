"""The arrays of the lineage numerics, and the few functions that all of them need."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A table of a billion rows is chosen from without a list of all of them.
_AT_ONCE = 1 << 20
FLAT = 1e-5
"""Spread below which a row or column is flat: what centring leaves of it is rounding."""


def log10_factorial(n: int) -> float:
    """Return log10(n!)."""
    return math.lgamma(n + 1) / math.log(10)


def centred_rows(values: Floats) -> Floats:
    """Return rows of mean 0 and length 1; a row that is flat, or not finite, becomes 0.

    Shape (n, m) in and out.
    """
    if not values.shape[1]:
        return np.zeros_like(values)
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.maximum(values.max(axis=1), -values.min(axis=1))[:, None]
        # Divided first: the square of a large number would be infinite.
        divisor: Floats = np.where(largest > 0, largest, 1).astype(np.float32)
        unit: Floats = values / divisor
        unit -= unit.mean(axis=1, keepdims=True)
        length = np.sqrt(np.einsum("ij,ij->i", unit, unit))[:, None]
        wide = length > FLAT * math.sqrt(values.shape[1])
        unit /= np.where(wide, length, np.float32(1))
    unit[~wide[:, 0]] = 0
    return unit


def largest_of(values: Floats) -> float:
    """Return the largest absolute number, 0 of none, without a copy of all of them."""
    return float(max(values.max(initial=0.0), -values.min(initial=0.0)))


def mixed(numbers: Ints, salt: int) -> NDArray[np.uint64]:
    """Return pseudo-random 64-bit numbers that depend on each number alone (SplitMix64).

    Two models that differ in size thus sample mostly the same places.
    """
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) + np.uint64(salt) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def chosen(count: int, wanted: int, salt: int) -> Ints:
    """Return at most ``wanted`` of the numbers below ``count``, ascending, always the same."""
    if count <= wanted:
        return np.arange(count, dtype=np.int64)
    numbers, marks = np.zeros(0, np.int64), np.zeros(0, np.uint64)
    for start in range(0, count, _AT_ONCE):
        more = np.arange(start, min(count, start + _AT_ONCE), dtype=np.int64)
        mark = mixed(more, salt)
        if len(marks) == wanted > 0:
            near = mark < marks[-1]
            more, mark = more[near], mark[near]
        numbers, marks = np.append(numbers, more), np.append(marks, mark)
        order = np.argsort(marks, kind="stable")[:wanted]
        numbers, marks = numbers[order], marks[order]
    return np.sort(numbers)
