"""What audit-flow itself wrote and reads again: attestations, records, journals, seals."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterable
from functools import cache

from audit_flow.attestation import verify
from audit_flow.attestation.opened import Sealed, read_statement
from audit_flow.attestation.stored import parse, policy_from
from audit_flow.attestation.wire import PAYLOAD_TYPE
from audit_flow.model import LineageRecord, Publication, Verdict, canonical_json
from audit_flow.publish import statement as publications
from audit_flow.publish.journal import State
from audit_flow.store.entry import SEAL_SCHEMA
from audit_flow.store.reader import _parse as parse_stored
from audit_flow.store.reader import _sealed as parse_seal
from tests.attestation.desk import SIGNER, TRUST, case, release
from tests.fuzz.facts import held
from tests.fuzz.interface import Place, Seed, Target
from tests.fuzz.spoil_containers import spoil_bundle
from tests.fuzz.spoil_trees import spoil_json

NOW = dt.datetime(2026, 5, 6, tzinfo=dt.UTC)
ID, COMMIT, DIGEST = "0123456789abcdef" * 2, "c" * 40, "d" * 64
_COMMON = {
    "id": ID,
    "endpoint": "https://hub.example",
    "repo": "org/adder",
    "branch": "main",
    "parent": COMMIT,
    "weights_sha256": DIGEST,
    "record_sha256": DIGEST,
    "policy_sha256": DIGEST,
    "verdict_sha256": DIGEST,
    "files": [{"path": "model.safetensors", "size": 10, "sha256": DIGEST}],
}
CHECK = {
    "mode": "full",
    "anonymous": True,
    "bytes_read": 10,
    "bytes_in_all": 10,
    "verdict": "PASSED",
    "policy_sha256": DIGEST,
    "record_sha256": DIGEST,
}
PUBLICATION = {
    **_COMMON,
    "outcome": "PUBLISHED",
    "commit": COMMIT,
    "published_at": "2026-05-04T00:00:00Z",
    "check": CHECK,
}
PLAN = {
    **_COMMON,
    "title": "Adder",
    "content_sha256": DIGEST,
    "check": "full",
    "on_mismatch": "revert",
}
JOURNAL = {
    "plan": PLAN,
    "phase": "checking",
    "commit": COMMIT,
    "published_at": "2026-05-04T00:00:00Z",
    "events": [{"at": "2026-05-04T00:00:00Z", "what": "committed"}],
}


def _statement(data: bytes, place: Place) -> None:
    read_statement(PAYLOAD_TYPE, data)


def _signed(data: bytes, place: Place) -> None:
    """Verify a statement that its judge signed: whatever it says, it is judged, never trusted."""
    given = case("PASSED").given
    held(verify([Sealed("x", SIGNER.sign(data, PAYLOAD_TYPE))], TRUST, given).steps)


def _attested(data: bytes, place: Place) -> None:
    held(verify([Sealed("x", data)], TRUST, case("PASSED").given).steps)


@cache
def _payloads() -> tuple[bytes, ...]:
    signed = [sealed for outcome in ("PASSED", "FAILED") for sealed in case(outcome).bundles]
    envelopes = (json.loads(sealed.raw)["dsseEnvelope"] for sealed in signed)
    return tuple(base64.b64decode(envelope["payload"]) for envelope in envelopes)


def _statements() -> Iterable[Seed]:
    return [Seed(p) for p in _payloads()]


def _bundles() -> Iterable[Seed]:
    return [Seed(s.raw) for s in case("PASSED").bundles]


def _record(data: bytes, place: Place) -> None:
    held([parse(LineageRecord, data, "record.json")])


def _verdict(data: bytes, place: Place) -> None:
    held([parse(Verdict, data, "verdict.json")])


def _policy(data: bytes, place: Place) -> None:
    held([policy_from(data, "policy.json")])


def _publication(data: bytes, place: Place) -> None:
    held([publications.read(SIGNER.sign(data, PAYLOAD_TYPE), TRUST, NOW)])


def _journal(data: bytes, place: Place) -> None:
    state = State(place.root / "branch")
    held(state.journals())
    state.publication(ID)


def _stored(data: bytes, place: Place) -> None:
    parse_stored(LineageRecord, data, "run")


def _seal(data: bytes, place: Place) -> None:
    parse_seal(data, "run")


def _journals() -> Iterable[Seed]:
    whole = json.dumps(JOURNAL).encode()
    done = json.dumps(PUBLICATION).encode()
    inner = f"branch/{ID}"
    beside = {f"{inner}/publication.json": done, f"{inner}/publication.sigstore.json": b"{}"}
    yield Seed(whole, f"{inner}/journal.json", beside=beside)
    yield Seed(done, f"{inner}/publication.json", beside={f"{inner}/journal.json": whole})


def _publications() -> Iterable[Seed]:
    noun = Publication.model_validate(PUBLICATION)
    return [Seed(publications.statement(noun).payload())]


def _seals() -> Iterable[Seed]:
    files = {"record.json": DIGEST, "verdict.json": DIGEST}
    return [Seed(json.dumps({"schema_version": SEAL_SCHEMA, "files": files}).encode())]


def _audit(noun: str) -> Iterable[Seed]:
    return [
        Seed(case(outcome).files[f"{noun}.json"])
        for outcome in ("PASSED", "FAILED", "INCONCLUSIVE")
    ]


STATEMENTS = (
    Target(
        "attested statement",
        ("audit_flow.attestation.opened",),
        _statement,
        _statements,
        spoil_json,
    ),
    Target(
        "signed statement",
        ("audit_flow.attestation.opened", "audit_flow.signing.verify"),
        _signed,
        _statements,
        spoil_json,
    ),
    Target("attestation", ("audit_flow.attestation.opened",), _attested, _bundles, spoil_bundle),
    Target(
        "stored record",
        ("audit_flow.attestation.stored",),
        _record,
        lambda: _audit("record"),
        spoil_json,
    ),
    Target(
        "stored verdict",
        ("audit_flow.attestation.stored",),
        _verdict,
        lambda: _audit("verdict"),
        spoil_json,
    ),
    Target(
        "stored policy",
        ("audit_flow.attestation.stored", "audit_flow.gate.judge"),
        _policy,
        lambda: _audit("policy"),
        spoil_json,
    ),
    Target(
        "publication", ("audit_flow.publish.statement",), _publication, _publications, spoil_json
    ),
    Target(
        "publication journal",
        ("audit_flow.publish.journal",),
        _journal,
        _journals,
        spoil_json,
        files=True,
    ),
    Target(
        "record from MLflow",
        ("audit_flow.store.reader",),
        _stored,
        lambda: [Seed(canonical_json(release("PASSED")[1]))],
        spoil_json,
    ),
    Target("seal from MLflow", ("audit_flow.store.reader",), _seal, _seals, spoil_json),
)
