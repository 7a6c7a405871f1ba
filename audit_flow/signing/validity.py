"""Whether a signer counted when he signed: expiry and revocation against a trusted time.

Without a trusted time all that is known is that the signature was made before it is judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from audit_flow.model.trust import Revocation, TrustedParty, TrustFile, in_words
from audit_flow.signing.proven import Proven
from audit_flow.signing.steps import Steps

CLOCKS_DIFFER = timedelta(minutes=5)


def judge_validity(
    proven: Proven, party: TrustedParty, trust: TrustFile, steps: Steps, at: datetime
) -> None:
    """Note the step "validity" for a signer; ``at`` is the time of judging."""
    signed_at = proven.signed_at
    if not _began(party, signed_at, at, steps):
        return
    ends = [("expired", party.valid_until), ("was revoked", party.revoked_at)]
    ends += [("was revoked", r.at) for r in _revocations(proven, trust)]
    limits = [(words, end) for words, end in ends if end is not None]
    late = [(w, e) for w, e in limits if signed_at is not None and signed_at >= e]
    unknown = [(w, e) for w, e in limits if signed_at is None and at >= e]
    if late:
        words, end = min(late, key=lambda limit: limit[1])
        when = in_words(signed_at) if signed_at else ""
        steps.failed("validity", f"{words} at {in_words(end)}; the signature is of {when}")
    elif unknown:
        words, end = min(unknown, key=lambda limit: limit[1])
        detail = f"{words} at {in_words(end)}; no trusted time says whether it was signed before"
        steps.unproven("validity", detail)
    elif signed_at is not None and signed_at > at + CLOCKS_DIFFER:
        detail = f"a trusted time says {in_words(signed_at)}, and the clock here {in_words(at)}"
        steps.unproven("validity", f"{detail}: set the clock")
    else:
        steps.passed("validity", f"signed at {in_words(signed_at)}" if signed_at else "in force")


def _began(party: TrustedParty, signed_at: datetime | None, at: datetime, steps: Steps) -> bool:
    """Say whether a signer's time had begun; without a trusted time it must have by now."""
    start = party.valid_from
    if start is None or (signed_at or at) >= start:
        return True
    return steps.judge("validity", False, f"not in force before {in_words(start)}")


def _revocations(proven: Proven, trust: TrustFile) -> Iterator[Revocation]:
    signer = proven.signer
    for item in trust.revocations:
        by_key = item.key_sha256 is not None and item.key_sha256 == signer.key_sha256
        by_certificate = item.certificate_sha256 in proven.certificates
        by_name = item.identity is not None and item.identity == signer.identity
        if by_key or by_certificate or (by_name and item.issuer in {None, signer.issuer}):
            yield item
