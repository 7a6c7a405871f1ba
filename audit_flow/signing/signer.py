"""What signs: a payload goes in, a bundle comes out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from audit_flow.errors import InputError
from audit_flow.signing.bundle import write_bundle
from audit_flow.signing.dsse import IN_TOTO, Envelope, pae
from audit_flow.signing.keys import as_public, fingerprint, public_der, public_pem, sign_bytes

if TYPE_CHECKING:
    from audit_flow.signing.keys import PrivateKey, PublicKey


class Signer(Protocol):
    """Signs payloads under one identity."""

    @property
    def identity(self) -> str:
        """Who signs, as a verifier will see it."""

    def sign(self, payload: bytes, payload_type: str = IN_TOTO) -> bytes:
        """Return a bundle (JSON) that carries the payload byte for byte.

        Raises SignatureError when nothing could be signed.
        """


@dataclass(frozen=True)
class KeySigner:
    """Signs with a key; the bundle names the key by a hint only, and carries no time.

    ``sign_with`` makes the signature where the key itself is elsewhere (PKCS#11).
    """

    public: PublicKey
    sign_with: Callable[[bytes], bytes]

    @classmethod
    def of(cls, key: PrivateKey) -> KeySigner:
        """Sign with a private key that is at hand."""
        return cls(key.public_key(), lambda data: sign_bytes(key, data))

    @property
    def identity(self) -> str:
        """The fingerprint of the key."""
        return f"key sha256:{fingerprint(self.public)}"

    def sign(self, payload: bytes, payload_type: str = IN_TOTO) -> bytes:
        """Return a bundle with the key's hint."""
        envelope = Envelope(payload, payload_type, self.sign_with(pae(payload_type, payload)))
        return write_bundle(envelope, {"publicKey": {"hint": key_hint(self.public)}})


@dataclass(frozen=True)
class CertificateSigner:
    """Signs with a key and shows the certificate that names its owner, and those above it."""

    key: KeySigner
    chain: tuple[bytes, ...]
    subject: str

    @classmethod
    def of(cls, key: KeySigner, pem: bytes, where: str) -> CertificateSigner:
        """Take the chain, PEM, leaf first; raises InputError unless the leaf is the key's."""
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import Encoding

        try:
            chain = x509.load_pem_x509_certificates(pem)
            leaf = as_public(chain[0].public_key(), where)
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise InputError(
                "no certificate that can be read", expected="PEM certificates", where=where
            ) from error
        if public_der(leaf) != public_der(key.public):
            raise InputError(
                "the certificate is of another key", expected="the certificate of the signing key",
                where=where, remedy="Put the signer's own certificate first",
            )  # fmt: skip
        subject = chain[0].subject.rfc4514_string()
        return cls(key, tuple(c.public_bytes(Encoding.DER) for c in chain), subject)

    @property
    def identity(self) -> str:
        """The certificate's subject."""
        return f"certificate {self.subject}"

    def sign(self, payload: bytes, payload_type: str = IN_TOTO) -> bytes:
        """Return a bundle with the chain."""
        signature = self.key.sign_with(pae(payload_type, payload))
        chain = [{"rawBytes": base64.b64encode(c).decode()} for c in self.chain]
        material = {"x509CertificateChain": {"certificates": chain}}
        return write_bundle(Envelope(payload, payload_type, signature), material)


def key_hint(key: PublicKey) -> str:
    """Return the hint that model_signing looks for: the SHA-256 of the PEM text."""
    return hashlib.sha256(public_pem(key)).hexdigest()
