"""collect → link → judge for a repository of the Hub, or a folder, that somebody else made."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from audit_flow.collectors import one_each, unread
from audit_flow.collectors.openness import terms_in
from audit_flow.collectors.weights import is_weights, weights_digest
from audit_flow.errors import AuditFlowError, InputError, MissingEvidence
from audit_flow.gate import judge
from audit_flow.linking import link
from audit_flow.model import (
    BaseModelClaim,
    ChecksumClaim,
    Claim,
    Declared,
    Evidence,
    FileFact,
    Policy,
    ReleaseTerms,
    Subject,
    Trust,
    TrustFile,
    WeightsDigest,
)
from audit_flow.report.interface import AuditResult
from audit_flow.sources.folder import Folder
from audit_flow.sources.hashing import Progress, Wanted, hash_all
from audit_flow.sources.hub import HubName, HubRepository, open_repository, parse_name
from audit_flow.verify.attested import attested_verdicts
from audit_flow.verify.candidates import (
    Model,
    Sampled,
    compare_bases,
    local_model,
    read_config,
)
from audit_flow.verify.claims import CARD, Claimed, read_checksums, read_claims
from audit_flow.verify.history import MAX_COMMITS, read_history
from audit_flow.verify.reproductions import read_reproductions
from audit_flow.verify.signed import signatures_in, signatures_of
from audit_flow.verify.snapshot import Snapshot, take

Measure = Callable[[Path], Iterable[Evidence]]


@dataclass(frozen=True)
class Asked:
    """What the verifier wants to know and brings; nothing of it comes from the repository.

    ``measured`` is the digest or folder of the weights that ``reproductions`` measured;
    ``measure`` is called with the folder of the whole weights, where they are here; ``trust`` says
    whose signatures count; ``samples`` are of ``bases``, read beforehand.
    """

    reproductions: tuple[Path, ...] = ()
    measured: str | None = None
    checksums: tuple[Path, ...] = ()
    bases: tuple[str, ...] = ()
    fingerprints: Path | None = None
    samples: tuple[Sampled, ...] = ()
    history: bool = False
    commits: int = MAX_COMMITS
    since: str | None = None
    announced: dt.date | None = None
    measure: Measure | None = None
    trust: TrustFile = field(default_factory=TrustFile)


@dataclass
class _Seen:
    """What was seen of a release, before claims are read."""

    subject: Subject
    folder: Folder
    here: list[str]
    listed: list[str]
    digests: dict[str, tuple[int, str]]
    evidence: list[Evidence] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every byte of the weights is here."""
        return any(
            isinstance(e, WeightsDigest) and e.trust is Trust.RECOMPUTED for e in self.evidence
        )


def verify_repository(  # noqa: PLR0913 - what is verified, by what, as whom, how far
    repo: str | HubName,
    revision: str | None,
    policy: Policy,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    client: HubRepository | None = None,
    full: bool = False,
    folder: Path | None = None,
    asked: Asked | None = None,
    progress: Progress | None = None,
) -> AuditResult:
    """Judge one commit of a Hub repository as a stranger sees it.

    Without ``token`` it is read as anybody reads it. ``full`` downloads and hashes every byte, into
    ``folder`` (default: a temporary one). ``client`` is a repository that was opened already.
    Raises MissingEvidence or EvidenceError when the repository can't be read at all, InputError
    for what the verifier wrote wrongly.
    """
    wanted = asked or Asked()
    name = repo if isinstance(repo, HubName) else parse_name(repo, endpoint, revision)
    if folder is not None and not full:
        raise InputError("a folder to keep files in", expected="--full with it")
    # What the verifier wrote wrongly is told before anything is downloaded.
    brought = _brought(wanted)
    repository = client or open_repository(name, token=token)
    try:
        with _place(folder) as scratch:
            snapshot = take(repository, scratch, full=full, progress=progress)
            seen = _of_snapshot(snapshot)
            seen.evidence += signatures_of(snapshot, wanted.trust)
            seen.evidence += _attested(seen, wanted.trust)
            seen.evidence += _history(repository, wanted)
            released = lambda: _released(snapshot, scratch if seen.whole else None)  # noqa: E731
            seen.evidence += _bases(wanted, released, name.endpoint, token)
            return _judged(seen, brought, policy, wanted)
    finally:
        if client is None:
            repository.http.close()


