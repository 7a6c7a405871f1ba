"""One store, kept open: its audits listed from memory, each audit proven when it is read."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from audit_flow.errors import RecordError
from audit_flow.model import LineageRecord, Verdict
from audit_flow.store import library, listing, reader
from audit_flow.store.listing import REVIEW_TAG, AuditRow
from audit_flow.store.location import Location, client_for, locate

# An audit appears when it is complete, which is later than the time it carries.
_OVERLAP_MS = 3_600_000
_WHOLE_AGAIN_SECONDS = 600.0


class Shelf:
    """The audits of one tracking store; safe to use from several threads.

    ``default_root`` is where audits lie without ``tracking_uri``, as for ``record_audit``.
    """

    def __init__(
        self, tracking_uri: str | None, default_root: Path, experiment: str = "audit-flow"
    ) -> None:
        self._location = locate(tracking_uri, default_root)
        self._experiment = experiment
        self._client: Any = None
        self._opening = threading.Lock()
        self._listing = threading.Lock()
        self._rows: dict[str, AuditRow] = {}
        self._whole_at = float("-inf")
        self.complete = False

    @property
    def location(self) -> Location:
        """Where the store is; ``location.shown`` holds no password."""
        return self._location

    @property
    def rows(self) -> tuple[AuditRow, ...]:
        """The audits as last listed, in no order."""
        return tuple(self._rows.values())

    def row(self, run_id: str) -> AuditRow | None:
        """Return one audit as last listed."""
        return self._rows.get(run_id)

    def refresh(self, since: int | None = None) -> None:
        """List what is new, and from time to time everything; raises RecordError.

        With ``since``, a time in milliseconds, exactly the audits from then on are listed again.
        """
        with self._listing, self._told("listing the audits"):
            client = self._open()
            if client is None:
                self._rows, self.complete = {}, True
                return
            old = time.monotonic() - self._whole_at > _WHOLE_AGAIN_SECONDS
            if since is None and (old or not self.complete):
                self._list_all(client)
                return
            if since is None:
                newest = max((row.recorded for row in self._rows.values()), default=0)
                since = max(newest - _OVERLAP_MS, 0)
            fresh = {r.run_id: r for r in listing.rows(client, self._experiment, since)}
            kept = {i: r for i, r in self._rows.items() if r.recorded < since}
            self._rows = {**kept, **fresh}

    def read(self, run_id: str) -> tuple[LineageRecord, Verdict]:
        """Read one audit and prove it, as ``read_audit`` does; raises RecordError."""
        with self._told("reading the audit"):
            client = self._open()
            if client is None:
                raise RecordError(f"there is no store at {self._location.shown}")
            return reader.read_run(client, run_id)

    def note_review(self, run_id: str, entry_sha256: str, review: dict[str, Any]) -> None:
        """Tell the index of a review, for who looks there; raises RecordError."""
        with self._told("noting the review"):
            client = self._open()
            client.set_tag(run_id, REVIEW_TAG, entry_sha256)
            client.set_tag(run_id, "audit.review", f"{review['decision']} by {review['reviewer']}")
            client.log_text(run_id, json.dumps(review, indent=2), f"reviews/{entry_sha256}.json")
            self._rows[run_id] = listing.row_of(client.get_run(run_id))

    def _list_all(self, client: Any) -> None:
        found: dict[str, AuditRow] = {}
        for row in listing.rows(client, self._experiment):
            found[row.run_id] = row
            if not self.complete:
                # What is listed so far can be looked at while the rest is still to come.
                self._rows[row.run_id] = row
        self._rows, self.complete = found, True
        self._whole_at = time.monotonic()

    def _open(self) -> Any:
        sqlite = self._location.sqlite
        if self._client is None and sqlite is not None and not sqlite.exists():
            return None
        with self._opening:
            self._client = self._client or client_for(self._location)
            return self._client

    def _told(self, doing: str) -> Any:
        return library.told(doing, self._location.shown, self._location.password)
