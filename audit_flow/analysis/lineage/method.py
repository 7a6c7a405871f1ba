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

_DROP = 1.4
"""How much the singular value below an adapter's rank is smaller, in the median of the matrices.

Under the rounding of bfloat16 the spectrum of a light full fine-tune ends somewhere, too, but not
abruptly: on the development zoo it fell by at most 1.3 there, an adapter's by 1.5 and mostly 20.
"""


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
    seen = [_low_rank(b.suspect, b.candidates[name], b.bits) for b in changed]
    # Adapters leave embeddings alone; a light fine-tune moves the rows of its tokens.
    low = [r is not None and b.role != "embedding" for r, b in zip(seen, changed, strict=True)]
    ends = [drop for found in seen if found for drop in found[1:]]
    kind: Kind = "unknown"
    if changed and all(low) and 0 < vectors == equal:
        kind = "low-rank" if np.median(ends) >= _DROP else "unknown"
    elif changed and not all(low):
        kind = "full"
    elif not changed and 0 < vectors == equal and len(blocks) == _matrices(suspect):
        kind = "identical" if _matrices(suspect) == _matrices(parent) else "unknown"
    rank = max(found[0] for found in seen if found) if kind == "low-rank" else None
    return Change(kind, rank, equal, vectors, sum(same), len(same))


def _matrices(sample: Sample) -> int:
    return sum(b.role != "vector" for b in sample.blocks)


def rank_above_rounding(suspect: Floats, parent: Floats, bits: int) -> int | None:
    """Return the least rank that explains a change but for rounding; None if it is not low.

    What an adapter of rank r adds has rank r, in any choice of rows; writing the sum with ``bits``
    of mantissa adds an error of a known size. Low is at most a third of the smaller side, and must
    hold most of the change: where little but rounding is left to see, nothing is said.
    """
    found = _low_rank(suspect, parent, bits)
    return found[0] if found else None


def _low_rank(suspect: Floats, parent: Floats, bits: int) -> tuple[int, float] | None:
    """Return the rank, and how much smaller the singular value below it is."""
    change = (suspect - parent).astype(np.float64)
    values = np.linalg.svd(change, compute_uv=False)
    left = np.append(np.cumsum((values**2)[::-1])[::-1], 0.0)
    rounding = _ROUNDING * _rounding_energy(suspect, bits)
    rank = int(np.argmax(left <= rounding))
    most_of_it = left[rank] <= left[0] / 5
    if not 0 < rank <= min(change.shape) // 3 or not most_of_it:
        return None
    return rank, float(values[rank - 1] / max(values[rank], 1e-300))


def _rounding_energy(values: Floats, bits: int) -> float:
    """Return the expected sum of squared errors of writing numbers with ``bits`` of mantissa."""
    _, exponents = np.frexp(values.astype(np.float64))
    steps = np.ldexp(1.0, exponents - 1 - bits)
    return float((steps**2).sum() / 12)
