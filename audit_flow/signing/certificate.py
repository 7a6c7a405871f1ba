"""A chain of X.509 certificates from a signer up to an authority that the verifier names.

Source: RFC 5280, section 6, without name constraints and policies: a certificate that demands
them is refused, not passed over. A signer's certificate of OMS may call itself an authority.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from audit_flow.errors import InputError, SignatureError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Extensions

MAX_DEPTH = 8
MAX_TRIED = 100
_WEAK_HASHES = {"md5", "sha1"}
_UNDERSTOOD = {
    "2.5.29.15", "2.5.29.19", "2.5.29.37", "2.5.29.17", "2.5.29.14", "2.5.29.35"
}  # fmt: skip


def parse_chain(ders: Sequence[bytes]) -> tuple[Certificate, ...]:
    """Read certificates, DER; raises SignatureError for one that can't be read."""
    from cryptography.x509 import InvalidVersion, load_der_x509_certificate

    try:
        return tuple(load_der_x509_certificate(der) for der in ders)
    except (ValueError, InvalidVersion) as error:
        raise SignatureError("no certificate that can be read", expected="X.509, DER") from error


def load_anchors(pem: bytes, where: str) -> tuple[Certificate, ...]:
    """Read the certificates of an authority, PEM; raises InputError for what is none."""
    from cryptography.x509 import InvalidVersion, load_pem_x509_certificates

    try:
        return tuple(load_pem_x509_certificates(pem))
    except (ValueError, InvalidVersion) as error:
        raise InputError(
            "no certificate that can be read", expected="PEM certificates", where=where
        ) from error


def chain_to(
    leaf: Certificate, others: Sequence[Certificate], anchors: Sequence[Certificate]
) -> tuple[Certificate, ...] | None:
    """Return the certificates from a leaf to one of the anchors, both included, or None.

    Every certificate above the leaf may issue certificates, and signed the one below it.
    """
    return _climb((leaf,), others, anchors, Counter())


def _climb(
    path: tuple[Certificate, ...],
    others: Sequence[Certificate],
    anchors: Sequence[Certificate],
    tried: Counter[str],
) -> tuple[Certificate, ...] | None:
    top = path[-1]
    tried["certificates"] += 1
    # Certificates that all issue each other can be put in a row in a great many ways.
    if tried["certificates"] > MAX_TRIED:
        return None
    if top in anchors:
        return path
    if len(path) > MAX_DEPTH:
        return None
    for above in (*anchors, *others):
        if above not in path and _issued(above, top, below=len(path) - 1):
            whole = _climb((*path, above), others, anchors, tried)
            if whole is not None:
                return whole
    return None


def is_issuer(issuer: Certificate, certificate: Certificate) -> bool:
    """Say whether one certificate's name and key are those that signed another."""
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _issued(issuer: Certificate, certificate: Certificate, below: int) -> bool:
    """Say whether an authority may issue and did; ``below`` counts authorities beneath it."""
    try:
        if not _may_issue(issuer, below):
            return False
    except ValueError:
        # Extensions that can't be read.
        return False
    if not is_issuer(issuer, certificate):
        return False
    used = certificate.signature_hash_algorithm
    return used is None or used.name not in _WEAK_HASHES


def _may_issue(issuer: Certificate, below: int) -> bool:
    from cryptography.x509 import BasicConstraints, KeyUsage

    extensions = issuer.extensions
    constraints = _extension(extensions, BasicConstraints)
    if not isinstance(constraints, BasicConstraints) or not constraints.ca:
        return False
    if constraints.path_length is not None and below > constraints.path_length:
        return False
    usage = _extension(extensions, KeyUsage)
    may_sign = usage.key_cert_sign if isinstance(usage, KeyUsage) else True
    return may_sign and not demands_more(issuer)


def demands_more(certificate: Certificate) -> bool:
    """Say whether a certificate has a critical extension that is not understood here."""
    return any(
        e.critical and e.oid.dotted_string not in _UNDERSTOOD for e in certificate.extensions
    )


def _extension(extensions: Extensions, kind: type) -> object:
    from cryptography.x509 import ExtensionNotFound

    try:
        return extensions.get_extension_for_class(kind).value
    except ExtensionNotFound:
        return None


def may_sign_code(certificate: Certificate) -> bool:
    """Say whether a certificate is for signatures: its key usage, or its extended key usage."""
    from cryptography.x509 import ExtendedKeyUsage, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = _extension(certificate.extensions, KeyUsage)
    extended = _extension(certificate.extensions, ExtendedKeyUsage)
    if isinstance(usage, KeyUsage) and not usage.digital_signature:
        return False
    if isinstance(extended, ExtendedKeyUsage):
        allowed = {ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
        return bool(allowed & set(extended))
    return usage is not None


def der_sha256(certificate: Certificate) -> str:
    """Return the SHA-256 of a certificate's DER, as hex."""
    from cryptography.hazmat.primitives.hashes import SHA256

    return certificate.fingerprint(SHA256()).hex()


def names_of(certificate: Certificate) -> frozenset[str]:
    """Return every name of a certificate's owner: common names and alternative names."""
    from cryptography.x509 import GeneralName, SubjectAlternativeName
    from cryptography.x509.oid import NameOID

    names = {str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    alternative = _extension(certificate.extensions, SubjectAlternativeName)
    if isinstance(alternative, SubjectAlternativeName):
        general: list[GeneralName] = list(alternative)
        names |= {str(name.value) for name in general}
    return frozenset(names | {certificate.subject.rfc4514_string()})


def outside(chain: Sequence[Certificate], moment: datetime) -> str:
    """Return "early" or "late" where a certificate of the chain does not hold at a time."""
    if any(moment < c.not_valid_before_utc for c in chain):
        return "early"
    return "late" if any(moment > c.not_valid_after_utc for c in chain) else ""
