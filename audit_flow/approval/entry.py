"""One line of the history of reviews: canonical JSON that names the digest of the line before."""

from __future__ import annotations

import base64
from typing import Any, Final, Literal

from pydantic import ValidationError

from audit_flow.digests.strict_json import load_strict
from audit_flow.errors import ApprovalError
from audit_flow.model import Frozen, Review, canonical_json, sha256_hex
from audit_flow.model.base import Sha256Hex

START: Final = "0" * 64
MAX_LINE: Final = 1_000_000


class Entry(Frozen):
    """A review with its place in the history; ``signature`` is a bundle, byte for byte, base64."""

    schema_version: Literal["audit-flow/review-entry/v1"] = "audit-flow/review-entry/v1"
    number: int
    previous: Sha256Hex
    review: Review
    signature: str | None = None

    @property
    def line(self) -> bytes:
        """The canonical line without its line feed."""
        return canonical_json(self)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the line: what the next entry names."""
        return sha256_hex(self.line)

    @property
    def bundle(self) -> bytes | None:
        """The signature's bundle, where the entry was signed."""
        return base64.b64decode(self.signature) if self.signature else None


def parse_entry(line: bytes, number: int, previous: str, where: str) -> Entry:
    """Return the entry of one line, proven to be in its place; raises ApprovalError."""
    try:
        entry = Entry.model_validate_json(line)
        proven = entry.line == line and entry.number == number and entry.previous == previous
    except (ValidationError, ValueError) as error:
        raise altered(where, number, f"can't be read ({type(error).__name__})") from error
    if not proven:
        raise altered(where, number, "is not the line that was written there")
    return entry


def altered(where: str, number: int, what: str) -> ApprovalError:
    """Return the error that says that the history is not as it was written."""
    return ApprovalError(
        f"review {number} {what}",
        expected="the history of reviews as it was written",
        where=where,
        remedy="Find out who edited it and restore it from a copy; no decision is taken till then.",
    )


def statement_of(review: Review) -> bytes:
    """Return the in-toto statement that is signed: the digests as subjects, the review beside."""
    from audit_flow.signing import PREDICATES, in_toto

    decided = review.decided
    named = [("record", decided.record_sha256), ("verdict", decided.verdict_sha256)]
    named += [("policy", decided.policy_sha256)]
    named += [("weights", decided.subject_sha256)] if decided.subject_sha256 else []
    return in_toto(named, f"{PREDICATES}/review/v1", review.plain())


def head_line(number: int, digest: str) -> bytes:
    """Return the content of the file that names the last entry."""
    return canonical_json({"number": number, "sha256": digest}) + b"\n"


def parse_head(data: bytes) -> tuple[int, str]:
    """Return number and digest of the last entry that was written whole; raises ValueError."""
    content: Any = load_strict(data)
    number, digest = content["number"], content["sha256"]
    if not isinstance(number, int) or not isinstance(digest, str):
        raise TypeError("no head")
    return number, digest