def verify_folder(
    path: Path, policy: Policy, *, endpoint: str | None = None, token: str | None = None,
    asked: Asked | None = None, progress: Progress | None = None,
) -> AuditResult:  # fmt: skip
    """Judge a folder as a stranger would: every byte is read; history is the Hub's alone."""
    wanted = asked or Asked()
    if wanted.history or wanted.since or wanted.announced:
        raise InputError("the history of a folder", expected="a repository of the Hub")
    brought = _brought(wanted)
    seen = _of_folder(path, progress)
    seen.evidence += signatures_in(seen.folder, seen.here, wanted.trust)
    seen.evidence += _attested(seen, wanted.trust)
    base = parse_name("own/own", endpoint).endpoint
    seen.evidence += _bases(wanted, lambda: local_model(path, path.name), base, token)
    return _judged(seen, brought, policy, wanted)


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="audit-flow-") as scratch:
        yield Path(scratch)


@dataclass(frozen=True)
class _Brought:
    evidence: tuple[Evidence, ...]
    claims: tuple[ChecksumClaim, ...]


def _brought(asked: Asked) -> _Brought:
    runs = read_reproductions(asked.reproductions, asked.measured)
    return _Brought(tuple(runs), tuple(c for p in asked.checksums for c in read_checksums(p)))


def _of_snapshot(snapshot: Snapshot) -> _Seen:
    repository = snapshot.repository
    entries = repository.listing.entries
    weights = [e for e in snapshot.evidence if isinstance(e, WeightsDigest)]
    subject = Subject(
        name=repository.repo,
        hub_id=repository.repo,
        revision=repository.commit,
        weights_sha256=weights[0].root_sha256 if weights else None,
    )
    digests = {p: (entries[p].size, d) for p, d in snapshot.sha256.items()}
    return _Seen(subject, snapshot.folder, sorted(snapshot.whole), list(entries), digests,
                 list(snapshot.evidence))  # fmt: skip


def _of_folder(path: Path, progress: Progress | None) -> _Seen:
    folder = Folder.at(path)
    evidence: list[Evidence] = []
    names: list[str] = []
    digests: dict[str, tuple[int, str]] = {}
    root = None
    try:
        names = list(folder.walk())
        shards = frozenset(n for n in names if n.endswith(".safetensors"))
        hashed = hash_all(folder, Wanted(frozenset({"."}), tensors=shards), progress)
        evidence += [unread("file", n, e) for n, e in sorted(hashed.failed.items())]
        digests = {n: (d.size, d.get("sha256") or "") for n, d in hashed.files.items()}
        weights = weights_digest(folder, ".", hashed, "released")
        root = weights.root_sha256
        evidence.append(weights)
    except AuditFlowError as error:
        evidence.append(unread("released weights", ".", error))
    subject = Subject(name=folder.root.name or "folder", weights_sha256=root)
    return _Seen(subject, folder, names, names, digests, evidence)


def _attested(seen: _Seen, trust: TrustFile) -> list[Evidence]:
    counted = [p for p in seen.listed if is_weights(p)]
    unknown = [p for p in counted if p not in seen.digests]
    files = None if unknown else {p: seen.digests[p][1] for p in counted}
    return attested_verdicts(seen.folder, seen.here, files, trust)


def _history(repository: HubRepository, asked: Asked) -> list[Evidence]:
    if not (asked.history or asked.since or asked.announced):
        return []
    try:
        return [read_history(repository, since=asked.since, announced=asked.announced,
                             limit=asked.commits)]  # fmt: skip
    except AuditFlowError as error:
        return [unread("history", repository.repo, error)]


