"""From a manifest to everything that can be seen: the left end of the audit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from audit_flow.collectors.announcement import read_announcement
from audit_flow.collectors.dataset_folders import described, folder_changes
from audit_flow.collectors.declared import declared
from audit_flow.collectors.decontamination import read_decontamination
from audit_flow.collectors.dvc_ledger import read_dvc_file, read_ledger, relevant
from audit_flow.collectors.evidence_signature import believed, evidence_signatures
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.collectors.model_card import read_card
from audit_flow.collectors.one_each import one_each
from audit_flow.collectors.openness import components, terms
from audit_flow.collectors.own_claims import claims_of_its_own
from audit_flow.collectors.published import read_published
from audit_flow.collectors.readers import read
from audit_flow.collectors.record_signature import believed_records, record_signatures
from audit_flow.collectors.signature import ModelFolder, found_signatures, verify_model
from audit_flow.collectors.weights import is_within, weights_digest, within
from audit_flow.digests import DigestCache
from audit_flow.errors import AuditFlowError, EvidenceError, MissingEvidence
from audit_flow.model import (
    CardClaims,
    Claim,
    DatasetDigest,
    EvalRun,
    Evidence,
    FileFact,
    PipelineStage,
    Signature,
    Subject,
    Trust,
    TrustFile,
    WeightsDigest,
)
from audit_flow.sources.folder import Folder, is_folder
from audit_flow.sources.hashing import Hashed, Progress, Wanted, hash_all, hash_some, share_out
from audit_flow.sources.manifest import Release, ReleaseManifest, baselines
from audit_flow.sources.manifest_entries import EvaluationEntry
from audit_flow.sources.unread import unread


@dataclass(frozen=True)
class Collected:
    """What one audit goes by, before anything is linked."""

    subject: Subject
    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]


@dataclass
class _Pass:
    """One collection under way: evidence found so far, and what is wanted of the files."""

    release: Release
    evidence: list[Evidence] = field(default_factory=list)

    def attempt(self, what: str, path: str, work: Callable[[], Iterable[Evidence]]) -> None:
        """Take evidence from a reader; what can't be read becomes evidence of that."""
        try:
            self.evidence += work()
        except AuditFlowError as error:
            self.evidence.append(unread(what, path, error))
        except Exception as error:
            # Whatever a reader stumbles over in a hostile file is a finding, not the end.
            broken = EvidenceError(
                f"reading broke down: {type(error).__name__}: {_first_line(error)}",
                expected=f"a sound {what}",
            )
            self.evidence.append(unread(what, path, broken))


def collect(
    release: Release,
    runs: Iterable[Evidence] = (),
    progress: Progress | None = None,
    cache: DigestCache | None = None,
    trust: TrustFile | None = None,
) -> Collected:
    """Read everything that the manifest and the ledger name, each file once.

    ``runs`` are evaluation runs recomputed here; ``trust`` says whose signatures count. Evidence
    that can't be read becomes an ``Unread`` fact; only what the operator wrote wrongly raises
    (InputError).
    """
    manifest = release.manifest
    found = _Pass(release, list(runs))
    found.evidence.append(declared(release))
    found.evidence += baselines(manifest)
    _read_files(found, manifest)
    found.evidence += [*components(release), terms(release)]
    claimed = tuple(manifest.decontamination)
    found.evidence += read_decontamination(release.folder, claimed, release.path.name)
    stages = _stages(found)
    hashed = hash_all(release.folder, _wanted(release, stages), progress, cache)
    found.evidence += (s for s in stages if s not in found.evidence)
    _hashed_facts(found, stages, hashed)
    _signatures(found, hashed, trust or TrustFile())
    _lineage(found, manifest, trust or TrustFile())
    claims = manifest.claims()
    if manifest.card:
        claims += _card(found, manifest.card, claims)
    if (draft := manifest.announcement) is not None:
        source = SourceFile(release.folder, draft)
        found.attempt("announcement", draft, lambda: [read_announcement(source)])
    evidence = one_each(found.evidence)
    return Collected(_subject(manifest, evidence), claims, evidence)


