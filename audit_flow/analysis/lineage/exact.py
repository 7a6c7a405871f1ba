"""The exact tests of one suspect against one candidate, from samples of both.

=== ============================ ======================================================
R   equal vectors                norms and biases that are the same number for number
R   embedding columns            over shared tokens; survives renaming, tuning, merging,
                                 quantisation, other depth, relabelled hidden units
R   residual profiles            rows of (d, f); survives hidden units relabelled or
                                 pruned and another vocabulary
H   hidden-unit profiles         rows of (f, d); survives any relabelling, change of
                                 signs or rotation of the residual stream
=== ============================ ======================================================

R assumes that the candidate's residual dimensions could be relabelled, H the hidden units of one
layer. Rows of queries and keys are never used: rotary positions give them an order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audit_flow.analysis.lineage.arrays import Floats, Ints, centred_rows, chosen
from audit_flow.analysis.lineage.fixed_points import (
    NOTHING,
    Count,
    equal_vectors,
    matched_columns,
    profile_fixed_points,
    profiles,
    without_main_components,
)
from audit_flow.analysis.lineage.memo import remembered, rows_in_common
from audit_flow.analysis.lineage.sample import Block, Sample

Name = Literal["equal-vectors", "embedding-columns", "residual-profiles", "hidden-unit-profiles"]

MOST_COLUMNS = 768
MIN_PLACES = 12
"""Fewer places than this can not reach any small probability."""

_LEAST_SIDE = 4


@dataclass(frozen=True)
class Test:
    """The best of a test's tries; ``log10_p`` is corrected for how many ``tries`` there were."""

    __test__ = False  # no test case for pytest

    name: Name
    hits: int
    places: int
    tries: int
    log10_p: float


def exact_tests(suspect: Sample, candidate: Sample) -> tuple[Test, ...]:
    """Return the tests that the two samples allow; one with too few places is left out."""
    tests = [
        _equal(suspect, candidate),
        _best("embedding-columns", _embedding_counts(suspect, candidate)),
        _best("residual-profiles", _residual_counts(suspect, candidate)),
        _best("hidden-unit-profiles", _hidden_counts(suspect, candidate)),
    ]
    return tuple(t for t in tests if t is not None)


def combined(tests: tuple[Test, ...]) -> float:
    """Return log10 of the Bonferroni-combined probability: valid under any dependence."""
    if not tests:
        return 0.0
    return min(0.0, min(t.log10_p for t in tests) + math.log10(len(tests)))


def _best(name: Name, counts: Iterator[Count]) -> Test | None:
    tried = [c for c in counts if c.places >= MIN_PLACES]
    if not tried:
        return None
    best = min(tried, key=lambda c: (c.log10_p, -c.hits))
    corrected = min(0.0, best.log10_p + math.log10(len(tried)))
    return Test(name, best.hits, best.places, len(tried), corrected)


def _equal(suspect: Sample, candidate: Sample) -> Test | None:
    mine = [b.values[0] for b in suspect.of("vector")]
    theirs = [b.values[0] for b in candidate.of("vector")]
    equal, asked, log10_p = equal_vectors(mine, theirs)
    if suspect.width != candidate.width or not asked:
        return None
    return Test("equal-vectors", equal, asked, asked * len(theirs), log10_p)


def _embedding_counts(suspect: Sample, candidate: Sample) -> Iterator[Count]:
    if suspect.width != candidate.width:
        return
    for one in suspect.of("embedding"):
        for other in candidate.of("embedding"):
            rows = rows_in_common(one, other)
            if len(rows) < MIN_PLACES or one.values.shape[1] != other.values.shape[1]:
                continue
            mine = remembered(suspect, one, rows, "columns", _columns)
            theirs = remembered(candidate, other, rows, "columns", _columns)
            for first, second in zip(mine, theirs, strict=False):
                yield matched_columns(first, second)


def _columns(values: Floats) -> tuple[Floats, ...]:
    """Return columns of length 1, as they are and without main components; none of a formula.

    They are some of the columns, always the same: the bound holds for any subset.
    """
    some = values[:, chosen(values.shape[1], MOST_COLUMNS, 29)]
    if formula(some) or min(some.shape) < _LEAST_SIDE:
        return ()
    return centred_rows(some.T), centred_rows(without_main_components(some).T)


def formula(rows: Floats) -> bool:
    """Say whether rows look like sinusoidal positions: all of one length, neighbours alike."""
    lengths = np.linalg.norm(rows, axis=1)
    return bool(lengths.std() < 1e-3 * lengths.mean())


def _residual_counts(suspect: Sample, candidate: Sample) -> Iterator[Count]:
    if suspect.width != candidate.width:
        return
    for one in suspect.of("residual"):
        for other in candidate.of("residual"):
            rows = rows_in_common(one, other)
            yield profile_fixed_points(
                remembered(suspect, one, rows, "profiles", profiles),
                remembered(candidate, other, rows, "profiles", profiles),
            )


def _hidden_counts(suspect: Sample, candidate: Sample) -> Iterator[Count]:
    if suspect.units != candidate.units:
        return
    for one in suspect.of("hidden"):
        for other in candidate.of("hidden"):
            if one.place == other.place:
                yield hidden_count(suspect, candidate, one, other)


def hidden_count(suspect: Sample, candidate: Sample, one: Block, other: Block) -> Count:
    """Match hidden units of two blocks, with and without the gains of a norm folded in.

    The best of the ways counts; its bound is corrected for how many there were.
    """
    rows = rows_in_common(one, other)
    if len(rows) < 2 * MIN_PLACES:
        return NOTHING
    first, second = _folded_profiles(suspect, one, rows), _folded_profiles(candidate, other, rows)
    pairs = [(0, j) for j in range(len(second))] + [(i, 0) for i in range(1, len(first))]
    counts = [profile_fixed_points(first[i], second[j]) for i, j in pairs]
    best = max(counts, key=lambda c: c.hits)
    corrected = min(0.0, best.log10_p + math.log10(len(counts)))
    return Count(best.hits, best.places, corrected)


def _folded_profiles(sample: Sample, block: Block, rows: Ints) -> list[Floats]:
    def made(values: Floats) -> list[Floats]:
        return [profiles(v) for v in _folded(sample, block, values)]

    return remembered(sample, block, rows, "folded profiles", made)


def _folded(sample: Sample, block: Block, values: Floats) -> list[Floats]:
    """Return rows as stored, and times each gain of their layer: a rotation needs it folded."""
    near = [b for b in sample.of("vector") if b.layer is not None and b.layer == block.layer]
    gains = [b.values[0] for b in near if b.values.shape[1] == values.shape[1]]
    uneven = [g for g in gains if np.ptp(g) > 1e-3 and abs(float(g.mean())) > 1e-3]
    return [values, *(values * g for g in uneven[:4])]
