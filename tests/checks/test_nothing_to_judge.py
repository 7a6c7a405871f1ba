"""A rule that had nothing to look at says so, and no reader takes it for a proof."""

from __future__ import annotations

import pytest

from audit_flow.checks import CHECKS, Check
from audit_flow.gate import judge
from audit_flow.model import NOTHING_TO_JUDGE, LineageRecord, Outcome, Subject, Verdict
from tests.release_builder import build, default_policy

EMPTY = LineageRecord(subject=Subject(name="nothing"), claims=(), evidence=())
# What the release of the simulator does not have: no Hub, no signature, no announcement, ….
LACKING = {
    "announcement.agrees", "announcement.backed", "attestation.holds", "base-model.method",
    "data.decontamination", "disclosures.made", "findings.published", "findings.scores",
    "findings.small-differences", "history.card-claims", "history.torn",
    "history.weights-unchanged", "hub.listing", "openness.class", "scores.averages",
    "scores.baselines", "scores.item-counts", "serving.rows", "serving.same-model",
    "signatures.evidence", "signatures.identity", "signatures.valid", "training.checkpoints",
    "training.compute-possible", "training.nodes-watched", "training.throughput",
    "training.times-in-order",
}  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_no_rule_shows_anything_of_an_empty_record_to_hold(check: Check) -> None:
    results = list(check.run(EMPTY, check.params()))
    passed = [r for r in results if r.outcome is Outcome.PASSED]
    assert [r for r in passed if r.actual != NOTHING_TO_JUDGE] == []


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    built = build(tmp_path_factory.mktemp("idle") / "r", seed=11)
    return judge(built.audit().record, default_policy())


def test_a_full_release_has_nothing_to_judge_only_where_it_has_nothing(full: Verdict) -> None:
    idle = {f.rule for f in full.findings if not f.applied}
    assert idle == LACKING
    shown = {f.rule for f in full.findings if f.outcome is Outcome.PASSED and f.applied}
    assert not shown & idle
    assert {"scores.reproduced", "checksums.match", "lineage.weights", "evidence.present"} <= shown


def test_only_a_pass_can_have_had_nothing_to_judge(full: Verdict) -> None:
    one = full.findings[0]
    said = {"actual": NOTHING_TO_JUDGE}
    for outcome in Outcome:
        found = one.model_copy(update={**said, "outcome": outcome})
        assert found.applied is (outcome is not Outcome.PASSED)