def hash_release(
    release: Release, progress: Progress | None = None, cache: DigestCache | None = None
) -> str | None:
    """Hash what an audit of this release will read; return the root of the released weights.

    With a ``cache`` the audit then reads nothing of it again. None where there are no weights, or
    where they can't be read: the audit tells why.
    """
    path = release.manifest.weights
    hashed = hash_all(release.folder, _wanted(release, _stages(_Pass(release))), progress, cache)
    if path is None or path in hashed.failed:
        return None
    try:
        return weights_digest(release.folder, path, hashed, "released").root_sha256
    except AuditFlowError:
        return None


def hashing_shares(release: Release, size: int) -> tuple[tuple[str, ...], ...]:
    """Share what an audit will read out into groups of files of about ``size`` bytes."""
    return share_out(release.folder, _wanted(release, _stages(_Pass(release))), size)


def hash_share(
    release: Release, names: Collection[str], cache: DigestCache, threads: int | None = None
) -> None:
    """Hash one share into a cache; what can't be read is told by the audit."""
    hash_some(release.folder, _wanted(release, _stages(_Pass(release))), names, cache, threads)


def _first_line(error: Exception) -> str:
    # An OSError's own text holds absolute paths, which differ between machines.
    text = (error.strerror or "") if isinstance(error, OSError) else str(error)
    return text.partition("\n")[0][:300]


def _read_files(found: _Pass, manifest: ReleaseManifest) -> None:
    folder, evidence = found.release.folder, manifest.evidence
    families: tuple[tuple[str, Family, Iterable[str]], ...] = (
        ("training configuration", "training-config", evidence.training_configs),
        ("job log", "job-log", evidence.job_logs),
        ("record", "job-log", evidence.records),
    )
    for what, family, paths in families:
        for path in paths:
            found.attempt(what, path, lambda p=path, f=family: _read(SourceFile(folder, p), f))  # type: ignore[misc]
    for path in evidence.findings:
        source = SourceFile(folder, path)
        found.attempt("published findings", path, lambda s=source: read_published(s))  # type: ignore[misc]
    for entry in evidence.evaluations:
        found.attempt("evaluation", entry.path, lambda e=entry: _evaluation(folder, e))  # type: ignore[misc]


def _evaluation(folder: Folder, entry: EvaluationEntry) -> tuple[Evidence, ...]:
    source = SourceFile(folder, entry.path, entry.cluster)
    runs = tuple(_tied(_read(source, "evaluation"), entry.weights_sha256))
    grouped = any(
        isinstance(r, EvalRun) and r.samples and r.samples.cluster_field == entry.cluster
        for r in runs
    )
    if entry.cluster is None or grouped:
        return runs
    error = EvidenceError(
        f"no groups by the field {entry.cluster!r} in its rows",
        expected="a field that every row has and that some rows share",
        remedy="Name another field under cluster, or leave it out",
    )
    return (*runs, unread("groups of items", entry.path, error))


def _read(source: SourceFile, family: Family) -> tuple[Evidence, ...]:
    return read(source, family)


def _tied(runs: tuple[Evidence, ...], weights: str | None) -> Iterator[Evidence]:
    for run in runs:
        if weights and isinstance(run, EvalRun) and run.weights_sha256 is None:
            yield run.model_copy(update={"weights_sha256": weights})
        else:
            yield run


