"""What became of an audit on a Hub: signed statements of publication, and journals on the way.

Both name the digests of record, verdict, policy and weights. Only those that name the very digests
of an audit are shown beside it; whose word a statement is, its seal says.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from audit_flow.dashboard.seals import PUBLICATION_ROLE, Seal, seal_of
from audit_flow.errors import AuditFlowError
from audit_flow.model import Decided, Publication, PublishedFile, TrustFile
from audit_flow.model.publication import PublicationCheck
from audit_flow.publish.journal import STATEMENT, Journal, Plan
from audit_flow.publish.statement import statement
from audit_flow.publish.stranger import WHOLE
from audit_flow.sources.whole_file import read_file

STATED: Final = "publication.json"
_MOST, _MAX_BYTES = 5_000, 64 << 20
_WORDS: Final = {
    "judged": "begun, nothing uploaded",
    "uploading": "being uploaded, nothing is visible yet",
    "committing": "being committed",
    "checking": "uploaded, not yet fetched back",
    "retracting": "being taken back",
    "done": "uploaded and fetched back",
    "retracted": "taken back",
}
_UPLOADED = frozenset({"checking", "retracting", "done", "retracted"})
Fetched = Literal["alike", "sampled", "differs", "not yet", "not told"]


@dataclass(frozen=True)
class Upload:
    """One publication as far as it came; ``commit`` is empty before there is one."""

    id: str
    phase: str
    endpoint: str
    repo: str
    branch: str
    commit: str
    at: str
    files: tuple[PublishedFile, ...]
    check: PublicationCheck | None
    problems: tuple[str, ...]
    decided: Decided
    seal: Seal
    retraction: str = ""

    @property
    def words(self) -> str:
        """How far it came."""
        return _WORDS[self.phase]

    @property
    def tone(self) -> str:
        """How it is coloured."""
        if self.phase in {"retracting", "retracted"} or self.seal.state == "broken":
            return "fail"
        return "pass" if self.phase == "done" else "open"

    def is_of(self, decided: Decided) -> bool:
        """Say whether it names record, policy and weights of an audit: the same verdict, then."""
        return self.decided == decided.model_copy(
            update={"verdict_sha256": self.decided.verdict_sha256}
        )

    @property
    def is_uploaded(self) -> bool:
        """Whether a commit holds the files."""
        return self.phase in _UPLOADED

    @cached_property
    def by_path(self) -> Mapping[str, PublishedFile]:
        """The files by their path in the repository."""
        return {f.path: f for f in self.files}

    def fetched(self, path: str) -> Fetched:
        """Say what the stranger's look came to for one file."""
        if not self.is_uploaded or self.check is None:
            return "not yet"
        if any(p.startswith((f"{path}:", f"{path} ")) for p in self.check.problems):
            return "differs"
        if self.check.problems:
            return "not told"
        large = self.by_path[path].size > WHOLE
        return "sampled" if large and self.check.mode == "sampled" else "alike"

    def plain(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "id": self.id,
            "phase": self.phase,
            "endpoint": self.endpoint,
            "repo": self.repo,
            "branch": self.branch,
            "commit": self.commit,
            "retraction": self.retraction,
            "at": self.at,
            "files": [f.plain() for f in self.files],
            "check": self.check.plain() if self.check else None,
            "problems": list(self.problems),
            "signature": self.seal.plain(),
        }


class Publications:
    """The publications below some folders; a file is read again when it has changed.

    ``stated`` are folders with one signed statement, ``states`` hold the journals of an account.
    """

    def __init__(self, stated: Iterable[Path], states: Iterable[Path], trust: TrustFile) -> None:
        self._stated, self._states, self._trust = tuple(stated), tuple(states), trust
        self._read: dict[Path, tuple[object, Upload | None]] = {}
        self._lock = threading.Lock()

    def of(self, decided: Decided) -> tuple[Upload, ...]:
        """Return what was published of exactly these digests, the latest first, each once.

        A signed statement comes before the journal of the same publication.
        """
        found: dict[str, Upload] = {}
        for upload in (u for path in self._paths() if (u := self._at(path)) is not None):
            known = found.get(upload.id)
            if upload.is_of(decided) and (known is None or known.seal.state == "none"):
                found[upload.id] = upload
        return tuple(sorted(found.values(), key=lambda u: (u.at, u.id), reverse=True))

    def _paths(self) -> Iterator[Path]:
        for folder in self._stated:
            yield folder / STATED
        count = 0
        for state in self._states:
            for path in state.glob("*/*/*/journal.json"):
                stated = path.with_name(STATED)
                yield stated if stated.is_file() else path
                count += 1
                if count >= _MOST:
                    return

    def _at(self, path: Path) -> Upload | None:
        mark = _mark(path)
        if mark is None:
            return None
        with self._lock:
            at, upload = self._read.get(path, (None, None))
        if at == mark:
            return upload
        upload = self._parsed(path)
        with self._lock:
            self._read[path] = (mark, upload)
        return upload

    def _parsed(self, path: Path) -> Upload | None:
        """Read one file; what can't be read is no word on anything."""
        try:
            raw = read_file(path, _MAX_BYTES)
            if path.name != STATED:
                return _of_journal(Journal.model_validate_json(raw))
            signed = path.with_name(STATEMENT)
            bundle = read_file(signed, _MAX_BYTES) if signed.is_file() else None
            return _of_statement(Publication.model_validate_json(raw), bundle, self._trust)
        except (AuditFlowError, ValidationError, OSError, ValueError):
            return None


def _of_statement(made: Publication, bundle: bytes | None, trust: TrustFile) -> Upload:
    return Upload(
        id=made.id,
        phase="done" if made.outcome == "PUBLISHED" else "retracted",
        endpoint=made.endpoint,
        repo=made.repo,
        branch=made.branch,
        commit=made.commit,
        at=made.published_at,
        files=made.files,
        check=made.check,
        problems=made.check.problems,
        decided=_decided(made),
        seal=seal_of(bundle, statement(made).payload(), trust, PUBLICATION_ROLE),
        retraction=made.retraction or "",
    )


def _of_journal(journal: Journal) -> Upload:
    plan = journal.plan
    return Upload(
        id=plan.id,
        phase=journal.phase,
        endpoint=plan.endpoint,
        repo=plan.repo,
        branch=plan.branch,
        commit=journal.commit or "",
        at=journal.published_at or (journal.events[-1].at if journal.events else ""),
        files=plan.files,
        check=journal.check,
        problems=journal.problems,
        decided=_decided(plan),
        seal=Seal("none", why="the publisher's own journal, not the signed statement"),
        retraction=journal.retraction or "",
    )


def _decided(named: Publication | Plan) -> Decided:
    return Decided(
        record_sha256=named.record_sha256,
        verdict_sha256=named.verdict_sha256,
        policy_sha256=named.policy_sha256,
        subject_sha256=named.weights_sha256,
    )


def _mark(path: Path) -> object:
    marks: list[tuple[int, int, int] | None] = []
    for each in (path, path.with_name(STATEMENT)):
        try:
            found = each.stat()
        except OSError:
            marks.append(None)
        else:
            marks.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(marks) if marks[0] is not None else None
