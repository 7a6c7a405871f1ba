"""The release was made from the base model that it names."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.checks.interface import (
    NoParams,
    Result,
    base_edge,
    failed,
    gap_result,
    passed,
    unproven,
)
from audit_flow.model import (
    BaseModelClaim,
    ClaimKind,
    Frozen,
    LineageRecord,
    TrainingConfig,
    WeightsDigest,
)


class BaseModelLineage:
    """Asks the ledger for the base's digest among the job's inputs, and the config for its name.

    A base model by digest proves which bytes the job is said to have read; that the name belongs
    to these bytes rests on the configuration that the job ran with.
    """

    id = "base-model.lineage"
    decides: frozenset[ClaimKind] = frozenset({"base-model"})
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each claimed base model."""
        del params
        claims = list(record.of(BaseModelClaim))
        if not claims:
            yield unproven(
                "base model", "no base model is claimed",
                "a base model, or relation: scratch", "none",
            )  # fmt: skip
        for claim in claims:
            yield _judge(claim, record)


def _judge(claim: BaseModelClaim, record: LineageRecord) -> Result:
    contradiction = _named_otherwise(claim, record) or _digest_contradicts(claim, record)
    if contradiction:
        return contradiction
    gaps = [g for g in record.gaps if g.topic == "base-model"]
    for gap in sorted(gaps, key=lambda g: not g.contradicted):
        told = {"about": claim.id, "actual": f"{gap.about}: {gap.actual}"}
        return gap_result(gap).model_copy(update=told)
    bases = [w for w in record.of(WeightsDigest) if w.role == "base"]
    edge = base_edge(record)
    if edge is None:
        return unproven(
            claim.id, "nothing ties the base model to the weights",
            f"{claim.base} among the inputs of the training job, by digest",
            "no digest of the base model was seen", *(b.id for b in bases),
        )  # fmt: skip
    if not _namers(record):
        return unproven(
            claim.id, "no configuration of the job names its base model",
            f"base_model: {claim.base} in the configuration that the job ran with", "not named",
            bases[0].id,
        )  # fmt: skip
    return passed(
        claim.id, "the base model's digest is an input of the training job", claim.base,
        f"sha256:{bases[0].root_sha256} used by {edge.target}", edge.source, edge.target,
    )  # fmt: skip


def _namers(record: LineageRecord) -> list[TrainingConfig]:
    return [c for c in record.of(TrainingConfig) if c.base_model is not None]


def _named_otherwise(claim: BaseModelClaim, record: LineageRecord) -> Result | None:
    named = {(c.base_model or ""): c.id for c in _namers(record)}
    others = {n: i for n, i in named.items() if n.casefold() != claim.base.casefold()}
    if others and len(others) == len(named):
        return failed(
            claim.id, "the training configuration names another base model", claim.base,
            ", ".join(sorted(others)), *sorted(others.values()),
        )  # fmt: skip
    return None


def _digest_contradicts(claim: BaseModelClaim, record: LineageRecord) -> Result | None:
    for base in record.of(WeightsDigest):
        digests = {base.root_sha256, *(f.sha256 for f in base.files)}
        if base.role == "base" and claim.sha256 and claim.sha256 not in digests:
            return failed(
                claim.id, "the base model's weights are not the announced ones",
                f"sha256:{claim.sha256}", f"sha256:{base.root_sha256}", base.id,
            ).model_copy(update={"waivable": False})  # fmt: skip
    return None
