"""What a check is: it reads one record and speaks of each thing that it answers for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from audit_flow.model import (
    NOTHING_TO_JUDGE,
    BaseModelClaim,
    CardClaims,
    ClaimKind,
    Frozen,
    Gap,
    LineageRecord,
    Link,
    Outcome,
    ScoreComparison,
    WeightsDigest,
)


class Result(Frozen):
    """What a check found about one thing, before a rule gives it level and texts.

    A result that bytes contradict, digest against digest, is not ``waivable``.
    """

    about: str
    outcome: Outcome
    message: str
    expected: str
    actual: str
    evidence: tuple[str, ...] = ()
    score: ScoreComparison | None = None
    waivable: bool = True


class NoParams(Frozen):
    """The parameters of a check that has none."""


class Check(Protocol):
    """A pure function of the record, under an id that policies name.

    ``decides`` are the kinds of claim that a PASSED of this check assesses; ``waivable`` is False
    where bytes contradict, which no exception can mend.
    """

    id: str
    decides: frozenset[ClaimKind]
    waivable: bool
    params: type[Frozen]

    def run(self, record: LineageRecord, params: Any) -> Iterable[Result]:
        """Return at least one result; the gate takes silence as UNPROVEN."""


def passed(about: str, message: str, expected: str, actual: str, *evidence: str) -> Result:
    """Return a PASSED result."""
    return Result(
        about=about, outcome=Outcome.PASSED, message=message, expected=expected, actual=actual,
        evidence=evidence,
    )  # fmt: skip


def nothing_to_judge(about: str, message: str, expected: str, *evidence: str) -> Result:
    """Return a PASSED result of a rule that had nothing to look at: readers tell it apart."""
    return passed(about, message, expected, NOTHING_TO_JUDGE, *evidence)


def failed(about: str, message: str, expected: str, actual: str, *evidence: str) -> Result:
    """Return a FAILED result: evidence contradicts."""
    return Result(
        about=about, outcome=Outcome.FAILED, message=message, expected=expected, actual=actual,
        evidence=evidence,
    )  # fmt: skip


def unproven(about: str, message: str, expected: str, actual: str, *evidence: str) -> Result:
    """Return an UNPROVEN result: no evidence either way."""
    return Result(
        about=about, outcome=Outcome.UNPROVEN, message=message, expected=expected, actual=actual,
        evidence=evidence,
    )  # fmt: skip


GAPS_IN_WORDS: dict[str, str] = {
    "dataset-changed-since-training": "a dataset is not the one that the training job used",
    "dataset-changed-since-download": "a dataset is not as it was downloaded from the Hub",
    "dataset-missing": "a dataset that the ledger names is not there",
    "dataset-unused": "no job that led to the weights used a declared dataset",
    "dataset-undeclared": "the training job used data that is not declared",
    "no-dataset": "no training dataset is named",
    "training-config-changed": "a training configuration is not the one that the job ran with",
    "training-config-missing": "a training configuration that the ledger names is not there",
    "training-config-unused": "no job that led to the weights used a declared configuration",
    "training-config-partly-tracked": "the ledger holds only a part of a training configuration",
    "training-parameter-changed": "a training parameter is not the one that the job ran with",
    "training-parameter-missing": "a parameter file that the ledger names is not there",
    "no-training-config": "no training configuration is named",
    "job-log-changed": "a job log is not the one that the job wrote",
    "job-log-missing": "a job log that the ledger names is not there",
    "job-log-unlinked": "no job that led to the weights wrote a declared log",
    "no-job-log": "no job log is named",
    "weights-not-as-generated": "released weights are not the ones that the job generated",
    "weights-missing": "a released file that the ledger names is not there",
    "weights-without-job": "no job generated a released weight file",
    "recorded-command-failed": "a recorded command failed, or its inputs changed while it ran",
    "no-weights": "there are no weights to tie anything to",
    "base-model-changed": "a file of the base model is not the one that the ledger names",
    "base-model-missing": "a file of the base model that the ledger names is not there",
    "base-model-unlinked": "no job that made the weights used all of the base model's weights",
    "evaluation-changed": "an evaluation's file is not the one that the job wrote",
    "evaluation-missing": "an evaluation's file that the ledger names is not there",
    "evaluation-of-older-checkpoint": "the evaluation read other weights than the job generated",
    "evaluation-weights-unknown": "no digest ties an evaluation to the released weights",
    "score-measured-on-other-weights": "a score was measured on other weights",
    "no-evaluation": "no evaluation is named",
    "pipeline-file-changed": "a file of the pipeline is not the one that a job used or wrote",
    "pipeline-file-missing": "a file that the ledger names is not there",
    "stage-used-older-input": "a job used another version of what an earlier job generated",
    "stage-changed-since-run": "the plan of a job is not what was run",
    "stage-never-run": "a job of the plan was never run",
}


# Contradictions that rest on words and numbers, not on a digest that does not match.
_NOT_BY_DIGEST = {"stage-changed-since-run", "training-parameter-changed"}


def gap_result(gap: Gap) -> Result:
    """Return what a gap means: FAILED where bytes contradict, UNPROVEN where they are missing."""
    make = failed if gap.contradicted else unproven
    message = f"{gap.name}: {GAPS_IN_WORDS.get(gap.name, 'a break in the lineage')}"
    result = make(gap.about, message, gap.expected, gap.actual, *gap.evidence)
    by_digest = gap.contradicted and gap.name not in _NOT_BY_DIGEST
    return result.model_copy(update={"waivable": not by_digest})


def base_edge(record: LineageRecord) -> Link | None:
    """Return the edge by which a job read all of the base's bytes; None where a gap is about it."""
    if any(gap.topic == "base-model" for gap in record.gaps):
        return None
    bases = {w.id for w in record.of(WeightsDigest) if w.role == "base"}
    edges = (x for x in record.links if x.relation == "used" and x.source in bases)
    return next(edges, None)


def with_relation(claim: BaseModelClaim, record: LineageRecord) -> BaseModelClaim:
    """Return the claim with the card's word on how it was made, where it has none itself."""
    if claim.relation is not None:
        return claim
    bases = (b for card in record.of(CardClaims) for b in card.bases)
    same = (b.relation for b in bases if b.base.casefold() == claim.base.casefold() and b.relation)
    return claim.model_copy(update={"relation": next(same, None)})
