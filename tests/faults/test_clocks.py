"""Clocks that are years behind or ahead: what a trusted time contradicts is never PASSED."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

from audit_flow.errors import PolicyError
from audit_flow.model import TrustedKey, TrustFile
from audit_flow.model.verdict import Outcome
from audit_flow.policy_file import load_policy
from audit_flow.signing.proven import Proven
from audit_flow.signing.steps import Steps
from audit_flow.signing.validity import judge_validity
from tests.attestation.desk import NOW, case
from tests.publish.releases import small

YEAR = dt.timedelta(days=365)
SKEWS = [-30 * YEAR, -YEAR, -dt.timedelta(hours=1), dt.timedelta(0), YEAR, 30 * YEAR]


class Clock(dt.datetime):
    """A clock that shows what it is set to."""

    shown = NOW

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return cls.shown.astimezone(tz)


@pytest.mark.parametrize("day", ["1970-01-01", "2000-01-01", "2024-12-31"])
def test_a_clock_that_can_not_be_right_ends_no_waiver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: str
) -> None:
    policy = yaml.safe_load(small(tmp_path).policy.read_text())
    policy["waivers"] = [
        {"rule": "card.agrees", "about": "card", "owner": "ada", "expires": "2024-06-01",
         "reason": "until the card is written anew", "subject_sha256": "0" * 64}
    ]  # fmt: skip
    file = tmp_path / "waived.yaml"
    file.write_text(yaml.safe_dump(policy))
    monkeypatch.setattr(dt, "datetime", Clock)
    monkeypatch.setattr(Clock, "shown", dt.datetime.fromisoformat(f"{day}T00:00:00+00:00"))
    with pytest.raises(PolicyError, match="Set the clock"):
        load_policy(str(file))
    monkeypatch.setattr(Clock, "shown", NOW)
    assert all(w.expired for w in load_policy(str(file)).waivers)


@pytest.mark.parametrize("skew", SKEWS)
def test_a_trusted_time_that_is_yet_to_come_proves_nothing(skew: dt.timedelta) -> None:
    party = TrustedKey(name="k", roles=("any",), pem="-", sha256="0" * 64)
    proven = Proven(signer=_signer(), party=party, signed_at=NOW)
    steps = Steps()
    judge_validity(proven, party, TrustFile(keys=(party,)), steps, NOW + skew)
    (step,) = [s for s in steps.taken if s.name == "validity"]
    behind = skew < -dt.timedelta(minutes=5)
    assert step.outcome is (Outcome.UNPROVEN if behind else Outcome.PASSED)
    assert ("set the clock" in step.detail) == behind


def _signer() -> Any:
    from audit_flow.model.signature_facts import SignerFacts

    return SignerFacts(kind="key", name="k", roles=("any",), key_sha256="0" * 64)


@pytest.mark.parametrize("skew", SKEWS)
def test_an_attestation_from_the_future_is_not_taken(skew: dt.timedelta) -> None:
    made = case("PASSED")
    found = made.verify(*made.bundles, at=NOW + skew)
    behind = skew < -dt.timedelta(minutes=5)
    assert (found.outcome == "PASSED") == (not behind)
