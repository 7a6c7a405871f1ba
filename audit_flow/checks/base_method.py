"""Weights do not contradict what is said about how they were made from the base model."""

from __future__ import annotations

import re
from collections.abc import Iterator

from audit_flow.checks.interface import (
    NoParams,
    Result,
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
    SampledChange,
    TrainingClaim,
    WeightComparison,
    WeightsDigest,
)

_TRAINED = {"finetune", "continued-pretraining", "adapter"}
_METHOD = {"method", "training-method", "fine-tuning", "finetuning"}
_FULL = re.compile(r"\bfull\b", re.IGNORECASE)
# "LoRA on the full data": who names an adapter claims one, whatever else is full; and what is
# denied is not claimed, as in "LoRA, not full fine-tuning".
_DENIED = re.compile(
    r"\b(?:not?|without|instead of|rather than)\b(?:(?!\bbut\b)[^,;.()])*", re.IGNORECASE
)
_ADAPTER = re.compile(r"lora\b|\badapters?\b|\bpeft\b", re.IGNORECASE)


class MethodFits:
    """Compares the claimed relation and method with how the sampled weights changed.

    It contradicts; it does not prove: a full fine-tune and an adapter with trained embeddings look
    alike.
    """

    id = "base-model.method"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each claimed base; PASSED where nothing contradicts."""
        del params
        claims = list(record.of(BaseModelClaim))
        for claim in claims:
            yield _judge(with_relation(claim, record), record)
        if not claims:
            yield nothing_to_judge("base model", "no base model is claimed", "no contradiction")


def _judge(claim: BaseModelClaim, record: LineageRecord) -> Result:
    comparisons = list(record.of(WeightComparison))
    found = next((c for c in comparisons if c.candidate.casefold() == claim.base.casefold()), None)
    evidence = (found.id,) if found else ()
    if claim.relation == "scratch":
        return _from_scratch(claim, comparisons)
    if claim.relation in _TRAINED and (equal := _all_equal(claim, record)):
        return failed(
            claim.id, "nothing was trained: every tensor is the base model's, bit for bit",
            f"{claim.relation} of {claim.base}", "equal digests of all tensors", *equal,
        )  # fmt: skip
    change = found.change if found else None
    if change is None:
        return nothing_to_judge(claim.id, "how the weights changed was not compared",
                                "no contradiction", *evidence)  # fmt: skip
    if change.kind == "identical" and claim.relation in _TRAINED:
        return unproven(claim.id, "no sampled number differs from the base model's",
                        f"{claim.relation} of {claim.base}", _words(change), *evidence)  # fmt: skip
    full = [c for c in record.of(TrainingClaim) if _claims_full(c)]
    if change.kind == "low-rank" and full:
        return failed(
            full[0].id, "the change is that of an adapter: of low rank, with all norms and "
            "embeddings as they were", full[0].value, _words(change), *evidence,
        )  # fmt: skip
    return passed(claim.id, "the weights do not contradict the method",
                  claim.relation or "no method claimed", _words(change), *evidence)  # fmt: skip


def _from_scratch(claim: BaseModelClaim, comparisons: list[WeightComparison]) -> Result:
    related = [c for c in comparisons if c.decision == "related"]
    if related:
        return failed(
            claim.id, f"the weights share lineage or initialisation with {related[0].candidate}",
            "trained from scratch", f"p ≤ 10^{related[0].log10_p:.1f}", related[0].id,
        )  # fmt: skip
    return passed(claim.id, "no candidate is related", "trained from scratch",
                  f"{len(comparisons)} candidates compared", *(c.id for c in comparisons),
                  )  # fmt: skip


def _all_equal(claim: BaseModelClaim, record: LineageRecord) -> tuple[str, ...]:
    """Return the evidence that all tensors are the base's by their digests, or nothing."""
    for candidate in record.of(BaseCandidate):
        if candidate.weights_equal and candidate.name.casefold() == claim.base.casefold():
            return (candidate.id,)
    weights = {w.role: w for w in record.of(WeightsDigest)}
    digests = [
        sorted(f.tensors_sha256 for f in weights[role].files if f.tensors_sha256)
        for role in ("released", "base")
        if role in weights
    ]
    if len(digests) == 2 and digests[0] and digests[0] == digests[1]:
        return weights["released"].id, weights["base"].id
    return ()


def _claims_full(claim: TrainingClaim) -> bool:
    name = claim.name.casefold().replace("_", "-").replace(" ", "-")
    said = _DENIED.sub(" ", claim.value)
    return name in _METHOD and bool(_FULL.search(said)) and not _ADAPTER.search(said)


def _words(change: SampledChange) -> str:
    kind = {
        "identical": "no sampled number differs",
        "low-rank": f"every changed matrix by rank {change.rank} and rounding",
        "full": "changes of full rank",
        "unknown": "the kind of change is not told",
    }[change.kind]
    return (
        f"{kind}; {change.equal_vectors} of {change.vectors} norms and biases and "
        f"{change.equal_matrices} of {change.matrices} sampled matrices are equal"
    )
