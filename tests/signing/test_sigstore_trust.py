"""Whom a verifier trusts of a Sigstore: roots by digest, periods of keys, identities, no cache."""

from __future__ import annotations

import base64
import copy
import json
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import platformdirs
import pytest
from sigstore.models import Bundle
from sigstore.verify import Verifier, policy

from audit_flow.errors import SignatureError
from audit_flow.model.trust import TrustFile
from audit_flow.model.verdict import Outcome
from audit_flow.signing import verify_bundle
from tests.signing.judging import ENVELOPES
from tests.signing.sigstore_server import Lie, PrivateSigstore, fulcio, rekor, workshop
from tests.signing.sigstore_server.encoding import rfc3339, seconds_now
from tests.signing.sigstore_server.workshop import Entry, Shape, Workshop, raw
from tests.signing.test_sigstore_server import STATEMENT
from tests.signing.trusting import EMAIL, refusing, root_of, signer_of, trust_in

DAY = timedelta(days=1)
PRODUCTION = "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"


def steps_of(
    sigstore: PrivateSigstore, made: dict[str, Any], document: dict[str, Any]
) -> list[str]:
    found = verify_bundle(raw(made), trust_in(sigstore, document))
    assert (found.outcome is Outcome.PASSED) == (refusing(found) == [])
    return refusing(found)


def ended(instance: dict[str, Any], start: datetime, end: datetime | None) -> None:
    """Sets the period of a log's key, or of an authority."""
    holder = instance.get("publicKey", instance)
    holder["validFor"] = {"start": rfc3339(start)} | ({"end": rfc3339(end)} if end else {})


FAMILIES = [
    ("tlogs", "log entry"),
    ("ctlogs", "signer"),
    ("certificateAuthorities", "signer"),
    ("timestampAuthorities", "time"),
]


@pytest.mark.parametrize("entry", ENVELOPES)
@pytest.mark.parametrize(("family", "step"), FAMILIES)
def test_each_part_of_a_root_counts_only_in_its_period(
    sigstore: PrivateSigstore, entry: Entry, family: str, step: str
) -> None:
    made = Workshop(sigstore).bundle(STATEMENT, Shape(entry=entry))
    now = seconds_now()
    for start, end, steps in (
        (now - DAY, now + DAY, []),
        (now - 2 * DAY, now - DAY, [step]),
        (now + DAY, None, [step]),
    ):
        root = copy.deepcopy(sigstore.trusted_root())
        for instance in root[family]:
            ended(instance, start, end)
        assert steps_of(sigstore, made, root) == steps


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """One second in which every service issues, logs and stamps."""
    moment = seconds_now()
    for module in (fulcio, workshop):
        monkeypatch.setattr(module, "seconds_now", lambda: moment)
    for module in (fulcio, rekor):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=moment.timestamp))
    return moment


@pytest.mark.parametrize("entry", ENVELOPES)
@pytest.mark.parametrize(("family", "step"), FAMILIES)
def test_both_ends_of_a_period_belong_to_it(
    sigstore: PrivateSigstore, frozen: datetime, entry: Entry, family: str, step: str
) -> None:
    """protobuf-specs, TimeRange: the interval is closed."""
    made = Workshop(sigstore).bundle(STATEMENT, Shape(entry=entry))
    second = timedelta(seconds=1)
    for start, end, steps in (
        (frozen, frozen, []),
        (frozen - DAY, frozen - second, [step]),
        (frozen + second, frozen + DAY, [step]),
    ):
        root = copy.deepcopy(sigstore.trusted_root())
        for instance in root[family]:
            ended(instance, start, end)
        assert steps_of(sigstore, made, root) == steps


@pytest.mark.parametrize("part", ["tlogs", "ctlogs"])
def test_a_log_whose_period_is_not_stated_is_not_trusted(
    sigstore: PrivateSigstore, part: str
) -> None:
    made = Workshop(sigstore).bundle(STATEMENT)
    root = copy.deepcopy(sigstore.trusted_root())
    for instance in root[part]:
        del instance["publicKey"]["validFor"]
    assert steps_of(sigstore, made, root) == ["log entry" if part == "tlogs" else "signer"]
    for instance in root[part]:
        instance["publicKey"]["validFor"] = {"end": rfc3339(seconds_now() + DAY)}
    assert steps_of(sigstore, made, root) == ["trusted root"]


def test_no_authority_borrows_the_period_of_another(sigstore: PrivateSigstore) -> None:
    made = Workshop(sigstore).bundle(STATEMENT)
    root = copy.deepcopy(sigstore.trusted_root(strangers=True))
    own, stranger = root["timestampAuthorities"]
    now = seconds_now()
    ended(own, now - 2 * DAY, now - DAY)
    ended(stranger, now - DAY, now + DAY)
    assert steps_of(sigstore, made, root) == ["time"]


def test_two_authorities_of_one_name_are_told_apart(sigstore: PrivateSigstore) -> None:
    with PrivateSigstore() as other:
        foreign = other.trusted_root()["certificateAuthorities"]
    own = sigstore.trusted_root()["certificateAuthorities"]
    made = Workshop(sigstore).bundle(STATEMENT)
    for authorities in (own + foreign, foreign + own):
        root = sigstore.trusted_root() | {"certificateAuthorities": authorities}
        assert steps_of(sigstore, made, root) == []
    root = sigstore.trusted_root() | {"certificateAuthorities": foreign}
    assert steps_of(sigstore, made, root) == ["signer"]


