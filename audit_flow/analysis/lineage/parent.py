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
# Where a suspect is further away than that from two candidates, relative to how far they are from
# each other, what training always does outweighs what is peculiar to one: chosen on the
# development zoo, where true parents came to 1.4 and siblings that were taken for them to 20.
_TOO_FAR = 5.0


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


def decided_parent(
    duels: Sequence[Duel], models: Sequence[frozenset[str]]
) -> frozenset[str] | None:
    """Return the model that wins all duels; None if there is none, or only one model.

    ``models`` are the candidates, those that are copies of one another together. A candidate that
    stands in no duel, and beside no copy that does, can't be held against others: it takes nothing
    from what they show.
    """
    dueled = {n for d in duels for n in (d.first, d.second)}
    standing = [m for m in models if m & dueled]
    wins = [m for m in standing if all(_beats(m, o, duels) for o in standing if o != m)]
    return wins[0] if len(standing) > 1 and len(wins) == 1 else None


def _beats(one: frozenset[str], other: frozenset[str], duels: Sequence[Duel]) -> bool:
    between = [
        d for d in duels
        if (d.first in one and d.second in other) or (d.first in other and d.second in one)
    ]  # fmt: skip
    return bool(between) and all(d.winner in one for d in between)


def same_models(blocks: Sequence[Aligned], names: Sequence[str]) -> tuple[frozenset[str], ...]:
    """Return the candidates, those together that differ by no more than a rounding.

    What was stored in few bits is put beside the one that it is nearest to, and joins no others.
    """
    few = {n for b in blocks for n in b.candidates if b.written.get(n, 0) is None}
    found: list[set[str]] = []
    for name in (n for n in names if n not in few):
        beside = [m for m in found if any(_is_copy(blocks, name, n) for n in m)]
        found = [m for m in found if m not in beside]
        found.append({name}.union(*beside))
    for name in (n for n in names if n in few):
        near = [(far, n) for n in names if n not in few if (far := _copy_far(blocks, name, n))]
        home = min(near, default=None)
        group = next((m for m in found if home and home[1] in m), None)
        if group is None:
            found.append({name})
        else:
            group.add(name)
    return tuple(map(frozenset, found))


def _is_copy(blocks: Sequence[Aligned], one: str, other: str) -> bool:
    both = [b for b in blocks if {one, other} <= b.candidates.keys()]
    return bool(both) and all(b.only_rounded(one, other) for b in both)


def _copy_far(blocks: Sequence[Aligned], one: str, other: str) -> float | None:
    """Return how far a copy is, a number above 0; None where it is no copy."""
    if not _is_copy(blocks, one, other):
        return None
    both = [b for b in blocks if {one, other} <= b.candidates.keys()]
    return 1e-30 + sum(_square(b.candidates[one] - b.candidates[other]) for b in both)


def _duel(blocks: Sequence[Aligned], first: str, second: str) -> Duel | None:
    # A copy of one in another data type was trained no further: there is nothing to tell them by.
    both = [b for b in blocks if {first, second} <= b.candidates.keys()]
    blocks = [b for b in both if not b.only_rounded(first, second)]
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
    if not untouched and _nearest(blocks, first, second) > _TOO_FAR:
        return None
    raw, rest = _mixture(blocks, first, second)
    share = float(np.mean(untouched or kinds))
    return Duel(first, second, share, raw, rest, sum(map(len, shares.values())))


def _nearest(blocks: Sequence[Aligned], first: str, second: str) -> float:
    """Return how far the suspect is from the nearer, relative to how far they are apart."""
    near = min(sum(_square(b.suspect - b.candidates[n]) for b in blocks) for n in (first, second))
    apart = sum(_square(b.candidates[second] - b.candidates[first]) for b in blocks)
    return float(np.sqrt(near / apart)) if apart > 0 else float("inf")


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
    """Return each candidate's relative distance ‖S−P‖/‖P‖ over all blocks that it has."""
    held = {n: [b for b in blocks if n in b.candidates] for n in names}
    return {
        n: float(
            np.sqrt(
                sum(_square(b.suspect - b.candidates[n]) for b in own)
                / max(sum(_square(b.candidates[n]) for b in own), 1e-30)
            )
        )
        for n, own in held.items()
        if own
    }
