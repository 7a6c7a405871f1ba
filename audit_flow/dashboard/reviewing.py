"""Taking a decision on one audit: for the page and the API alike."""

from __future__ import annotations

from audit_flow.approval import Asked, Entry, NobodyWaits, decide
from audit_flow.dashboard.site import Site
from audit_flow.errors import ApprovalError

NO_IDENTITY = "a decision by somebody who is not known"


def take(site: Site, key: str, asked: Asked, reviewer: str | None) -> Entry:
    """Keep a decision, tell the index and whoever waits; raises ApprovalError and keeps nothing.

    What goes wrong after the decision is kept is remembered under the digest of its entry.
    """
    if reviewer is None:
        raise ApprovalError(
            NO_IDENTITY,
            expected="a reviewer with a token, or one that the reverse proxy names",
            remedy="Start the dashboard with --tokens or --proxy-header",
        )
    # The audit is read and hashed again: what was shown may not be what is there now.
    audit = site.audit(key, again=True)
    history = site.library.history(audit)
    entry = decide(
        asked,
        reviewer,
        audit.result.verdict,
        history,
        newest=site.library.newest(audit),
        signer=site.settings.signer,
    )
    problem = site.library.note_review(audit, entry)
    notes = [f"The index of audits was not told: {problem}"] if problem else []
    site.remember(entry.sha256, (*notes, *_told(site, entry)))
    return entry


def _told(site: Site, entry: Entry) -> list[str]:
    """Resume every flow run that waits for a decision on this record."""
    runs, problem = site.runs(again=True)
    notes = [f"Waiting runs are not known: {problem}"] if problem else []
    resumer = site.settings.resumer or NobodyWaits()
    record = entry.review.decided.record_sha256
    for run in (r for r in runs if r.waits and r.record_sha256 == record):
        try:
            resumer.resume(run.id, entry.review, entry.sha256)
            notes.append(f"The waiting run {run.name} was told and goes on.")
        except ApprovalError as error:
            notes.append(f"The waiting run {run.name} was not told: {error}")
    return notes
