"""Change anything of a verdict, a policy, a record, a subject or a statement: it is refused."""

from __future__ import annotations

import base64
import json
from itertools import islice
from typing import Any

import pytest

from audit_flow.attestation.opened import Sealed
from audit_flow.model import canonical_json
from tests.attestation.desk import MALLORY, SIGNER, TRUST, case, sign, trust_in
from tests.attestation.mutations import mutations

KINDS = ("verdict", "vsa", "test-result", "eval-result-1")


def given(file: str, raw: bytes) -> dict[str, Any]:
    return {file: raw}


def payload_of(raw: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(raw)["dsseEnvelope"]["payload"]))


@pytest.mark.parametrize("outcome", ["PASSED", "PASSED with waivers"])
def test_what_was_attested_is_accepted(outcome: str) -> None:
    attested = case(outcome).verify()
    assert attested.problems == ()
    assert attested.outcome == "PASSED"
    assert attested.unchecked == ()


@pytest.mark.parametrize("file", ["record", "verdict", "policy"])
@pytest.mark.parametrize(
    ("outcome", "every"),
    [
        ("PASSED with waivers", 67),
        pytest.param("PASSED", 1, marks=pytest.mark.slow),
        pytest.param("PASSED with waivers", 1, marks=pytest.mark.slow),
    ],
)
def test_any_change_to_a_file_is_refused(outcome: str, every: int, file: str) -> None:
    attested = case(outcome)
    bundle = attested.only("verdict")
    tried = 0
    document = json.loads(attested.files[f"{file}.json"])
    for name, changed in islice(mutations(document), 0, None, every):
        found = attested.verify(*bundle, **given(file, canonical_json(changed)))
        assert found.outcome == "FAILED", name
        assert next(s.name for s in found.steps if s.outcome == "FAILED") == file, name
        tried += 1
    assert tried > 200 / every


@pytest.mark.parametrize("file", ["record", "verdict", "policy"])
def test_the_same_data_in_other_bytes_is_refused(file: str) -> None:
    attested = case("PASSED")
    raw = attested.files[f"{file}.json"]
    for other in (json.dumps(json.loads(raw), indent=1).encode(), raw + b"\n", raw[:-1], b""):
        assert attested.verify(**given(file, other)).outcome == "FAILED"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("outcome", "every"),
    [
        ("PASSED", 53),
        pytest.param("PASSED", 1, marks=pytest.mark.slow),
        pytest.param("PASSED with waivers", 1, marks=pytest.mark.slow),
    ],
)
def test_a_judge_can_not_sign_what_does_not_follow(outcome: str, every: int, kind: str) -> None:
    """Whoever holds the trusted key changes one field of a statement and signs it again."""
    attested = case(outcome)
    file = f"{kind}.sigstore.json"
    if file not in attested.files:
        assert outcome == "PASSED with waivers"
        return
    tried = 0
    for name, changed in islice(mutations(payload_of(attested.files[file])), 0, None, every):
        if allowed(name):
            continue
        found = attested.verify(sign(canonical_json(changed), where=file))
        assert found.outcome != "PASSED", f"{kind}: {name}"
        tried += 1
    assert tried > 30 / every


def allowed(name: str) -> bool:
    """Who judged and when is the signer's own word: no record and no policy can tell."""
    return name.startswith("change") and name.endswith(
        ("judge.id", "verifier.id", "judgedAt", "timeVerified", "evaluatedAt", "tool.version")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_statements_of_one_verdict_name_one_judge_and_time(kind: str) -> None:
    """What stands in only one statement's word must at least be the same in all of them."""
    attested = case("PASSED")
    file = f"{kind}.sigstore.json"
    for name, changed in mutations(payload_of(attested.files[file])):
        if allowed(name) and not name.endswith("tool.version"):
            others = [s for s in attested.bundles if s.where != file]
            found = attested.verify(*others, sign(canonical_json(changed), where=file))
            assert found.outcome == "FAILED", name


@pytest.mark.parametrize("path", ["payload", "payloadType", "sig"])
def test_a_changed_envelope_is_refused(path: str) -> None:
    attested = case("PASSED")
    [bundle] = attested.only("verdict")
    for at in range(0, 2_000, 37):
        document = json.loads(bundle.raw)
        envelope = document["dsseEnvelope"]
        place = envelope["signatures"][0] if path == "sig" else envelope
        text = place[path]
        raw = bytearray(base64.b64decode(text) if path != "payloadType" else text.encode())
        raw[at % len(raw)] ^= 1
        place[path] = base64.b64encode(raw).decode() if path != "payloadType" else raw.decode()
        found = attested.verify(Sealed(bundle.where, json.dumps(document).encode()))
        assert found.outcome == "FAILED"
        assert found.said is None


@pytest.mark.parametrize("change", ["changed", "missing", "added", "renamed", "empty"])
def test_any_change_to_the_subject_is_refused(change: str) -> None:
    attested = case("PASSED")
    files = dict(attested.given.files or {})
    for name, digest in files.items():
        changed = {
            "changed": {**files, name: digest[:-1] + ("0" if digest[-1] != "0" else "1")},
            "missing": {n: d for n, d in files.items() if n != name},
            "added": {**files, f"{name}.py": digest},
            "renamed": {(f"x{n}" if n == name else n): d for n, d in files.items()},
            "empty": {},
        }[change]
        found = attested.verify(files=changed)
        assert found.outcome == "FAILED"
        [step] = [s for s in found.steps if s.name == "subject"]
        assert change == "empty" or name in step.detail


def test_a_key_that_is_not_trusted_signs_nothing() -> None:
    attested = case("PASSED")
    forged = tuple(
        sign(canonical_json(payload_of(s.raw)), MALLORY, s.where) for s in attested.bundles
    )
    assert attested.verify(*forged).outcome == "FAILED"
    # Even where it is trusted, it can't take another's name as judge.
    [step] = [
        s for s in attested.verify(*forged, trust=trust_in(MALLORY)).steps if s.name == "judge"
    ]
    assert step.outcome == "FAILED"
    mixed = (*attested.bundles[:-1], forged[-1])
    assert attested.verify(*mixed, trust=trust_in(SIGNER, MALLORY)).outcome == "FAILED"
    assert attested.verify(*mixed, trust=TRUST).outcome == "FAILED"


def test_nobody_is_trusted_without_being_named() -> None:
    found = case("PASSED").verify(trust=trust_in())
    assert found.outcome == "INCONCLUSIVE"
    assert found.said is None
    assert found.attestations == ()
