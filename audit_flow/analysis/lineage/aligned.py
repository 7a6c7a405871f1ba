"""Blocks of a suspect and of its candidates that speak of the same weights, number for number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from audit_flow.analysis.lineage.arrays import Floats, centred_rows, chosen
from audit_flow.analysis.lineage.empirical import Recovery
from audit_flow.analysis.lineage.sample import Block, Sample, common_rows

MANTISSA_BITS = {"F64": 52, "F32": 23, "F16": 10, "BF16": 7}

ALIKE = 0.2
"""Least correlation, number by number, of blocks that are taken to be the same tensor."""
_EVEN = 0.25
# What was trained, however lightly, is further away than a rounding in more than one of a thousand.
_MOSTLY = 0.999
_SUBNORMAL = 2.0**-25
_FEW_BITS = 0.15
_MOST_COLUMNS = 1024
_LIKENESS_COLUMNS = 256
_MOST_ROWS = 256
_LEAST_ROWS = 8


@dataclass(frozen=True)
class Aligned:
    """One tensor's sampled part in the suspect and in each candidate, of one shape.

    ``cast`` says that their data types differ, so that rounding alone makes numbers differ;
    ``bits`` are those of the mantissa of the coarser; ``gram`` that inner products stand here;
    ``quantised`` that one of them was stored in few bits; ``written`` the mantissa's bits of each
    candidate, none where it was stored in few.
    """

    role: str
    place: str
    suspect: Floats
    candidates: Mapping[str, Floats]
    cast: bool = False
    bits: int = 23
    gram: bool = False
    quantised: bool = False
    written: Mapping[str, int | None] = field(default_factory=dict)

    def only_rounded(self, one: str, other: str) -> bool:
        """Whether two candidates differ by no more than how coarsely one of them is written."""
        first, second = self.candidates[one], self.candidates[other]
        if self.gram or first.shape != second.shape:
            return False
        bits = [self.written.get(one), self.written.get(other)]
        if None in bits:
            # Nobody knows the steps of the few bits: what is as near as those is no training.
            far = float(np.linalg.norm(first - second))
            return bits[0] != bits[1] and far < _FEW_BITS * float(np.linalg.norm(first))
        steps = np.maximum(np.abs(first), np.abs(second)) * 2.0 ** -(min(b for b in bits if b) + 1)
        near = np.abs(first - second) <= steps * 1.001 + _SUBNORMAL
        return bool(near.mean() >= _MOSTLY)

    def unchanged(self, name: str) -> bool:
        """Whether the suspect's numbers are those of a candidate, up to a cast if there is one."""
        other = self.candidates[name]
        if not self.cast:
            return bool(np.array_equal(self.suspect, other))
        return bool(np.allclose(self.suspect, other, rtol=2.0**-7, atol=1e-6))


def aligned_blocks(
    suspect: Sample, candidates: Mapping[str, Sample], anchor: str, moved: Recovery | None = None
) -> list[Aligned]:
    """Return what the suspect and the candidates hold of the same tensors.

    A candidate that has no such tensor is missing in that block.
    ``anchor`` names the candidate that is surely related; ``moved`` says how the suspect's residual
    dimensions were relabelled, and then only its embeddings are compared.
    """
    found = []
    for block in candidates[anchor].blocks:
        if block.role == "vector" or (moved and block.role != "embedding") or not block.scaled:
            continue
        item = _aligned(suspect, candidates, anchor, block, moved)
        if item is not None:
            found.append(item)
    return found or _grams(suspect, candidates, anchor)


def likeness(one: Floats, other: Floats) -> float:
    """Return the correlation of all numbers of two arrays of one shape."""
    pair = centred_rows(np.stack([one.reshape(-1), other.reshape(-1)]))
    return float(pair[0] @ pair[1])


def _aligned(
    suspect: Sample,
    candidates: Mapping[str, Sample],
    anchor: str,
    block: Block,
    moved: Recovery | None,
) -> Aligned | None:
    options = [b for b in suspect.of(block.role) if b.scaled and b.place == block.place]
    options = options or [b for b in suspect.of(block.role) if b.scaled]
    alike = [(_block_likeness(b, block, moved), n) for n, b in enumerate(options)]
    nearest, number = max(alike, default=(0.0, 0))
    if nearest < ALIKE:
        return None
    best = options[number]
    others = {name: _nearest(sample, block) for name, sample in candidates.items()}
    kept = {name: b for name, b in others.items() if b is not None and name != anchor}
    return _cut(best, {anchor: block, **kept}, moved)


def _nearest(sample: Sample, block: Block) -> Block | None:
    options = [b for b in sample.of(block.role) if b.scaled]
    alike = [(_block_likeness(b, block, None), n) for n, b in enumerate(options)]
    best, number = max(alike, default=(0.0, 0))
    return options[number] if best >= ALIKE else None


