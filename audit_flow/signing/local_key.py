"""The key of this machine's user, made on first use, for signing where no other key is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from audit_flow import durable
from audit_flow.errors import InputError
from audit_flow.signing.keys import load_private_key, public_pem

if TYPE_CHECKING:
    from audit_flow.signing.keys import PrivateKey

WHAT_IT_DOES_NOT_PROVE = (
    "A local key proves only that the holder of this file signed: not who that is, and not when. "
    "Whoever can read the file can sign with it. Give verifiers the public half by a way that they "
    "trust, or sign with --sigstore, --certificate or --pkcs11."
)


def local_key_path() -> Path:
    """Return where the key lies: below XDG_DATA_HOME, or ~/.local/share."""
    base = os.environ.get("XDG_DATA_HOME")
    data = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "share"
    return data / "audit-flow" / "signing-key.pem"


def local_key() -> tuple[PrivateKey, Path, bool]:
    """Return the local key, its path, and whether it was made just now (P-256, mode 0600).

    Raises InputError where the folder can't be written, or where others may read the key.
    """
    path = local_key_path()
    try:
        made = _make(path)
        if path.stat().st_mode & 0o077:
            raise InputError(
                f"others may read {path.name}", expected="mode 0600", where=str(path),
                remedy="Make a new key, or take the rights away with: chmod 600",
            )  # fmt: skip
        key = load_private_key(path.read_bytes(), str(path))
        _keep_public(path.with_suffix(".pub"), key)
        return key, path, made
    except OSError as error:
        raise InputError(
            f"no local key can be kept: {error.strerror}", where=str(path),
            expected="a folder that can be written to",
            remedy="Set XDG_DATA_HOME, or pass --key",
        ) from error  # fmt: skip


def _make(path: Path) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return False
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        durable.write_new(path, pem)
    except FileExistsError:
        # Another process has made one meanwhile.
        return False
    return True


def _keep_public(path: Path, key: PrivateKey) -> None:
    # Also where whoever made the key was killed before.
    if not path.exists():
        durable.write(path, public_pem(key.public_key()), 0o644)
