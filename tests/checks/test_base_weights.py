"""When a comparison of weights passes, fails or leaves a claimed base model unproven."""

from __future__ import annotations

from typing import Any

import pytest

from audit_flow.checks.base_candidates import BaseCandidates, CandidateParams
from audit_flow.checks.base_method import MethodFits
from audit_flow.checks.interface import NoParams
from audit_flow.linking import link
from audit_flow.model import (
    BaseModelClaim,
    CardClaims,
    Claim,
    Digest,
    Gap,
    LineageRecord,
    Link,
    SampledChange,
    Subject,
    TrainingClaim,
    Trust,
    WeightComparison,
    WeightsDigest,
)


def compared(name: str = "org/base", **told: Any) -> WeightComparison:
    facts: dict[str, Any] = {
        "decision": "related", "basis": "exact", "log10_p": -40.0, "candidates": 2,
        "bytes_read": 10, "bytes_total": 100, "candidate_bytes_read": 10,
        "candidate_bytes_total": 100, **told,
    }  # fmt: skip
    return WeightComparison(
        id=f"weight-comparison:{name}", source=name, trust=Trust.FETCHED, candidate=name, **facts
    )


def record(*evidence: WeightComparison, relation: Any = "finetune", **method: str) -> LineageRecord:
    claims: tuple[Claim, ...] = (
        BaseModelClaim(id="base-model:org/base", base="org/base", relation=relation, source="card"),
    )
    claims += tuple(
        TrainingClaim(id=f"training:{n}", name=n, value=v, source="card") for n, v in method.items()
    )
    return link(Subject(name="it"), claims, evidence)


def change(kind: str, rank: int | None = None) -> SampledChange:
    return SampledChange(
        kind=kind, rank=rank, equal_vectors=3, vectors=3, equal_matrices=0, matrices=5,
    )  # fmt: skip


OTHER = compared("org/other", parent="this")

