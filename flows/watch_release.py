"""Looking at a published repository again and again: an alarm when files, card or claims moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow, task

from audit_flow.attestation.stored import parse
from audit_flow.cli.writing import write_whole
from audit_flow.errors import EvidenceError
from audit_flow.model import (
    Frozen,
    HubListing,
    LineageRecord,
    Verdict,
    canonical_json,
    sha256_hex,
)
from audit_flow.model.hub_facts import CommitId
from audit_flow.reproduce.evidence_store import state_home
from audit_flow.sources.folder import MIB, Folder
from audit_flow.verify.watching import Change, changes
from flows.caching import FRESH
from flows.runner import task_runner
from flows.shown import show
from flows.states import passed, shut, tell, tell_gate
from flows.values import Audited, Repo, Text, Url
from flows.verify_release import verify_task

_MAX_BYTES = 512 * MIB


class Watched(Frozen):
    """A published repository as it is now, beside how it was."""

    repo: str
    commit: CommitId
    audited: Audited
    since: CommitId | None = None
    changes: tuple[Change, ...] = ()


@task(name="compare", **FRESH)
def compare_task(repo: str, now: Audited, place: str, accept: str | None) -> Watched:
    """Hold a look against the kept one; the first look, or one that is accepted, is kept."""
    commit = _commit(now.record)
    before = _kept(Path(place))
    if before is None or accept == commit:
        _keep(Path(place), now)
        return Watched(repo=repo, commit=commit, audited=now)
    found = changes(before.record, now.record, (before.verdict, now.verdict))
    return Watched(
        repo=repo, commit=commit, audited=now, since=_commit(before.record), changes=found
    )


def _commit(record: LineageRecord) -> str:
    for listing in record.of(HubListing):
        return listing.commit
    raise EvidenceError("a look without a listing", expected="the files of one commit")


def _kept(place: Path) -> Audited | None:
    if not (place / "record.json").is_file():
        return None
    folder = Folder.at(place)
    record = parse(LineageRecord, folder.read("record.json", _MAX_BYTES), "record.json")
    verdict = parse(Verdict, folder.read("verdict.json", _MAX_BYTES), "verdict.json")
    return Audited(record=record, verdict=verdict)


def _keep(place: Path, now: Audited) -> None:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(place / "verdict.json", canonical_json(now.verdict).decode())
    write_whole(place / "record.json", canonical_json(now.record).decode())


@flow(name="watch-release", persist_result=False, task_runner=task_runner())
def watch_release(
    repo: Repo,
    revision: Text = "main",
    policy: Text = "third-party",
    endpoint: Url | None = None,
    trust: Text | None = None,
    accept: Text | None = None,
) -> State[Any]:
    """Verify a repository again, and hold it against the first look.

    Ends Failed and named Moved when files, card, claims or the verdict are others than they were,
    at every look until a person names the new commit in ``accept``; Failed and named Blocked when
    it contradicts itself.
    """
    now = verify_task(repo, revision, policy, endpoint, trust)
    who = sha256_hex(f"{endpoint or ''}\0{repo}\0{revision}\0{policy}".encode())[:32]
    seen = compare_task(repo, now, str(state_home() / "watched" / who), accept)
    show(now)
    if seen.changes:
        return _moved(seen)
    if now.verdict.outcome == "FAILED":
        tell_gate(now.verdict)
        return shut("Blocked", f"{repo}@{seen.commit} is contradicted by its own files")
    tell("watch.unchanged", repo, commit=seen.commit)
    return passed(f"{repo}@{seen.commit}: as it was")


def _moved(seen: Watched) -> State[Any]:
    words = [c.in_words for c in seen.changes]
    tell(
        "watch.moved", seen.repo, commit=seen.commit, since=seen.since or "",
        files=_count(seen.changes, "file"), card=_count(seen.changes, "card"),
        claims=_count(seen.changes, "claim"), changes=[w[:300] for w in words[:50]],
    )  # fmt: skip
    head = f"{seen.repo} moved from {seen.since} to {seen.commit}"
    return shut("Moved", f"{head}: {'; '.join(w[:200] for w in words[:5])}")


def _count(found: tuple[Change, ...], what: str) -> int:
    return sum(1 for c in found if c.what == what)
