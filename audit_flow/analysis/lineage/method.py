"""How the suspect differs from its parent: not at all, by few directions, or everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audit_flow.analysis.lineage.aligned import Aligned
from audit_flow.analysis.lineage.arrays import Floats
from audit_flow.analysis.lineage.fixed_points import equal_vectors
from audit_flow.analysis.lineage.sample import Sample

Kind = Literal["identical", "low-rank", "full", "unknown"]

_ROUNDING = 2.5
"""Most error that is taken for rounding: that of two writings, and a margin."""


@dataclass(frozen=True)
class Change:
    """The kind of change; ``rank`` is the largest seen in a changed matrix, where it is low.

    ``equal_vectors`` of ``vectors`` norms and biases are the parent's, number for number, and
    ``equal_matrices`` of ``matrices`` sampled ones.
    """

    kind: Kind
    rank: int | None
    equal_vectors: int
    vectors: int
    equal_matrices: int
    matrices: int


def change_of(suspect: Sample, parent: Sample, blocks: Sequence[Aligned], name: str) -> Change:
    """Return how the suspect was changed from a candidate; ``blocks`` are their aligned parts."""
    equal, vectors, _ = equal_vectors(
        [b.values[0] for b in suspect.of("vector")], [b.values[0] for b in parent.of("vector")]
    )
    # What quantisation changed says nothing of how the weights were trained.
    blocks = [b for b in blocks if not b.quantised or b.unchanged(name)]
    same = [b.unchanged(name) for b in blocks]
    changed = [b for b, equal_here in zip(blocks, same, strict=True) if not equal_here]
    ranks = [rank_above_rounding(b.suspect, b.candidates[name], b.bits) for b in changed]
    # Adapters leave embeddings alone; a light fine-tune moves the rows of its tokens.
    low = [r is not None and b.role != "embedding" for r, b in zip(ranks, changed, strict=True)]
    kind: Kind = "unknown"
    if changed and all(low) and 0 < vectors == equal:
        kind = "low-rank"
    elif changed and not all(low):
        kind = "full"
    elif not changed and 0 < vectors == equal and len(blocks) == _matrices(suspect):
        kind = "identical" if _matrices(suspect) == _matrices(parent) else "unknown"
    rank = max(r or 0 for r in ranks) if kind == "low-rank" else None
    return Change(kind, rank, equal, vectors, sum(same), len(same))


def _matrices(sample: Sample) -> int:
    return sum(b.role != "vector" for b in sample.blocks)


def rank_above_rounding(suspect: Floats, parent: Floats, bits: int) -> int | None:
    """Return the least rank that explains a change but for rounding; None if it is not low.

    What an adapter of rank r adds has rank r, in any choice of rows; writing the sum with ``bits``
    of mantissa adds an error of a known size. Low is at most a third of the smaller side, and must
    hold most of the change: where little but rounding is left to see, nothing is said.
    """
    change = (suspect - parent).astype(np.float64)
    values = np.linalg.svd(change, compute_uv=False)
    left = np.append(np.cumsum((values**2)[::-1])[::-1], 0.0)
    rounding = _ROUNDING * _rounding_energy(suspect, bits)
    rank = int(np.argmax(left <= rounding))
    most_of_it = left[rank] <= left[0] / 5
    return rank if 0 < rank <= min(change.shape) // 3 and most_of_it else None


def _rounding_energy(values: Floats, bits: int) -> float:
    """Return the expected sum of squared errors of writing numbers with ``bits`` of mantissa."""
    _, exponents = np.frexp(values.astype(np.float64))
    steps = np.ldexp(1.0, exponents - 1 - bits)
    return float((steps**2).sum() / 12)
