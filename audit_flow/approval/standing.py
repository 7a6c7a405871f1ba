"""What the reviews of one record come to: one standing refusal outweighs every approval."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from audit_flow.approval.entry import Entry
from audit_flow.model import Decided, Frozen, Review

NONE = "none"


class Standing(Frozen):
    """What holds now: each reviewer's last word counts; ``seen`` names the last entry of all."""

    state: Literal["open", "approved", "refused"]
    reviews: tuple[Review, ...] = ()
    seen: str = NONE


def standing(entries: Iterable[Entry], decided: Decided) -> Standing:
    """Return what the entries about exactly these digests come to."""
    about = [e for e in entries if e.review.decided == decided]
    last = {e.review.reviewer: e.review for e in about}
    decisions = {review.decision for review in last.values()}
    state: Literal["open", "approved", "refused"] = "open"
    if decisions:
        state = "refused" if "refuse" in decisions else "approved"
    return Standing(
        state=state,
        reviews=tuple(e.review for e in about),
        seen=about[-1].sha256 if about else NONE,
    )
