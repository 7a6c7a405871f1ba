"""Proving what a list shows, beside the requests: its rows are the index's word until then."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Literal

from audit_flow.errors import AuditFlowError

State = Literal["", "proven", "altered"]
_MOST_KEPT, _MOST_WAITING = 20_000, 500
_PAUSE_SECONDS = 0.05


class Prover:
    """Reads audits one after another and remembers which are as they were written.

    ``read`` raises AuditFlowError for one that is not.
    """

    def __init__(self, read: Callable[[str], object]) -> None:
        self._read = read
        self._known: OrderedDict[str, State] = OrderedDict()
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._wake = threading.Event()
        self._lock = threading.Lock()

    def state(self, key: str) -> State:
        """Return what is known of an audit; an empty text says that it was not read yet."""
        with self._lock:
            return self._known.get(key, "")

    def want(self, keys: Iterable[str]) -> None:
        """Prove these before all others."""
        with self._lock:
            for key in keys:
                if self._known.get(key) != "proven":
                    self._waiting[key] = None
                    self._waiting.move_to_end(key, last=False)
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem()
        self._wake.set()

    def told(self, key: str, state: State) -> None:
        """Remember what came of reading an audit."""
        with self._lock:
            self._known[key] = state
            while len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)

    def run(self, stop: threading.Event) -> None:
        """Prove what is wanted until stopped."""
        while not stop.is_set():
            with self._lock:
                key = self._waiting.popitem(last=False)[0] if self._waiting else None
            if key is None:
                self._wake.wait(1.0)
                self._wake.clear()
                continue
            try:
                self._read(key)
            except AuditFlowError:
                self.told(key, "altered")
            except Exception:  # noqa: S110 - gone meanwhile: nothing is known of it
                pass
            # Visitors come first.
            stop.wait(_PAUSE_SECONDS)
