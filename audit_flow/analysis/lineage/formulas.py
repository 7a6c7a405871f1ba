"""Rows that a formula orders, such as tables of positions: nothing about a model's training.

Independent models hold the same sinusoids, number for number, and learned positions take the same
shapes; the tests' assumption, that training treats dimensions alike, does not hold for them.
"""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from audit_flow.analysis.lineage.arrays import centred_rows
from audit_flow.analysis.lineage.sample import Block, Sample

ALIKE = 0.5
"""Least correlation of neighbouring rows, in the median, that no rows of tokens or units have."""

_LEAST_PAIRS = 8


def is_ordered(block: Block) -> bool:
    """Say whether a row follows from the one before, as a position's does."""
    if block.role == "vector" or len(block.rows) < 2 * _LEAST_PAIRS:
        return False
    values = block.values - block.values.mean(axis=0)
    there = np.abs(values).max(axis=1) > 0
    unit = centred_rows(values)
    next_to = (np.diff(block.rows) == 1) & there[1:] & there[:-1]
    # Rows that nothing trained, such as padding, are equal without being positions.
    next_to &= np.any(block.values[1:] != block.values[:-1], axis=1)
    if next_to.sum() < _LEAST_PAIRS:
        return False
    alike = (unit[1:] * unit[:-1]).sum(axis=1)[next_to]
    return bool(np.median(alike) > ALIKE)


_KNOWN: WeakKeyDictionary[Sample, Sample] = WeakKeyDictionary()


def learned(sample: Sample) -> Sample:
    """Return a sample without the tables that a formula orders; the same one if there are none."""
    if sample not in _KNOWN:
        ordered = [b for b in sample.blocks if is_ordered(b)]
        left = [b for b in sample.blocks if not any(b is o for o in ordered)]
        reasons = (f"{b.role} {b.place}: rows in order, as positions are" for b in ordered)
        # A sample that was kept as its own value would never be let go.
        if not ordered:
            return sample
        _KNOWN[sample] = replace(
            sample, blocks=tuple(left), not_assessed=(*sample.not_assessed, *reasons)
        )
    return _KNOWN[sample]
