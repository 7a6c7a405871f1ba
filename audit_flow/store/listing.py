"""Listing audits: what the index says of each, in pages, without opening any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from audit_flow.model import Frozen
from audit_flow.store.entry import COMPLETE

_PAGE = 500
_OUTCOMES = {"PASSED", "FAILED", "INCONCLUSIVE"}
REVIEW_TAG = "audit.review_sha256"


class AuditRow(Frozen):
    """One audit as MLflow's tags tell of it; ``read_audit`` is what proves it.

    ``recorded`` is in milliseconds since 1970; the counts are those of deny-level findings,
    ``reviewed_sha256`` the digest of the last review that was told to the index.
    """

    run_id: str
    name: str
    version: str = ""
    hub_id: str = ""
    outcome: str
    policy: str = ""
    record_sha256: str = ""
    verdict_sha256: str = ""
    policy_sha256: str = ""
    weights_sha256: str = ""
    claims: int = 0
    gaps: int = 0
    passed: int = 0
    failed: int = 0
    unproven: int = 0
    errors: int = 0
    warnings: int = 0
    waivers: int = 0
    recorded: int = 0
    reviewed_sha256: str = ""

    @property
    def open_questions(self) -> int:
        """Findings that are neither shown to hold nor contradicted."""
        return self.unproven + self.errors

    @property
    def release(self) -> tuple[str, str]:
        """What makes two audits audits of one release: where it is published, and its version."""
        return (self.hub_id or self.name, self.version)


def rows(client: Any, experiment: str, since: int = 0) -> Iterator[AuditRow]:
    """Yield the finished, complete audits recorded since a time in milliseconds, oldest first."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return
    clauses = [f"tags.`{COMPLETE}` = 'true'", "attributes.status = 'FINISHED'"]
    clauses += [f"attributes.start_time >= {int(since)}"] if since else []
    page = None
    while True:
        runs = client.search_runs(
            [found.experiment_id],
            " and ".join(clauses),
            max_results=_PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=page,
        )
        yield from (row_of(run) for run in runs)
        page = runs.token
        if not page:
            return


def row_of(run: Any) -> AuditRow:
    """Return what a run's tags say; a count that is no number is zero, an outcome unknown."""
    tags = run.data.tags
    outcome = tags.get("audit.outcome", "")
    return AuditRow(
        run_id=str(run.info.run_id),
        name=tags.get("audit.subject", ""),
        version=tags.get("audit.subject_version", ""),
        hub_id=tags.get("audit.hub_id", ""),
        outcome=outcome if outcome in _OUTCOMES else "unknown",
        policy=tags.get("audit.policy", ""),
        record_sha256=tags.get("audit.record_sha256", ""),
        verdict_sha256=tags.get("audit.verdict_sha256", ""),
        policy_sha256=tags.get("audit.policy_sha256", ""),
        weights_sha256=tags.get("audit.weights_sha256", ""),
        recorded=int(run.info.start_time or 0),
        reviewed_sha256=tags.get(REVIEW_TAG, ""),
        **{field: _count(tags, name) for field, name in _COUNTS.items()},
    )


_COUNTS = {
    "claims": "claims",
    "gaps": "gaps",
    "passed": "PASSED",
    "failed": "FAILED",
    "unproven": "UNPROVEN",
    "errors": "ERROR",
    "warnings": "warnings",
    "waivers": "waivers",
}


def _count(tags: dict[str, str], name: str) -> int:
    text = tags.get(f"audit.count.{name}", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
