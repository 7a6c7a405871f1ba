"""Exact tests of independence by counting fixed points.

If a model is independent of another, and training treats the dimensions (or the hidden units) of
that other alike, then any rule that matches dimensions by the weights alone hits the same number
at x or more places with a probability of at most 1/x!: the expected number of ways to pick x
hits among n places is C(n, x) (n−x)!/n! = 1/x!. Nothing is assumed about distributions.

A place counts as hit only where its own match is the best by a clear margin, so that ties, and
with them constant or empty tensors, never count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from audit_flow.analysis.lineage.arrays import (
    FLAT,
    Floats,
    centred_rows,
    largest_of,
    log10_factorial,
    mixed,
)

CLEAR = 1e-4
"""Least lead of a match over the second best: beyond what rounding and the order of sums make."""

MOST_COMPONENTS = 32


@dataclass(frozen=True)
class Count:
    """So many hits among so many places, and log10 of the bound on their probability."""

    hits: int
    places: int
    log10_p: float


NOTHING = Count(0, 0, 0.0)


def hits(likeness: Floats) -> Count:
    """Count the rows of a square table whose own column is clearly the largest."""
    n = len(likeness)
    if n < 2:
        return NOTHING
    own = likeness.diagonal().copy()
    rest = likeness.copy()
    np.fill_diagonal(rest, -np.inf)
    found = int((own > rest.max(axis=1) + CLEAR).sum())
    return Count(found, n, -log10_factorial(found))


def column_fixed_points(one: Floats, other: Floats) -> Count:
    """Match the columns of two (n, d) arrays by correlation, up to sign."""
    if min(one.shape) < 4 or one.shape != other.shape:
        return NOTHING
    return matched_columns(centred_rows(one.T), centred_rows(other.T))


def matched_columns(one: Floats, other: Floats) -> Count:
    """Match rows of two arrays, which are columns centred and of length 1, up to sign."""
    return hits(np.abs(one @ other.T))


def without_main_components(values: Floats) -> Floats:
    """Remove each column's mean and the main components over rows.

    Frequent tokens and coarse meaning lie there, which independent models share.
    """
    moved: Floats = values - values.mean(axis=0)
    main = _main_directions(moved, max(2, min(MOST_COMPONENTS, len(values) // 8)))
    moved -= main @ (main.T @ moved)
    # What is left of a table of few components is rounding, which two models may share.
    left = np.maximum(moved.max(axis=0), -moved.min(axis=0))
    moved[:, ~(left > FLAT * largest_of(values))] = 0
    return moved


def _main_directions(values: Floats, count: int) -> Floats:
    """Return ``count`` orthonormal columns that span about the main components over rows.

    Subspace iteration on the rows' Gram matrix, which no relabelling of columns changes.
    """
    scaled = values / np.float32(largest_of(values) or 1.0)
    gram = (scaled @ scaled.T).astype(np.float64)
    start = mixed(np.arange(len(gram) * count), 41).astype(np.float64) / 2.0**64 - 0.5
    basis = np.linalg.qr(start.reshape(len(gram), count))[0]
    for _ in range(5):
        basis = np.linalg.qr(gram @ basis)[0]
    return basis.astype(np.float32)


def profiles(values: Floats) -> Floats:
    """Return the profile of each test row: its inner products with the reference rows.

    Half of the (n, m) rows, always the same, are the reference. A profile is left unchanged by
    any relabelling or rotation of the columns, and by a scale of each row.
    """
    unit = centred_rows(values)
    order = np.argsort(mixed(np.arange(len(unit)), 17), kind="stable")
    half = len(unit) // 2
    reference, tested = order[:half], order[half : 2 * half]
    table = unit[tested] @ unit[reference].T
    return centred_rows(table - table.mean(axis=0)) if len(table) else table


def profile_fixed_points(one: Floats, other: Floats) -> Count:
    """Match test rows by their profiles; the arguments are two results of ``profiles``."""
    if one.shape != other.shape or len(one) < 4:
        return NOTHING
    return hits(one @ other.T)


def equal_vectors(one: Iterable[Floats], other: Iterable[Floats]) -> tuple[int, int, float]:
    """Count vectors of the first model that the second holds too, number for number.

    Returns how many are equal, how many were asked, and log10 of the bound: under relabelling, the
    second's numbers come in the first's order with probability Π mᵢ!/d!, where mᵢ are the
    multiplicities of its values.
    """
    mine = [_bf16(v) for v in one]
    theirs = [_bf16(v) for v in other]
    there = {v.tobytes() for v in theirs}
    telling = [v for v in mine if _log10_orders(v) > 3 and not _monotone(v)]
    equal = [v for v in telling if v.tobytes() in there]
    best = max((_log10_orders(v) for v in equal), default=0.0)
    pairs = max(1, len(telling) * len(theirs))
    return len(equal), len(telling), min(0.0, float(np.log10(pairs)) - best)


def _bf16(vector: Floats) -> Floats:
    """Round to bfloat16, so that a cast between data types changes nothing."""
    bits = np.ascontiguousarray(vector).reshape(-1).view(np.uint32).astype(np.uint64)
    bits += np.uint64(0x7FFF) + ((bits >> np.uint64(16)) & np.uint64(1))
    rounded: Floats = (bits & np.uint64(0xFFFF0000)).astype(np.uint32).view(np.float32)
    return rounded


def _log10_orders(vector: Floats) -> float:
    """Return log10 of the number of different orders that the vector's numbers can come in."""
    _, often = np.unique(vector, return_counts=True)
    return log10_factorial(vector.size) - sum(log10_factorial(int(m)) for m in often)


def _monotone(vector: Floats) -> bool:
    # A ramp is written by a formula, not learned.
    steps = np.diff(vector)
    return bool((steps >= 0).all() or (steps <= 0).all())
