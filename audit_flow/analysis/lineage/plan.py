"""Which bytes of a model are read: planned before any is, within a budget, by shapes alone.

Rows are read in stripes of eight neighbours, whose places depend on nothing but their number, so
that two models of different size still have most sampled rows in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from audit_flow.analysis.lineage.arrays import Ints, chosen
from audit_flow.analysis.lineage.ggml import BLOCKS
from audit_flow.analysis.lineage.roles import Layout, Stored

Role = Literal["embedding", "vector", "hidden", "residual", "attention"]

STRIPE = 8
MAX_VECTORS = 24
DEFAULT_BUDGET = 18_000_000
"""Bytes of tensors read of one model at most; headers come on top."""

# Rows wanted of one matrix of each role where the budget allows it, and a salt for their places.
_WANTED = {"embedding": 512, "hidden": 96, "residual": 96, "attention": 48}
_SALT = {"embedding": 11, "hidden": 31, "residual": 5, "attention": 7}
_LEAST = 16


@dataclass(frozen=True)
class Wanted:
    """Rows of one tensor; ``place`` says where it stands in the model, such as ``first``.

    ``rows`` is empty for a vector, which is read whole.
    """

    role: Role
    place: str
    tensor: Stored
    rows: Ints

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, or of the whole vector."""
        count = math.prod(self.tensor.shape) if self.role == "vector" else self.tensor.matrix[1]
        total = math.prod(self.tensor.shape)
        return (self.tensor.end - self.tensor.begin) * count // max(total, 1)

    @property
    def size(self) -> int:
        """Bytes that are read."""
        return self.row_bytes * max(len(self.rows), 1)

    @property
    def cost(self) -> int:
        """Bytes that are read, or that the numbers take as 16-bit floats where that is more."""
        if self.role == "vector" or self.tensor.dtype not in BLOCKS:
            return self.size
        return max(self.size, 2 * len(self.rows) * self.tensor.matrix[1])

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield offset and length of each run of neighbouring rows, in order."""
        if self.role == "vector":
            yield self.tensor.begin, self.row_bytes
            return
        breaks = np.flatnonzero(np.diff(self.rows) != 1) + 1
        for run in np.split(self.rows, breaks):
            yield self.tensor.begin + int(run[0]) * self.row_bytes, len(run) * self.row_bytes


def sampling_plan(layout: Layout, budget: int = DEFAULT_BUDGET) -> tuple[Wanted, ...]:
    """Return what is to be read: at most about ``budget`` bytes, fewer rows of all if need be."""
    vectors = tuple(_within(tuple(_vectors(layout)), budget // 4))
    left = max(0, budget - sum(v.cost for v in vectors))
    share = 1.0
    plan = tuple(_matrices(layout, share))
    while sum(p.cost for p in plan) > left and share > 0.05:
        share *= 0.9
        plan = tuple(_matrices(layout, share))
    return (*vectors, *_within(plan, left))


def _within(plan: Sequence[Wanted], left: int) -> Iterator[Wanted]:
    """Yield what fits: a matrix whose rows are too long even for the fewest is left out."""
    for wanted in plan:
        if wanted.cost <= left:
            left -= wanted.cost
            yield wanted


def _vectors(layout: Layout) -> Iterator[Wanted]:
    """Yield vectors of the sampled layers first, so that gains can be folded, then others."""
    chosen_layers = {t.layer for group in _ends(layout.hidden) for t in group[1]}
    near = [v for v in layout.vectors if v.layer in chosen_layers]
    far = [v for v in layout.vectors if v.layer not in chosen_layers]
    keep = chosen(len(far), max(0, MAX_VECTORS - len(near[:MAX_VECTORS])), 3)
    for tensor in [*near[:MAX_VECTORS], *(far[i] for i in keep)]:
        yield Wanted("vector", _layer_name(tensor), tensor, np.zeros(0, np.int64))


def _layer_name(tensor: Stored) -> str:
    return "outside layers" if tensor.layer is None else f"layer {tensor.layer}"


def _matrices(layout: Layout, share: float) -> Iterator[Wanted]:
    for number, tensor in enumerate(layout.embeddings):
        # A head says much the same as the embedding: half as many rows do.
        yield _rows("embedding", f"table {number}", tensor, share / (2 if number else 1))
    for place, group in _ends(layout.hidden):
        for tensor in group[:2]:
            wanted = _rows("hidden", place, tensor, share)
            # Of gate and up in one matrix, only the first half: rows of both go together.
            keep = wanted.rows < layout.units
            yield replace(wanted, rows=wanted.rows[keep])
    for place, group in _ends(layout.residual)[:1]:
        yield _rows("residual", place, group[0], share)
    middle = layout.attention[len(layout.attention) // 2 :][:1]
    for tensor in (t for group in middle for t in group[:4]):
        yield _rows("attention", "middle", tensor, share)


def _ends(
    groups: tuple[tuple[Stored, ...], ...],
) -> list[tuple[str, tuple[Stored, ...]]]:
    if len(groups) < 2:
        return [("first", g) for g in groups]
    return [("first", groups[0]), ("last", groups[-1])]


def _rows(role: Role, place: str, tensor: Stored, share: float) -> Wanted:
    count = tensor.matrix[0]
    wanted = max(_LEAST, int(_WANTED[role] * share))
    stripes = chosen(-(-count // STRIPE), max(1, wanted // STRIPE), _SALT[role])
    rows = (stripes[:, None] * STRIPE + np.arange(STRIPE)).reshape(-1)
    return Wanted(role, place, tensor, rows[rows < count])