def _block_likeness(one: Block, other: Block, moved: Recovery | None) -> float:
    if moved is None:
        if one.values.shape[1] != other.values.shape[1]:
            return 0.0
        some = chosen(one.values.shape[1], _LIKENESS_COLUMNS, 43)
        mine, theirs = common_rows(one, other, some)
    else:
        if one.values.shape[1] <= moved.mine.max() or other.values.shape[1] <= moved.theirs.max():
            return 0.0
        mine, theirs = common_rows(one, other)
        mine, theirs = mine[:, moved.mine] * moved.signs, theirs[:, moved.theirs]
    if mine.shape != theirs.shape or mine.size < 256:
        return 0.0
    return likeness(mine, theirs)


def _cut(suspect: Block, candidates: Mapping[str, Block], moved: Recovery | None) -> Aligned | None:
    rows = suspect.rows
    fitting: dict[str, Block] = {}
    for name, block in candidates.items():
        both = np.intersect1d(rows, block.rows)
        # The first is surely related; one that holds too little of this takes nothing from others.
        if fitting and (len(both) < _LEAST_ROWS or not _of_a_form(block, candidates, moved)):
            continue
        rows, fitting[name] = both, block
    candidates = fitting
    rows = rows[chosen(len(rows), _MOST_ROWS, 37)]
    mine = suspect.values[np.isin(suspect.rows, rows)]
    theirs = {n: b.values[np.isin(b.rows, rows)] for n, b in candidates.items()}
    if moved is not None:
        mine = mine[:, moved.mine] * moved.signs
        theirs = {n: v[:, moved.theirs] for n, v in theirs.items()}
    mine = mine[:, :_MOST_COLUMNS]
    theirs = {n: v[:, :_MOST_COLUMNS] for n, v in theirs.items()}
    if any(v.shape != mine.shape for v in theirs.values()) or len(rows) < _LEAST_ROWS:
        return None
    unscaled = _without_scale(mine, theirs)
    if unscaled is None:
        return None
    everyone = (suspect, *candidates.values())
    written = {n: None if b.quantised else MANTISSA_BITS[b.dtype] for n, b in candidates.items()}
    cast = any(b.dtype != suspect.dtype or b.quantised != suspect.quantised for b in everyone)
    bits = min(MANTISSA_BITS[b.dtype] for b in everyone)
    few = any(b.quantised for b in everyone)
    return Aligned(
        suspect.role, suspect.place, unscaled, theirs, cast, bits, quantised=few, written=written
    )


def _of_a_form(block: Block, candidates: Mapping[str, Block], moved: Recovery | None) -> bool:
    first = next(iter(candidates.values()))
    wide = min(block.values.shape[1], _MOST_COLUMNS), min(first.values.shape[1], _MOST_COLUMNS)
    return moved is not None or wide[0] == wide[1]


def _without_scale(mine: Floats, candidates: Mapping[str, Floats]) -> Floats | None:
    """Undo a scale of the whole block; None if each row has a scale of its own."""
    scales = [_row_scales(mine, theirs) for theirs in candidates.values()]
    middles = [float(np.median(s)) for s in scales]
    pairs = [(s, m) for s, m in zip(scales, middles, strict=True) if m > 0]
    spread = [float(np.median(np.abs(s / m - 1))) for s, m in pairs]
    if not spread or min(spread) > _EVEN:
        return None
    nearest = min((m for m in middles if m > 0), key=lambda m: abs(math.log(m)))
    return mine / np.float32(nearest) if abs(nearest - 1) > _EVEN else mine


def _row_scales(mine: Floats, theirs: Floats) -> Floats:
    own, base = (mine * theirs).sum(axis=1), (theirs * theirs).sum(axis=1)
    scales: Floats = np.divide(own, base, out=np.zeros_like(own), where=base > 0)
    return scales


def _grams(suspect: Sample, candidates: Mapping[str, Sample], anchor: str) -> list[Aligned]:
    """Return inner products of hidden units, which a rotated residual stream leaves as they are."""
    found = []
    for block in candidates[anchor].of("hidden"):
        same: Sequence[Block] = [b for b in suspect.of("hidden") if b.place == block.place]
        tables = {n: _nearest(s, block) for n, s in candidates.items()}
        kept = {n: b for n, b in tables.items() if b is not None}
        for one in same if len(kept) == len(tables) else ():
            rows = one.rows
            for other in kept.values():
                rows = np.intersect1d(rows, other.rows)
            if len(rows) < 32:
                continue
            grams = {n: _gram(b, rows) for n, b in kept.items()}
            mine = _gram(one, rows)
            if _off_diagonal(mine, grams[anchor]) > 0.5:
                found.append(Aligned("hidden", block.place, mine, grams, gram=True))
    return found


def _gram(block: Block, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    values = block.values[np.isin(block.rows, rows)]
    table: Floats = values @ values.T
    return table


def _off_diagonal(one: Floats, other: Floats) -> float:
    above = np.triu_indices(len(one), 1)
    return likeness(one[above], other[above])
