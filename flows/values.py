"""What the tasks take and give: frozen values that are JSON, never clients or open files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from audit_flow.model import Claim, Evidence, Frozen, LineageRecord, Publication, Subject, Verdict
from audit_flow.model.base import Sha256Hex, Words

Text = Annotated[str, Field(min_length=1, max_length=4096)]
Repo = Annotated[str, Field(pattern=r"^[\w.-]{1,96}/[\w.-]{1,96}$", description="ORG/NAME")]
Branch = Annotated[str, Field(pattern=r"^[\w./-]{1,200}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s@]{1,2000}$")]
TrackingUri = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\s]*$")]


class Job(Frozen):
    """One release and what it is judged by: paths and names, as the worker sees them."""

    manifest: Text
    policy: Text = "default"
    trust: Text | None = None
    tracking_uri: TrackingUri | None = None


class Signing(Frozen):
    """Who signs, as for ``audit-flow attest``; paths only, so that no secret is a parameter.

    Without any of them the machine's local key signs.
    """

    key: Text | None = None
    password_file: Text | None = None
    certificate: Text | None = None
    sigstore: bool = False
    trust_config: Text | None = None
    pkcs11: Text | None = None

    @property
    def is_chosen(self) -> bool:
        """Whether the operator named an identity of his own."""
        return bool(self.key or self.sigstore or self.pkcs11)


class Destination(Frozen):
    """A branch of a Hub repository, and how it is published to and looked at."""

    repo: Repo
    branch: Branch = "main"
    endpoint: Url | None = None
    stranger_policy: Text = "third-party"
    token_file: Text | None = None
    read_token_file: Text | None = None
    check: Literal["sampled", "full"] | None = None
    replace: bool = False


class Share(Frozen):
    """What one task has hashed, to be handed on: rows of ``audit_flow.digests.HandedDigests``."""

    rows: tuple[tuple[str, str, str], ...] = ()


class Hashed(Frozen):
    """The root digest of the released weights, where they could be read; what tasks handed on."""

    weights_sha256: Sha256Hex | None = None
    handed: Share = Share()


class Measured(Frozen):
    """The runs of one evaluation on the released weights."""

    evidence: tuple[Evidence, ...]


class Gathered(Frozen):
    """What one audit goes by, before anything is linked."""

    subject: Subject
    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]


class Audited(Frozen):
    """A record and the verdict on it."""

    record: LineageRecord
    verdict: Verdict


class Signed(Frozen):
    """An attested verdict: the signer, and each file's text by its name."""

    signer: str
    files: dict[str, str]


class Published(Frozen):
    """What came of a publication; ``statement`` is the signed one, byte for byte."""

    word: Literal["PUBLISHED", "RETRACTED", "NOT RETRACTED", "REFUSED"]
    publication: Publication | None = None
    statement: str | None = None
    repeated: bool = False
    problems: tuple[Words, ...] = ()


NOUNS: dict[str, type[Frozen]] = {noun.__name__: noun for noun in (Measured, Signed, Published)}
