"""What a release page says of checksums and of the base model, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from audit_flow.model import (
    BaseCandidate,
    BaseModelClaim,
    ChecksumClaim,
    FileFact,
    Finding,
    HubListing,
    LineageRecord,
    Outcome,
    Signature,
    Trust,
    Verdict,
    WeightsDigest,
)

if TYPE_CHECKING:
    from audit_flow.dashboard.publications import Upload


_FETCHED = {
    "alike": "",
    "sampled": "samples alike, not every byte",
    "differs": "other bytes",
    "not yet": "not yet fetched back",
    "not told": "not told for this file",
}


@dataclass(frozen=True)
class FileRow:
    """One file's digest as each party has it; None where that party says nothing of it."""

    path: str
    claimed: str | None = None
    audited: str | None = None
    signed: str | None = None
    uploaded: str | None = None
    fetched: str | None = None
    # Why a digest of these two is not there, and whether other bytes were fetched back.
    not_uploaded: str = "no upload known"
    not_fetched: str = "nothing fetched back"
    is_other: bool = False

    @property
    def state(self) -> str:
        """``differ``, ``agree``, or ``alone`` where fewer than two digests can be compared."""
        known = [self.claimed, self.audited, self.signed, self.uploaded, self.fetched]
        plain = [digest for digest in known if digest]
        if self.is_other or len(set(plain)) > 1:
            return "differ"
        return "agree" if len(plain) > 1 else "alone"

    def told(self) -> tuple[tuple[str, str | None, str], ...]:
        """Return who says it, the digest, and the words where there is none."""
        return (
            ("claimed", self.claimed, "not claimed"),
            ("audited", self.audited, "not seen"),
            ("signed", self.signed, "not signed"),
            ("uploaded", self.uploaded, self.not_uploaded),
            ("fetched_back", self.fetched, self.not_fetched),
        )


def file_rows(record: LineageRecord, upload: Upload | None = None) -> tuple[FileRow, ...]:
    """Return a row for each released, claimed or uploaded file, SHA-256 by party; differing first.

    A claim under another algorithm is compared by its own rule and stands among the findings.
    """
    claimed = {c.path: c.digest.hex for c in record.of(ChecksumClaim)
               if c.digest.algorithm == "sha256"}  # fmt: skip
    audited = dict(_audited(record))
    fetched = dict(_fetched(record))
    listed = {f.path: f.sha256 for h in record.of(HubListing) for f in h.files if f.sha256}
    signed = dict(_signed(record, audited))
    folder = _folder(record)
    published = upload.by_path if upload else {}
    rows = [
        _with_upload(
            FileRow(
                path,
                _at(claimed, path, folder),
                _at(audited, path, folder),
                _at(signed, path, folder),
                _at(listed, path, folder),
                _at(fetched, path, folder),
            ),
            upload,
        )
        for path in _paths(claimed, audited, published, folder)
    ]
    order = {"differ": 0, "alone": 1, "agree": 2}
    weights = {p.removeprefix(f"{folder}/") for p in (*claimed, *audited)}
    return tuple(sorted(rows, key=lambda r: (r.state != "differ", r.path not in weights,
                                             order[r.state], r.path)))  # fmt: skip


def _with_upload(row: FileRow, upload: Upload | None) -> FileRow:
    """Add what a publication says: its statement signs, its commit holds, its look has read."""
    if upload is None:
        return row
    file = upload.by_path.get(row.path)
    if file is None:
        return replace(row, not_uploaded="no part of the upload", not_fetched="not uploaded")
    digest = file.sha256
    came = upload.fetched(row.path)
    is_signed = upload.seal.state in {"holds", "unknown"}
    return replace(
        row,
        signed=row.signed or (digest if is_signed else None),
        uploaded=row.uploaded or (digest if upload.is_uploaded else None),
        fetched=row.fetched or (digest if came == "alike" else None),
        not_uploaded=upload.words,
        not_fetched=_FETCHED[came],
        is_other=came == "differs",
    )


def base_findings(verdict: Verdict) -> tuple[Finding, ...]:
    """Return what was judged about the base model."""
    return tuple(f for f in verdict.findings if f.rule.startswith("base-model."))


def base_compared(verdict: Verdict) -> bool:
    """Say whether the weights were held against a base, and the rule on it passed."""
    about = (f for f in verdict.findings if f.rule == "base-model.candidates")
    return any(f.outcome is Outcome.PASSED and f.applied for f in about)


def base_evidence(
    record: LineageRecord,
) -> tuple[tuple[BaseModelClaim, ...], tuple[tuple[int, BaseCandidate], ...]]:
    """Return what is claimed of the base and each candidate that was held against the release."""
    candidates = tuple(
        (n, e) for n, e in enumerate(record.evidence) if isinstance(e, BaseCandidate)
    )
    return tuple(record.of(BaseModelClaim)), candidates


def _audited(record: LineageRecord) -> Iterator[tuple[str, str]]:
    for fact in record.of(FileFact):
        if fact.role == "checksum" and fact.sha256:
            yield fact.source, fact.sha256
    for weights in record.of(WeightsDigest):
        if weights.role == "released":
            yield from ((f.path, f.sha256) for f in weights.files)


def _fetched(record: LineageRecord) -> Iterator[tuple[str, str]]:
    """Yield what was fetched from a Hub as a whole and hashed here."""
    whole = {f.path for h in record.of(HubListing) for f in h.files if f.read == "whole"}
    recomputed = [w for w in record.of(WeightsDigest)
                  if w.role == "released" and w.trust is Trust.RECOMPUTED]  # fmt: skip
    for weights in recomputed:
        yield from ((f.path, f.sha256) for f in weights.files if f.path in whole)


def _signed(record: LineageRecord, audited: dict[str, str]) -> Iterator[tuple[str, str]]:
    for signature in record.of(Signature):
        if signature.role != "weights" or signature.outcome != "PASSED":
            continue
        differing = {d.path: d.signed.rpartition(":")[2] for d in signature.differing}
        for path in signature.covers:
            digest = differing.get(path) or audited.get(path)
            if digest:
                yield path, digest


def _folder(record: LineageRecord) -> str:
    found = (w.source for w in record.of(WeightsDigest) if w.role == "released")
    return next(found, ".").rstrip("/")


def _paths(
    claimed: Iterable[str], audited: Iterable[str], published: Iterable[str], folder: str
) -> list[str]:
    names = {p.removeprefix(f"{folder}/") for p in (*claimed, *audited)}
    return sorted(names | set(published))


def _at(digests: dict[str, str], path: str, folder: str) -> str | None:
    return digests.get(path) or digests.get(f"{folder}/{path}")
