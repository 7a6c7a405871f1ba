"""What reviews come to, for a list: one history is read again only when its files have changed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

from audit_flow.approval import History
from audit_flow.dashboard.seals import Seals
from audit_flow.errors import ApprovalError
from audit_flow.store.listing import AuditRow

Decision = Literal["open", "approved", "refused", "altered"]
_Digests = tuple[str, str, str]


class Decisions:
    """The decisions of one history; ``problem`` says what is wrong with it."""

    def __init__(self, history: History, seals: Seals) -> None:
        self._history = history
        self._seals = seals
        self._mark: object = None
        self._found: dict[_Digests, Decision] = {}
        self._problem = ""
        self._lock = threading.Lock()

    @property
    def problem(self) -> str:
        """What keeps the history from being believed."""
        self._renew()
        return self._problem

    def of(self, row: AuditRow) -> Decision:
        """Return what was decided on the digests of a listed audit."""
        self._renew()
        if self._problem:
            return "altered"
        digests = (row.record_sha256, row.verdict_sha256, row.policy_sha256)
        found = self._found.get(digests, "open")
        # The index knows of a review that the history does not hold.
        return "altered" if found == "open" and row.reviewed_sha256 else found

    def _renew(self) -> None:
        mark = self._now()
        with self._lock:
            if mark == self._mark:
                return
            try:
                self._found, self._problem = self._decided(), ""
            except ApprovalError as error:
                self._found, self._problem = {}, str(error)
            self._mark = mark

    def _decided(self) -> dict[_Digests, Decision]:
        last: dict[_Digests, dict[str, Decision]] = {}
        for entry in self._history.read():
            review, about = entry.review, entry.review.decided
            digests = (about.record_sha256, about.verdict_sha256, about.policy_sha256)
            said: Decision = "refused" if review.decision == "refuse" else "approved"
            broken = self._seals.of(entry).state == "broken"
            name = f"entry {entry.number}" if broken else review.reviewer
            last.setdefault(digests, {})[name] = "altered" if broken else said
        worst: tuple[Decision, ...] = ("altered", "refused", "approved")
        return {
            digests: next(word for word in worst if word in said.values())
            for digests, said in last.items()
        }

    def _now(self) -> object:
        return tuple(_mark(path) for path in (self._history.lines, self._history.head))


def _mark(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return "none"
    return (found.st_mtime_ns, found.st_size, found.st_ino)