def test_the_root_with_the_strangers_trusts_them(sigstore: PrivateSigstore) -> None:
    """The lies are refused for want of trust, not for want of form."""
    strangers = sigstore.trusted_root(strangers=True)
    for lie in (Lie.CERTIFICATE_BY_STRANGER, Lie.SCT_BY_STRANGER, Lie.TIMESTAMP_BY_STRANGER):
        with sigstore.faults.lying(lie):
            made = Workshop(sigstore).bundle(STATEMENT)
        assert steps_of(sigstore, made, strangers) == []
        assert steps_of(sigstore, made, sigstore.trusted_root()) != []


def test_a_root_is_known_by_its_digest(sigstore: PrivateSigstore) -> None:
    made = Workshop(sigstore).bundle(STATEMENT)
    good = root_of(sigstore.trusted_root())
    named = good.model_copy(update={"sha256": "0" * 64})
    trust = TrustFile(identities=(signer_of(sigstore),), sigstore=(named,))
    assert refusing(verify_bundle(raw(made), trust)) == ["trusted root"]


def test_of_several_roots_the_right_one_is_found(sigstore: PrivateSigstore) -> None:
    made = Workshop(sigstore).bundle(STATEMENT)
    with PrivateSigstore() as other:
        roots = (root_of(other.trusted_root()), root_of(sigstore.trusted_root()))
        theirs = Workshop(other).bundle(STATEMENT)
    trust = TrustFile(identities=(signer_of(sigstore),), sigstore=roots)
    assert refusing(verify_bundle(raw(made), trust)) == []
    # The other Sigstore is trusted too, but not to vouch for this issuer's identities.
    assert refusing(verify_bundle(raw(theirs), trust)) == ["identity"]


WHO = [
    ({}, []),
    ({"identity": EMAIL.upper()}, ["identity"]),
    ({"identity": "example.org"}, ["identity"]),
    ({"identity": EMAIL + "\0"}, ["identity"]),
    ({"identity": "other@example.org"}, ["identity"]),
]


@pytest.mark.parametrize(("fields", "steps"), WHO)
def test_only_the_very_identity_is_trusted(
    sigstore: PrivateSigstore, fields: dict[str, Any], steps: list[str]
) -> None:
    made = Workshop(sigstore).bundle(STATEMENT)
    trust = trust_in(sigstore, signer=signer_of(sigstore, **fields))
    assert refusing(verify_bundle(raw(made), trust)) == steps


def test_only_the_very_issuer_is_trusted(sigstore: PrivateSigstore) -> None:
    made = Workshop(sigstore).bundle(STATEMENT)
    for issuer in (sigstore.issuer.url + "/", "https://accounts.example.org"):
        other = signer_of(sigstore).model_copy(update={"issuer": issuer})
        assert refusing(verify_bundle(raw(made), trust_in(sigstore, signer=other))) == ["identity"]


def poison(folder: Path, root: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An attacker's root in the caches that Sigstore's own client reads offline."""
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(folder / name))
    for kind in (platformdirs.user_data_dir, platformdirs.user_cache_dir):
        place = Path(kind("sigstore-python", "sigstore")) / "tuf" / PRODUCTION
        place.mkdir(parents=True, exist_ok=True)
        (place / "trusted_root.json").write_text(json.dumps(root))


def test_a_poisoned_cache_is_not_believed(
    sigstore: PrivateSigstore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_network: list[str],
) -> None:
    poison(tmp_path, sigstore.trusted_root(), monkeypatch)
    made = raw(Workshop(sigstore).bundle(STATEMENT))
    expected = policy.Identity(identity=EMAIL, issuer=sigstore.issuer.url)
    # What would happen to whoever relies on the cache:
    Verifier.production(offline=True).verify_dsse(Bundle.from_json(made), expected)
    found = verify_bundle(made, TrustFile(identities=(signer_of(sigstore),)))
    assert refusing(found) == ["log entry"]
    assert no_network == []


def test_a_cold_cache_stays_cold(
    sigstore: PrivateSigstore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_network: list[str],
) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    made = raw(Workshop(sigstore).bundle(STATEMENT))
    assert verify_bundle(made, trust_in(sigstore)).outcome is Outcome.PASSED
    assert verify_bundle(made, TrustFile()).outcome is Outcome.UNPROVEN
    assert no_network == []
    assert list(tmp_path.iterdir()) == []


def test_a_sigstore_that_is_not_known_is_contradicted_only_where_a_signer_is_expected(
    sigstore: PrivateSigstore,
) -> None:
    made = raw(Workshop(sigstore).bundle(STATEMENT))
    nobody = verify_bundle(made, TrustFile())
    assert nobody.outcome is Outcome.UNPROVEN
    assert [s.name for s in nobody.steps if s.outcome is Outcome.UNPROVEN] == ["log entry"]
    somebody = verify_bundle(made, TrustFile(identities=(signer_of(sigstore),)))
    assert refusing(somebody) == ["log entry"]
    # What the root itself can tell is contradicted whoever is expected.
    for changed in (b"Statement/v1", b"model"):
        other = json.loads(made)
        payload = base64.b64decode(other["dsseEnvelope"]["payload"])
        assert changed in payload
        spoilt = payload.replace(changed, changed[::-1])
        other["dsseEnvelope"]["payload"] = base64.b64encode(spoilt).decode()
        assert refusing(verify_bundle(json.dumps(other).encode(), TrustFile())) == ["signature"]


@pytest.mark.parametrize("size", range(0, 4000, 37))
def test_a_truncated_bundle_can_not_be_read(sigstore: PrivateSigstore, size: int) -> None:
    made = raw(Workshop(sigstore).bundle(STATEMENT, Shape(older_entries=0)))
    with pytest.raises(SignatureError):
        verify_bundle(made[:size], trust_in(sigstore))
