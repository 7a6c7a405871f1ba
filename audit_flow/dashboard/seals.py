"""What the signatures beside reviews and publications come to, under whom the operator trusts."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from audit_flow.approval import Entry
from audit_flow.approval.entry import statement_of
from audit_flow.errors import ApprovalError, AuditFlowError
from audit_flow.model import Outcome, TrustFile
from audit_flow.signing import verify_bundle
from audit_flow.signing.bundle import parse_bundle
from audit_flow.signing.dsse import Envelope

REVIEW_ROLE: Final = "review"
PUBLICATION_ROLE: Final = "verdict"
_KEPT, _SECONDS = 5_000, 600


@dataclass(frozen=True)
class Seal:
    """A signature as it was judged just now; ``by`` names a signer that is known.

    ``holds``: by somebody trusted. ``unknown``: about these very words, by nobody known here.
    ``broken``: about other words, or by none of those who are trusted. ``none``: not signed.
    """

    state: Literal["holds", "unknown", "broken", "none"]
    by: str = ""
    why: str = ""

    @property
    def tone(self) -> str:
        """How it is coloured."""
        return {"holds": "pass", "unknown": "open", "broken": "fail", "none": "open"}[self.state]

    @property
    def words(self) -> str:
        """What is told of it, in a few words."""
        return {
            "holds": f"signed by {self.by}, verified",
            "unknown": "signed, by nobody who is known here",
            "broken": "the signature does not hold",
            "none": "not signed",
        }[self.state]

    def plain(self) -> dict[str, str]:
        """Return JSON data."""
        return {"state": self.state, "by": self.by, "why": self.why}


UNSIGNED: Final = Seal("none", why="nothing but the chain of lines holds it")


def seal_of(raw: bytes | None, payload: bytes, trust: TrustFile, role: str) -> Seal:
    """Judge a bundle that must be over exactly these bytes, by somebody trusted for a role."""
    if raw is None:
        return UNSIGNED
    try:
        content = parse_bundle(raw, "signature").content
        if not isinstance(content, Envelope) or content.payload != payload:
            return Seal("broken", why="it is over other words than those that stand here")
        found = verify_bundle(raw, trust, role=role)
    except AuditFlowError as error:
        return Seal("broken", why=str(error))
    why = "; ".join(f"{s.name}: {s.detail}" for s in found.steps if s.outcome is found.outcome)
    if found.outcome is Outcome.FAILED:
        return Seal("broken", why=why)
    if found.outcome is not Outcome.PASSED or found.signer is None:
        return Seal("unknown", why=why)
    return Seal("holds", by=found.signer.in_words)


class Seals:
    """The seals of reviews, each judged once in ten minutes.

    ``own`` holds the key that this dashboard signs with: what others signed is judged by ``trust``
    alone, and known to nobody where that names nobody.
    """

    def __init__(self, trust: TrustFile, own: TrustFile) -> None:
        self._trust, self._own = trust, own
        self._known: OrderedDict[tuple[str, int], Seal] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, entry: Entry) -> Seal:
        """Return what the signature of one review comes to."""
        # A key may expire while the dashboard runs.
        name = (entry.sha256, int(time.time() // _SECONDS))
        with self._lock:
            known = self._known.get(name)
        if known is not None:
            return known
        found = self._judged(entry)
        with self._lock:
            self._known[name] = found
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found

    def require(self, entries: Iterable[Entry]) -> None:
        """Raise ApprovalError for a review whose signature does not hold."""
        for entry in entries:
            seal = self.of(entry)
            if seal.state == "broken":
                raise ApprovalError(
                    f"the signature of review {entry.number} does not hold: {seal.why}",
                    expected="reviews as they were signed, by somebody in the trust file",
                    remedy="Find out who edited it; no decision is taken till then",
                )

    def _judged(self, entry: Entry) -> Seal:
        try:
            raw = entry.bundle
        except ValueError:
            return Seal("broken", why="it can't be read")
        payload = statement_of(entry.review)
        found = seal_of(raw, payload, self._trust, REVIEW_ROLE)
        if found.state in {"holds", "none"}:
            return found
        ours = seal_of(raw, payload, self._own, REVIEW_ROLE)
        return ours if ours.state == "holds" else found
