"""Incidents: the cases come out as expected, and no words make an unknown case pass."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit_flow.model import Policy
from audit_flow.policy_file import load_policy
from benchmarks.incidents import parties, run, synthetic, wording
from benchmarks.incidents.absence import says_of_absence
from benchmarks.incidents.form import read_case
from benchmarks.incidents.origin import says_of_origin
from benchmarks.incidents.synthetic_parts import Made, Names

CASES = sorted(p for p in run.CASES.iterdir() if p.is_dir())
# Made up, and worded by somebody who had not seen how cases are read.
ANOTHER_HAND = sorted((Path(__file__).parents[1] / "data" / "incidents").iterdir())


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The policy that incidents are judged under."""
    return load_policy(run.POLICY)


@pytest.mark.parametrize("folder", CASES, ids=lambda p: p.name)
def test_each_incident_comes_out_as_expected(folder: Path, policy: Policy) -> None:
    judged = run.judge_folder(folder, policy)
    assert judged.ok, judged.problems


def test_expectations_change_no_verdict(tmp_path: Path, policy: Policy) -> None:
    """With every expectation turned round each case gets the verdict that it had."""
    for folder in CASES:
        other = tmp_path / folder.name
        other.mkdir()
        for path in folder.iterdir():
            text = path.read_text("utf-8")
            if path.name == "reproduction.yaml":
                document = yaml.safe_load(text)
                document["expected_gate"] = {"verdict": "PASS"}
                text = yaml.safe_dump(document)
            (other / path.name).write_text(text, "utf-8")
        before = run.hear(read_case(folder), policy).verdict
        after = run.hear(read_case(other), policy).verdict
        assert after.findings == before.findings


def test_renamed_cases_get_the_same_verdict(tmp_path: Path, policy: Policy) -> None:
    """No verdict rests on the name of a case."""
    for number, folder in enumerate(CASES):
        other = tmp_path / f"case-{number}"
        other.mkdir()
        for path in folder.iterdir():
            text = path.read_text("utf-8").replace(f"case_id: {folder.name}", "case_id: other")
            (other / path.name).write_text(text, "utf-8")
        assert run.judge_folder(other, policy).ok


@pytest.mark.parametrize("folder", ANOTHER_HAND, ids=lambda p: p.name)
def test_cases_of_another_hand(folder: Path) -> None:
    judged = run.judge_folder(folder, load_policy(run.POLICY))
    assert judged.ok, judged.because


@pytest.mark.parametrize(
    ("by", "relation"),
    [
        ("SciQuiz maintainers, on v1.0", "third-party"),
        ("llama.cpp maintainers", "third-party"),
        ("Acme maintainers", "claimant"),
        ("two authors, 2024-06-03", "claimant"),
        ("The authors", "claimant"),
        ("maintainers of the benchmark", "third-party"),
        ("Corresponding author, by mail", "claimant"),
        ("Senior developer", "claimant"),
        ("Umbra maintainers", "unknown"),
    ],
)
def test_whose_maintainers(by: str, relation: str) -> None:
    assert parties.relation_of(by, "Acme AI", "acme/model-7b") == relation


