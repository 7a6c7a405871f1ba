"""What a repository claims: its card, its evaluation results, its manifest, its checksum lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from audit_flow.collectors import claims_of_its_own, unread
from audit_flow.collectors.model_card import read_card
from audit_flow.errors import AuditFlowError, EvidenceError, InputError, MissingEvidence
from audit_flow.model import (
    CardClaims,
    ChecksumClaim,
    Claim,
    Evidence,
    ScoreClaim,
    sha256,
)
from audit_flow.sources.folder import MIB, Folder
from audit_flow.sources.manifest import ReleaseManifest
from audit_flow.sources.manifest import parse as parse_manifest
from audit_flow.sources.whole_file import read_file

T = TypeVar("T")

CARD = "README.md"
# The publisher's own place for it comes before that where ``audit-flow publish`` puts it.
MANIFESTS = ("release.yaml", "attestation/release.yaml")
_SUMS = ("*SHA256SUMS*", "*sha256sum*")
_SUM_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](\S.{0,1023})\Z")
_MAX_SUMS = MIB
# An id that is told apart as the verifier's own is longer than this, and below a claim's limit.
_MAX_ID = 280


@dataclass(frozen=True)
class Claimed:
    """The publisher's claims and where they were read; names are those of the repository's files.

    ``version`` is the one that the publisher's manifest names.
    """

    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]
    version: str | None = None


def read_claims(
    folder: Folder, paths: Iterable[str], name: str, listed: Iterable[str] | None = None
) -> Claimed:
    """Read what the files of a repository claim; what can't be read becomes an Unread fact.

    ``paths`` are the files that are here, ``listed`` all of the repository's (default: the same);
    ``name`` is the repository's own. A manifest in the repository is the publisher's word and
    nothing else: no command, path or policy is taken from it.
    """
    names = sorted(paths)
    evidence: list[Evidence] = []
    place = next((m for m in MANIFESTS if m in names), MANIFESTS[0])
    manifest = _attempt(evidence, "publisher's manifest", place, names, folder, _manifest)
    claims: tuple[Claim, ...] = _at_home(manifest, listed or names) if manifest else ()
    for path in (n for n in names if any(fnmatchcase(n, p) for p in _SUMS)):
        sums = _attempt(evidence, "list of checksums", path, names, folder, _sums)
        claims += _new_checksums(sums or (), claims)
    card = _attempt(evidence, "model card", CARD, names, folder, partial(read_card_of, name=name))
    if card:
        evidence.append(card)
        scores = (*card.scores, *_tabled(card))
        claims += claims_of_its_own(card, scores, claims)
    elif any(n.startswith(".eval_results/") for n in names) and CARD not in names:
        gone = MissingEvidence("there is no README.md beside .eval_results", where=CARD)
        evidence.append(unread("model card", CARD, gone))
    return Claimed(claims, tuple(evidence), manifest.release.version if manifest else None)


def read_card_of(folder: Folder, path: str, name: str) -> CardClaims:
    """Return what the card of a model claims, tables in its text included."""
    return read_card(folder, path, (name, name.rpartition("/")[2]))[0]


def read_checksums(path: Path) -> tuple[ChecksumClaim, ...]:
    """Read checksums that the verifier brings, as sha256sum writes them; InputError for others."""
    try:
        raw = read_file(path, _MAX_SUMS)
        # Named apart from a list of the same name in the repository.
        found = tuple(_lines(raw, path.name))
        return tuple(c.model_copy(update={"id": f"checksum:{c.path} (yours: {path.name})"})
                     for c in found)  # fmt: skip
    except EvidenceError as error:
        raise InputError(str(error), expected="lines as sha256sum writes them") from error


def _attempt(
    evidence: list[Evidence],
    what: str,
    path: str,
    names: list[str],
    folder: Folder,
    read: Callable[[Folder, str], T],
) -> T | None:
    if path not in names:
        return None
    try:
        return read(folder, path)
    except AuditFlowError as error:
        evidence.append(unread(what, path, error))
    except Exception as error:
        # Whatever a reader stumbles over in a hostile file is a finding, not the end.
        broken = EvidenceError(f"reading broke down: {type(error).__name__}", where=path)
        evidence.append(unread(what, path, broken))
    return None


def _manifest(folder: Folder, path: str) -> ReleaseManifest:
    try:
        return parse_manifest(folder.read(path, 4 * MIB), path)[0]
    except InputError as error:
        # The publisher wrote it wrongly, not who verifies.
        raise EvidenceError(error.got, expected=error.expected, where=path) from error


def _at_home(manifest: ReleaseManifest, names: Iterable[str]) -> tuple[Claim, ...]:
    """Return the manifest's claims, with paths as the repository has them.

    A publisher's folder may hold the released files in ``weights: model``, and the repository has
    them at its root.
    """
    prefix = "" if manifest.weights in {None, "."} else f"{manifest.weights}/"
    there = set(names)

    def moved(claim: Claim) -> Claim:
        if not isinstance(claim, ChecksumClaim) or claim.path in there:
            return claim
        return claim.model_copy(update={"path": claim.path.removeprefix(prefix)})

    return tuple(moved(c) for c in manifest.claims())


def _sums(folder: Folder, path: str) -> tuple[ChecksumClaim, ...]:
    return tuple(_lines(folder.read(path, _MAX_SUMS), path))


def _lines(raw: bytes, source: str) -> Iterator[ChecksumClaim]:
    if len(raw) > _MAX_SUMS:
        raise EvidenceError("a list of more than 1 MiB", where=source)
    here = PurePosixPath(source).parent
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _SUM_LINE.match(line.rstrip())
        if not match:
            raise EvidenceError("no digest and name", where=f"{source}, line {number}",
                                expected="a SHA-256, two spaces, a path")  # fmt: skip
        path = (here / match[2].removeprefix("./")).as_posix()
        name = f"checksum:{path} ({source})"
        if len(name) > _MAX_ID:
            raise EvidenceError(f"a name of {len(path)} characters", expected=f"at most {_MAX_ID}",
                                where=f"{source}, line {number}")  # fmt: skip
        yield ChecksumClaim(id=name, path=path, source=source,
                            digest=sha256(match[1].lower()))  # fmt: skip


def _new_checksums(
    sums: Iterable[ChecksumClaim], claims: tuple[Claim, ...]
) -> tuple[ChecksumClaim, ...]:
    known = {(c.path, c.digest) for c in claims if isinstance(c, ChecksumClaim)}
    ids = {c.id for c in claims}
    new = {c.id: c for c in sums if (c.path, c.digest) not in known}
    return tuple(c for i, c in new.items() if i not in ids)


def _tabled(card: CardClaims) -> Iterator[ScoreClaim]:
    """Yield the scores of tables that the card's data does not state as well."""
    stated = {s.value.normalize() for s in card.scores}
    # The same number in the card's data is the same claim, whatever the row is called.
    yield from (t for t in card.table_scores if t.value.normalize() not in stated)
