"""Publishing: the gate, then one commit, then a stranger's look; or first all of that elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from audit_flow.errors import InputError
from audit_flow.publish.contents import contents
from audit_flow.publish.gate import clear, refused
from audit_flow.publish.hub_reader import HubReader
from audit_flow.publish.interface import Order, Outcome, Target, Tell, Tokens, silent
from audit_flow.publish.journal import State
from audit_flow.publish.rehearsal import rehearse
from audit_flow.publish.session import Session
from audit_flow.report.interface import AuditResult

Audit = Callable[[], AuditResult]


def look_at_target(target: Target, tokens: Tokens, named: str | None = None) -> str:
    """Return the head of the branch that is to be published to; only reads.

    ``named`` is the repository that the manifest speaks of. Raises MissingEvidence where there is
    no such branch or the token may not see it, InputError for another repository than the one that
    is named, and for a private one without a token for the stranger's look.
    """
    _meant_for(named, target.repo)
    reader = HubReader(target, tokens)
    reader.stranger_token()
    head = reader.head()
    head.http.close()
    return head.commit


def publish(order: Order, audit: Audit, home: Path, tell: Tell = silent) -> Outcome:
    """Judge a release and publish it; nothing is asked of the Hub before the gate is open.

    ``home`` is the operator's state folder. Raises AttestationError for a signed verdict that is
    not about this release as it is now, PublishError where nothing was uploaded or nobody could
    look, InputError for what the operator wrote wrongly.
    """
    _meant_for(None if order.staging else order.release.manifest.release.hub_id, order.target.repo)
    # 1. Judge.
    tell("judging", 0, 0)
    result = audit()
    if (shut := refused(order, result)) is not None:
        return Outcome("REFUSED", shut)
    # 2. A signed verdict on this record, these files, this policy.
    cleared = clear(order, result)
    # 3. The files as they lie here now.
    tell("hashing", 0, 0)
    files = contents(order.release, cleared)
    # 4. What a stranger will say of them: better before than after.
    tell("judging as a stranger will", 0, 0)
    foreseen = rehearse(order, files)
    if foreseen is not None and foreseen.verdict.outcome == "FAILED":
        return Outcome("REFUSED", foreseen)
    # 5. The branch, held alone.
    state = State.of(home, order.target)
    with state.alone():
        session = Session(order, cleared, files, state, tell)
        try:
            return session.run()
        finally:
            session.writer.close()


def _meant_for(named: str | None, repo: str) -> None:
    """Refuse a repository that the manifest, and so the signed verdict, does not speak of."""
    if named is not None and named != repo:
        raise InputError(
            f"a release of {named} for {repo}", expected=f"the repository {named}",
            remedy="Correct release.hub_id in the manifest, or publish to the repository it names",
        )  # fmt: skip


def publish_staged(
    order: Order, staging: Target, audit: Audit, home: Path, tell: Tell = silent
) -> Outcome:
    """Publish to a staging place, look at it there, and only then to the order's own target.

    ``staging`` is another repository, or a branch of the same one, which is made from the target's
    where it is missing. Raises what ``publish`` raises.
    """
    tell(f"staging: {staging}", 0, 0)
    start = order.target.branch if staging.repo == order.target.repo else None
    there = replace(order, target=staging, start=start, staging=True)
    staged = publish(there, audit, home, tell)
    if staged.word != "PUBLISHED":
        return staged
    tell(f"promoting to {order.target}", 0, 0)
    return publish(order, lambda: staged.result, home, tell)