# What a verdict must not be taken for, whatever words of the contrary stand in it.
NEVER = {
    "supports": (
        "complete mismatch", "confirmed contamination", "confirmed: contaminated", "confirmed leak",
        "confirms a mismatch", "score confirmed lower", "claim confirmed false",
        "no permission given",
        "leaked as described", "architecture as declared, weights copied", "fine but inflated",
        "weights not the same as declared", "nowhere near as declared", "isn't as declared",
        "identical to the test set", "identical to another model", "results repeated: lower",
        "checksums not verified", "checksum verified by nobody", "digests agree on one shard only",
        "score is as stated, weights are not", "confirmed by nobody", "origin confirmed: model x",
        "complete overlap with the test set", "in order to inflate the score",
        "complies with nothing",
    ),
    "contradicts": (
        "no backdoor found", "not malware", "no tensors differ", "no larger than declared",
        "in line with the card: not 1 item differs", "fits 85.3, not 85.31 (rounding)",
    ),
    "suggests": (
        "suspected leak confirmed by n-gram match", "accusation confirmed", "wrongly accused",
        "not flagged", "score could be reproduced",
    ),
    "informs": ("flaw in the benchmark exploited", "bug in the harness inflated the score"),
    "contests": ("no explanation given", "explanation given is false"),
    "refutes": ("explanation confirmed false", "explanation checked and found false"),
    "not-comparable": ("no difference between prompts",),
    "corrects": (
        "transient error, never repaired", "temporary fault, not fixed", "upload error",
        "transient error, repaired three weeks later", "not repaired before the release",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("says", "verdict"), [(s, v) for s, many in NEVER.items() for v in many])
def test_no_word_is_taken_for_its_contrary(says: str, verdict: str) -> None:
    assert wording.says_of(verdict) != says


@pytest.mark.parametrize(
    ("verdict", "against"),
    [
        ("identical files", True), ("bit-identical", True),
        ("identical to an earlier upload", True), ("same architecture", False),
        ("same hash as claimed", False), ("bit-identical rerun", False),
        ("0 of 41 shards identical", False), ("nearly identical weights", False),
        ("identical weights on both mirrors", False), ("never identical weights", False),
    ],
)  # fmt: skip
def test_likeness_speaks_against_origin_alone(verdict: str, against: bool) -> None:
    found = says_of_origin(verdict, ["base_model: trained from scratch"])
    assert (found == "contradicts") is against
    assert says_of_origin(verdict, ["artifact_identity: equal to the original checkpoint"]) is None


@pytest.mark.parametrize(
    ("verdict", "claim", "confirms"),
    [
        ("no leak", "containers hold no commits after the issue date", True),
        ("no contamination found", "the corpus contains none of the test problems", True),
        ("no overlap", "contamination: held-out test set", True),
        ("no derivation", "trained from scratch", True),
        ("no tampering", "artifact_integrity: files equal the signed digests", True),
        ("no malware found", "weights are safe to load", True),
        # Of another claim it says nothing, and what follows may be the contrary.
        ("no leak", "scores 61.8 on the benchmark", False),
        ("no contamination found", "no output of other vendors' models was used", False),
        ("no malware found", "the corpus contains none of the test problems", False),
        ("no leak, but answers were visible", "no answers in the containers", False),
        ("no contamination found in 3 % of it, unclear elsewhere", "none of the test items", False),
        ("no evidence of contamination", "none of the test items were trained on", False),
        ("not contaminated?", "none of the test items were trained on", False),
        ("leak found", "containers hold no commits after the issue date", False),
    ],
)  # fmt: skip
def test_nothing_found_confirms_a_claim_of_nothing(
    verdict: str, claim: str, confirms: bool
) -> None:
    kind, _, text = claim.rpartition(": ")
    assert (says_of_absence(verdict, [(kind, text)]) == "supports") is confirms
    assert says_of_absence(verdict, []) is None
    assert says_of_absence(verdict, [(kind, text), ("score", "61.8 on the benchmark")]) is None


@pytest.mark.parametrize(
    ("by", "claimant", "relation"),
    [
        ("Speech group, University of Tonn", "Brindle Speech", "third-party"),
        ("Vision laboratory of Tonn", "Ombra Vision Systems", "unknown"),
        ("Brindle, 2026-03-22", "Brindle Speech", "claimant"),
    ],
)
def test_a_word_of_the_field_names_nobody(by: str, claimant: str, relation: str) -> None:
    assert parties.relation_of(by, claimant, "acme/model-7b") == relation


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("denied; internal runs still give 3.1; no logs were published", True),
        ("denied; stands by the published numbers", True),
        ("denied; says without any evidence that it is right", True),
        ("denied; they used the wrong chat template", False),
        ("denied; logs of the run at https://example.org", False),
        ("denied; because of another version of the harness", False),
        ("denied; an independent lab re-ran it", False),
    ],
)
def test_a_denial_with_a_reason_is_no_bare_one(text: str, bare: bool) -> None:
    assert wording.is_bare_denial(text) is bare


def test_incidents_fail_under_the_default_policy_too() -> None:
    """What the record contradicts stops a publisher's gate that is told of it."""
    policy = load_policy("default")
    for folder in CASES:
        case = read_case(folder)
        if case.expected.verdict == "BLOCK":
            assert run.hear(case, policy).verdict.outcome == "FAILED", folder.name


