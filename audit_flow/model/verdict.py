"""What the gate says: findings, and one verdict over them."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final, Literal

from audit_flow.model.base import Frozen, Sha256Hex, Words
from audit_flow.model.digest import Subject
from audit_flow.model.policy import Level, Waiver

# What a finding got where its rule had nothing to look at: a word, not a field, so that verdicts
# keep their schema.
NOTHING_TO_JUDGE: Final = "nothing to judge"


class Outcome(StrEnum):
    """The outcome of one finding."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNPROVEN = "UNPROVEN"
    ERROR = "ERROR"


class ScoreComparison(Frozen):
    """A claimed score beside its reproduction; every number is in percentage points.

    ``low`` and ``high`` bound the reproduction; ``mdo80`` is the smallest overclaim that would be
    found with 80 % power. ``clustered_stderr`` is the standard error over other items of the kind
    where they come in ``clusters``.
    """

    benchmark: str
    metric: str
    claimed: float
    claimed_as_written: str
    reproduced: float
    low: float
    high: float
    standard_error: float
    difference: float
    p_value: float
    p_adjusted: float
    mdo80: float
    rho: float
    delta: float
    n_items: int | None = None
    runs: int = 1
    clusters: int | None = None
    clustered_stderr: float | None = None
    measured_by: str = ""
    protocol_differences: tuple[str, ...] = ()
    protocol_unknown: tuple[str, ...] = ()


class Finding(Frozen):
    """One rule's answer about one thing, with what it rests on and what to do next."""

    rule: str
    about: str
    outcome: Outcome
    level: Level
    title: str
    message: Words
    expected: Words
    actual: Words
    remedy: Words
    docs: str
    evidence: tuple[str, ...] = ()
    score: ScoreComparison | None = None
    waivable: bool = True
    waiver: Waiver | None = None

    @property
    def applied(self) -> bool:
        """Whether there was something to judge: a pass over nothing shows nothing to hold."""
        return self.outcome is not Outcome.PASSED or self.actual != NOTHING_TO_JUDGE

    @property
    def blocks(self) -> bool:
        """Whether this finding keeps the gate shut."""
        return self.level == "deny" and self.outcome is not Outcome.PASSED and self.waiver is None


class Verdict(Frozen):
    """The answer of the gate about one record under one policy; only PASSED opens the gate."""

    schema_version: Literal["audit-flow/verdict/v1"] = "audit-flow/verdict/v1"
    outcome: Literal["PASSED", "FAILED", "INCONCLUSIVE"]
    subject: Subject
    findings: tuple[Finding, ...]
    policy_name: str
    policy_sha256: Sha256Hex
    record_sha256: Sha256Hex
    unused_waivers: tuple[Waiver, ...] = ()

    @property
    def waived(self) -> tuple[Finding, ...]:
        """The findings that only a waiver lets through."""
        return tuple(f for f in self.findings if f.waiver is not None)

    def counts(self) -> dict[str, int]:
        """Count findings by outcome; warnings that did not pass are counted as such."""
        warned = (f for f in self.findings if f.level == "warn" and f.outcome is not Outcome.PASSED)
        tally = Counter(f.outcome.value for f in self.findings if f.level == "deny")
        return {o.value: tally.get(o.value, 0) for o in Outcome} | {
            "warnings": sum(1 for _ in warned)
        }

    def in_words(self) -> str:
        """The verdict as people say it, waivers counted."""
        return in_words(self.outcome, len(self.waived))


def in_words(outcome: str, waivers: int) -> str:
    """Write an outcome as people say it: a pass with waivers names their number."""
    if outcome == "PASSED" and waivers:
        return f"PASSED with {waivers} waiver{'s' if waivers > 1 else ''}"
    return outcome
