"""What every noun has in common: frozen, typed, nothing extra, and one canonical JSON form."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import rfc8785
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Sha256Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Md5Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}(\.dir)?$")]
RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
ShortText = Annotated[str, StringConstraints(max_length=10_000)]


# Whole numbers that RFC 8785 can write: no more than a double holds exactly.
Count = Annotated[int, Field(ge=0, lt=2**53)]
MAX_WORDS = 10_000


def _clip(value: Any) -> Any:
    too_long = isinstance(value, str) and len(value) > MAX_WORDS
    return f"{value[: MAX_WORDS - 1]}…" if too_long else value


# What people read: cut off where hostile evidence makes it endless, never a reason to break down.
Words = Annotated[str, BeforeValidator(_clip), StringConstraints(max_length=MAX_WORDS)]


class Frozen(BaseModel):
    """A value: it can't be changed, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def plain(self) -> dict[str, Any]:
        """Return the JSON form: decimals as strings, tuples as lists, no empty optional fields."""
        return self.model_dump(mode="json", exclude_none=True)


def canonical_json(value: Any) -> bytes:
    """Return RFC 8785 (JCS) bytes of a noun or of plain JSON data.

    Raises ValueError for what it can't write: whole numbers beyond 2^53, halves of characters.
    """
    try:
        return rfc8785.dumps(value.plain() if isinstance(value, Frozen) else value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"no canonical JSON: {str(error)[:200]}") from error


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def content_digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of a noun."""
    return sha256_hex(canonical_json(value))
