"""The key that seals what was measured on this machine.

A seal shows that an entry was written by an account that can read this key, and that neither its
content nor its place has changed since. It does not show who ran the evaluation, that the harness
was honest, or that no entry was taken away; and whoever can read the key can seal anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from audit_flow import durable
from audit_flow.errors import EvidenceError, RecordError

_KEY_BYTES = 32
_CONTEXT = b"audit-flow/reproduction/v1\0"


@dataclass(frozen=True)
class MachineKey:
    """A secret key; ``id`` tells it from another's without giving it away."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """The first 16 hex digits of a digest of the key."""
        return hashlib.sha256(b"audit-flow/machine-key/v1\0" + self.secret).hexdigest()[:16]

    def mac(self, body: bytes) -> str:
        """Return the HMAC-SHA256 of an entry, as hex."""
        return hmac.new(self.secret, _CONTEXT + body, hashlib.sha256).hexdigest()

    def verifies(self, body: bytes, mac: str) -> bool:
        """Say whether an entry was sealed with this key."""
        return hmac.compare_digest(self.mac(body).encode(), mac.encode())


def read_machine_key(path: Path) -> MachineKey | None:
    """Return the key, None where there is none yet.

    Raises EvidenceError for a key that other accounts could read or have put there.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvidenceError(f"can't be opened ({error.strerror})", where=str(path)) from error
    with os.fdopen(descriptor, "rb") as stream:
        state = os.fstat(descriptor)
        own = stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid()
        if not own or state.st_mode & 0o077:
            raise EvidenceError(
                f"a key of mode {stat.S_IMODE(state.st_mode):04o}, of account {state.st_uid}",
                expected="a file of your own that nobody else can read (mode 0600)",
                remedy="Others could have sealed results with it: delete it, and run again",
                where=str(path),
            )
        secret = stream.read(_KEY_BYTES + 1)
    if len(secret) != _KEY_BYTES:
        raise EvidenceError(
            f"{len(secret)} bytes", expected=f"{_KEY_BYTES} random bytes", where=str(path),
            remedy="Delete it, and run the evaluations again",
        )  # fmt: skip
    return MachineKey(secret)


def make_machine_key(path: Path) -> MachineKey:
    """Return the key, made on first use; RecordError when it can't be written."""
    known = read_machine_key(path)
    if known is not None:
        return known
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Never in the place of the key of whoever was faster.
        with contextlib.suppress(FileExistsError):
            durable.write_new(path, secrets.token_bytes(_KEY_BYTES))
    except OSError as error:
        raise RecordError(f"no key can be made: {error.strerror}", where=str(path)) from error
    made = read_machine_key(path)
    if made is None:
        raise RecordError("the key that was made is gone", where=str(path))
    return made
