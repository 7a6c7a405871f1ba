"""A person's decision on one audit: it names the digests of what was decided on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, StringConstraints

from audit_flow.model.base import Frozen, Sha256Hex

Decision = Literal["approve", "refuse"]
Reviewer = Annotated[str, StringConstraints(min_length=2, max_length=200, strip_whitespace=True)]
Reason = Annotated[str, StringConstraints(min_length=3, max_length=10_000, strip_whitespace=True)]
SubjectName = Annotated[str, StringConstraints(max_length=1_000)]


class Decided(Frozen):
    """The exact digests that a decision is about; a decision for other digests is another one.

    ``subject_sha256`` is the root digest of the released weights, absent where none were seen.
    """

    record_sha256: Sha256Hex
    verdict_sha256: Sha256Hex
    policy_sha256: Sha256Hex
    subject_sha256: Sha256Hex | None = None


class Review(Frozen):
    """One reviewer's decision, when and why; it changes nothing of the audit that it names."""

    schema_version: Literal["audit-flow/review/v1"] = "audit-flow/review/v1"
    reviewer: Reviewer
    decision: Decision
    reason: Reason
    subject: SubjectName
    decided: Decided
    time: AwareDatetime
