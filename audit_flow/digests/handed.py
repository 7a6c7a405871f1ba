"""Digests that one machine hands to another, so that a shared file is read by one of them alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from audit_flow.digests.cache import DigestCache, content_of, restored, slot_of
from audit_flow.digests.opening import Identity, OpenFile
from audit_flow.digests.plan import FileDigests, FilePlan

Row = tuple[str, str, str]
"""What was asked of which file, the state that the file was in, and what was found: JSON each."""


class HandedDigests(DigestCache):
    """A cache that also knows digests from elsewhere, and tells its own to be handed on.

    A row holds for one state of one file: resolved path, inode, size, mtime and ctime. The device
    is left out, because each machine numbers a shared disk in its own way; a machine that sees
    another inode or time reads the file again. Rows are believed as their sender is.
    """

    def __init__(
        self,
        directory: Path,
        rows: Iterable[Row] = (),
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(directory, clock=clock)
        self._rows = {slot: (state, content) for slot, state, content in rows}

    @property
    def rows(self) -> tuple[Row, ...]:
        """All that is known of files that are at rest, to be handed on."""
        return tuple((slot, *row) for slot, row in sorted(self._rows.items()))

    def find(self, plan: FilePlan, file: OpenFile) -> FileDigests | None:
        """Return what was handed over or kept for exactly this state of the file."""
        handed = self._rows.get(slot_of(plan, file))
        if handed is not None and handed[0] == _state(file.identity):
            return restored(plan, handed[1])
        found = super().find(plan, file)
        if found is not None:
            self._note(plan, file, found)
        return found

    def keep(self, found: Iterable[tuple[FilePlan, OpenFile, FileDigests]]) -> None:
        """Keep results here, and know them; files touched just now are left out."""
        items = list(found)
        for plan, file, digests in items:
            if self.is_settled(file.identity):
                self._note(plan, file, digests)
        super().keep(items)

    def _note(self, plan: FilePlan, file: OpenFile, found: FileDigests) -> None:
        self._rows[slot_of(plan, file)] = (_state(file.identity), content_of(found))


def _state(identity: Identity) -> str:
    known = asdict(identity)
    del known["device"]
    return json.dumps(known, sort_keys=True)
