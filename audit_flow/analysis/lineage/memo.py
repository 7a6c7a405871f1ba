"""What was worked out from a sample's blocks, kept while the sample is compared with others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from audit_flow.analysis.lineage.arrays import Floats, Ints
from audit_flow.analysis.lineage.sample import Block, Sample

T = TypeVar("T")

_KNOWN: WeakKeyDictionary[Sample, dict[tuple[object, ...], Any]] = WeakKeyDictionary()


def remembered(
    sample: Sample, block: Block, rows: Ints, what: str, make: Callable[[Floats], T]
) -> T:
    """Return what ``make`` says of some rows of a block, worked out once for each ``what``.

    ``block`` is one of the sample's own, ``rows`` are numbers that it holds.
    """
    known = _KNOWN.setdefault(sample, {})
    key = (what, id(block), rows.tobytes())
    if key not in known:
        known[key] = make(rows_of(block, rows))
    found: T = known[key]
    return found


def forget(sample: Sample) -> None:
    """Let go of everything that was worked out from a sample: of a large model, tens of MB."""
    _KNOWN.pop(sample, None)


def rows_of(block: Block, rows: Ints) -> Floats:
    """Return those rows of a block, as they lie where it holds no others."""
    if len(rows) == len(block.rows):
        return block.values
    return block.values[np.isin(block.rows, rows)]


def rows_in_common(one: Block, other: Block) -> Ints:
    """Return the numbers of the rows that both blocks hold, ascending."""
    return np.intersect1d(one.rows, other.rows)
