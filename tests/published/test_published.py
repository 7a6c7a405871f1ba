"""Published findings: how they are read and weighed, whatever order they come in."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.analysis.published_scores import read_numbers
from audit_flow.analysis.published_weighing import Read, weigh
from audit_flow.analysis.scales import is_error_rate
from audit_flow.analysis.score_rule import NoiseModel
from audit_flow.audit import audit
from audit_flow.gate import judge
from audit_flow.linking import link
from audit_flow.model import (
    Outcome,
    PublishedFinding,
    PublishedScore,
    ScoreClaim,
    Subject,
    TrainingClaim,
    Trust,
    Verdict,
)
from audit_flow.policy_file import load_policy
from audit_flow.sources.manifest import load

SAYS = (
    "contradicts", "mixed", "suggests", "not-comparable", "supports", "differs-slightly",
    "corrects", "admits", "contests", "refutes", "informs", "unclear",
)  # fmt: skip


def finding(name: str, says: str, **changed: Any) -> PublishedFinding:
    given_ = {
        "id": name, "name": name, "source": "f.yaml", "trust": Trust.SELF_REPORTED,
        "claims": ("c",), "by": f"party {'abcdefghij'[sum(map(ord, name)) % 10]}", "says": says,
        "relation": "third-party", "basis": "repeatable", "statement": "seen",
        "published": f"https://example.org/{name}",
    }  # fmt: skip
    return PublishedFinding.model_validate(given_ | changed)


def reads(*findings: PublishedFinding) -> list[Read]:
    return [Read(f, f.says) for f in findings]


FINDINGS = st.lists(
    st.builds(
        finding,
        st.text("abcdefghij", min_size=1, max_size=4),
        st.sampled_from(SAYS),
        basis=st.sampled_from(("repeatable", "measured", "statement")),
        relation=st.sampled_from(("claimant", "third-party", "unknown")),
        standing=st.sampled_from(("open", "admitted", "disputed", "withdrawn")),
        weights=st.sampled_from(("released", "other", "unknown")),
    ),
    max_size=5,
)


@settings(deadline=None)
@given(FINDINGS, st.randoms(use_true_random=False), st.booleans())
def test_order_changes_nothing(
    findings: list[PublishedFinding], chance: random.Random, one_party: bool
) -> None:
    turned = list(findings)
    chance.shuffle(turned)
    assert weigh(reads(*findings), one_party).weight == weigh(reads(*turned), one_party).weight


@settings(deadline=None)
@given(FINDINGS, st.booleans())
def test_what_was_withdrawn_never_contradicts_or_confirms(
    findings: list[PublishedFinding], one_party: bool
) -> None:
    gone = [f.model_copy(update={"standing": "withdrawn"}) for f in findings]
    assert weigh(reads(*gone), one_party).weight == "nothing"


@settings(deadline=None)
@given(FINDINGS, st.booleans())
def test_an_admitted_contradiction_can_not_be_talked_away(
    findings: list[PublishedFinding], one_party: bool
) -> None:
    admitted = finding("zz", "contradicts", standing="admitted")
    assert weigh(reads(*findings, admitted), one_party).weight == "contradicted"


@settings(deadline=None)
@given(FINDINGS, st.booleans())
def test_a_claimant_alone_confirms_nothing(
    findings: list[PublishedFinding], one_party: bool
) -> None:
    own = [f.model_copy(update={"relation": "claimant", "says": "supports"}) for f in findings]
    assert weigh(reads(*own), one_party).weight in {"nothing", "open"}


@settings(deadline=None)
@given(FINDINGS, st.sampled_from(("unclear", "mixed", "contradicts")), st.booleans())
def test_doubt_never_helps(findings: list[PublishedFinding], says: str, one_party: bool) -> None:
    """Another unsettled or contradicting finding turns nothing that is not upheld into upheld."""
    before = weigh(reads(*findings), one_party).weight
    after = weigh(reads(*findings, finding("zz", says)), one_party).weight
    assert after != "upheld" or before == "upheld"


def test_a_rebuttal_of_an_accusation_that_was_taken_back_leaves_nothing_open() -> None:
    accusation = finding("a", "contradicts", basis="measured")
    dropped = accusation.model_copy(update={"standing": "withdrawn"})
    rebuttal = finding("b", "contests", relation="claimant")
    confirmed, critic = finding("c", "supports"), finding("d", "contests")
    assert weigh(reads(accusation, rebuttal, confirmed)).weight == "open"
    assert weigh(reads(dropped, rebuttal, confirmed)).weight == "upheld"
    assert weigh(reads(dropped, rebuttal)).weight == "nothing"
    # Without an accusation, or by somebody else, it is the confirmation that is contested.
    assert weigh(reads(rebuttal, confirmed)).weight == "open"
    assert weigh(reads(dropped, critic, confirmed)).weight == "open"


@settings(deadline=None)
@given(FINDINGS, st.sampled_from(("contradicts", "suggests", "unclear", "mixed")), st.booleans())
def test_what_was_withdrawn_settles_nothing_that_others_contest(
    findings: list[PublishedFinding], says: str, one_party: bool
) -> None:
    # A refutation is of an accusation: that one was made, and withdrawn, is what it needs.
    kept = [f for f in findings if f.says != "refutes"]
    others = [f.model_copy(update={"relation": "third-party"}) for f in kept]
    before = weigh(reads(*others), one_party).weight
    after = weigh(reads(*others, finding("zz", says, standing="withdrawn")), one_party).weight
    assert before in {after, "nothing"}


def test_one_source_told_twice_is_one_party() -> None:
    first = finding("a", "contradicts", basis="statement", by="Alpha Lab")
    again = finding(
        "b", "contradicts", basis="statement", by="Beta News", published=first.published
    )
    same = finding("c", "contradicts", basis="statement", by="Alpha Lab, May 2026")
    other = finding("d", "contradicts", basis="statement", by="Gamma Group")
    assert weigh(reads(first, again, same)).weight == "open"
    assert weigh(reads(first, other)).weight == "contradicted"


def test_one_party_suffices_only_where_the_policy_says_so() -> None:
    measured = finding("a", "contradicts", basis="measured")
    assert weigh(reads(measured)).weight == "open"
    assert weigh(reads(measured), one_party=True).weight == "contradicted"
    released = finding("b", "contradicts", basis="measured", weights="released")
    assert weigh(reads(released)).weight == "contradicted"
    contest = finding("c", "contests", relation="claimant")
    assert weigh(reads(released, contest), one_party=True).weight == "open"


@pytest.mark.parametrize(
    ("explained", "scores", "parties", "weight"),
    [(False, True, 2, "contradicted"), (True, True, 2, "open"), (False, False, 2, "open"),
     (False, True, 1, "open")],
)  # fmt: skip
def test_a_bare_denial_opens_no_score_that_two_parties_measured(
    explained: bool, scores: bool, parties: int, weight: str
) -> None:
    score = PublishedScore(value=Decimal(50), unit="percent") if scores else None
    against = [
        finding(f"a{n}", "contradicts", basis="measured", by=f"Lab {name}", standing="disputed",
                score=score, published=f"https://{name}.example")
        for n, name in enumerate(("Alpha", "Beta")[:parties])
    ]  # fmt: skip
    basis = "measured" if explained else "statement"
    denial = finding("c", "contests", relation="claimant", basis=basis)
    assert weigh(reads(*against, denial)).weight == weight
    # Somebody else's objection is none of his word.
    other = finding("d", "contests", relation="third-party", basis="statement")
    assert weigh(reads(*against, denial, other)).weight == "open"


def test_an_admission_is_what_a_contradiction_rests_on_too() -> None:
    found = finding("a", "contradicts", basis="repeatable")
    admitted = finding("b", "admits", relation="claimant")
    weighed = weigh(reads(found, admitted))
    assert [r.finding.name for r in weighed.rests_on] == ["a", "b"]


@pytest.mark.parametrize(
    ("metric", "less"),
    [("WER", True), ("word error rate", True), ("attack success rate", True),
     ("error rate (toxicity score)", True), ("accuracy", False), ("exact_match", False),
     ("error correction accuracy", False), ("error_detection_f1", False),
     ("failure recovery", False), ("", False)],
)  # fmt: skip
def test_what_is_an_error_rate(metric: str, less: bool) -> None:
    assert is_error_rate(metric) is less


@settings(deadline=None)
@given(st.floats(0.02, 0.4), st.floats(0.15, 0.5), st.sampled_from(("WER", "error_rate", "CER")))
def test_more_errors_than_claimed_contradict_and_fewer_do_not(
    claimed: float, more: float, metric: str
) -> None:
    assert _number(claimed, claimed + more, 2000, metric=metric) == "contradicts"
    assert _number(claimed + more, claimed, 2000, metric=metric) == "not-comparable"
    assert _number(claimed, claimed, 50_000, metric=metric) == "supports"


@settings(deadline=None)
@given(st.floats(0.3, 0.95), st.floats(0.0, 0.02), st.integers(500, 20_000))
def test_numbers_within_chance_never_contradict(mean: float, below: float, items: int) -> None:
    says = _number(mean, mean - min(below, 0.3 * (mean * (1 - mean) / items) ** 0.5), items)
    assert says != "contradicts"


@settings(deadline=None)
@given(st.floats(0.5, 0.95), st.floats(0.2, 0.4), st.integers(200, 20_000))
def test_numbers_far_below_contradict_whatever_word_stands_there(
    mean: float, below: float, items: int
) -> None:
    assert _number(mean, mean - below, items) == "contradicts"
    assert _number(mean, mean - below, items, says="supports") == "contradicts"


def _number(
    claimed: float,
    measured: float,
    items: int,
    says: str = "contradicts",
    metric: str = "accuracy",
) -> str:
    claim = ScoreClaim.model_validate(
        {"id": "c", "benchmark": "b", "metric": metric, "value": f"{100 * claimed:.2f}",
         "unit": "percent", "n_items": items, "source": "s"}
    )  # fmt: skip
    score = PublishedScore.model_validate({"value": f"{100 * measured:.4f}", "unit": "percent"})
    found = finding("a", says, score=score)
    return read_numbers([claim], [found], NoiseModel(), 100)["c", "a"].says


MANIFEST: dict[str, Any] = {
    "schema": "audit-flow/release/v1",
    "release": {"name": "r"},
    "statements": [{"id": "one", "topic": "training", "text": "two epochs"}],
    "evidence": {"findings": ["f.yaml"]},
}


def judged(folder: Path, findings: str, policy: str = "published-record") -> Verdict:
    (folder / "release.yaml").write_text(yaml.safe_dump(MANIFEST), "utf-8")
    (folder / "f.yaml").write_text(findings, "utf-8")
    return audit(load(folder / "release.yaml"), load_policy(policy)).verdict


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "schema: other", "schema: audit-flow/published-findings/v1",
        "schema: audit-flow/published-findings/v1\nfindings: [{id: a}]",
        "schema: audit-flow/published-findings/v1\nfindings: &a [*a]",
        "schema: audit-flow/published-findings/v1\nfindings: [!!python/none a]",
        "\x00", "{" * 5000,
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_read_is_told_and_never_passes(text: str, tmp_path: Path) -> None:
    verdict = judged(tmp_path, text)
    assert verdict.outcome == "INCONCLUSIVE"
    errors = [f for f in verdict.findings if f.outcome is Outcome.ERROR]
    assert [f.rule for f in errors] == ["evidence.present"]


def test_a_file_that_is_gone_turns_failed_into_inconclusive_at_most(tmp_path: Path) -> None:
    entry = {
        "id": "a", "claims": ["statement:one"], "by": "somebody", "says": "contradicts",
        "basis": "repeatable", "statement": "one epoch in the log", "source": "https://x.example",
    }  # fmt: skip
    document = {"schema": "audit-flow/published-findings/v1", "findings": [entry]}
    assert judged(tmp_path, yaml.safe_dump(document)).outcome == "FAILED"
    assert judged(tmp_path, yaml.safe_dump(document), "default").outcome == "FAILED"
    (tmp_path / "f.yaml").unlink()
    for policy in ("default", "published-record"):
        verdict = audit(load(tmp_path / "release.yaml"), load_policy(policy)).verdict
        assert verdict.outcome == "INCONCLUSIVE"


@pytest.mark.parametrize("says", ["supports", "informs", "refutes"])
def test_kind_words_assess_no_claim(says: str) -> None:
    """The publisher names the findings: where no other rule looks, they are no assessment."""
    rules = [r for r in load_policy("default").rules if r.id.startswith("findings.")]
    policy = load_policy("default").model_copy(update={"rules": tuple(rules), "waivers": ()})
    claims = (
        ScoreClaim.model_validate(
            {"id": "c", "benchmark": "b", "metric": "accuracy", "value": "70", "unit": "percent",
             "n_items": 1000, "source": "release.yaml"}
        ),
        TrainingClaim(id="t", name="steps", value="100", source="release.yaml"),
    )  # fmt: skip
    found = (finding("a", says), finding("b", says, claims=("t",)))
    verdict = judge(link(Subject(name="m"), claims, found), policy)
    assert verdict.outcome == "INCONCLUSIVE"
    assert not {f.about for f in verdict.findings if f.outcome is Outcome.PASSED} & {"c", "t"}


def test_a_finding_about_a_claim_that_is_not_made_is_told(tmp_path: Path) -> None:
    entry = {
        "id": "a", "claims": ["score:no/such"], "by": "somebody", "says": "supports",
        "basis": "repeatable", "statement": "fine", "source": "https://x.example",
    }  # fmt: skip
    document = {"schema": "audit-flow/published-findings/v1", "findings": [entry]}
    verdict = judged(tmp_path, yaml.safe_dump(document))
    told = [f for f in verdict.findings if f.about == "score:no/such"]
    assert [f.outcome for f in told] == [Outcome.UNPROVEN]
