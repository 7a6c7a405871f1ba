"""Who waits for a decision and is told of it: a small port, and the one where nobody waits."""

from __future__ import annotations

from typing import Final, Protocol

from audit_flow.model import Frozen, Review

# A flow run that waits for a review carries this tag, with the record's SHA-256 behind it.
TAG: Final = "audit-flow.record_sha256="


class FlowRun(Frozen):
    """A run of a flow as people follow it; ``record_sha256`` is the record that it waits for."""

    id: str
    name: str
    state: str
    since: str = ""
    record_sha256: str | None = None
    waits: bool = False


class Waiting(Protocol):
    """Knows which runs are under way, and which of them wait for a review."""

    def runs(self) -> tuple[FlowRun, ...]:
        """Return the runs that are not at their end; raises ApprovalError when it can't be told."""


class Resumer(Protocol):
    """Tells a waiting run what was decided; the review in the history is what counts."""

    def resume(self, run_id: str, review: Review, entry_sha256: str) -> None:
        """Hand a decision to a run; raises ApprovalError when it did not arrive."""


class NobodyWaits:
    """The port without an orchestrator: no run is under way, and none is resumed."""

    def runs(self) -> tuple[FlowRun, ...]:
        """Return nothing."""
        return ()

    def resume(self, run_id: str, review: Review, entry_sha256: str) -> None:
        """Do nothing."""
        del run_id, review, entry_sha256
