"""Nothing is asked of the Hub before the gate is open; it opens for this release alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit_flow.attestation import attest, judge_urn, judged
from audit_flow.errors import AttestationError, AuditFlowError, InputError, PublishError
from audit_flow.model import Policy, Waiver, WeightsDigest
from audit_flow.policy_file import load_policy
from audit_flow.publish import Order, SignedVerdict, Target, Tokens, publish
from audit_flow.report.interface import AuditResult
from audit_flow.sources.manifest import load
from tests.attestation.desk import MALLORY, SIGNER, TRUST
from tests.gate.tampering import CASES, Case
from tests.hub.server import HubServer
from tests.publish.releases import REPO, Small, commits, served, small
from tests.release_builder import Built, build, default_policy


def order_of(built: Built, hub: HubServer) -> Order:
    return Order(
        release=load(built.path("release.yaml")),
        policy=default_policy(),
        stranger=load_policy("third-party"),
        signer=SIGNER,
        target=Target(hub.url, REPO),
        tokens=Tokens(hub.write_token),
    )


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_release_that_fails_makes_no_request(case: Case, hub: HubServer, tmp_path: Path) -> None:
    built = build(tmp_path / "r", seed=3)
    case.change(built)
    found = publish(order_of(built, hub), built.audit, tmp_path / "state")
    assert found.word == "REFUSED"
    assert found.result.verdict.outcome != "PASSED"
    assert hub.requests == []
    assert found.publication is None


def test_a_release_that_is_not_proven_makes_no_request(hub: HubServer, tmp_path: Path) -> None:
    built = build(tmp_path / "r", seed=3)
    found = publish(order_of(built, hub), lambda: built.audit(runs=()), tmp_path / "state")
    assert (found.word, found.result.verdict.outcome) == ("REFUSED", "INCONCLUSIVE")
    assert hub.requests == []


def test_a_verdict_that_says_passed_is_judged_again(hub: HubServer, release: Small) -> None:
    release.flip("model/model-00001-of-00002.safetensors")
    failed = release.judged()
    passed = failed.verdict.model_copy(update={"outcome": "PASSED", "findings": ()})
    found = release.publish(hub, lambda: AuditResult(record=failed.record, verdict=passed))
    assert found.word == "REFUSED"
    assert hub.requests == []


def wrong_sums(release: Small) -> None:
    name = next(p.name for p in release.path("model").iterdir() if p.suffix == ".safetensors")
    release.write("model/SHA256SUMS", f"{'0' * 64}  {name}\n")


def test_a_manifest_among_the_weights_is_the_judged_one(hub: HubServer, release: Small) -> None:
    release.write("model/release.yaml", release.path("release.yaml").read_text() + "# more\n")
    with pytest.raises(InputError, match=r"another release\.yaml"):
        release.publish(hub)
    assert hub.writes() == []


def test_the_judged_manifest_lies_beside_the_verdict(hub: HubServer, release: Small) -> None:
    assert release.publish(hub).word == "PUBLISHED"
    judged_bytes = release.path("release.yaml").read_bytes()
    assert served(hub)["attestation/release.yaml"] == judged_bytes


def test_what_a_stranger_would_contradict_is_not_uploaded(hub: HubServer, release: Small) -> None:
    """A list of checksums among the weights is the publisher's word, and this one is wrong."""
    wrong_sums(release)
    assert release.judged().verdict.outcome == "PASSED"
    found = release.publish(hub)
    assert found.word == "REFUSED"
    assert found.result.verdict.policy_name == "third-party"
    assert hub.requests == []
    assert not list(release.path(".audit-flow").iterdir())


