"""Certificate for minutes, log entry and trusted time: the verification of a keyless signature.

In the order of the Sigstore client specification; each time that is trusted must fall within the
certificates, the authority, the logs and their keys, as the trusted root states their periods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from audit_flow.errors import AuditFlowError, SignatureError
from audit_flow.signing.bundle import Bundle
from audit_flow.signing.certificate import chain_to, demands_more, outside, parse_chain
from audit_flow.signing.dsse import Envelope
from audit_flow.signing.keys import as_public, is_signed_by
from audit_flow.signing.log_body import check_body
from audit_flow.signing.log_inclusion import Included, UnknownLog, find_included, within
from audit_flow.signing.sigstore_root import Root
from audit_flow.signing.timestamps import moments

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore._internal.trust import CertificateAuthority


# The order in which the steps are taken here; who signed is known last, at the time of signing.
_ORDER = ("signature", "log entry", "time", "signer", "identity")


class NotProven(Exception):
    """A step that does not hold, and why; ``elsewhere`` if the root is just not the one meant."""

    def __init__(self, step: str, detail: str, *, elsewhere: bool = False) -> None:
        super().__init__(detail)
        self.step, self.detail, self.elsewhere = step, detail, elsewhere

    @property
    def reached(self) -> int:
        """How far the verification came, as the steps below count it."""
        return _ORDER.index(self.step)


@dataclass(frozen=True)
class Keyless:
    """A keyless signature that holds: the certificates, leaf first, and every trusted time."""

    path: tuple[Certificate, ...]
    times: tuple[datetime, ...]

    @property
    def leaf(self) -> Certificate:
        """The signer's certificate."""
        return self.path[0]


def verify_keyless(bundle: Bundle, root: Root, blob: bytes) -> Keyless:
    """Verify against one root; ``blob`` is what a message signature is over. Raises NotProven."""
    # (3) The certificate is one for signing code.
    leaf = _leaf(bundle)
    # (4) The signature by its key.
    _check_signature(bundle, leaf, blob)
    # (5) Every log entry: in a trusted log, about this signature.
    entries = _entries(bundle, root, leaf, blob)
    # (6) Every time: a log's own, or an authority's over the signature.
    times = _times(bundle, root, entries)
    # (3) The authority that issued the certificate, at each of these times.
    path = _path(leaf, root, times)
    # (3) The log of certificates that has seen it.
    _check_certificate_log(path, root)
    return Keyless(path, times)


def _leaf(bundle: Bundle) -> Certificate:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    try:
        leaf = parse_chain(bundle.certificates)[0]
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (AuditFlowError, ValueError, x509.ExtensionNotFound) as error:
        raise NotProven("signer", "no Sigstore certificate that can be read") from error
    if not usage.digital_signature or usage.key_cert_sign:
        raise NotProven("signer", "the certificate is not one of a signer")
    if ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
        raise NotProven("signer", "the certificate is not for signing code")
    if demands_more(leaf):
        raise NotProven("signer", "the certificate has an unknown critical extension")
    return leaf


def _check_signature(bundle: Bundle, leaf: Certificate, blob: bytes) -> None:
    try:
        key = as_public(leaf.public_key(), "certificate")
    except (AuditFlowError, ValueError) as error:
        raise NotProven("signer", "the certificate is of a kind of key that is not used") from error
    text = bundle.content.signed if isinstance(bundle.content, Envelope) else blob
    if not is_signed_by(key, bundle.signature, text):
        raise NotProven("signature", "not made with the key of the certificate over these bytes")


def _entries(bundle: Bundle, root: Root, leaf: Certificate, blob: bytes) -> tuple[Included, ...]:
    if not bundle.log_entries:
        raise NotProven("log entry", "none; a keyless signature must be in a transparency log")
    found, unknown = [], ""
    try:
        for entry in bundle.log_entries:
            try:
                included = find_included(entry, (root,))
            except UnknownLog as error:
                # Another entry may be of a log that is known, and false.
                unknown = error.got
                continue
            check_body(included.body, included.named, bundle, bundle.certificates[0], blob)
            found.append(included)
    except SignatureError as error:
        raise NotProven("log entry", error.got) from error
    if unknown:
        # A certificate of this root's own authority belongs into this root's own logs.
        raise NotProven("log entry", unknown, elsewhere=not _is_of(root, leaf))
    return tuple(found)


def _is_of(root: Root, leaf: Certificate) -> bool:
    """Say whether an authority of this root has issued the certificate, at whatever time."""
    from sigstore._internal.trust import CertificateAuthority

    authorities = map(CertificateAuthority, root.trusted._inner.certificate_authorities)
    return any(_issued_under(leaf, authority) is not None for authority in authorities)


def _times(bundle: Bundle, root: Root, entries: Sequence[Included]) -> tuple[datetime, ...]:
    stamped = moments(bundle, root.trusted.get_timestamp_authorities())
    if stamped is None:
        raise NotProven("time", "a timestamp is of no trusted authority, or of something else")
    times = (*stamped, *(e.stated for e in entries if e.stated is not None))
    if not times:
        raise NotProven("time", "no trusted time of signing")
    for entry in entries:
        if not all(within(entry.window, moment) for moment in times):
            raise NotProven("log entry", "outside the period that the log's key is trusted for")
    return times


def _path(leaf: Certificate, root: Root, times: Sequence[datetime]) -> tuple[Certificate, ...]:
    from sigstore._internal.trust import CertificateAuthority

    wrong = "no authority of the trusted root has issued the certificate"
    for instance in root.trusted._inner.certificate_authorities:
        authority = CertificateAuthority(instance)
        path = _issued_under(leaf, authority)
        if path is None:
            continue
        if all(within(instance.valid_for, m) and not outside(path, m) for m in times):
            return path
        wrong = "the certificate or its authority did not hold at the time of signing"
    raise NotProven("signer", wrong)


def _issued_under(
    leaf: Certificate, authority: CertificateAuthority
) -> tuple[Certificate, ...] | None:
    above = authority.certificates(allow_expired=True)
    return chain_to(leaf, above[:-1], above[-1:]) if above else None


def _check_certificate_log(path: Sequence[Certificate], root: Root) -> None:
    """Refuse a certificate without exactly one entry of a log that was trusted at its time."""
    from sigstore._internal.sct import _get_signed_certificate_timestamp, verify_sct
    from sigstore._internal.trust import CTKeyring, Keyring

    try:
        stamp = _get_signed_certificate_timestamp(path[0])
        moment = stamp.timestamp.replace(tzinfo=UTC)
        keys = [
            log.public_key
            for log in root.trusted._inner.ctlogs
            if log.log_id.key_id == stamp.log_id and within(log.public_key.valid_for, moment)
        ]
        verify_sct(path[0], list(path[1:]), CTKeyring(Keyring(keys)))
    except Exception as error:
        # The library raises errors of several packages for a malformed extension.
        words = str(error).partition("(")[0][:160]
        raise NotProven(
            "signer", f"no trusted log of certificates has seen it ({words})"
        ) from error