def _stages(found: _Pass) -> tuple[PipelineStage, ...]:
    release, manifest = found.release, found.release.manifest
    recorded = tuple(e for e in found.evidence if isinstance(e, PipelineStage))
    stages: list[PipelineStage] = []
    if manifest.evidence.dvc:
        ledger = release.folder.relative(release.folder.ceiling / "dvc.lock")
        found.attempt("pipeline ledger", ledger, lambda: _keep(stages, read_ledger(release.folder)))
    for path in _tracked_candidates(manifest):
        if _is_there(release, f"{path}.dvc"):
            dvc_file = f"{path}.dvc"
            found.attempt(
                "DVC file",
                dvc_file,
                lambda p=dvc_file: _keep(stages, (read_dvc_file(release.folder, p),)),  # type: ignore[misc]
            )
    targets = [p for p in _tracked_candidates(manifest) if p]
    chosen = relevant(stages, targets)
    for path in sorted({p.name.partition(":")[0] for s in chosen for p in s.params}):
        source = SourceFile(release.folder, path)
        found.attempt("parameters", path, lambda s=source: _read(s, "training-config"))  # type: ignore[misc]
    return (*recorded, *chosen)


def _is_there(release: Release, path: str) -> bool:
    try:
        return release.folder.locate(path).is_file()
    except (AuditFlowError, OSError):
        return False


def _keep(stages: list[PipelineStage], read: Iterable[PipelineStage]) -> tuple[Evidence, ...]:
    stages += read
    return ()


def _tracked_candidates(manifest: ReleaseManifest) -> list[str]:
    evidence = manifest.evidence
    base = manifest.base_model.path if manifest.base_model else None
    single = [p for p in (manifest.weights, base) if p]
    evaluations = [e.path for e in evidence.evaluations]
    return [*single, *evidence.datasets, *evidence.job_logs, *evaluations]


def _wanted(release: Release, stages: tuple[PipelineStage, ...]) -> Wanted:
    manifest = release.manifest
    tracked = {f.path for s in stages for f in (*s.deps, *s.outs)}
    base = manifest.base_model.path if manifest.base_model else None
    folders = {p for p in (manifest.weights, base) if p}
    named = {*manifest.evidence.datasets, *manifest.checksums, *manifest.evidence.training_configs}
    return Wanted(
        paths=frozenset(tracked | folders | named),
        tracked=frozenset(tracked),
        tensors=frozenset(f for p in folders for f in _safetensors(release, p)),
    )


def _safetensors(release: Release, path: str) -> list[str]:
    try:
        return [f for f in release.folder.walk(path) if f.endswith(".safetensors")]
    except AuditFlowError:
        # The folder is hashed as well: what is wrong with it is told there.
        return []


def _hashed_facts(found: _Pass, stages: tuple[PipelineStage, ...], hashed: Hashed) -> None:
    manifest, folder = found.release.manifest, found.release.folder
    base = manifest.base_model.path if manifest.base_model else None
    if manifest.weights:
        _weights(found, hashed, manifest.weights, "released weights")
    if base:
        _weights(found, hashed, base, "base model")
    for path in manifest.evidence.datasets:
        found.attempt("dataset", path, lambda p=path: [_dataset(p, hashed, folder)])  # type: ignore[misc]
    found.attempt("folder", ".", lambda: folder_changes(folder, stages, hashed))
    ledger = {f.path for s in stages for f in (*s.deps, *s.outs)}
    for path in sorted(ledger | {*manifest.checksums, *manifest.evidence.training_configs}):
        found.evidence += _file_fact(path, hashed, path in manifest.checksums)
    for path, error in sorted(hashed.failed.items()):
        if not isinstance(error, MissingEvidence):
            found.evidence.append(unread("file", path, error))


def _lineage(found: _Pass, manifest: ReleaseManifest, trust: TrustFile) -> None:
    """Hold the released weights against the base's local copy, or what stands for it."""
    base = manifest.base_model
    named = (base.path or base.fingerprint) if base else None
    if not (manifest.weights and base and named):
        return
    weights, folder, path = manifest.weights, found.release.folder, base.path

    def read() -> Iterable[Evidence]:
        from audit_flow.collectors.weight_comparison import compare_weights, known_by, local_weights

        other = local_weights(folder, path, base.id) if path else known_by(
            folder.file(named), trust
        )  # fmt: skip
        return compare_weights(local_weights(folder, weights, weights), [other])

    found.attempt("weights comparison" if path else "fingerprint", named, read)


