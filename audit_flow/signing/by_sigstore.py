"""Keyless signatures: a certificate for minutes, a transparency log, and a trusted time.

The root is taken by digest, every timestamp must hold, and who may sign is the trust file's to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from audit_flow.errors import SignatureError
from audit_flow.model.signature_facts import SignerFacts
from audit_flow.model.trust import TrustedIdentity, TrustFile, in_words
from audit_flow.signing.bundle import Bundle
from audit_flow.signing.certificate import der_sha256
from audit_flow.signing.fulcio import signer_facts
from audit_flow.signing.keyless import Keyless, NotProven, verify_keyless
from audit_flow.signing.proven import Proven
from audit_flow.signing.sigstore_root import Root, load_roots
from audit_flow.signing.steps import Steps


def verify_by_sigstore(
    bundle: Bundle, trust: TrustFile, steps: Steps, blob: bytes
) -> Proven | None:
    """Verify against each trusted root, and find the identity among those that are trusted."""
    # (2) Roots by digest.
    failures: list[NotProven] = []
    for root in load_roots(trust, steps):
        try:
            # (3, 4, 5, 6) Certificate, signature, log entry and time.
            return _proven(root, verify_keyless(bundle, root, blob), bundle, trust, steps)
        except NotProven as error:
            failures.append(error)
    if failures:
        # The root that came furthest is the one that was meant.
        furthest = max(failures, key=lambda failure: (failure.reached, not failure.elsewhere))
        _not_proven(furthest, trust, steps)
    return None


def _not_proven(failure: NotProven, trust: TrustFile, steps: Steps) -> None:
    """Note why no root proves it; whoever expects nobody can't say that another Sigstore is wrong.

    Signed under a Sigstore of the signer's own it is like a signature by a key, where nobody has
    named one: whoever names any signer, or any root, expects what is signed to be his.
    """
    if failure.elsewhere and not trust.trusts_somebody and not trust.sigstore:
        steps.unproven(failure.step, f"{failure.detail}: name its trusted root to look it up")
    else:
        steps.failed(failure.step, failure.detail)


def _proven(root: Root, keyless: Keyless, bundle: Bundle, trust: TrustFile, steps: Steps) -> Proven:
    try:
        signer = signer_facts(keyless.leaf)
    except (SignatureError, ValueError) as error:
        raise NotProven("identity", "the certificate does not name one signer") from error
    if root.require_timestamp and not bundle.timestamps:
        raise NotProven("time", "no timestamp by an authority, which the trust file asks for")
    moment = min(keyless.times)
    steps.passed("trusted root", f"{root.name}, sha256:{root.sha256}")
    steps.passed("signer", signer.in_words)
    steps.passed("signature")
    steps.passed("log entry", "included, and about this signature")
    steps.passed("time", in_words(moment))
    # (7) The identity.
    party = _party(signer, trust.identities)
    if party is None:
        _unknown(signer, trust, steps)
    else:
        signer = signer.model_copy(update={"name": party.name, "roles": party.roles})
    return Proven(signer, party, moment, tuple(der_sha256(c) for c in keyless.path))


def _party(signer: SignerFacts, known: Iterable[TrustedIdentity]) -> TrustedIdentity | None:
    return next((party for party in known if _is(signer, party)), None)


def _is(signer: SignerFacts, party: TrustedIdentity) -> bool:
    pairs = (
        (party.issuer, signer.issuer),
        (party.identity, signer.identity),
        (party.github_repository, signer.github_repository),
        (party.github_ref, signer.github_ref),
    )
    return all(wanted is None or wanted == actual for wanted, actual in pairs)


def _unknown(signer: SignerFacts, trust: TrustFile, steps: Steps) -> None:
    if trust.identities:
        steps.failed("identity", f"signed by {signer.in_words}, whom the trust file does not name")
    else:
        steps.unproven("identity", f"signed by {signer.in_words}; no identity is trusted")
