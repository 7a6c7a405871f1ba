"""Which of the candidates the weights come from: by equal bits, or by samples of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit_flow.checks.interface import (
    Result,
    base_edge,
    failed,
    nothing_to_judge,
    passed,
    unproven,
    with_relation,
)
from audit_flow.model import (
    BaseCandidate,
    BaseModelClaim,
    ClaimKind,
    Frozen,
    LineageRecord,
    WeightComparison,
)


class CandidateParams(Frozen):
    """``required`` says that a claimed base is to be shown; else it can only be contradicted.

    ``ledger`` says that, where weights could not be compared at all, the base's digest among the
    inputs of the job shows it. Weights that were compared and do not tell are not made up for.
    """

    required: bool = True
    ledger: bool = False


class BaseCandidates:
    """Holds each claimed base model against the candidates.

    Equal bits prove a base, and so do sampled weights that share too much with it for chance.
    Configuration, tokenizer and shapes only say what could be: training changes no shape, and many
    models share one.
    """

    id = "base-model.candidates"
    decides: frozenset[ClaimKind] = frozenset({"base-model"})
    waivable = True
    params: type[Frozen] = CandidateParams

    def run(self, record: LineageRecord, params: CandidateParams) -> Iterator[Result]:
        """Return one result for each claimed base; PASSED where none is claimed."""
        candidates = list(record.of(BaseCandidate))
        compared = list(record.of(WeightComparison))
        claims = list(record.of(BaseModelClaim))
        if claims and not candidates and not compared and not params.required:
            yield nothing_to_judge("base model", "no candidate was compared, and none is required",
                                   "no contradiction")  # fmt: skip
            return
        for claim in claims:
            yield _by_bits(claim, candidates) or _judge(claim, record, params)
        if not claims:
            told = "; ".join([*map(_told, candidates), *map(_compared, compared)])
            words = f"no base model is claimed; compared was: {told or 'no candidate'}"
            yield nothing_to_judge(
                "base model", words, "no contradiction",
                *(c.id for c in (*candidates, *compared)),
            )  # fmt: skip


def _by_bits(claim: BaseModelClaim, candidates: Sequence[BaseCandidate]) -> Result | None:
    """Return what equal bits decide, where they decide anything."""
    evidence = tuple(c.id for c in candidates)
    named = [c for c in candidates if _is_named(c.name, claim)]
    others = [c for c in candidates if c.weights_equal and c not in named]
    actual = "; ".join(map(_told, candidates))
    if any(c.weights_equal for c in named):
        return passed(claim.id, "the weights are the base model's, bit for bit", claim.base,
                      actual, *evidence)  # fmt: skip
    if others and any(c.weights_equal is False for c in named):
        return failed(
            claim.id, "the weights are those of another model, bit for bit", claim.base,
            f"{others[0].name}; {actual}", *evidence,
        )  # fmt: skip
    return None


def _judge(claim: BaseModelClaim, record: LineageRecord, params: CandidateParams) -> Result:
    candidates, compared = list(record.of(BaseCandidate)), list(record.of(WeightComparison))
    named = [c for c in compared if _is_named(c.candidate, claim)]
    if named and (named[0].tests or named[0].decision != "not decided"):
        claimed = [with_relation(c, record) for c in record.of(BaseModelClaim) if c is not claim]
        return _by_weights(with_relation(claim, record), named[0], compared, params, claimed)
    evidence = tuple(c.id for c in (*candidates, *compared))
    told = "; ".join([*map(_told, candidates), *map(_compared, compared)])
    words = "no candidate of this name was compared"
    if named:
        words = f"the weights could not be compared: {named[0].reason}"
    elif any(_is_named(c.name, claim) for c in candidates):
        words = "configuration, tokenizer and shapes do not prove a base model"
    expected = f"{claim.base}, shown by its weights"
    related = any(c.decision == "related" for c in compared)
    edge = base_edge(record) if params.ledger and not related else None
    if edge is not None:
        return passed(
            claim.id, f"{words}; by the ledger the job read exactly the base model's bytes",
            f"{expected}, or by the ledger where they can't be compared",
            f"{edge.source} used by {edge.target}; {told or 'no candidate was compared'}",
            edge.source, edge.target, *evidence,
        )  # fmt: skip
    if named and not params.required:
        return passed(claim.id, f"{words}; no more is required", "no contradiction",
                      told, *evidence)  # fmt: skip
    return unproven(claim.id, words, expected, told or "no candidate was compared", *evidence)


def _by_weights(
    claim: BaseModelClaim,
    named: WeightComparison,
    compared: Sequence[WeightComparison],
    params: CandidateParams,
    claimed: Sequence[BaseModelClaim] = (),
) -> Result:
    """FAILED only where another is decided as parent, or independence is established.

    A merge has several parents: what is nearer is no contradiction where it is ``claimed`` as well.
    """
    ids = (named.id, *(c.id for c in compared if c.id != named.id))
    actual = "; ".join(_compared(c) for c in (named, *(c for c in compared if c is not named)))
    expected = f"{claim.base}, shown by its weights"
    both = _merged(claim, compared, claimed)
    if named.decision == "related" and named.parent == "other" and not both:
        return failed(
            claim.id, "another candidate is nearer: what is peculiar to it is in these weights, "
            "and what is peculiar to the named base model is not (which of two was first, weights "
            "do not tell: a model made from this release is no candidate for its base)",
            expected, f"{named.rival}; {actual}", *ids,
        )  # fmt: skip
    if named.decision == "related":
        words = _related_words(named, compared)
        words += f"; nearer is {named.rival}, which is claimed as well" if both else ""
        same = [c.candidate for c in compared if c is not named and c.reason and c.change
                and c.change.kind == "identical"]  # fmt: skip
        words += f"; {same[0]} holds the same weights as this release" if same else ""
        return passed(claim.id, words, expected, actual, *ids)
    if named.decision == "not related":
        return failed(
            claim.id, "the weights share no lineage or initialisation with the named base model, "
            "and the tests find such a relation where there is one", expected, actual, *ids,
        )  # fmt: skip
    message = f"the weights do not tell: {named.reason}"
    if not params.required:
        return passed(claim.id, f"{message}; nothing contradicts, and no more is required",
                      "no contradiction", actual, *ids)  # fmt: skip
    return unproven(claim.id, message, expected, actual, *ids)


def _merged(
    claim: BaseModelClaim, compared: Sequence[WeightComparison], claimed: Sequence[BaseModelClaim]
) -> bool:
    """Whether the candidate that is nearer than the named one is claimed as another part."""
    nearer = {c.candidate for c in compared if c.parent == "this"}
    merge = {c.relation for c in (claim, *claimed)} <= {"merge", None}
    return merge and any(_is_named(n, c) for n in nearer for c in claimed)


def _beside(named: WeightComparison, compared: Sequence[WeightComparison]) -> str:
    copies = [c.candidate for c in compared if c is not named and c.parent == "this"]
    return f" with {copies[0]}, which is a copy of it" if copies else ""


def _related_words(named: WeightComparison, compared: Sequence[WeightComparison]) -> str:
    words = "the weights share lineage or initialisation with the named base model"
    if named.basis == "empirical":
        words += " (by an empirical test, of relabelled dimensions)"
    if named.parent == "this":
        return f"{words}, the nearest of {named.candidates} candidates{_beside(named, compared)}"
    if named.candidates > 1 and named.duels:
        return f"{words}; which of the related candidates is nearer is not decided"
    return words


def _is_named(name: str, claim: BaseModelClaim) -> bool:
    return name.casefold() in {claim.base.casefold(), (claim.path or "").casefold()}


def _told(candidate: BaseCandidate) -> str:
    config = "not compared" if not candidate.config_compared else (
        "; ".join(candidate.config_differences[:3]) or "equal"
    )  # fmt: skip
    bits = {True: "equal", False: "different", None: "not compared"}[candidate.weights_equal]
    alike = f"{candidate.tensors_alike} of {candidate.tensors} tensors of the same shape"
    if candidate.tensors_equal is not None:
        alike += f", {candidate.tensors_equal} with the same bits"
    return (
        f"{_named(candidate.name, candidate.source)}: weights {bits}, {alike}, "
        f"tokenizer {candidate.tokenizer}, configuration {config}"
    )


def _named(name: str, source: str) -> str:
    """Name a candidate; ``NAME=FOLDER``: that the folder holds it is the verifier's word."""
    return f"{name} ({source}, in the verifier's word)" if source.startswith(f"{name}=") else name


