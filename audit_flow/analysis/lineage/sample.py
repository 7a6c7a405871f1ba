"""What was read of a model: a few rows of a few tensors, as numbers, with their places."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from audit_flow.analysis.lineage.arrays import Floats, Ints
from audit_flow.analysis.lineage.decode import FLOATS, decoded
from audit_flow.analysis.lineage.ggml import BLOCKS
from audit_flow.analysis.lineage.plan import Role, Wanted

MOST_NOT_FINITE = 0.01
LARGEST = 1e12
"""No weight is as large: beyond it, and NaN and infinity, numbers count as missing."""


@dataclass(frozen=True)
class Block:
    """Sampled rows of one tensor, of shape (len(rows), columns); a vector is one row.

    ``data`` are the bytes that were read, where they are kept. Of a type of blocks, which
    ``quantised`` names, numbers and bytes are those of the weights as 16-bit floats.
    """

    role: Role
    place: str
    dtype: str
    rows: Ints
    values: Floats
    layer: int | None = None
    data: bytes = field(default=b"", repr=False)
    quantised: str | None = None

    @property
    def scaled(self) -> bool:
        """Whether the numbers are the weights themselves."""
        return self.dtype in FLOATS


@dataclass(frozen=True, eq=False)
class Sample:
    """The sampled part of one model.

    ``width`` is that of the residual stream, ``units`` the hidden units of one layer,
    ``not_assessed`` what could not be used and why; ``read`` and ``total`` are bytes.
    """

    width: int
    units: int
    layers: int
    vocabulary: int
    blocks: tuple[Block, ...]
    not_assessed: tuple[str, ...] = field(default=())
    read: int = 0
    total: int = 0

    def of(self, role: Role) -> list[Block]:
        """Return the blocks of one role, in the order of the plan."""
        return [b for b in self.blocks if b.role == role]


def block_of(wanted: Wanted, data: bytes) -> Block | str:
    """Return the numbers of one planned read, or why they can't be used."""
    dtype, quantised = wanted.tensor.dtype, None
    if dtype in BLOCKS:
        with np.errstate(over="ignore"):
            data = decoded(data, dtype).astype("<f2").tobytes()
        dtype, quantised = "F16", dtype
    values = decoded(data, dtype).reshape(max(len(wanted.rows), 1), -1)
    with np.errstate(invalid="ignore"):
        finite = np.abs(values) < LARGEST
    if finite.mean() < 1 - MOST_NOT_FINITE:
        share = 100 * (1 - finite.mean())
        return f"{wanted.role} {wanted.place}: {share:.1f} % of the numbers are no weights"
    whole = values if finite.all() else np.where(finite, values, np.float32(0))
    if not np.any(whole):
        return f"{wanted.role} {wanted.place}: all numbers are zero"
    return Block(
        wanted.role, wanted.place, dtype, wanted.rows, whole, wanted.tensor.layer, data, quantised
    )


def common_rows(one: Block, other: Block, columns: Ints | None = None) -> tuple[Floats, Floats]:
    """Return the rows that both blocks hold, in the same order, whole or some columns of them."""
    _, mine, theirs = np.intersect1d(one.rows, other.rows, return_indices=True)
    if columns is not None:
        return one.values[np.ix_(mine, columns)], other.values[np.ix_(theirs, columns)]
    return one.values[mine], other.values[theirs]
