"""What is to be published, where, on what terms, and what came of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from audit_flow.model import Policy, Publication, PublishTerms, TrustFile
from audit_flow.report.interface import AuditResult
from audit_flow.signing.signer import Signer
from audit_flow.sources.manifest import Release

# What is under way, in words; bytes done and of how many, 0 where that is not known.
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Target:
    """A branch of a model repository on a Hub."""

    endpoint: str
    repo: str
    branch: str = "main"

    def __str__(self) -> str:
        return f"{self.repo}@{self.branch}"


@dataclass(frozen=True)
class Tokens:
    """``write`` uploads; ``read`` fetches back what is private. Neither is ever shown."""

    write: str = field(repr=False)
    read: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SignedVerdict:
    """Attestations that were made before, by file name, and whose signatures count."""

    bundles: Mapping[str, bytes]
    trust: TrustFile


@dataclass(frozen=True)
class Order:
    """What the operator asks for.

    ``staging`` marks a place to try, which need not be the manifest's ``hub_id``.
    ``policy`` judges before the upload, ``stranger`` after it; ``signed`` is a verdict that was
    signed before: without one, the verdict reached now is signed by ``signer``. ``replace`` takes
    """

    release: Release
    policy: Policy
    stranger: Policy
    signer: Signer
    target: Target
    tokens: Tokens
    terms: PublishTerms = field(default_factory=PublishTerms)
    signed: SignedVerdict | None = None
    replace: bool = False
    start: str | None = None
    staging: bool = False
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    ``result`` is what was judged before; ``publication`` is None where nothing was written.
    ``repeated`` says that it had been published before, ``signed`` is the statement about it.
    """

    word: Literal["PUBLISHED", "RETRACTED", "NOT RETRACTED", "REFUSED"]
    result: AuditResult
    publication: Publication | None = None
    signed: bytes | None = None
    repeated: bool = False
    problems: tuple[str, ...] = ()


def silent(words: str, done: int, of: int) -> None:
    """Tell nobody."""
    del words, done, of
