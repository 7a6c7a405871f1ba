"""Positive controls: would the tests have found a relation, had there been one?

From the candidate's own sample relatives are made: with noise as strong as the weights themselves
for the exact tests; relabelled, with noise half as strong as what is peculiar to the embeddings,
for the others. Silence of the tests says something only where these relatives are found.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from audit_flow.analysis.lineage.arrays import Floats, chosen
from audit_flow.analysis.lineage.empirical import MOST_SEARCHED, gram_likeness, recovered
from audit_flow.analysis.lineage.exact import MOST_COLUMNS, Name, Test, exact_tests
from audit_flow.analysis.lineage.fixed_points import without_main_components
from audit_flow.analysis.lineage.memo import forget
from audit_flow.analysis.lineage.sample import Block, Sample

NOISE = 1.0
"""Noise of the simulated relative, relative to each block's own spread."""

_SEED = 20_241_122


@dataclass(frozen=True)
class Power:
    """Which exact tests find the simulated relative, and what the two others see of it."""

    found: frozenset[Name]
    held_out: float
    gram: float


def power_of(candidate: Sample, threshold: float) -> Power:
    """Return what the tests find of a relative of ``candidate`` at log10 p below ``threshold``.

    The relative is made once for each sample: it depends on nothing else.
    """
    known = _KNOWN.get(candidate)
    if known is None:
        known = _KNOWN[candidate] = _tried(candidate)
    tests, held_out, gram = known
    return Power(frozenset(t.name for t in tests if t.log10_p < threshold), held_out, gram)


_Tried = tuple[tuple[Test, ...], float, float]
_KNOWN: WeakKeyDictionary[Sample, _Tried] = WeakKeyDictionary()


def _tried(candidate: Sample) -> _Tried:
    small = _read_by_tests(candidate)
    tests = exact_tests(_noisy(small, NOISE), small)
    forget(small)
    tables = _with_peculiar_noise(candidate)
    held_out = recovered(_relabelled(tables), candidate, first_only=True)
    gram = gram_likeness(tables, candidate, first_only=True)
    return tests, held_out.held_out if held_out else 0.0, gram or 0.0


def _read_by_tests(sample: Sample) -> Sample:
    """Leave out what no exact test looks at: of a large model, most columns of embeddings."""
    return replace(sample, blocks=tuple(_cut(b) for b in sample.blocks if b.role != "attention"))


def _cut(block: Block) -> Block:
    return replace(block, values=_some_columns(block)) if block.role == "embedding" else block


def _some_columns(block: Block) -> Floats:
    return block.values[:, chosen(block.values.shape[1], MOST_COLUMNS, 29)]


def _noisy(sample: Sample, strength: float) -> Sample:
    rng = np.random.default_rng(_SEED)
    blocks = tuple(replace(b, values=_with_noise(b.values, strength, rng)) for b in sample.blocks)
    return replace(sample, blocks=blocks)


def _with_noise(values: Floats, strength: float, rng: np.random.Generator) -> Floats:
    spread = np.float32(strength * float(values.std()))
    noise: Floats = rng.standard_normal(values.shape, np.float32)
    noise *= spread
    noise += values
    return noise


def _with_peculiar_noise(sample: Sample) -> Sample:
    """Return the first embedding with noise half as strong as what is peculiar to its tokens."""
    rng = np.random.default_rng(_SEED)
    blocks = []
    for block in sample.of("embedding")[:1]:
        strength = NOISE / 2 * float(without_main_components(_some_columns(block)).std())
        noise: Floats = rng.standard_normal(block.values.shape, np.float32)
        noise *= np.float32(strength)
        noise += block.values
        blocks.append(replace(block, values=noise))
    return replace(sample, blocks=tuple(blocks))


def _relabelled(sample: Sample) -> Sample:
    """Relabel residual dimensions at random, and keep as many as a search looks at."""
    order = np.random.default_rng(_SEED + 1).permutation(sample.width)[:MOST_SEARCHED]
    blocks = tuple(replace(b, values=b.values[:, order]) for b in sample.blocks)
    return replace(sample, blocks=blocks)
