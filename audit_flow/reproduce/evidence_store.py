"""Where runs are kept: the operator's own state folder, never a folder that came from others.

::

    $XDG_STATE_HOME/audit-flow/machine.key
    $XDG_STATE_HOME/audit-flow/reproductions/<weights>/<what>/<how>/run-0001.json

An entry is a line with its seal and then, byte for byte, the JSON that was sealed. Its place is
part of what is sealed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from audit_flow import durable
from audit_flow.errors import AuditFlowError, EvidenceError, InputError, RecordError
from audit_flow.model import Frozen, canonical_json
from audit_flow.reproduce.machine_key import make_machine_key, read_machine_key
from audit_flow.reproduce.plan import RunKey
from audit_flow.reproduce.stored_run import StoredRun
from audit_flow.sources.folder import Folder

_MAX_BYTES = 512 << 20
_MAX_LINE = 1024
_ENTRY = re.compile(r"run-(\d{4,})\.json")
_REMEDY = "Look into why it differs; then delete that file and run: audit-flow reproduce"


class _Seal(Frozen):
    seal: Literal["audit-flow/seal/v1"] = "audit-flow/seal/v1"
    algorithm: Literal["hmac-sha256"] = "hmac-sha256"
    key: str
    mac: str


@dataclass(frozen=True)
class Entry:
    """A place in the store, and the run in it or why it can't be believed."""

    path: Path
    run: StoredRun | None
    error: AuditFlowError | None = None


@dataclass(frozen=True)
class EvidenceStore:
    """The runs measured here; ``home`` is the folder that they and the key lie in."""

    home: Path

    @property
    def key_path(self) -> Path:
        """The machine key's file."""
        return self.home / "machine.key"

    def exists(self) -> bool:
        """Say whether any run was ever kept."""
        return (self.home / "reproductions").is_dir()

    def folder(self, key: RunKey) -> Path:
        """Return the folder of a plan's runs."""
        return self.home / "reproductions" / key.root_sha256 / key.what / key.how

    def entries(self, key: RunKey, every_adapter: bool = False) -> tuple[Entry, ...]:
        """Return the runs of a plan, or of everything that measured the same, each verified."""
        top = self.folder(key)
        found = sorted(top.parent.glob("*/run-*.json") if every_adapter else top.glob("run-*.json"))
        return tuple(self._entry(path, key) for path in found)

    def add(self, key: RunKey, run: StoredRun) -> Path:
        """Seal and keep a run at the next free place; RecordError when it can't be written."""
        secret = make_machine_key(self.key_path)
        body = canonical_json(run.model_dump(mode="json", exclude_none=True, by_alias=True))
        seal = canonical_json(_Seal(key=secret.id, mac=secret.mac(body)))
        place = self.folder(key) / _name(run.index)
        if place.exists():
            raise RecordError("there is a run already", where=str(place))
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.write_new(place, seal + b"\n" + body)
        except OSError as error:
            raise RecordError(
                f"could not be written: {error.strerror}", where=str(place)
            ) from error
        return place

    def next_index(self, key: RunKey) -> int:
        """Return the number of the next run: nothing that is kept is ever replaced."""
        names = [_ENTRY.fullmatch(p.name) for p in self.folder(key).glob("run-*.json")]
        return 1 + max((int(m.group(1)) for m in names if m), default=0)

    @contextlib.contextmanager
    def alone(self, key: RunKey) -> Iterator[None]:
        """Hold a plan's folder; RecordError while another process runs the same."""
        folder = self.folder(key)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            stream = (folder / ".lock").open("w")
        except OSError as error:
            raise RecordError(
                f"can't be written to: {error.strerror}", where=str(folder)
            ) from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RecordError(
                    "another reproduction of this is under way", where=key.task,
                    remedy="Wait until it has ended",
                ) from None  # fmt: skip
            yield

    def _entry(self, path: Path, key: RunKey) -> Entry:
        try:
            return Entry(path, self._read(path, key))
        except AuditFlowError as error:
            return Entry(path, None, error)

    def _read(self, path: Path, key: RunKey) -> StoredRun:
        """Verify an entry: 1. read it whole, 2. its seal, 3. its place, 4. what it is asked for."""
        # 1.
        raw = Folder.at(path.parent).read(path.name, _MAX_BYTES)
        line, _, body = raw.partition(b"\n")
        # 2.
        self._verify(line, body, path)
        run = _parsed(body, path)
        # 3.
        if self.folder(run.key) / _name(run.index) != path:
            raise EvidenceError(
                "a run of something else", expected="the run that was sealed for this place",
                where=_shown(path), remedy=_REMEDY,
            )  # fmt: skip
        # 4.
        if run.key.what != key.what or run.key.root_sha256 != key.root_sha256:
            raise EvidenceError("a run of other weights or another task", where=_shown(path))
        return run

    def _verify(self, line: bytes, body: bytes, path: Path) -> None:
        secret = read_machine_key(self.key_path)
        try:
            seal = _Seal.model_validate_json(line[:_MAX_LINE])
        except ValidationError:
            raise EvidenceError(
                "no seal on its first line", expected="a run sealed on this machine",
                where=_shown(path), remedy=_REMEDY,
            ) from None  # fmt: skip
        if secret is None or seal.key != secret.id:
            raise EvidenceError(
                f"sealed with the key {seal.key[:16]!r}",
                expected=f"the key of this machine, {secret.id if secret else 'which has none'}",
                where=_shown(path), remedy=_REMEDY,
            )  # fmt: skip
        if not secret.verifies(body, seal.mac):
            raise EvidenceError(
                "the content is not what was sealed", expected="an entry as it was written",
                where=_shown(path), remedy=_REMEDY,
            )  # fmt: skip


def operator_store(release: Folder, *, writing: bool = False) -> EvidenceStore:
    """Return the store of the account that runs this.

    Raises InputError when it lies inside the release and is written to, or holds runs: a
    repository could bring runs, and the key to seal them.
    """
    store = EvidenceStore(state_home())
    if store.home.is_relative_to(release.ceiling) and (writing or store.exists()):
        raise InputError(
            f"the state folder {store.home} lies inside the release or its project",
            expected="a state folder of your own, outside of what is judged",
            remedy="Set XDG_STATE_HOME to another folder",
        )
    return store


def state_home() -> Path:
    """Return the folder that the account which runs this keeps its state in."""
    stated = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification has relative paths ignored.
    top = Path(stated) if Path(stated).is_absolute() else Path.home() / ".local" / "state"
    return (top / "audit-flow").resolve()


def _name(index: int) -> str:
    return f"run-{index:04d}.json"


def _shown(path: Path) -> str:
    """Name an entry without the machine's folders, so that records are equal everywhere."""
    return "/".join(part[:12] for part in path.parts[-4:-1]) + f"/{path.name}"


def _parsed(body: bytes, path: Path) -> StoredRun:
    try:
        return StoredRun.model_validate_json(body)
    except ValidationError as error:
        raise EvidenceError(
            f"{error.error_count()} fields are not those of this version",
            expected="a run kept by this version", where=_shown(path), remedy=_REMEDY,
        ) from None  # fmt: skip
