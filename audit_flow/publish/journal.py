"""The journal of publications: written before each step, so that whoever comes next can go on.

::

    $XDG_STATE_HOME/audit-flow/publications/<hub and repository>/<branch>/
        lock
        <id>/journal.json       the plan and how far it came; written before each step
        <id>/stranger/…         what the re-check saw: record, verdict
        <id>/publication.json   what came of it, and the signed statement beside it
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from audit_flow import durable
from audit_flow.errors import EvidenceError, RecordError
from audit_flow.model import (
    Frozen,
    Publication,
    PublicationCheck,
    PublishedFile,
    canonical_json,
    sha256_hex,
)
from audit_flow.model.base import Sha256Hex, ShortText, Words
from audit_flow.model.hub_facts import CommitId
from audit_flow.model.publication import CheckMode, PublicationId
from audit_flow.publish.interface import Target

# What each phase says of the repository: before `committing` nothing in it has changed; in
# `committing` a commit may be there; from `checking` on it is there.
Phase = Literal["judged", "uploading", "committing", "checking", "retracting", "done", "retracted"]
OPEN: tuple[Phase, ...] = ("committing", "checking", "retracting")
_MAX_BYTES = 64 << 20
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


class Event(Frozen):
    """Something that happened, and when."""

    at: ShortText
    what: Words


class Plan(Frozen):
    """One publication as it was decided on, before anything was written.

    ``content_sha256`` is the same for the same files, claims and policy, whenever they are signed.
    ``taken_away`` are files of the repository that the commit deletes, ``kept`` those that stay.
    """

    schema_version: Literal["audit-flow/publication-plan/v1"] = "audit-flow/publication-plan/v1"
    id: PublicationId
    endpoint: ShortText
    repo: ShortText
    branch: ShortText
    parent: CommitId
    title: ShortText
    content_sha256: Sha256Hex
    weights_sha256: Sha256Hex
    record_sha256: Sha256Hex
    policy_sha256: Sha256Hex
    verdict_sha256: Sha256Hex
    files: tuple[PublishedFile, ...]
    taken_away: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    check: CheckMode
    on_mismatch: Literal["revert", "mark"]

    @property
    def marker(self) -> str:
        """What the commit's title begins with, so that it is found again."""
        return f"audit-flow publication {self.id}"

    @property
    def retraction_marker(self) -> str:
        """What the title of the commit begins with that takes it back."""
        return f"audit-flow retraction {self.id}"


class Journal(Frozen):
    """A plan, how far it came, and what happened."""

    schema_version: Literal["audit-flow/publication-journal/v1"] = (
        "audit-flow/publication-journal/v1"
    )
    plan: Plan
    phase: Phase
    commit: CommitId | None = None
    retraction: CommitId | None = None
    published_at: ShortText = ""
    problems: tuple[Words, ...] = ()
    check: PublicationCheck | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class State:
    """The journals of one branch; ``folder`` is the operator's own."""

    folder: Path

    @classmethod
    def of(cls, home: Path, target: Target) -> State:
        """Return the state of a branch below the operator's state folder."""
        hub = sha256_hex(f"{target.endpoint}\0{target.repo}".encode())[:12]
        branch = sha256_hex(target.branch.encode())[:12]
        top = home / "publications" / f"{_safe(target.repo)}-{hub}"
        return cls(top / f"{_safe(target.branch)}-{branch}")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the branch; RecordError while another process on this machine publishes to it."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stream = (self.folder / "lock").open("w")
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RecordError(
                    "another publication to this branch is under way", where=self.folder.name,
                    remedy="Wait until it has ended",
                ) from None  # fmt: skip
            yield

    def journals(self) -> tuple[Journal, ...]:
        """Return every journal of the branch; RecordError for one that can't be read."""
        return tuple(self._read(p) for p in sorted(self.folder.glob("*/journal.json")))

    def commits(self) -> frozenset[str]:
        """Return the commits of this repository, on any branch, that this machine knows as its own.

        Those of publications that were checked, and of retractions.
        """
        branches = (State(p) for p in self.folder.parent.iterdir() if p.is_dir())
        found = [j for b in branches for j in b.journals()]
        done = (j.commit for j in found if j.phase == "done")
        taken_back = (j.retraction for j in found if j.phase == "retracted")
        return frozenset(c for c in (*done, *taken_back) if c)

    def write(self, journal: Journal, what: str, at: dt.datetime, **changes: object) -> Journal:
        """Note that something happened, before or after it, durably; return the new journal."""
        event = Event(at=at.astimezone(dt.UTC).isoformat(timespec="milliseconds"), what=what)
        events = (*journal.events, event)
        changed = Journal.model_validate(
            {**journal.model_dump(), **changes, "events": [e.model_dump() for e in events]}
        )
        self.put(journal.plan.id, {"journal.json": canonical_json(changed)})
        return changed

    def put(self, plan_id: str, files: Mapping[str, bytes], below: str = ".") -> Path:
        """Write files of one publication, each whole or not at all; return their folder."""
        folder = self.folder / plan_id / below
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, data in files.items():
                durable.write(folder / name, data)
            durable.sync(folder.parent)
        except OSError as error:
            raise _unwritable(folder, error) from error
        return folder

    def publication(self, plan_id: str) -> tuple[Publication, bytes] | None:
        """Return what came of a plan with its signed statement, or None before its end."""
        folder = self.folder / plan_id
        try:
            raw = (folder / "publication.json").read_bytes()
            return Publication.model_validate_json(raw), (folder / STATEMENT).read_bytes()
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise _unreadable(folder / "publication.json") from error

    def _read(self, path: Path) -> Journal:
        try:
            with path.open("rb") as stream:
                journal = Journal.model_validate_json(stream.read(_MAX_BYTES))
        except (OSError, ValidationError, EvidenceError) as error:
            raise _unreadable(path) from error
        if journal.plan.id != path.parent.name:
            raise _unreadable(path)
        return journal


STATEMENT = "publication.sigstore.json"


def _safe(name: str) -> str:
    return _NAME.sub("_", name)[:80]


def _unwritable(folder: Path, error: OSError) -> RecordError:
    return RecordError(
        f"can't be written to: {error.strerror}", where=str(folder),
        expected="a state folder of your own", remedy="Set XDG_STATE_HOME to another folder",
    )  # fmt: skip


def _unreadable(path: Path) -> RecordError:
    return RecordError(
        "a journal that this version can't read",
        where=str(path),
        expected="a journal as it was written",
        remedy="Look at the repository's history, and move the file away when you know what it is",
    )
