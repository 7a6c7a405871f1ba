"""Whether an entry is in a log that is trusted: Merkle proof, signed checkpoint, signed promise.

Source: RFC 6962 (Merkle trees) and the checkpoint format of C2SP (signed notes).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from audit_flow.errors import SignatureError
from audit_flow.signing.sigstore_root import Root

if TYPE_CHECKING:
    from sigstore._internal.trust import RekorKeyring
    from sigstore.models import TransparencyLogEntry
    from sigstore_models.common.v1 import TimeRange
    from sigstore_models.trustroot.v1 import TransparencyLogInstance

# Rekor v1's kinds: only that version of the log states, and signs, a time.
_TIMED = {("hashedrekord", "0.0.1"), ("dsse", "0.0.1"), ("intoto", "0.0.2")}


class UnknownLog(SignatureError):
    """An entry of a log that no root names: it may be a good one, and can't be looked up here."""


@dataclass(frozen=True)
class Included:
    """An entry that is in a trusted log; ``stated`` is the time that the log has signed."""

    body: bytes
    kind: str
    version: str
    stated: datetime | None
    window: TimeRange

    @property
    def named(self) -> tuple[str, str]:
        """Kind and version as the bundle states them."""
        return self.kind, self.version


def find_included(entry: dict[str, Any], roots: Iterable[Root]) -> Included:
    """Return a bundle's log entry, proven to be in a log of one of the roots.

    Raises UnknownLog where no root names the log, SignatureError for one that is not as it says.
    """
    read = _read(entry)
    known = [log for root in roots for log in root.trusted._inner.tlogs]
    logs = [log for log in known if log.log_id.key_id == read._inner.log_id.key_id]
    if not logs:
        raise UnknownLog("of a log that is not trusted", expected="a log of the trusted root")
    failures: list[SignatureError] = []
    for log in logs:
        try:
            return _proven(read, log)
        except SignatureError as error:
            failures.append(error)
    raise failures[0]


def within(window: TimeRange | None, moment: datetime) -> bool:
    """Say whether a time is in a period; its two ends are in it (protobuf-specs, TimeRange)."""
    if window is None:
        return False
    return window.start <= moment and (window.end is None or moment <= window.end)


def _read(entry: dict[str, Any]) -> TransparencyLogEntry:
    from sigstore.models import TransparencyLogEntry
    from sigstore_models.rekor.v1 import TransparencyLogEntry as Inner

    try:
        return TransparencyLogEntry(Inner.from_json(json.dumps(entry)))
    except Exception as error:
        # The library lets errors of several packages through for a malformed entry.
        words = str(error).partition("\n")[0][:200]
        raise SignatureError(f"malformed, or without its proof ({words})") from error


def _proven(entry: TransparencyLogEntry, log: TransparencyLogInstance) -> Included:
    from sigstore._internal.merkle import verify_merkle_inclusion
    from sigstore._internal.rekor.checkpoint import verify_checkpoint
    from sigstore._internal.trust import Keyring, RekorKeyring

    inner = entry._inner
    window = log.public_key.valid_for
    if window is None:
        raise SignatureError("of a log whose key has no period", expected="the period it is for")
    keyring = RekorKeyring(Keyring([log.public_key]))
    try:
        verify_merkle_inclusion(entry)
        verify_checkpoint(keyring, entry)
        stated = _promised(entry, keyring)
        if inner.inclusion_proof.checkpoint is not None:
            _check_note(inner.inclusion_proof.checkpoint.envelope, inner.inclusion_proof.tree_size)
    except SignatureError:
        raise
    except Exception as error:
        # A malformed proof or note raises errors of any kind: fail closed.
        words = str(error).partition(":")[0][:120] or type(error).__name__
        raise SignatureError(f"not proven to be in the log ({words})") from error
    kind, version = inner.kind_version.kind, inner.kind_version.version
    timed = stated if (kind, version) in _TIMED else None
    return Included(inner.canonicalized_body, kind, version, timed, window)


def _promised(entry: TransparencyLogEntry, keyring: RekorKeyring) -> datetime | None:
    """Return the time in the log's signed promise, if there is one."""
    inner = entry._inner
    if inner.inclusion_promise is None or not inner.integrated_time:
        return None
    entry._verify_set(keyring)
    return datetime.fromtimestamp(inner.integrated_time, tz=UTC)


def _check_note(note: str, size: int) -> None:
    """Refuse a checkpoint of another tree size, or one that no key signs in its origin's name."""
    text, _, signatures = note.partition("\n\n")
    origin, stated = text.split("\n")[:2]
    names = {line.split(" ")[1] for line in signatures.splitlines() if line.startswith("— ")}
    if origin.partition(" - ")[0] not in names:
        raise SignatureError("its checkpoint is signed under another name than its origin's")
    if not stated.isdecimal() or int(stated) != size:
        raise SignatureError("its checkpoint is of a tree of another size")