def test_without_a_place_to_rehearse_the_look_afterwards_tells(
    hub: HubServer, release: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit_flow.publish.publishing.rehearse", lambda order, files: None)
    wrong_sums(release)
    found = release.publish(hub)
    assert found.word == "RETRACTED"
    assert any("judged again: checksums.match" in p for p in found.problems)


def signed_for(made: Small, policy: Policy | None = None, signer: Any = SIGNER) -> SignedVerdict:
    result = made.judged()
    now = dt.datetime.now(dt.UTC)
    rules = policy or load_policy(str(made.policy))
    found = judged(result.record, rules, judge_id=judge_urn(signer.identity), judged_at=now)
    files = attest(found, signer)
    return SignedVerdict({n: d for n, d in files.items() if n.endswith(".sigstore.json")}, TRUST)


def test_a_verdict_that_was_signed_before_opens_it(hub: HubServer, release: Small) -> None:
    signed = signed_for(release)
    found = release.publish(hub, signed=signed)
    assert found.word == "PUBLISHED"
    assert found.publication is not None
    there = {f.path for f in found.publication.files if f.path.startswith("attestation/")}
    assert there == {f"attestation/{n}" for n in (*signed.bundles, "release.yaml")}


def new_card(made: Small) -> None:
    made.write("README.md", "# Small, and better\n")


def new_score(made: Small) -> None:
    text = made.path("release.yaml").read_text()
    claim = "training:\n  - {name: steps, value: 7}\n"
    made.write("release.yaml", text + claim)


def new_file(made: Small) -> None:
    made.write("model/config.json", '{"hidden_size": 3}')
    made.manifest()


def new_weights(made: Small) -> None:
    made.flip("model/model-00001-of-00002.safetensors")
    made.manifest()


def new_name(made: Small) -> None:
    made.manifest(version="1.1")


AFTERWARDS = (new_card, new_score, new_file, new_weights, new_name)


@pytest.mark.parametrize("change", AFTERWARDS)
def test_what_was_changed_after_the_verdict_needs_another(
    hub: HubServer, release: Small, change: Callable[[Small], None]
) -> None:
    signed = signed_for(release)
    change(release)
    try:
        found = release.publish(hub, signed=signed)
    except AttestationError:
        pass
    else:
        assert found.word == "REFUSED"
    assert hub.requests == []
    assert len(commits(hub)) == 2


def test_a_verdict_on_another_model_is_refused(
    hub: HubServer, release: Small, tmp_path: Path
) -> None:
    other = signed_for(small(tmp_path / "other", seed=5))
    with pytest.raises(AttestationError):
        release.publish(hub, signed=other)
    assert hub.requests == []


def test_a_verdict_under_another_policy_is_refused(hub: HubServer, release: Small) -> None:
    policy = load_policy(str(release.policy))
    milder = policy.model_copy(update={"rules": policy.rules[:-1]})
    with pytest.raises(AttestationError, match="policy"):
        release.publish(hub, signed=signed_for(release, milder))
    assert hub.requests == []


def test_a_verdict_of_a_stranger_is_refused(hub: HubServer, release: Small) -> None:
    with pytest.raises(AttestationError, match="signature"):
        release.publish(hub, signed=signed_for(release, signer=MALLORY))
    assert hub.requests == []


def test_a_verdict_that_is_not_passed_is_refused(hub: HubServer, release: Small) -> None:
    good = release.judged()
    release.flip("model/model-00001-of-00002.safetensors")
    signed = signed_for(release)
    release.flip("model/model-00001-of-00002.safetensors")
    with pytest.raises(AttestationError):
        release.publish(hub, lambda: good, signed=signed)
    assert hub.requests == []


def test_a_waiver_that_ran_out_closes_it_again(hub: HubServer, release: Small) -> None:
    text = release.path("release.yaml").read_text()
    release.write("release.yaml", text + "training:\n  - {name: steps, value: 7}\n")
    result = release.judged()
    blocking = [f for f in result.verdict.findings if f.blocks]
    assert blocking
    root = next(w for w in result.record.of(WeightsDigest)).root_sha256
    waivers = tuple(
        Waiver(
            rule=f.rule, about=f.about, owner="Ada", reason="logs are under seal",
            expires=dt.date(2026, 12, 1), subject_sha256=root,
        )
        for f in blocking
    )  # fmt: skip
    policy = load_policy(str(release.policy)).model_copy(update={"waivers": waivers})
    order = release.order(hub, policy=policy, now=lambda: dt.datetime(2026, 12, 2, tzinfo=dt.UTC))
    assert publish(order, lambda: result, release.home).word == "REFUSED"
    assert hub.requests == []
    before = replace(order, now=lambda: dt.datetime(2026, 12, 1, tzinfo=dt.UTC))
    assert publish(before, lambda: result, release.home).word == "PUBLISHED"


CHANGED = (
    ("model/model-00002-of-00002.safetensors", None),
    ("README.md", "# Another\n"),
    ("model/config.json", "{}"),
    ("model/new.bin", "new"),
)


@pytest.mark.parametrize(("name", "text"), CHANGED)
def test_a_file_changed_after_judging_is_not_uploaded(
    hub: HubServer, release: Small, name: str, text: str | None
) -> None:
    result = release.judged()
    release.flip(name) if text is None else release.write(name, text)
    with pytest.raises(PublishError, match="not as it was judged"):
        release.publish(hub, lambda: result)
    assert hub.requests == []


def test_a_file_taken_away_after_judging_is_missed(hub: HubServer, release: Small) -> None:
    result = release.judged()
    release.path("model/config.json").unlink()
    with pytest.raises(AuditFlowError):
        release.publish(hub, lambda: result)
    assert hub.requests == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_path", ["*/preupload/*", "*/info/lfs/objects/batch", "/uploads/*"]
)
def test_a_file_changed_while_uploading_is_not_committed(
    hub: HubServer, tmp_path: Path, request_path: str
) -> None:
    release = small(tmp_path, big=14_000_000)
    shard = "model/model-00002-of-00002.safetensors"
    hub.faults.add("before", request_path, action=lambda record: release.flip(shard))
    before = hub.head(REPO)
    with pytest.raises(PublishError):
        release.publish(hub)
    assert hub.head(REPO) == before
