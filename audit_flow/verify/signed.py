"""Signatures that lie in a repository or a folder, held against its files."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from audit_flow.collectors import unread
from audit_flow.collectors.signature import (
    ListedFile,
    ModelFolder,
    found_signatures,
    verify_model,
)
from audit_flow.errors import AuditFlowError
from audit_flow.model import Evidence, Signature, TrustFile
from audit_flow.sources.folder import Folder
from audit_flow.verify.attested import beside_the_model
from audit_flow.verify.snapshot import Snapshot

# A Hub writes it into every repository; it says how files are stored, never what they hold.
_OF_THE_HUB = ".gitattributes"


def signatures_of(snapshot: Snapshot, trust: TrustFile) -> list[Evidence]:
    """Verify the signatures in a commit; files that were not read go by the listing's digests."""
    entries = snapshot.repository.listing.entries
    listed = {
        path: ListedFile(entry.size, snapshot.sha256.get(path), path in snapshot.whole)
        for path, entry in entries.items()
    }
    lenient = trust.model_copy(update={"ignore_paths": (*trust.ignore_paths, _OF_THE_HUB)})
    beside = beside_the_model(snapshot.whole)
    model = ModelFolder(snapshot.folder.root, lenient, listed=listed, beside=beside)
    found: list[Evidence] = []
    for place in found_signatures(model.root):
        each = snapshot.attempt("signature", place.name, partial(verify_model, model, place))
        found += each or ()
    return found


def signatures_in(folder: Folder, names: Iterable[str], trust: TrustFile) -> list[Evidence]:
    """Verify the signatures in a folder of these files; every signed file is read."""
    model = ModelFolder(folder.root, trust, beside=beside_the_model(names))
    found: list[Evidence] = []
    for place in found_signatures(model.root):
        found += _verified(model, place)
    return found


def _verified(model: ModelFolder, place: Path) -> tuple[Signature, ...] | list[Evidence]:
    try:
        return verify_model(model, place)
    except AuditFlowError as error:
        return [unread("signature", place.name, error)]
