"""Keyless signing against the private Sigstore: what holds, and every way in which it breaks."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from audit_flow.errors import InputError, SignatureError
from audit_flow.model.verdict import Outcome
from audit_flow.signing import sigstore_sign, verify_bundle
from audit_flow.signing.bundle import parse_bundle
from audit_flow.signing.sigstore_sign import SigstoreSigner
from tests.signing.commands import model_signing, run
from tests.signing.sigstore_server import HttpFault, Lie, PrivateSigstore, Service
from tests.signing.test_sigstore_server import STATEMENT
from tests.signing.trusting import EMAIL, refusing, signer_of, trust_in

BOTH_LOGS = pytest.mark.parametrize("rekor", [1, 2])


def signer(sigstore: PrivateSigstore, rekor: int = 2, *, timestamps: bool = True) -> SigstoreSigner:
    config = sigstore.trust_config(rekor, timestamps=timestamps).encode()
    return SigstoreSigner.of(sigstore.issuer.token(EMAIL), config)


@BOTH_LOGS
def test_what_is_signed_holds_without_a_network(
    sigstore: PrivateSigstore, rekor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = signer(sigstore, rekor).sign(STATEMENT)
    asked = len(sigstore.requests)
    found = verify_bundle(raw, trust_in(sigstore, require_timestamp=True))
    assert found.outcome is Outcome.PASSED, found.steps
    assert found.payload == STATEMENT
    assert found.signer is not None
    assert found.signer.identity == EMAIL
    assert len(sigstore.requests) == asked
    assert [s.number for s in found.steps] == sorted(s.number for s in found.steps)


def test_a_ci_job_signs_with_its_own_identity(
    sigstore: PrivateSigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", sigstore.issuer.runner_secret)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{sigstore.issuer.url}/ambient?v=1")
    raw = SigstoreSigner.of(None, sigstore.trust_config().encode()).sign(STATEMENT)
    for fields, steps in (
        ({"github_repository": "acme/models"}, []),
        ({"github_repository": "acme/models", "github_ref": "refs/heads/main"}, []),
        ({"github_repository": "acme/models", "github_ref": "refs/heads/other"}, ["identity"]),
        ({"github_repository": "acme/model"}, ["identity"]),
        ({"github_repository": "evil/models"}, ["identity"]),
    ):
        whom = signer_of(sigstore, identity=None, **fields)
        assert refusing(verify_bundle(raw, trust_in(sigstore, signer=whom))) == steps


SERVICES = {
    Service.FULCIO: (1, 2),
    Service.REKOR_V1: (1,),
    Service.REKOR_V2: (2,),
    Service.TSA: (1, 2),
}
BREAKING = [f for f in HttpFault if f not in {HttpFault.SLOW_DRIP, HttpFault.STALLED}]
OUTAGES = [(s, r, f) for s, logs in SERVICES.items() for r in logs for f in BREAKING]


@pytest.mark.parametrize(("service", "rekor", "fault"), OUTAGES)
def test_a_broken_service_is_an_error_in_words(
    sigstore: PrivateSigstore, service: Service, rekor: int, fault: HttpFault
) -> None:
    ready = signer(sigstore, rekor)
    sigstore.faults.slow_seconds = 0.5
    with sigstore.faults.broken(service, fault), pytest.raises(SignatureError) as caught:
        ready.sign(STATEMENT)
    assert caught.value.expected
    assert caught.value.remedy
    raw = ready.sign(STATEMENT)
    assert verify_bundle(raw, trust_in(sigstore)).outcome is Outcome.PASSED


@pytest.mark.parametrize("service", [Service.FULCIO, Service.REKOR_V2])
def test_a_service_that_never_answers_is_not_waited_for_for_ever(
    sigstore: PrivateSigstore, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sigstore_sign, "PATIENCE", 0.5)
    began = time.monotonic()
    with (
        sigstore.faults.broken(service, HttpFault.STALLED),
        pytest.raises(SignatureError, match="Timeout"),
    ):
        signer(sigstore).sign(STATEMENT)
    assert time.monotonic() - began < sigstore.faults.stalled_seconds


@BOTH_LOGS
def test_slow_services_are_waited_for(sigstore: PrivateSigstore, rekor: int) -> None:
    sigstore.faults.slow_seconds = 0.001
    log = Service.REKOR_V1 if rekor == 1 else Service.REKOR_V2
    with (
        sigstore.faults.broken(Service.FULCIO, HttpFault.SLOW_DRIP),
        sigstore.faults.broken(Service.TSA, HttpFault.SLOW_DRIP),
        sigstore.faults.broken(log, HttpFault.SLOW_DRIP),
    ):
        raw = signer(sigstore, rekor).sign(STATEMENT)
    assert verify_bundle(raw, trust_in(sigstore)).outcome is Outcome.PASSED


LIES = [(1, lie) for lie in Lie] + [
    (2, lie) for lie in Lie if lie not in {Lie.PROMISE_BY_STRANGER, Lie.CLOCK_OF_LOG_LATE}
]


@pytest.mark.parametrize(("rekor", "lie"), LIES)
def test_no_signature_that_a_verifier_would_refuse_is_handed_out(
    sigstore: PrivateSigstore, rekor: int, lie: Lie
) -> None:
    ready = signer(sigstore, rekor)
    with sigstore.faults.lying(lie), pytest.raises(SignatureError) as caught:
        ready.sign(STATEMENT)
    assert caught.value.expected


def test_tokens_that_are_not_good(sigstore: PrivateSigstore) -> None:
    config = sigstore.trust_config().encode()
    for text in ("", "not a token", sigstore.issuer.token(seconds=-60)):
        with pytest.raises(InputError):
            SigstoreSigner.of(text, config)
    forged = sigstore.issuer.token(EMAIL, key=sigstore.fulcio.log_key)
    with pytest.raises(SignatureError):
        SigstoreSigner.of(forged, config).sign(STATEMENT)


@BOTH_LOGS
def test_without_an_authority_only_rekor_v1_states_a_time(
    sigstore: PrivateSigstore, rekor: int
) -> None:
    ready = signer(sigstore, rekor, timestamps=False)
    if rekor == 2:
        with pytest.raises(SignatureError):
            ready.sign(STATEMENT)
        return
    raw = ready.sign(STATEMENT)
    assert parse_bundle(raw).timestamps == ()
    assert verify_bundle(raw, trust_in(sigstore)).outcome is Outcome.PASSED
    strict = verify_bundle(raw, trust_in(sigstore, require_timestamp=True))
    assert refusing(strict) == ["time"]


def model_in(folder: Path) -> Path:
    model = folder / "model"
    (model / "sub").mkdir(parents=True)
    (model / "weights.bin").write_bytes(b"weights")
    (model / "sub" / "config.json").write_bytes(b"{}")
    return model


@pytest.mark.slow
@BOTH_LOGS
def test_model_signing_verifies_what_we_sign(
    sigstore: PrivateSigstore, rekor: int, tmp_path: Path
) -> None:
    model, trust = model_in(tmp_path), tmp_path / "trust.json"
    trust.write_text(sigstore.trust_config(rekor))
    token = sigstore.issuer.token(EMAIL)
    options = ["--identity-token", token, "--trust-config", str(trust), "--no-tensors"]
    assert run("sign", str(model), *options) == 0
    whom = ["--identity", EMAIL, "--identity_provider", sigstore.issuer.url]
    theirs = ["verify", "sigstore", "--trust_config", str(trust), *whom]
    signature = ["--signature", str(model / "model.sig")]
    ours = ["--identity", EMAIL, "--issuer", sigstore.issuer.url, "--trusted-root", str(trust)]
    assert model_signing(*theirs, *signature, str(model)) == 0
    assert run("verify-signature", str(model), *ours) == 0
    (model / "weights.bin").write_bytes(b"weightz")
    assert model_signing(*theirs, *signature, str(model)) == 1
    assert run("verify-signature", str(model), *ours) == 1


@pytest.mark.slow
@BOTH_LOGS
def test_we_verify_what_model_signing_signs(
    sigstore: PrivateSigstore, rekor: int, tmp_path: Path
) -> None:
    model, trust = model_in(tmp_path), tmp_path / "trust.json"
    trust.write_text(sigstore.trust_config(rekor))
    place = str(model / "model.sig")
    options = ["--trust_config", str(trust), "--identity_token", sigstore.issuer.token(EMAIL)]
    assert model_signing("sign", "sigstore", *options, "--signature", place, str(model)) == 0
    ours = ["--identity", EMAIL, "--issuer", sigstore.issuer.url, "--trusted-root", str(trust)]
    assert run("verify-signature", str(model), *ours) == 0
    assert run("verify-signature", str(model), *ours[:1], "other@example.org", *ours[2:]) == 1
    # In no log of the public Sigstore, and nobody is named: not proven.
    assert run("verify-signature", str(model)) == 3
    (model / "extra.bin").write_bytes(b"")
    assert run("verify-signature", str(model), *ours) == 1


def test_a_broken_service_ends_the_command_with_three(
    sigstore: PrivateSigstore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, trust = model_in(tmp_path), tmp_path / "trust.json"
    trust.write_text(sigstore.trust_config())
    options = ["--identity-token", sigstore.issuer.token(EMAIL), "--trust-config", str(trust)]
    with sigstore.faults.broken(Service.REKOR_V2, HttpFault.SERVER_ERROR):
        assert run("sign", str(model), *options) == 3
    assert "Traceback" not in capsys.readouterr().err
    assert not (model / "model.sig").exists()
    assert json.loads(trust.read_text())["signingConfig"]
