"""Signatures: bundles of every kind, statements, certificates, keys and roots of trust."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from audit_flow.collectors.signature import ModelFolder, verify_model
from audit_flow.errors import SignatureError
from audit_flow.model.trust import TrustedCertificate, TrustFile
from audit_flow.policy_file.trust import sigstore_root
from audit_flow.signing import (
    parse_evidence,
    parse_oms,
    parse_tensors,
    read_statement,
    subject_digests,
    verify_blob,
    verify_bundle,
)
from audit_flow.signing.bundle import parse_bundle
from audit_flow.signing.certificate import (
    chain_to,
    load_anchors,
    may_sign_code,
    names_of,
    parse_chain,
)
from audit_flow.signing.fulcio import signer_facts
from audit_flow.signing.keys import load_private_key, load_public_key
from tests.fuzz.facts import held
from tests.fuzz.interface import Place, Seed, Target
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_containers import spoil_bundle
from tests.fuzz.spoil_trees import spoil_json
from tests.signing.parts import new_key, pem_of
from tests.signing.test_conformance import BUNDLES, CASES, artifact_of, key_trust, trust_for

OMS = BUNDLES / "oms"
KEYS = OMS / "keys"


@cache
def trust() -> TrustFile:
    """Return what every good sample of model signatures is trusted by."""
    key = key_trust((KEYS / "signing-key-pub.pem").read_text())
    pem = (KEYS / "ca-cert.pem").read_text()
    return TrustFile(
        keys=(key,), certificates=(TrustedCertificate(name="ca", roles=("any",), pem=pem),)
    )


@cache
def _trust_of(name: str) -> TrustFile:
    folder = BUNDLES / "conformance" / name
    return trust_for(folder, (folder / "bundle.sigstore.json").read_bytes())


def _conformance() -> Iterable[Seed]:
    for folder in CASES:
        raw = (folder / "bundle.sigstore.json").read_bytes()
        yield Seed(raw, folder.name, beside={"artifact": artifact_of(folder)})


def _bundles() -> Iterable[Seed]:
    yield from (Seed(p.read_bytes(), p.name) for p in sorted(OMS.rglob("*.json")))
    yield from (Seed(p.read_bytes(), p.name) for p in sorted(OMS.rglob("model.sig")))
    yield from _conformance()


def _models() -> Iterable[Seed]:
    for signature in sorted(OMS.rglob("model.sig")):
        beside = {p.name: p.read_bytes() for p in signature.parent.iterdir() if p != signature}
        yield Seed(signature.read_bytes(), "model.sig", beside=beside)


def _payloads(kind: str) -> Callable[[], Iterable[Seed]]:
    def seeds() -> Iterable[Seed]:
        for path in sorted(OMS.rglob("model.sig")):
            envelope = json.loads(path.read_bytes()).get("dsseEnvelope")
            if envelope:
                yield Seed(base64.b64decode(envelope["payload"]))
        yield Seed(json.dumps(_OTHER[kind]).encode())

    return seeds


_STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "results/r.json", "digest": {"sha256": "a" * 64}}],
}
_OTHER = {
    "oms": {
        **_STATEMENT,
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": [{"name": "w", "algorithm": "sha256", "digest": "b" * 64}],
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [],
            },
        },
    },
    "evidence": {
        **_STATEMENT,
        "predicateType": "https://audit-flow.dev/evidence/v1",
        "predicate": {"weights": "a" * 64, "role": "evaluation"},
    },
    "tensors": {
        **_STATEMENT,
        "predicateType": "https://audit-flow.dev/tensors/v1",
        "predicate": {
            "files": [
                {
                    "path": "m.safetensors",
                    "tensors": [{"name": "w", "dtype": "F32", "shape": [1, 2], "sha256": "c" * 64}],
                }
            ]
        },
    },
}


def _parse(data: bytes, place: Place) -> None:
    parse_chain(parse_bundle(data, "case").certificates)


def _verify(data: bytes, place: Place) -> None:
    known = _trust_of(place.seed.name)
    verify_bundle(data, known, role="release")
    found = verify_blob(data, place.seed.beside["artifact"], known)
    held(found.steps)


def _model(data: bytes, place: Place) -> None:
    held(verify_model(ModelFolder(place.root, trust()), place.root / "model.sig"))


def _statement(data: bytes, place: Place) -> None:
    subject_digests(data)
    failed = 0
    for parse in (parse_oms, parse_evidence, parse_tensors, read_statement):
        try:
            parse(data)
        except SignatureError as error:
            failed, last = failed + 1, error
    if failed == 4:
        raise last


def _chain(data: bytes, place: Place) -> None:
    leaf, *others = parse_chain([data])
    with suppress(Exception):
        # Behind verify_bundle, which fails closed: cryptography raises errors of many kinds late.
        signer_facts(leaf)
        names_of(leaf)
        may_sign_code(leaf)
    chain_to(leaf, others, load_anchors((KEYS / "ca-cert.pem").read_bytes(), "ca"))


def _pem(data: bytes, place: Place) -> None:
    (load_anchors if b"CERTIFICATE" in data else load_public_key)(data, "case")


def _private(data: bytes, place: Place) -> None:
    load_private_key(data, "case")


def _root(data: bytes, place: Place) -> None:
    held([sigstore_root(data, "case")])


def _roots() -> Iterable[Seed]:
    return [
        Seed(p.read_bytes()) for p in sorted((BUNDLES / "conformance").rglob("trusted_root.json"))
    ]


def _ders() -> Iterable[Seed]:
    for path in sorted(OMS.rglob("model.sig")):
        yield from (Seed(der) for der in parse_bundle(path.read_bytes()).certificates)


def _pems() -> Iterable[Seed]:
    return [Seed(p.read_bytes(), p.name) for p in sorted(Path(KEYS).glob("*.pem"))]


SIGNATURES = (
    Target(
        "bundle",
        (
            "audit_flow.signing.bundle",
            "audit_flow.signing.certificate",
            "audit_flow.signing.fulcio",
        ),
        _parse,
        _bundles,
        spoil_bundle,
    ),
    Target(
        "verified bundle",
        (
            "audit_flow.signing.verify",
            "audit_flow.signing.log_inclusion",
            "audit_flow.signing.log_body",
        ),
        _verify,
        _conformance,
        spoil_bundle,
    ),
    Target(
        "signed model",
        ("audit_flow.collectors.signature", "audit_flow.signing.statement"),
        _model,
        _models,
        spoil_bundle,
        files=True,
    ),
    *(
        Target(f"{kind} statement", (module,), _statement, _payloads(kind), spoil_json)
        for kind, module in (
            ("oms", "audit_flow.signing.statement"),
            ("evidence", "audit_flow.signing.evidence_statement"),
            ("tensors", "audit_flow.signing.tensor_list"),
        )
    ),
    Target("certificate", ("audit_flow.signing.certificate",), _chain, _ders, spoil_bytes),
    Target(
        "public PEM",
        ("audit_flow.signing.keys", "audit_flow.signing.certificate"),
        _pem,
        _pems,
        spoil_bytes,
    ),
    Target(
        "private PEM",
        ("audit_flow.signing.keys",),
        _private,
        lambda: [Seed(pem_of(new_key()))],
        spoil_bytes,
    ),
    Target("sigstore root", ("audit_flow.signing.sigstore_root",), _root, _roots, spoil_json),
)
