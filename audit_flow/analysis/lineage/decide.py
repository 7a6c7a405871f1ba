"""From samples to a decision: related, not related or not decided, and which is the parent."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from audit_flow.analysis.lineage.aligned import Aligned, aligned_blocks
from audit_flow.analysis.lineage.control import Power, power_of
from audit_flow.analysis.lineage.empirical import Recovery, gram_likeness, recovered
from audit_flow.analysis.lineage.exact import Test, combined, exact_tests
from audit_flow.analysis.lineage.formulas import learned
from audit_flow.analysis.lineage.memo import forget
from audit_flow.analysis.lineage.method import Change, change_of
from audit_flow.analysis.lineage.parent import (
    Duel,
    decided_parent,
    distances,
    same_models,
    tournament,
)
from audit_flow.analysis.lineage.sample import Sample

Decision = Literal["related", "not related", "not decided"]

ALPHA = 1e-6
"""Probability of a false relation in one comparison of a release with all its candidates."""

HELD_OUT_RELATED = 0.5
HELD_OUT_SILENT = 0.2
GRAM_SILENT = 0.25
GRAM_RELATIVE = 0.4
SILENT = -3.0
"""log10 of the probability above which an exact test is silent."""


@dataclass(frozen=True)
class Comparison:
    """The suspect against one candidate.

    ``log10_p`` is combined over tests, not over candidates. ``basis`` says what decided: exact
    tests, the empirical matching of relabelled dimensions, or positive controls.
    """

    decision: Decision
    basis: Literal["exact", "empirical", "controls", "none"]
    tests: tuple[Test, ...]
    log10_p: float
    held_out: float | None = None
    gram: float | None = None
    power: Power | None = None
    reason: str = ""


@dataclass(frozen=True)
class Judged:
    """All candidates: a comparison each, the duels between related ones, and the parent if decided.

    ``parents`` is empty where none is decided, and holds several where they are copies of one.
    ``changes`` tells how the suspect differs from each related candidate.
    """

    comparisons: Mapping[str, Comparison]
    duels: tuple[Duel, ...]
    parents: frozenset[str]
    changes: Mapping[str, Change]
    distances: Mapping[str, float]


def judge_lineage(suspect: Sample, candidates: Mapping[str, Sample]) -> Judged:
    """Compare a suspect with every candidate and tell the parent among those related to it."""
    threshold = math.log10(ALPHA / max(1, len(candidates)))
    suspect, candidates = learned(suspect), {n: learned(s) for n, s in candidates.items()}
    found: dict[str, Comparison] = {}
    moved: dict[str, Recovery] = {}
    for name, sample in candidates.items():
        found[name], recovery = _compared(suspect, sample, threshold)
        forget(sample)
        if recovery is not None:
            moved[name] = recovery
    forget(suspect)
    related = [n for n, c in found.items() if c.decision == "related"]
    if not related:
        return Judged(found, (), frozenset(), {}, {})
    blocks = _blocks(suspect, candidates, found, moved, related)
    duels = tournament(blocks, related)
    changes = {n: _change(suspect, n, candidates[n], moved.get(n)) for n in related}
    far = distances(blocks, related) if blocks else {}
    parents = decided_parent(duels, same_models(blocks, related)) or frozenset()
    return Judged(found, duels, parents, changes, far)


def _change(suspect: Sample, name: str, candidate: Sample, moved: Recovery | None) -> Change:
    """Compare with one candidate alone: another may hold fewer of the same tensors."""
    alone = aligned_blocks(suspect, {name: candidate}, name, moved)
    return change_of(suspect, candidate, [b for b in alone if not b.gram], name)


def _blocks(
    suspect: Sample,
    candidates: Mapping[str, Sample],
    found: Mapping[str, Comparison],
    moved: Mapping[str, Recovery],
    related: Sequence[str],
) -> list[Aligned]:
    anchor = min(related, key=lambda n: (found[n].basis != "exact", found[n].log10_p))
    return aligned_blocks(suspect, {n: candidates[n] for n in related}, anchor, moved.get(anchor))


def _compared(
    suspect: Sample, candidate: Sample, threshold: float
) -> tuple[Comparison, Recovery | None]:
    tests = exact_tests(suspect, candidate)
    log10_p = combined(tests)
    residual = any(t.log10_p < threshold for t in tests if t.name in _OF_THE_STREAM)
    if log10_p < threshold and _is_a_part(tests, threshold):
        return Comparison("not decided", "none", tests, log10_p, reason=_ONLY_VECTORS), None
    if log10_p < threshold and residual:
        return Comparison("related", "exact", tests, log10_p), None
    recovery = recovered(suspect, candidate)
    held_out = recovery.held_out if recovery else None
    if log10_p < threshold and _another_stream(suspect, candidate, held_out):
        return Comparison("not decided", "none", tests, log10_p, held_out, reason=_ONE_PART), None
    if log10_p < threshold:
        usable = recovery if held_out is not None and held_out > HELD_OUT_RELATED else None
        return Comparison("related", "exact", tests, log10_p, held_out), usable
    if held_out is not None and held_out > HELD_OUT_RELATED:
        return Comparison("related", "empirical", tests, log10_p, held_out), recovery
    return _silent(suspect, candidate, tests, log10_p, held_out, threshold), None


# What survives a relabelling of hidden units; a relabelled or rotated stream survives in inner
# products of tokens. A frozen tower inside an unrelated model has neither.
_OF_THE_STREAM = {"embedding-columns", "residual-profiles"}
_ONE_PART = "hidden units of some layers are the same, and nothing outside them: one part of both"


def _another_stream(suspect: Sample, candidate: Sample, held_out: float | None) -> bool:
    """Whether tokens show that all but some layers are other: not where there are none to ask."""
    if held_out is None or held_out > HELD_OUT_RELATED:
        return False
    gram = gram_likeness(suspect, candidate)
    return gram is not None and gram < GRAM_RELATIVE


_ONLY_VECTORS = (
    "only vectors are the same, and no matrix shows it: a buffer that a formula writes, or one part"
)


# A window and the mean of a data set stand together in models that share nothing else.
_LEAST_VECTORS = 4


def _is_a_part(tests: Sequence[Test], threshold: float) -> bool:
    """Say whether nothing but some equal vectors speaks for a relation.

    A window, a mask or a norm that somebody added is equal in models that share nothing else.
    """
    equal = next((t for t in tests if t.name == "equal-vectors"), None)
    others = [t for t in tests if t.name != "equal-vectors"]
    if equal is None or any(t.log10_p < threshold for t in others):
        return False
    if others:
        return all(t.log10_p > SILENT for t in others)
    return equal.hits < max(_LEAST_VECTORS, equal.places / 2)


def _silent(
    suspect: Sample,
    candidate: Sample,
    tests: tuple[Test, ...],
    log10_p: float,
    held_out: float | None,
    threshold: float,
) -> Comparison:
    """Tell independence from not knowing: all tests silent, and all shown to have power here."""
    gram = gram_likeness(suspect, candidate)

    def undecided(reason: str) -> Comparison:
        return Comparison(
            "not decided", "none", tests, log10_p, held_out, gram, None, reason
        )  # fmt: skip

    if held_out is None or gram is None:
        return undecided("no embeddings over shared tokens were compared")
    if suspect.width != candidate.width:
        return undecided("the models are of different width")
    if log10_p < SILENT:
        return undecided("an exact test is between silence and certainty")
    if held_out > HELD_OUT_SILENT or gram > GRAM_SILENT:
        return undecided("inner products of tokens are more alike than independence explains")
    if not _comparable(suspect, candidate):
        return undecided("vocabulary and layers are of other size or form: nothing stands for the "
                         "same in both")  # fmt: skip
    power = power_of(candidate, threshold)
    needed = {"embedding-columns", "residual-profiles"}
    needed |= {"hidden-unit-profiles"} if suspect.units == candidate.units else set()
    shown = power.found & {t.name for t in tests}
    if not needed <= shown or power.held_out < HELD_OUT_RELATED or power.gram < GRAM_RELATIVE:
        missing = sorted(needed - shown) or ["relabelled dimensions"]
        return undecided("no power was shown for " + ", ".join(missing))
    return Comparison(
        "not related", "controls", tests, log10_p, held_out, gram, power,
        "all tests are silent, and find a simulated relative of this candidate",
    )  # fmt: skip


def _comparable(suspect: Sample, candidate: Sample) -> bool:
    """Whether silence can tell anything: some rows of both surely stand for the same.

    Rows of tokens do where vocabularies are of a size; hidden units where layers are as many and
    their matrices lie the same way round.
    """
    sizes = sorted((suspect.vocabulary, candidate.vocabulary))
    if sizes[0] > 0.9 * sizes[1]:
        return True
    shapes = [sorted({b.values.shape[1] for b in s.of("attention")}) for s in (suspect, candidate)]
    alike = suspect.units == candidate.units and suspect.layers == candidate.layers
    return alike and shapes[0] == shapes[1]
