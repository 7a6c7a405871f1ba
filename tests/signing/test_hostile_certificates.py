"""Certificates that are made to take a verifier's time, or to break what reads them."""

from __future__ import annotations

import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from audit_flow.errors import InputError, SignatureError
from audit_flow.signing.bundle import MAX_CERTIFICATES
from audit_flow.signing.certificate import chain_to, load_anchors, parse_chain
from tests.signing.parts import DAY, NOW, Key, new_key

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "everybody")])


def authority(key: Key) -> x509.Certificate:
    made = (
        x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )  # fmt: skip
    return made.sign(key, hashes.SHA256())


def test_authorities_that_all_issue_each_other_end_at_once() -> None:
    key = new_key()
    leaf, *others = [authority(key) for _ in range(MAX_CERTIFICATES)]
    start = time.process_time()
    assert chain_to(leaf, others, [authority(new_key())]) is None
    assert time.process_time() - start < 5


def test_a_way_through_them_is_found() -> None:
    key = new_key()
    leaf, *others = [authority(key) for _ in range(MAX_CERTIFICATES)]
    assert chain_to(leaf, others[:-1], others[-1:]) == (leaf, others[-1])


def test_a_version_that_nobody_knows_is_no_certificate() -> None:
    der = authority(new_key()).public_bytes(Encoding.DER)
    # [0] EXPLICIT INTEGER 2, which is version 3.
    broken = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a00302017f"), 1)
    assert broken != der
    with pytest.raises(SignatureError, match="no certificate"):
        parse_chain([broken])
    import base64

    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(broken)
    with pytest.raises(InputError, match="no certificate"):
        load_anchors(pem + b"-----END CERTIFICATE-----\n", "ca")
