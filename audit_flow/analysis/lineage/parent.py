"""Which of several related candidates is the parent, and in what parts a merge was made.

For two candidates P and Q the suspect's change S−P is measured along Q−P, after the main
directions of both are taken out: fine-tunes of one family share those. The rest of Q−P is peculiar
to how Q was trained, so a child of Q has all of it and a child of P nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audit_flow.analysis.lineage.aligned import Aligned
from audit_flow.analysis.lineage.arrays import Doubles, Floats

UNDECIDED = (0.35, 0.65)
"""Shares between which the tournament abstains."""

_PART_REMOVED = 0.5
_SAME = 1e-6
_ROWS = 8
_CLOSE = 0.02
_LEAST_DIFFERENCE = 0.1
_MERGE_REST = 0.3


@dataclass(frozen=True)
class Duel:
    """How much of the way from ``first`` to ``second`` the suspect has: 0 is first, 1 second.

    ``share`` is of what is peculiar to the second, ``raw`` of the whole difference; ``rest`` is
    what a mixture at ``raw`` leaves unexplained, relative to the nearer of the two.
    """

    first: str
    second: str
    share: float
    raw: float
    rest: float
    blocks: int

    @property
    def winner(self) -> str | None:
        """The nearer one, or None where the tournament abstains."""
        low, high = UNDECIDED
        if self.merge:
            return None
        if self.share < low:
            return self.first
        return self.second if self.share > high else None

    @property
    def merge(self) -> bool:
        """Whether a linear mixture of both explains the suspect far better than either."""
        return 0.05 < self.raw < 0.95 and self.rest < _MERGE_REST


def tournament(blocks: Sequence[Aligned], names: Sequence[str]) -> tuple[Duel, ...]:
    """Return the duel of each pair that the blocks tell apart."""
    pairs = [(p, q) for n, p in enumerate(names) for q in names[n + 1 :]]
    duels = [_duel(blocks, p, q) for p, q in pairs]
    return tuple(d for d in duels if d is not None)


def decided_parent(duels: Sequence[Duel], names: Sequence[str]) -> str | None:
    """Return the candidate that wins every duel; None if there is none or only one candidate."""
    if len(names) < 2:
        return None
    wins = [
        name
        for name in names
        if (own := [d for d in duels if name in (d.first, d.second)])
        and len(own) == len(names) - 1
        and all(d.winner == name for d in own)
    ]
    return wins[0] if len(wins) == 1 else None


def _duel(blocks: Sequence[Aligned], first: str, second: str) -> Duel | None:
    # A copy of one in another data type was trained no further: there is nothing to tell them by.
    blocks = [b for b in blocks if not b.only_rounded(first, second)]
    shares: dict[bool, list[float]] = {True: [], False: []}
    for block in blocks:
        found = _share(block.suspect, block.candidates[first], block.candidates[second])
        if found is not None:
            shares[block.role == "embedding"].append(found)
    # Rows of rare tokens are trained least in common: embeddings weigh as much as all the layers.
    kinds = [float(np.median(found)) for found in shares.values() if found]
    if not kinds:
        return None
    untouched = [
        share
        for block in blocks
        if block.role == "embedding"
        and (share := _untouched(block.suspect, block.candidates[first], block.candidates[second]))
        is not None
    ]
    raw, rest = _mixture(blocks, first, second)
    share = float(np.mean(untouched or kinds))
    return Duel(first, second, share, raw, rest, sum(map(len, shares.values())))


def _untouched(suspect: Floats, first: Floats, second: Floats) -> float | None:
    """Return the share of the way in those rows that the last training left alone, if any.

    A token that the last training never saw keeps the parent's row in an input embedding, but for
    a scale by weight decay, while the rival's row differs. None where no rows are that close to
    either.
    """
    length = np.sqrt((first * first).sum(axis=1, keepdims=True))
    unit = np.divide(first, length, out=np.zeros_like(first), where=length > 0)
    difference = _across(second - first, unit)
    forth, back = _across(suspect - first, unit), _across(suspect - second, unit)
    sizes = (difference * difference).sum(axis=1)
    told = np.flatnonzero(sizes > _LEAST_DIFFERENCE * np.median(sizes))
    if len(told) < _ROWS or not np.median(sizes) > _SAME**2 * float((first * first).mean()):
        return None
    nearer = np.minimum((forth * forth).sum(axis=1), (back * back).sum(axis=1))[told] / sizes[told]
    best = np.argsort(nearer, kind="stable")[:_ROWS]
    if float(np.median(nearer[best])) > _CLOSE:
        return None
    return float(np.median((forth * difference).sum(axis=1)[told][best] / sizes[told][best]))


def _across(values: Floats, unit: Floats) -> Floats:
    """Return rows without their part along the given unit rows."""
    rest: Floats = values - (values * unit).sum(axis=1, keepdims=True) * unit
    return rest


def _share(suspect: Floats, first: Floats, second: Floats) -> float | None:
    """Return the share of the way, as the mean of what is seen from either end."""
    difference = second - first
    if np.linalg.norm(difference) < _SAME * np.linalg.norm(first):
        return None
    main = _main_directions(difference)
    forth = _along(suspect - first, difference, main)
    back = _along(suspect - second, -difference, main)
    return None if forth is None or back is None else (forth + 1 - back) / 2


def _along(change: Floats, difference: Floats, main: _Directions) -> float | None:
    """Return ⟨change, difference⟩/‖difference‖² without the main directions of both."""
    own = _main_directions(change)
    one, other = (_without(_without(v, own), main) for v in (change, difference))
    length = float((other * other).sum())
    return float((one * other).sum()) / length if length > 0 else None


_Directions = tuple[Floats, Floats]
"""Orthonormal columns on the left, orthonormal rows on the right."""


def _main_directions(values: Floats) -> _Directions:
    """Return the singular directions of the larger half, by the Gram matrix of the rows."""
    count = int(_PART_REMOVED * min(values.shape))
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    scaled = (values / largest).astype(np.float64)
    if scaled.shape[0] > scaled.shape[1]:
        columns, rows = _leading(scaled.T, count)
        return rows.T.astype(np.float32), columns.T.astype(np.float32)
    columns, rows = _leading(scaled, count)
    return columns.astype(np.float32), rows.astype(np.float32)


def _leading(values: Doubles, count: int) -> tuple[Doubles, Doubles]:
    sizes, vectors = np.linalg.eigh(values @ values.T)
    kept = vectors[:, -count:][:, sizes[-count:] > 1e-14 * max(float(sizes[-1]), 1e-300)]
    # Orthonormal but for rounding: rows of the right side, each divided by its singular value.
    right: Doubles = np.linalg.qr((kept.T @ values).T)[0]
    return kept, right.T


def _without(values: Floats, directions: _Directions) -> Floats:
    left, right = directions
    rest = np.asarray(values - left @ (left.T @ values), np.float32)
    return np.asarray(rest - (rest @ right.T) @ right, np.float32)


def _mixture(blocks: Sequence[Aligned], first: str, second: str) -> tuple[float, float]:
    """Return the share of the second in the best linear mixture, and what it leaves."""
    near = {n: sum(_square(b.suspect - b.candidates[n]) for b in blocks) for n in (first, second)}
    along = sum(
        float(
            ((b.suspect - b.candidates[first]) * (b.candidates[second] - b.candidates[first])).sum()
        )
        for b in blocks
    )
    length = sum(_square(b.candidates[second] - b.candidates[first]) for b in blocks)
    raw = along / length if length else 0.0
    left = max(0.0, near[first] - raw * raw * length)
    nearest = min(near.values())
    return raw, float(np.sqrt(left / nearest)) if nearest else 0.0


def _square(values: Floats) -> float:
    return float((values * values).sum())


def distances(blocks: Sequence[Aligned], names: Sequence[str]) -> Mapping[str, float]:
    """Return each candidate's relative distance ‖S−P‖/‖P‖ over all blocks."""
    return {
        n: float(
            np.sqrt(
                sum(_square(b.suspect - b.candidates[n]) for b in blocks)
                / max(sum(_square(b.candidates[n]) for b in blocks), 1e-30)
            )
        )
        for n in names
    }
