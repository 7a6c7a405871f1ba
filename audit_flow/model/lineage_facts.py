"""What sampled weights say about where a model comes from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from audit_flow.model.base import Count, Frozen, ShortText, Words
from audit_flow.model.evidence_base import EvidenceBase, Finite
from audit_flow.model.signature_facts import SignerFacts


class LineageTest(Frozen):
    """One exact test of independence: ``hits`` of ``places`` fixed, the best of ``tries``.

    ``log10_p`` is the logarithm of a bound on the probability of that many hits or more between
    independent models, corrected for the number of tries.
    """

    name: Literal["equal-vectors", "embedding-columns", "residual-profiles", "hidden-unit-profiles"]
    hits: Count
    places: Count
    tries: Count
    log10_p: Finite = Field(le=0)


class LineageDuel(Frozen):
    """How much of the way from this candidate to ``rival`` the release has: 0 none, 1 all of it.

    ``share`` is of what is peculiar to the rival's training, ``raw`` of the whole difference.
    ``merge`` says that a linear mixture of both, at ``raw``, leaves little unexplained.
    """

    rival: ShortText
    share: Finite
    raw: Finite
    merge: bool


class SampledChange(Frozen):
    """How sampled tensors differ from a candidate's.

    ``low-rank``: every changed matrix differs by a product of low ``rank`` and rounding, while
    norms and embeddings are the same; ``identical``: no sampled number differs.
    """

    kind: Literal["identical", "low-rank", "full", "unknown"]
    rank: Count | None = None
    equal_vectors: Count
    vectors: Count
    equal_matrices: Count
    matrices: Count


class WeightComparison(EvidenceBase):
    """A release's weights against a candidate for its base, from samples of both.

    ``log10_p`` is combined over the tests that were made; it decides at a probability of 1e-6
    over all ``candidates``. ``parent`` says whether this candidate is the nearest of several
    related ones, ``other`` that ``rival`` is. ``held_out`` and ``gram`` are correlations that no
    theorem stands behind; ``power`` names the tests that find a simulated relative of this
    candidate. Bytes are those of headers and tensors, ``total`` of all weight files. Where the
    candidate is known ``from_fingerprint`` alone, ``sha256`` is that file's, ``signer`` who is
    shown to have signed it, and ``origin`` says so in words.
    """

    kind: Literal["weight-comparison"] = "weight-comparison"
    candidate: ShortText
    commit: ShortText | None = None
    from_fingerprint: bool = False
    signer: SignerFacts | None = None
    origin: Words = ""
    candidates: Count
    decision: Literal["related", "not related", "not decided"]
    basis: Literal["exact", "empirical", "controls", "none"]
    log10_p: Finite = Field(le=0)
    tests: tuple[LineageTest, ...] = ()
    held_out: Finite | None = None
    gram: Finite | None = None
    power: tuple[ShortText, ...] = ()
    reason: Words = ""
    parent: Literal["this", "other", "undecided"] = "undecided"
    rival: ShortText | None = None
    duels: tuple[LineageDuel, ...] = ()
    change: SampledChange | None = None
    distance: Finite | None = None
    bytes_read: Count
    bytes_total: Count
    candidate_bytes_read: Count
    candidate_bytes_total: Count
    not_assessed: tuple[Words, ...] = ()