CASES = {
    "related": ([compared()], "PASSED"),
    "empirically related": ([compared(basis="empirical", log10_p=0.0)], "PASSED"),
    "the nearest": ([compared(parent="this"), compared("org/other", parent="other")], "PASSED"),
    "no parent is decided": ([compared(), compared("org/other")], "PASSED"),
    "another is the parent": ([compared(parent="other", rival="org/other"), OTHER], "FAILED"),
    "not related": ([compared(decision="not related", basis="controls", log10_p=0.0)], "FAILED"),
    "not decided": ([compared(decision="not decided", basis="none", log10_p=0.0)], "UNPROVEN"),
    "not decided, and another is related": (
        [compared(decision="not decided", basis="none", log10_p=0.0), OTHER], "UNPROVEN"),
    "only another was compared": ([OTHER], "UNPROVEN"),
    "nothing was compared": ([], "UNPROVEN"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_weights_say_of_the_claimed_base(name: str) -> None:
    evidence, expected = CASES[name]
    (result,) = BaseCandidates().run(record(*evidence), CandidateParams())
    assert result.outcome.value == expected
    assert result.about == "base-model:org/base"
    assert "copied" not in f"{result.message} {result.actual}"


def test_where_nothing_is_required_weights_can_only_contradict() -> None:
    for name, (evidence, expected) in CASES.items():
        if name == "only another was compared":
            continue
        (result,) = BaseCandidates().run(record(*evidence), CandidateParams(required=False))
        assert result.outcome.value == ("PASSED" if expected == "UNPROVEN" else expected)


def ledger(*evidence: WeightComparison, edge: bool = True, gap: bool = False) -> LineageRecord:
    made = record(*evidence)
    base = WeightsDigest(
        id="weights:base", source="base", trust=Trust.RECOMPUTED, role="base",
        root_sha256="ab" * 32, files=(),
    )  # fmt: skip
    link_ = Link(source=base.id, target="job:train", relation="used", via="dvc.lock",
                 digest=Digest(algorithm="sha256", hex="ab" * 32))  # fmt: skip
    break_ = Gap(name="base-model-changed", topic="base-model", about="base", expected="a",
                 actual="b", contradicted=True)  # fmt: skip
    return made.model_copy(update={
        "evidence": (*made.evidence, base), "links": (link_,) if edge else (),
        "gaps": (break_,) if gap else (),
    })  # fmt: skip


UNCOMPARED = compared(decision="not decided", basis="none", log10_p=0.0, reason="no safetensors")
SILENT = compared(
    decision="not decided", basis="none", log10_p=0.0,
    tests=({"name": "embedding-columns", "hits": 1, "places": 96, "tries": 8, "log10_p": 0.0},),
)  # fmt: skip
BY_LEDGER = {
    "not compared": ([UNCOMPARED], {}, "PASSED"),
    "no candidate": ([], {}, "PASSED"),
    "compared, and they do not tell": ([SILENT], {}, "UNPROVEN"),
    "not related": ([compared(decision="not related", basis="controls")], {}, "FAILED"),
    "another is related": ([UNCOMPARED, OTHER], {}, "UNPROVEN"),
    "no edge": ([UNCOMPARED], {"edge": False}, "UNPROVEN"),
    "a break about the base": ([UNCOMPARED], {"gap": True}, "UNPROVEN"),
}


@pytest.mark.parametrize("name", BY_LEDGER)
def test_the_ledger_stands_in_only_where_weights_could_not_be_compared(name: str) -> None:
    evidence, how, expected = BY_LEDGER[name]
    made = ledger(*evidence, **how)
    (result,) = BaseCandidates().run(made, CandidateParams(ledger=True))
    assert result.outcome.value == expected
    if expected == "PASSED":
        assert "by the ledger" in result.message
        assert "weights:base" in result.evidence
    (strict,) = BaseCandidates().run(made, CandidateParams())
    assert strict.outcome.value == ("FAILED" if expected == "FAILED" else "UNPROVEN")


def test_the_finding_tells_bound_tests_bytes_and_what_is_missing() -> None:
    found = compared(
        tests=({"name": "embedding-columns", "hits": 34, "places": 96, "tries": 8,
                "log10_p": -38.0},),
        not_assessed=("release: 4 matrices of I32",), log10_p=-37.4,
    )  # fmt: skip
    (result,) = BaseCandidates().run(record(found), CandidateParams())
    for words in ("10^-37.4", "embedding columns 34 of 96", "MB read", "4 matrices of I32"):
        assert words in result.actual.replace("0.0 MB of 0.0 MB read", "MB read")


MERGES: dict[str, tuple[tuple[Any, ...], tuple[str, str]]] = {
    "a merge of both": (("merge", "merge"), ("PASSED", "PASSED")),
    "both, and the card says no relation": ((None, None), ("PASSED", "PASSED")),
    "fine-tuned of both": (("finetune", "finetune"), ("FAILED", "PASSED")),
    "merged, and fine-tuned": (("merge", "finetune"), ("FAILED", "PASSED")),
}


@pytest.mark.parametrize("name", MERGES)
def test_a_merge_has_several_parents(name: str) -> None:
    relations, expected = MERGES[name]
    claims = tuple(
        BaseModelClaim(id=f"base-model:{base}", base=base, relation=relation, source="card")
        for base, relation in zip(("org/base", "org/other"), relations, strict=True)
    )
    evidence = (compared(parent="other", rival="org/other"), OTHER)
    results = list(BaseCandidates().run(link(Subject(name="it"), claims, evidence),
                                        CandidateParams()))  # fmt: skip
    assert tuple(r.outcome.value for r in results) == expected
    if expected[0] == "PASSED":
        assert "org/other, which is claimed as well" in results[0].message


def test_the_cards_relation_counts_where_the_manifest_names_none() -> None:
    card = CardClaims(
        id="card", source="README.md", trust=Trust.SELF_REPORTED,
        bases=(BaseModelClaim(id="b", base="org/base", relation="finetune", source="README.md"),),
    )  # fmt: skip
    claims = tuple(
        BaseModelClaim(id=f"base-model:{b}", base=b, source="release.yaml")
        for b in ("org/base", "org/other")
    )
    evidence = (card, compared(parent="other", rival="org/other"), OTHER)
    results = BaseCandidates().run(link(Subject(name="it"), claims, evidence), CandidateParams())
    assert next(iter(results)).outcome.value == "FAILED"


def test_a_nearer_one_that_nobody_claims_fails_a_merge_too() -> None:
    third = compared("org/third", parent="this")
    made = record(compared(parent="other", rival="org/third"), third, relation="merge")
    (result,) = BaseCandidates().run(made, CandidateParams())
    assert result.outcome.value == "FAILED"


METHODS = {
    "full change": ({}, change("full"), "PASSED"),
    "low rank of a fine-tune": ({}, change("low-rank", 8), "PASSED"),
    "low rank of an adapter": ({"method": "LoRA"}, change("low-rank", 8), "PASSED"),
    "an adapter, and no full fine-tune": (
        {"method": "LoRA, not full fine-tuning"},
        change("low-rank", 8),
        "PASSED",
    ),
    "an adapter on all data": (
        {"method": "QLoRA on the full dataset"},
        change("low-rank", 8),
        "PASSED",
    ),
    "no adapter but full": (
        {"method": "not LoRA but full fine-tuning"},
        change("low-rank", 8),
        "FAILED",
    ),
    "full, and no adapter": (
        {"method": "full fine-tune (no LoRA)"},
        change("low-rank", 8),
        "FAILED",
    ),
    "low rank of a full fine-tune": ({"method": "Full fine-tune"}, change("low-rank", 8), "FAILED"),
    "full change of a full fine-tune": ({"method": "full"}, change("full"), "PASSED"),
    "nothing changed": ({}, change("identical"), "UNPROVEN"),
    "not told": ({"method": "full"}, change("unknown"), "PASSED"),
}


@pytest.mark.parametrize("name", METHODS)
def test_how_the_weights_changed(name: str) -> None:
    method, how, expected = METHODS[name]
    (result,) = MethodFits().run(record(compared(change=how), **method), NoParams())
    assert result.outcome.value == expected


@pytest.mark.parametrize(
    ("decision", "expected"), [("related", "FAILED"), ("not related", "PASSED")]
)
def test_training_from_scratch(decision: str, expected: str) -> None:
    made = record(compared(decision=decision), relation="scratch")
    (result,) = MethodFits().run(made, NoParams())
    assert result.outcome.value == expected
