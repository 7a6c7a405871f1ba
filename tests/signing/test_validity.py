"""Keys live and die: expiry and revocation, with and without a trusted time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_flow.model import Outcome, Revocation, SignerFacts, TrustFile
from audit_flow.signing import Steps
from audit_flow.signing.proven import Proven
from audit_flow.signing.validity import CLOCKS_DIFFER, judge_validity
from tests.signing.parts import DAY, NOW, new_key, trust_in

KEY = new_key()
PARTY = trust_in(KEY)


def judged(
    signed_at: datetime | None,
    at: datetime = NOW,
    revocations: tuple[Revocation, ...] = (),
    **times: Any,
) -> Outcome:
    party, steps = trust_in(KEY, **times), Steps()
    signer = SignerFacts(kind="key", key_sha256=party.sha256, identity="me", issuer="them")
    trust = TrustFile(keys=(party,), revocations=revocations)
    judge_validity(Proven(signer, party, signed_at, ("c" * 64,)), party, trust, steps, at)
    return steps.outcome


@pytest.mark.parametrize("limit", ["revoked_at", "valid_until"])
@pytest.mark.parametrize(
    ("signed_at", "expected"),
    [
        (NOW - 2 * DAY, Outcome.PASSED),
        (NOW - DAY, Outcome.FAILED),
        (NOW, Outcome.FAILED),
        (None, Outcome.UNPROVEN),
    ],
)
def test_before_and_after_are_told_apart_by_a_trusted_time(
    limit: str, signed_at: datetime | None, expected: Outcome
) -> None:
    times: Any = {limit: NOW - DAY}
    assert judged(signed_at, **times) is expected


@pytest.mark.parametrize("limit", ["revoked_at", "valid_until"])
def test_what_is_seen_before_the_end_was_made_before_it(limit: str) -> None:
    times: Any = {limit: NOW + DAY}
    assert judged(None, at=NOW, **times) is Outcome.PASSED


@pytest.mark.parametrize(
    ("signed_at", "at", "expected"),
    [
        (NOW - DAY, NOW + DAY, Outcome.FAILED),
        (NOW, NOW + DAY, Outcome.PASSED),
        (None, NOW - DAY, Outcome.FAILED),
        (None, NOW + DAY, Outcome.PASSED),
    ],
)
def test_nobody_signs_before_his_time(
    signed_at: datetime | None, at: datetime, expected: Outcome
) -> None:
    assert judged(signed_at, at=at, valid_from=NOW) is expected


@pytest.mark.parametrize(
    ("named", "applies"),
    [
        ({"key_sha256": PARTY.sha256}, True),
        ({"key_sha256": "0" * 64}, False),
        ({"certificate_sha256": "c" * 64}, True),
        ({"certificate_sha256": "d" * 64}, False),
        ({"identity": "me"}, True),
        ({"identity": "me", "issuer": "them"}, True),
        ({"identity": "me", "issuer": "others"}, False),
        ({"identity": "you"}, False),
    ],
)
def test_a_revocation_names_what_it_revokes(named: dict[str, str], applies: bool) -> None:
    gone = Revocation(at=NOW - DAY, **named)
    assert (judged(NOW, revocations=(gone,)) is Outcome.FAILED) is applies
    assert judged(NOW - 2 * DAY, revocations=(gone,)) is Outcome.PASSED


hours = st.integers(-1000, 1000).map(lambda h: NOW + timedelta(hours=h))


@given(st.none() | hours, hours, st.none() | hours, st.none() | hours)
def test_no_signature_passes_that_may_be_from_after_the_end(
    signed_at: datetime | None, at: datetime, end: datetime | None, revoked: datetime | None
) -> None:
    """PASSED only if the latest moment at which it can have been made is before every end."""
    named = {"valid_until": end, "revoked_at": revoked}
    times: Any = {k: v for k, v in named.items() if v is not None}
    latest = at if signed_at is None else signed_at
    ends = [e for e in (end, revoked) if e is not None]
    found = judged(signed_at, at=at, **times)
    clock_is_behind = signed_at is not None and signed_at > at + CLOCKS_DIFFER
    held = all(latest < e for e in ends)
    assert (found is Outcome.PASSED) is (held and not clock_is_behind)
    assert (found is Outcome.FAILED) is (signed_at is not None and not held)
