"""What linking looks things up in: files by path, stages by what they made, roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from audit_flow.analysis.weight_names import is_weight_file
from audit_flow.model import (
    ChecksumClaim,
    Claim,
    DatasetDigest,
    Declared,
    Evidence,
    FileFact,
    GpuJob,
    PipelineStage,
    StageFile,
    WeightFile,
    WeightsDigest,
)


@dataclass(frozen=True)
class FileDigest:
    """A file as it lies in the working tree, and the evidence that says so."""

    sha256: str | None
    md5: str | None
    evidence: str
    size: int | None = None


@dataclass(frozen=True)
class Facts:
    """The evidence and claims of one release, indexed; nothing in it is changed."""

    claims: tuple[Claim, ...]
    evidence: tuple[Evidence, ...]

    @cached_property
    def declared(self) -> Declared:
        """What the manifest declares."""
        found = [e for e in self.evidence if isinstance(e, Declared)]
        return (
            found[0]
            if found
            else Declared(id="declared", source="release.yaml", trust="self-reported")
        )

    @cached_property
    def stages(self) -> tuple[PipelineStage, ...]:
        """The stages of the pipeline ledger."""
        return tuple(e for e in self.evidence if isinstance(e, PipelineStage))

    @cached_property
    def jobs(self) -> tuple[GpuJob, ...]:
        """The jobs that logs tell of."""
        return tuple(e for e in self.evidence if isinstance(e, GpuJob))

    @cached_property
    def released(self) -> WeightsDigest | None:
        """The released weights."""
        return self._weights("released")

    @cached_property
    def base(self) -> WeightsDigest | None:
        """The local copy of the base model's weights."""
        return self._weights("base")

    def _weights(self, role: str) -> WeightsDigest | None:
        found = (e for e in self.evidence if isinstance(e, WeightsDigest) and e.role == role)
        return next(found, None)

    @cached_property
    def missing_weights(self) -> tuple[str, ...]:
        """Files of the weights folder that the ledger or a checksum names and that are not here."""
        named = {f.path for s in self.stages for f in (*s.deps, *s.outs)}
        named |= {c.path for c in self.claims if isinstance(c, ChecksumClaim)}
        inner = (p for p in named if inside(p, self.declared.weights))
        return tuple(sorted(p for p in inner if p not in self.files))

    @cached_property
    def files(self) -> dict[str, FileDigest]:
        """Every hashed file by its path."""
        found: dict[str, FileDigest] = {}
        for item in self.evidence:
            if isinstance(item, FileFact | DatasetDigest):
                found[item.source] = FileDigest(item.sha256, item.md5, item.id, item.size)
            elif isinstance(item, WeightsDigest):
                found |= {f.path: FileDigest(f.sha256, f.md5, item.id, f.size) for f in item.files}
        return found

    @cached_property
    def makers(self) -> dict[str, PipelineStage]:
        """The stage that generated each path, by the ledger."""
        return {out.path: stage for stage in self.stages for out in stage.outs}

    @cached_property
    def training_stages(self) -> tuple[PipelineStage, ...]:
        """The jobs that generated weight files of the release; where it has none, any file of it.

        A stage that wrote only a tokenizer or a configuration did not train the model.
        """
        named = {f.path for f in self.released.files} if self.released else set()
        folder = self.declared.weights
        outs = [(s, o.path) for s in self.stages if is_job(s) for o in s.outs]
        near = [(s, o) for s, o in outs if o in named or inside(o, folder) or inside(folder, o)]
        wanted = {p for p in named | {o for _, o in near} if is_weight_file(p)}
        makers = {s.id: s for s, o in near if any(inside(w, o) for w in wanted) or not wanted}
        return tuple(makers[i] for i in sorted(makers))

    @cached_property
    def ancestors(self) -> tuple[PipelineStage, ...]:
        """The training stages and every stage that what they used came from."""
        chosen = {s.id: s for s in self.training_stages}
        queue = list(chosen.values())
        while queue:
            for dep in queue.pop().deps:
                maker = self.maker(dep.path)
                if maker and maker.id not in chosen:
                    chosen[maker.id] = maker
                    queue.append(maker)
        return tuple(chosen[i] for i in sorted(chosen))

    def maker(self, path: str) -> PipelineStage | None:
        """The stage that generated a file, itself or the folder that it lies in."""
        for place in (path, *_folders(path)):
            if place in self.makers:
                return self.makers[place]
        return self._makers_within.get(path)

    @cached_property
    def _makers_within(self) -> dict[str, PipelineStage]:
        """A stage that generated something inside each folder."""
        found: dict[str, PipelineStage] = {}
        for path, stage in self.makers.items():
            for folder in _folders(path):
                found.setdefault(folder, stage)
        return found

    def matches(self, file: StageFile) -> bool | None:
        """Say whether a file of the ledger is in the working tree as it was; None when absent."""
        fact = self.files.get(file.path)
        if fact is None:
            return None
        if None not in {file.size, fact.size} and file.size != fact.size:
            return False
        return _equal(file, fact.sha256, fact.md5)

    def holds(self, entries: tuple[StageFile, ...], file: WeightFile) -> bool | None:
        """Say whether a ledger's entries hold a file, by itself or in a folder, as it lies here.

        None where no entry speaks of it by a digest that is known here.
        """
        said = [_equal(e, file.sha256, file.md5) for e in entries if e.path == file.path]
        said += [self.matches(e) for e in entries if e.path != file.path and around(file.path, e)]
        known = [s for s in said if s is not None]
        return all(known) if known else None


def named_as(entry: StageFile, file: WeightFile) -> bool:
    """Say whether a log's entry names a weight file by its digest."""
    by_md5 = entry.md5 is not None and entry.md5 == file.md5
    return by_md5 or (entry.sha256 is not None and entry.sha256 == file.sha256)


def _folders(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rsplit("/", 1)[0]
        yield path


def is_job(stage: PipelineStage) -> bool:
    """Say whether a stage ran something: a ``.dvc`` file only tracks what is there."""
    return bool(stage.command)


def around(path: str, entry: StageFile) -> bool:
    """Say whether an entry of the ledger is a file, or the folder that it lies in."""
    return inside(path, entry.path)


def inside(path: str | None, folder: str | None) -> bool:
    """Say whether a path is a folder or lies in it."""
    if path is None or folder is None:
        return False
    return path == folder or path.startswith(f"{folder}/")


def _equal(entry: StageFile, sha256: str | None, md5: str | None) -> bool | None:
    if entry.sha256 is not None and sha256 is not None:
        return entry.sha256 == sha256
    if entry.md5 is not None and md5 is not None:
        return entry.md5 == md5
    return None
