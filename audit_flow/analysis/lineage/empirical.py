"""Two tests that no theorem stands behind: they find what has been both relabelled and rotated.

Their levels were chosen on one zoo of small models and measured on another
(benchmarks/lineage); a finding that rests on them says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audit_flow.analysis.lineage.arrays import Floats, Ints, centred_rows, chosen, largest_of
from audit_flow.analysis.lineage.fixed_points import MOST_COMPONENTS, without_main_components
from audit_flow.analysis.lineage.memo import remembered, rows_in_common
from audit_flow.analysis.lineage.sample import Block, Sample

MOST_SEARCHED = 512
MIN_TOKENS = 64
MOST_WIDTH = 1 << 15


@dataclass(frozen=True)
class Recovery:
    """A matching of residual dimensions, found on half of the tokens and tried on the others.

    ``held_out`` is the median correlation of matched columns on the other half; suspect column
    ``mine[i]`` was matched to candidate column ``theirs[i]`` with ``signs[i]``.
    """

    held_out: float
    mine: Ints
    theirs: Ints
    signs: Floats


def recovered(suspect: Sample, candidate: Sample, *, first_only: bool = False) -> Recovery | None:
    """Match residual dimensions by their columns over shared tokens; None without enough.

    ``first_only`` compares with the candidate's first table alone.
    """
    found = [
        _recovery(
            remembered(suspect, one, rows, "searched", _searched),
            remembered(candidate, other, rows, "halves", _halves),
            chosen(one.values.shape[1], MOST_SEARCHED, 23),
        )
        for one, other, rows in _tables(suspect, candidate, first_only)
    ]
    return max(found, key=lambda r: r.held_out, default=None)


def gram_likeness(suspect: Sample, candidate: Sample, *, first_only: bool = False) -> float | None:
    """Return the correlation of inner products between tokens, without the main components.

    No rotation or relabelling of the residual stream changes it. ``first_only`` compares with the
    candidate's first table alone.
    """
    found = [
        float(
            remembered(suspect, one, rows, "gram", _gram)
            @ remembered(candidate, other, rows, "gram", _gram)
        )
        for one, other, rows in _tables(suspect, candidate, first_only)
    ]
    return max(found, default=None)


def _tables(
    suspect: Sample, candidate: Sample, first_only: bool
) -> list[tuple[Block, Block, Ints]]:
    pairs = [
        (one, other, rows_in_common(one, other))
        for one in suspect.of("embedding")
        for other in candidate.of("embedding")[: 1 if first_only else None]
    ]
    return [p for p in pairs if len(p[2]) >= MIN_TOKENS and p[1].values.shape[1] <= MOST_WIDTH]


_Halves = tuple[Floats, Floats]
"""Columns of length 1 over one half of the tokens and over the other, of shape (columns, n/2)."""


def _recovery(mine: _Halves, theirs: _Halves, searched: Ints) -> Recovery:
    likeness = mine[0] @ theirs[0].T
    each = np.arange(len(likeness))
    high, low = likeness.argmax(axis=1), likeness.argmin(axis=1)
    match = np.where(likeness[each, high] >= -likeness[each, low], high, low)
    signs = np.sign(likeness[each, match]).astype(np.float32)
    if len(np.unique(match)) < len(match) / 2:
        # Many to one is no relabelling: flat columns match anything.
        return Recovery(0.0, searched, match.astype(np.int64), signs)
    agreement = (mine[1] * theirs[1][match]).sum(axis=1) * signs
    return Recovery(float(np.median(agreement)), searched, match.astype(np.int64), signs)


def _searched(values: Floats) -> _Halves:
    return _halves(values[:, chosen(values.shape[1], MOST_SEARCHED, 23)])


def _halves(values: Floats) -> _Halves:
    first, second = values[::2], values[1::2]
    return _columns(first), _columns(second)


def _columns(values: Floats) -> Floats:
    return centred_rows(without_main_components(values).T)


def _gram(values: Floats) -> Floats:
    """Return the inner products above the diagonal, centred and of length 1 together."""
    rest = _without_eigenvectors(values)
    above = np.triu_indices(len(values), 1)
    products: Floats = centred_rows((rest @ rest.T)[above][None, :])[0]
    return products


def _without_eigenvectors(values: Floats) -> Floats:
    """Remove the main components exactly.

    An iteration that has not converged leaves the same traces of its start in both models, which
    would look like kinship here.
    """
    scaled: Floats = values - values.mean(axis=0)
    count = max(2, min(MOST_COMPONENTS, len(values) // 8))
    scaled /= np.float32(largest_of(scaled) or 1.0)
    _, vectors = np.linalg.eigh((scaled @ scaled.T).astype(np.float64))
    main = vectors[:, -count:].astype(np.float32)
    scaled -= main @ (main.T @ scaled)
    return scaled
