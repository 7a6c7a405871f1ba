"""What others have published about a release: findings by named parties, and served rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from audit_flow.model.base import Count, Frozen, ShortText, Words
from audit_flow.model.claim import Unit
from audit_flow.model.evidence_base import EvidenceBase

Says = Literal[
    "contradicts",
    "mixed",
    "suggests",
    "not-comparable",
    "supports",
    "differs-slightly",
    "corrects",
    "admits",
    "contests",
    "refutes",
    "informs",
    "unclear",
]
Relation = Literal["claimant", "third-party", "unknown"]
Basis = Literal["repeatable", "measured", "statement"]
Standing = Literal["open", "admitted", "disputed", "withdrawn"]
Share = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=40)]


class PublishedScore(Frozen):
    """A score that somebody else published, in ``unit``."""

    value: Share
    unit: Unit
    n_items: Count | None = None


class PublishedFinding(EvidenceBase):
    """One finding about claims of a release: who published it, where, and what it says.

    ``claims`` are ids of claims; none means the release as a whole. ``basis`` tells a fact that
    anybody can look up again (bytes, counts, published texts) from a measurement and from mere
    words; ``standing`` whether it was admitted, disputed or withdrawn since; ``weights`` what was
    measured, as far as it says; ``conditions_differ`` what is known to differ from the claim.
    """

    kind: Literal["published-finding"] = "published-finding"
    name: ShortText
    claims: tuple[ShortText, ...] = ()
    by: ShortText
    relation: Relation
    says: Says
    basis: Basis
    standing: Standing = "open"
    statement: Words
    score: PublishedScore | None = None
    weights: Literal["released", "other", "unknown"] = "unknown"
    conditions_differ: tuple[ShortText, ...] = ()
    published: ShortText


class ServedMeasure(Frozen):
    """One measurement of one provider, in ``unit``; ``at_least`` says that the value is a bound.

    ``limit`` is what it must reach, or with ``lower_is_better`` not exceed, from repeated runs of
    the reference; ``right`` of ``asked`` are the counts behind the value, where they are stated.
    """

    name: ShortText
    unit: Literal["percent", "other"] = "percent"
    lower_is_better: bool = False
    value: Share | None = None
    at_least: bool = False
    right: Count | None = None
    asked: Count | None = None
    limit: Share | None = None


class ServedRow(EvidenceBase):
    """A provider that serves a model, as somebody measured it against the publisher's own."""

    kind: Literal["served-row"] = "served-row"
    name: ShortText
    by: ShortText
    reference: bool = False
    measures: tuple[ServedMeasure, ...]
    published: ShortText
