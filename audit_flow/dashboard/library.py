"""All stores together: audits listed from memory, each one proven before it is shown."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit_flow.approval import Entry, History, Standing, standing
from audit_flow.approval.decide import decided_on
from audit_flow.dashboard.decisions import Decision, Decisions
from audit_flow.dashboard.proving import Prover
from audit_flow.dashboard.seals import Seal, Seals
from audit_flow.dashboard.settings import Root
from audit_flow.errors import ApprovalError, AuditFlowError, RecordError
from audit_flow.model import Decided
from audit_flow.report.interface import AuditResult
from audit_flow.store.listing import AuditRow
from audit_flow.store.shelf import Shelf

REFRESH_SECONDS = 3.0
_KEPT, _KEPT_SECONDS = 32, 120.0
_REST = 10


class Missing(Exception):
    """Nothing is known under this name."""


@dataclass(frozen=True)
class Audit:
    """One audit that was read and proven; ``root`` is the number of its store, None for none."""

    key: str
    result: AuditResult
    recorded: int
    root: int | None = None

    @property
    def decided(self) -> Decided:
        """The digests that a review of it names."""
        return decided_on(self.result.verdict)


@dataclass(frozen=True)
class Newer:
    """A later audit of a release, as the index tells of it; ``proof``: is that word proven."""

    key: str
    outcome: str
    recorded: int
    proof: str


@dataclass
class _Place:
    root: Root
    shelf: Shelf
    history: History
    decisions: Decisions
    problem: str = ""


class Library:
    """The audits and reviews of every store; safe to use from several threads."""

    def __init__(self, roots: Iterable[Root], seals: Seals) -> None:
        self.seals = seals
        self._places = [self._place(root) for root in roots]
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Audit]] = OrderedDict()
        self._visiting: dict[str, Audit] = {}
        self._stop = threading.Event()
        self.prover = Prover(self.audit)

    def start(self) -> None:
        """List the stores now and from time to time, beside the requests."""
        threading.Thread(target=self._keep_fresh, name="audit-index", daemon=True).start()
        prove, stop = self.prover.run, (self._stop,)
        threading.Thread(target=prove, args=stop, name="audit-proof", daemon=True).start()

    def stop(self) -> None:
        """End the listing."""
        self._stop.set()

    @property
    def is_ready(self) -> bool:
        """Whether every store has been listed once, or has said why it can't be."""
        return all(p.shelf.complete or p.problem for p in self._places)

    @property
    def problems(self) -> tuple[str, ...]:
        """What keeps a store from being read."""
        return tuple(p.problem for p in self._places if p.problem)

    @property
    def altered(self) -> tuple[str, ...]:
        """What is wrong with histories of reviews: an edited one is told on every list."""
        return tuple(
            dict.fromkeys(p.decisions.problem for p in self._places if p.decisions.problem)
        )

    @property
    def stores(self) -> tuple[str, ...]:
        """Where the stores are, without passwords."""
        return tuple(p.shelf.location.shown for p in self._places)

    def rows(self) -> list[AuditRow]:
        """Return every audit as it is listed, newest first."""
        found = [row for place in self._places for row in place.shelf.rows]
        return sorted(found, key=lambda row: (-row.recorded, row.run_id))

    def audit(self, key: str, *, again: bool = False) -> Audit:
        """Return an audit, proven lately, or just now with ``again``.

        Raises Missing for one that is not there, RecordError for one that is not as it was written.
        """
        with self._lock:
            if key in self._visiting:
                return self._visiting[key]
            at, kept = self._kept.get(key, (0.0, None))
        if kept is not None and not again and time.monotonic() - at < _KEPT_SECONDS:
            return kept
        number, row = self._find(key)
        try:
            record, verdict = self._places[number].shelf.read(key)
        except RecordError:
            self.prover.told(key, "altered")
            raise
        self.prover.told(key, "proven")
        audit = Audit(key, AuditResult(record=record, verdict=verdict), row.recorded, number)
        with self._lock:
            self._kept[key] = (time.monotonic(), audit)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return audit

    def visit(self, audits: Mapping[str, Audit]) -> None:
        """Show these audits too, which stand in no store (verifications of this session)."""
        with self._lock:
            self._visiting = dict(audits)

    def of_release(self, key: str) -> list[AuditRow]:
        """Return the audits of the release that this audit is of, newest first."""
        with self._lock:
            if key in self._visiting:
                return []
        number, row = self._find(key)
        same = [r for r in self._places[number].shelf.rows if r.release == row.release]
        return sorted(same, key=lambda r: (-r.recorded, r.run_id))

    def newer(self, audit: Audit) -> Newer | None:
        """Return the newest audit of the same release, where it says something else than this."""
        first = next(iter(self.of_release(audit.key)), None)
        if first is None or first.run_id == audit.key:
            return None
        verdict = audit.decided.verdict_sha256
        if (first.record_sha256, first.verdict_sha256) == (audit.decided.record_sha256, verdict):
            return None
        self.prover.want([first.run_id])
        proof = self.prover.state(first.run_id) or "unread"
        return Newer(first.run_id, first.outcome, first.recorded, proof)

    def newest(self, audit: Audit) -> Decided | None:
        """Return the digests of the release's newest audit, listed just now, or None for itself."""
        if audit.root is None:
            return None
        self._places[audit.root].shelf.refresh(since=audit.recorded)
        first = self.of_release(audit.key)[0]
        if first.run_id == audit.key:
            return None
        return self.audit(first.run_id, again=True).decided

    def history(self, audit: Audit) -> History:
        """Return where an audit's reviews go; raises ApprovalError for one of no store."""
        if audit.root is None:
            raise ApprovalError(
                "a verification that is kept in no store",
                expected="an audit that was recorded",
                remedy="Record it with `audit-flow audit` and review that",
            )
        return self._places[audit.root].history

    def standing(self, audit: Audit) -> Standing:
        """Return what the reviews of an audit come to; raises ApprovalError for altered history."""
        if audit.root is None:
            return Standing(state="open")
        entries = self._places[audit.root].history.read()
        row = self._places[audit.root].shelf.row(audit.key)
        told = row.reviewed_sha256 if row else ""
        if told and told not in {e.sha256 for e in entries}:
            raise ApprovalError(
                "the index names a review that the history does not hold",
                expected=f"a review with sha256 {told[:64]}",
                remedy="Find out who edited the history and restore it from a copy",
            )
        self.seals.require(e for e in entries if e.review.decided == audit.decided)
        return standing(entries, audit.decided)

    def about(self, audit: Audit) -> tuple[tuple[Entry, Seal], ...]:
        """Return the reviews of an audit with what their signatures come to, oldest first."""
        if audit.root is None:
            return ()
        entries = self._places[audit.root].history.read()
        about = (e for e in entries if e.review.decided == audit.decided)
        return tuple((entry, self.seals.of(entry)) for entry in about)

    def folder(self, audit: Audit) -> Path | None:
        """Return the folder of an audited release, where its store lies in it."""
        root = None if audit.root is None else self._places[audit.root].root
        return root.folder.parent if root and root.tracking_uri is None else None

    def decision(self, row: AuditRow) -> Decision:
        """Say what the reviews of a listed audit come to, by the digests that the index names."""
        for place in self._places:
            if place.shelf.row(row.run_id) is not None:
                return place.decisions.of(row)
        return "open"

    def told(self, row: AuditRow) -> dict[str, str]:
        """Say of a listed audit how far it is proven, and what its reviews come to."""
        decision = self.decision(row)
        return {
            "proof": self.prover.state(row.run_id) or "unread",
            "review": "none" if decision == "open" else decision,
        }

    def reviews(self) -> list[tuple[str, Entry]]:
        """Return every review with its store, newest first; raises ApprovalError."""
        folders = {p.root.reviews: p for p in self._places}
        found = [
            (p.shelf.location.shown, entry) for p in folders.values() for entry in p.history.read()
        ]
        return sorted(found, key=lambda pair: pair[1].review.time, reverse=True)

    def note_review(self, audit: Audit, entry: Entry) -> str:
        """Tell the index of a review; returns what went wrong, the review itself being kept."""
        if audit.root is None:
            return ""
        try:
            plain: dict[str, Any] = entry.review.plain()
            self._places[audit.root].shelf.note_review(audit.key, entry.sha256, plain)
        except AuditFlowError as error:
            return str(error)
        return ""

    def refresh(self) -> None:
        """List every store once; what goes wrong is kept to be shown."""
        for place in self._places:
            try:
                place.shelf.refresh()
                place.problem = ""
            except AuditFlowError as error:
                place.problem = str(error)

    def _place(self, root: Root) -> _Place:
        history = History(root.reviews)
        shelf = Shelf(root.tracking_uri, root.folder)
        return _Place(root, shelf, history, Decisions(history, self.seals))

    def _find(self, key: str) -> tuple[int, AuditRow]:
        for _ in range(2):
            for number, place in enumerate(self._places):
                row = place.shelf.row(key)
                if row is not None:
                    return number, row
            if self.is_ready:
                break
            self.refresh()
        raise Missing(key)

    def _keep_fresh(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            self.refresh()
            # A large store is listed less often, so that visitors are not kept waiting.
            self._stop.wait(max(REFRESH_SECONDS, _REST * (time.monotonic() - began)))