def _compared(found: WeightComparison) -> str:
    tests = ", ".join(
        f"{t.name.replace('-', ' ')} {t.hits} of {t.places}" for t in found.tests
    )  # fmt: skip
    parts = [
        f"{_named(found.candidate, found.source)}: {found.decision}"
        + (f" ({found.reason})" if found.reason and found.decision == "related" else ""),
        _origin(found),
        f"p ≤ 10^{found.log10_p:.1f} over {len(found.tests)} tests" if found.tests else "",
        f"({tests})" if tests else "",
        _duels(found),
        f"{_mb(found.bytes_read)} of {_mb(found.bytes_total)} read of the release, "
        f"{_mb(found.candidate_bytes_read)} of {_mb(found.candidate_bytes_total)} of the candidate",
        f"not assessed: {'; '.join(found.not_assessed[:3])}" if found.not_assessed else "",
    ]
    return ", ".join(p for p in parts if p)


def _origin(found: WeightComparison) -> str:
    if not found.from_fingerprint:
        return ""
    digest = f"sha256:{found.sha256[:16]}…" if found.sha256 else "of no digest"
    return f"known by a fingerprint ({digest}; {found.origin or 'nothing shows who made it'})"


def _duels(found: WeightComparison) -> str:
    said = []
    for duel in found.duels[:3]:
        if duel.merge:
            said.append(f"a linear mixture with {100 * duel.raw:.0f} % of {duel.rival}")
        else:
            said.append(f"{100 * duel.share:.0f} % of what is peculiar to {duel.rival}")
    return ", ".join(said)


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