def _weights(found: _Pass, hashed: Hashed, path: str, what: str) -> None:
    folder = found.release.folder

    def read() -> list[WeightsDigest]:
        if path in hashed.failed:
            raise hashed.failed[path]
        role = "released" if what == "released weights" else "base"
        return [weights_digest(folder, path, hashed, role)]  # type: ignore[arg-type]

    found.attempt(what, path, read)


def _signatures(found: _Pass, hashed: Hashed, trust: TrustFile) -> None:
    """Verify what is signed: the released weights, and files of evidence."""
    manifest, folder = found.release.manifest, found.release.folder
    if manifest.weights and is_folder(folder.locate(manifest.weights)):
        path, model = manifest.weights, folder.locate(manifest.weights)
        known = {within(n, path): d for n, d in hashed.files.items() if is_within(n, path)}
        signed = ModelFolder(model, trust, prefix=path, known=known)
        for place in found_signatures(model):
            found.attempt("signature", path, lambda p=place: verify_model(signed, p))  # type: ignore[misc]
    named = manifest.evidence
    evaluations = [e.path for e in named.evaluations]
    paths = dict.fromkeys((*evaluations, *named.job_logs, *named.training_configs, *named.datasets))
    beside = evidence_signatures(folder, paths, trust)
    signers = (e.signer for e in found.evidence if isinstance(e, Signature) and e.signer)
    found.evidence = believed(found.evidence, beside, tuple(signers))
    found.evidence += (s.signature for s in beside)
    recorded = record_signatures(folder, (*named.records, *named.job_logs), trust)
    found.evidence = believed_records(found.evidence, recorded) + list(recorded)


def _dataset(path: str, hashed: Hashed, folder: Folder) -> DatasetDigest:
    if path in hashed.failed:
        raise hashed.failed[path]
    tree, file = hashed.trees.get(path), hashed.files.get(path)
    if tree is None and file is None:
        raise MissingEvidence("could not be hashed whole", where=path)
    found = DatasetDigest(
        id=f"dataset:{path}",
        source=path,
        sha256=tree.sha256 if tree else file.get("sha256") if file else None,
        md5=tree.md5 if tree else file.get("md5") if file else None,
        size=tree.size if tree else file.size if file else 0,
        files=tree.files if tree else 1,
        trust=Trust.RECOMPUTED,
    )
    return described(found, folder, hashed)


def _file_fact(path: str, hashed: Hashed, claimed: bool) -> Iterator[FileFact]:
    tree, file = hashed.trees.get(path), hashed.files.get(path)
    if tree is None and file is None:
        return
    yield FileFact(
        id=f"file:{path}",
        source=path,
        sha256=tree.sha256 if tree else file.get("sha256") if file else None,
        md5=tree.md5 if tree else file.get("md5") if file else None,
        size=tree.size if tree else file.size if file else 0,
        trust=Trust.RECOMPUTED,
        role="checksum" if claimed else "pipeline",
    )


def _card(found: _Pass, path: str, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Read the card; return its claims that the manifest does not make: they are claims as well."""
    extra: list[Claim] = []

    def read() -> list[CardClaims]:
        card, scores = read_card(found.release.folder, path)
        extra.extend(claims_of_its_own(card, scores, claims))
        return [card]

    found.attempt("model card", path, read)
    return tuple(extra)


def _subject(manifest: ReleaseManifest, evidence: tuple[Evidence, ...]) -> Subject:
    weights = [e for e in evidence if isinstance(e, WeightsDigest) and e.role == "released"]
    return Subject(
        name=manifest.release.name,
        version=manifest.release.version,
        hub_id=manifest.release.hub_id,
        revision=manifest.release.revision,
        weights_sha256=weights[0].root_sha256 if weights else None,
    )


__all__ = [
    "Collected",
    "claims_of_its_own",
    "collect",
    "hash_release",
    "hash_share",
    "hashing_shares",
    "one_each",
    "unread",
]
