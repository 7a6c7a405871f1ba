"""The raw file behind a piece of evidence: handed out only while it is the one that was audited."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from audit_flow.errors import AuditFlowError, EvidenceError
from audit_flow.model import Evidence
from audit_flow.sources.folder import Folder

MAX_BYTES: Final = 8 * 1024 * 1024


def raw_bytes(folder: Path | None, item: Evidence) -> bytes:
    """Return the bytes that a piece of evidence was read from.

    ``folder`` is the release's own; nothing outside of it is opened, and what does not have the
    digest of the record is not handed out. Raises AuditFlowError.
    """
    if item.sha256 is None:
        raise EvidenceError("it has no digest of its own", expected="a file that was hashed")
    if folder is None:
        raise EvidenceError("the release's folder is not known here", expected="a local audit")
    data = Folder.at(folder).read(item.source, MAX_BYTES)
    if hashlib.sha256(data).hexdigest() != item.sha256:
        raise EvidenceError(
            "the file that lies there now is another one", expected=f"sha256:{item.sha256}"
        )
    return data


def why_not(folder: Path | None, item: Evidence) -> str:
    """Return why there is no raw file to be had, or nothing where there is one."""
    try:
        raw_bytes(folder, item)
    except AuditFlowError as error:
        return error.got
    return ""


def attached(data: bytes, source: str) -> Response:
    """Return bytes as a file to be kept, never as a page."""
    name = quote(PurePosixPath(source).name[-100:], safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(data, media_type="application/octet-stream", headers=headers)