def test_no_published_record_passes_the_default_policy() -> None:
    policy = load_policy("default")
    outcomes = {run.hear(read_case(f), policy).verdict.outcome for f in CASES}
    assert "PASSED" not in outcomes


@pytest.mark.parametrize("kind", sorted(synthetic.KINDS))
def test_made_up_cases(kind: str, tmp_path: Path) -> None:
    outcome = synthetic.measure(kind, 1, 20260331, tmp_path)
    assert outcome.right == outcome.total, outcome.wrong


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(synthetic.KINDS))
def test_many_made_up_cases(kind: str, tmp_path: Path) -> None:
    outcome = synthetic.measure(kind, 40, 11, tmp_path)
    assert outcome.right == outcome.total, outcome.wrong


_NOISE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
_KEYS = ("id", "bears_on", "by", "value", "verdict", "source", "claimed", "n_items", "unit")
_UNKNOWN = st.text("bcdfghjklmnpqrstvwxz ", min_size=1, max_size=12).filter(
    lambda text: wording.says_of(text) == "unclear"
)


def _write(folder: Path, claims: Any, found: Any) -> Path:
    folder.mkdir(exist_ok=True)
    head = {"case_id": "c", "title": "c"}
    (folder / "claims.yaml").write_text(
        yaml.safe_dump({"schema": "audit-case/claims/v1", **head, **claims}), "utf-8"
    )
    (folder / "reproduction.yaml").write_text(
        yaml.safe_dump({"schema": "audit-case/reproduction/v1", **head, **found}), "utf-8"
    )
    return folder


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    claims=st.lists(st.dictionaries(st.sampled_from(("id", "kind", "value", "metric")), _NOISE)),
    findings=st.lists(st.dictionaries(st.sampled_from(_KEYS), _NOISE), max_size=4),
    status=_NOISE,
)
def test_no_case_breaks_the_run(
    tmp_path: Path, policy: Policy, claims: Any, findings: Any, status: Any
) -> None:
    folder = _write(
        tmp_path / "noise", {"claims": claims}, {"status": status, "findings": findings}
    )
    judged = run.judge_folder(folder, policy)
    assert judged.got in {"PASSED", "FAILED", "INCONCLUSIVE"}
    assert "Error:" not in judged.because


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(verdict=_UNKNOWN, kind=st.text(max_size=10), status=_UNKNOWN, seed=st.integers(0, 99))
def test_words_that_nobody_knows_never_pass(
    tmp_path: Path, policy: Policy, verdict: str, kind: str, status: str, seed: int
) -> None:
    by = Names(random.Random(seed)).stranger()
    claims = {"claims": [{"id": "a", "kind": kind, "value": "something", "source": "s"}]}
    found = {"id": "f", "bears_on": ["a"], "by": by, "value": "seen", "verdict": verdict}
    folder = _write(tmp_path / "words", claims, {"status": status, "findings": [found]})
    judged = run.judge_folder(folder, policy)
    assert judged.got == "INCONCLUSIVE"
    assert judged.because


def test_a_folder_that_is_no_case_is_told(tmp_path: Path, policy: Policy) -> None:
    for name in ("claims.yaml", "reproduction.yaml"):
        (tmp_path / name).write_text("schema: other\n", "utf-8")
    judged = run.judge_folder(tmp_path, policy)
    assert judged.got == "INCONCLUSIVE"
    assert not judged.ok
    assert "expected audit-case/claims/v1" in judged.because


def test_a_mismatch_is_told_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = synthetic.KINDS["hearsay"](Names(random.Random(3)))
    wrong = Made(made.names, made.claims, made.findings, "BLOCK", made.status)
    folder = synthetic.write_case(wrong, tmp_path / "one")
    assert run.main([str(folder)]) == 1
    assert "NOT ok" in capsys.readouterr().out


def test_the_right_verdict_for_another_reason_is_not_ok(tmp_path: Path, policy: Policy) -> None:
    made = synthetic.KINDS["leaked test set"](Names(random.Random(3)))
    folder = synthetic.write_case(made, tmp_path / "one")
    path = folder / "reproduction.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    document["expected_gate"]["blocking_findings"] = ["something-else"]
    path.write_text(yaml.safe_dump(document), "utf-8")
    judged = run.judge_folder(folder, policy)
    assert judged.got == "FAILED"
    assert not judged.ok
