"""Sign every statement about a judgement, and write them with what was judged: all or nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from audit_flow import durable
from audit_flow.attestation.interface import Judgement
from audit_flow.attestation.kinds import statements
from audit_flow.attestation.opened import SUFFIX
from audit_flow.attestation.stored import POLICY_FILE, RECORD_FILE, VERDICT_FILE, audit_files
from audit_flow.attestation.wire import PAYLOAD_TYPE
from audit_flow.errors import InputError, SignatureError
from audit_flow.signing.signer import Signer

_OURS = {RECORD_FILE, VERDICT_FILE, POLICY_FILE}


def attest(judgement: Judgement, signer: Signer) -> dict[str, bytes]:
    """Return the files of an attested judgement: each bundle on one line, and what was judged.

    Raises EvidenceError where no weights were seen, SignatureError where nothing was signed.
    """
    signed = {
        named.file: _one_line(signer.sign(named.statement.payload(), PAYLOAD_TYPE))
        for named in statements(judgement)
    }
    return signed | audit_files(judgement.record, judgement.verdict, judgement.policy)


def _one_line(bundle: bytes) -> bytes:
    # So that bundles written one after another are JSON Lines, as other verifiers read them.
    if b"\n" in bundle.strip():
        raise SignatureError("a bundle of several lines", expected="JSON on one line")
    return bundle.strip() + b"\n"


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder that is whole at every moment: the old one, then the new one.

    A folder that is there is replaced if it holds nothing but an earlier audit's files. Raises
    InputError where the place won't take it.
    """
    foreign = _foreign(folder)
    if foreign:
        raise InputError(
            f"{folder} holds {foreign[0]!r}", expected="a new folder, or one of an earlier audit",
            remedy="Name another folder: this one would be replaced",
        )  # fmt: skip
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with durable.folder_being_made(folder) as fresh:
            for name, data in files.items():
                _write(fresh / name, data)
            fresh.chmod(0o755)
            durable.put_folder(fresh, folder)
    except OSError as error:
        raise InputError(f"can't write {folder}: {error.strerror}") from error


def _foreign(folder: Path) -> list[str]:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return [folder.name]
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    return [n for n in names if n not in _OURS and not n.endswith(SUFFIX)]


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
