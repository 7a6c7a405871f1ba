"""What can be made to go wrong in the private Sigstore, and when."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Service(StrEnum):
    """A service, by the first part of its path."""

    OIDC = "oidc"
    FULCIO = "api"
    REKOR_V1 = "rekor1"
    REKOR_V2 = "rekor2"
    TSA = "tsa"
    TUF = "tuf"


class HttpFault(StrEnum):
    """A breakdown of the transport: the service itself would have answered rightly."""

    OUTAGE = "the connection is closed without an answer"
    UNANSWERED = "the request is served, and the connection is closed without an answer"
    SERVER_ERROR = "503 with a JSON message"
    TRUNCATED = "half of the announced body, then the connection is closed"
    MALFORMED = "200 with a body that is not of the announced kind"
    SLOW_DRIP = "the body comes a few bytes at a time"
    STALLED = "the connection stays open and nothing comes"


class Lie(StrEnum):
    """A well-formed answer that is not true."""

    CHECKPOINT_BY_STRANGER = "checkpoint signed by a key that no root names"
    CHECKPOINT_OF_OTHER_TREE = "checkpoint over another root hash than the proof's"
    PROOF_OF_OTHER_LEAF = "one hash of the inclusion proof is not the tree's"
    PROMISE_BY_STRANGER = "signed entry timestamp by a key that no root names"
    ENTRY_OF_OTHER_SIGNATURE = "the log's body records another signature than the one sent"
    TIMESTAMP_BY_STRANGER = "timestamp by an authority that no root names"
    TIMESTAMP_OF_OTHER_BYTES = "timestamp over other bytes than those sent"
    TIMESTAMP_AFTER_EXPIRY = "timestamp a day late: after the certificate has expired"
    TIMESTAMP_BEFORE_ISSUE = "timestamp a day early: before the certificate was issued"
    CLOCK_OF_LOG_LATE = "the log's integrated time is a day late"
    CERTIFICATE_EXPIRED = "the certificate had expired an hour before it was issued"
    CERTIFICATE_BY_STRANGER = "certificate of an authority that no root names"
    CERTIFICATE_FOR_TLS = "certificate without the code-signing usage"
    SCT_MISSING = "certificate that no certificate log has seen"
    SCT_BY_STRANGER = "certificate log entry by a key that no root names"
    SCT_OF_OTHER_CERTIFICATE = "certificate log entry over other bytes"


@dataclass
class Faults:
    """The faults now in force; `slow_seconds` is the pause between two drips.

    A stalled connection is held for `stalled_seconds`, then closed. After `left` more requests all
    services are down; with `answer_lost` the last of them is served, and only its answer is lost.
    """

    left: int | None = None
    answer_lost: bool = False
    transport: dict[Service, HttpFault] = field(default_factory=dict)
    lies: set[Lie] = field(default_factory=set)
    slow_seconds: float = 0.05
    stalled_seconds: float = 30.0

    def go_down(self, after: int, *, answer_lost: bool = False) -> None:
        """Serve so many more requests, then none."""
        self.left, self.answer_lost = after, answer_lost

    def clear(self) -> None:
        """End every fault."""
        self.left, self.answer_lost = None, False
        self.transport.clear()
        self.lies.clear()

    def meet(self, service: Service | None) -> HttpFault | None:
        """Return what goes wrong with the next request."""
        if self.left is None:
            return self.transport.get(service) if service else None
        self.left -= 1
        if self.left >= 0:
            return None
        return HttpFault.UNANSWERED if self.left == -1 and self.answer_lost else HttpFault.OUTAGE

    @contextlib.contextmanager
    def broken(self, service: Service, fault: HttpFault) -> Iterator[None]:
        self.transport[service] = fault
        try:
            yield
        finally:
            del self.transport[service]

    @contextlib.contextmanager
    def lying(self, *lies: Lie) -> Iterator[None]:
        self.lies.update(lies)
        try:
            yield
        finally:
            self.lies.difference_update(lies)