def _bases(
    asked: Asked, released: Callable[[], Model], endpoint: str, token: str | None
) -> list[Evidence]:
    if not asked.bases and asked.fingerprints is None:
        return []
    try:
        return compare_bases(released(), asked.bases, endpoint=endpoint, token=token,
                             fingerprints=asked.fingerprints, trust=asked.trust,
                             samples=asked.samples)  # fmt: skip
    except InputError:
        raise
    except AuditFlowError as error:
        return [unread("base comparison", "config.json", error)]


def _released(snapshot: Snapshot, whole: Path | None) -> Model:
    repository = snapshot.repository
    if whole is not None:
        return local_model(whole, repository.repo)
    entries = repository.listing.entries
    content = {p: snapshot.sha256.get(p, e.blob_id) for p, e in entries.items()}
    config = read_config(snapshot.folder) if "config.json" in snapshot.whole else None
    return Model(repository.repo, repository.commit, config, content, snapshot.headers,
                 repository.ranges)  # fmt: skip


def _judged(seen: _Seen, brought: _Brought, policy: Policy, asked: Asked) -> AuditResult:
    claimed = read_claims(seen.folder, seen.here, seen.subject.name, seen.listed)
    claims = _together(claimed.claims, brought.claims)
    evidence = one_each([
        *seen.evidence, *claimed.evidence, *brought.evidence, *_measured(seen, asked),
        *_checked_files(seen, claims), _declared(claimed, asked), *_terms(seen, claims),
    ])  # fmt: skip
    subject = seen.subject.model_copy(update={"version": claimed.version})
    record = link(subject, claims, evidence)
    return AuditResult(record=record, verdict=judge(record, policy))


def _together(claims: tuple[Claim, ...], brought: tuple[ChecksumClaim, ...]) -> tuple[Claim, ...]:
    ids = {c.id for c in claims}
    doubled = [c.id for c in brought if c.id in ids]
    if doubled:
        raise InputError(f"two lists of checksums name {doubled[0]}", expected="one name a list")
    return (*claims, *brought)


def _measured(seen: _Seen, asked: Asked) -> Iterable[Evidence]:
    if asked.measure is None:
        return ()
    if not seen.whole:
        missing = MissingEvidence("the weights are not here as a whole",
                                  remedy="Verify with --full")  # fmt: skip
        return (unread("endpoint", seen.subject.name, missing),)
    return tuple(asked.measure(seen.folder.root))


def _checked_files(seen: _Seen, claims: tuple[Claim, ...]) -> Iterator[FileFact]:
    """Yield the files that a checksum is announced for and that are no weights."""
    weights = {f.path for e in seen.evidence if isinstance(e, WeightsDigest) for f in e.files}
    wanted = {c.path for c in claims if isinstance(c, ChecksumClaim)}
    for path in sorted(wanted & seen.digests.keys() - weights):
        size, digest = seen.digests[path]
        trust = Trust.RECOMPUTED if path in seen.here else Trust.FETCHED
        yield FileFact(id=f"file:{path}", source=path, sha256=digest, size=size, trust=trust,
                       role="checksum")  # fmt: skip


def _terms(seen: _Seen, claims: tuple[Claim, ...]) -> Iterator[ReleaseTerms]:
    """Yield the terms that card and licence file state, where a base model is claimed."""
    bases = [c for c in claims if isinstance(c, BaseModelClaim)]
    if bases:
        card = CARD if CARD in seen.here else None
        yield terms_in(seen.folder, ".", card, base=bases[0].base)


def _declared(claimed: Claimed, asked: Asked) -> Declared:
    has_card = any(e.kind == "card" for e in claimed.evidence)
    return Declared(
        id="declared",
        source="audit-flow verify",
        trust=Trust.RECOMPUTED,
        evaluations=tuple(p.name for p in asked.reproductions),
        weights=".",
        card=CARD if has_card else None,
    )
