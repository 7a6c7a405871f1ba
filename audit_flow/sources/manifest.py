"""``release.yaml``: what the publisher claims, and where the evidence lies."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from audit_flow.errors import EvidenceError, ManifestError
from audit_flow.sources import yaml_text
from audit_flow.sources.folder import Folder
from audit_flow.sources.manifest_checks import (
    claims_are_possible,
    no_duplicates,
    no_path_twice,
    paths_inside,
    possible,
)
from audit_flow.sources.manifest_entries import (
    SCHEMA,
    Number,
    ProtocolEntry,
    ReleaseManifest,
    ReproduceEntry,
    baselines,
)
from audit_flow.sources.wire import validate


@dataclass(frozen=True)
class Release:
    """A manifest that was read, with the folder it speaks of; ``raw`` are its very bytes."""

    path: Path
    manifest: ReleaseManifest
    folder: Folder
    raw: bytes


def load(path: Path) -> Release:
    """Read and check a ``release.yaml``.

    Raises ManifestError (exit 2) with line and remedy for anything the operator wrote wrongly.
    """
    name = path.name
    try:
        raw = _bounded(path)
    except FileNotFoundError:
        raise ManifestError(
            f"there is no {path}",
            expected="a release manifest",
            remedy="Write one with: audit-flow init",
        ) from None
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror}", expected="a readable file") from error
    manifest, document = parse(raw, name)
    folder = _folder(path, manifest, document)
    paths_inside(manifest, folder, document, name)
    return Release(path=path, manifest=manifest, folder=folder, raw=raw)


def parse(raw: bytes, name: str) -> tuple[ReleaseManifest, yaml_text.Document]:
    """Read a manifest's text, without looking for what it names; ManifestError with line."""
    try:
        document = yaml_text.parse(raw)
        yaml_text.as_mapping(document, name)
    except EvidenceError as error:
        raise ManifestError(f"{name}, {error}") from error
    no_path_twice(document, name)
    manifest = validate(ReleaseManifest, document, name, ManifestError)
    claims_are_possible(manifest, document, name)
    possible(lambda: baselines(manifest), document, ("baselines",), name)
    no_duplicates(manifest, document, name)
    return manifest, document


def _bounded(path: Path) -> bytes:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ManifestError(f"{path} is no regular file", expected="a release manifest")
    with path.open("rb") as stream:
        return stream.read(yaml_text.MAX_BYTES + 1)


def _folder(path: Path, manifest: ReleaseManifest, document: yaml_text.Document) -> Folder:
    here = path.resolve().parent
    project = manifest.evidence.dvc.project if manifest.evidence.dvc else "."
    if any(part not in {"..", "."} for part in Path(project).parts):
        line = document.line(("evidence", "dvc", "project")) or 1
        raise ManifestError(
            f"{path.name}, line {line}: the DVC project {project!r}",
            expected="'.' or a folder around this one, such as '..'",
        )
    return Folder.at(here, here / project)


__all__ = [
    "SCHEMA",
    "Number",
    "ProtocolEntry",
    "Release",
    "ReleaseManifest",
    "ReproduceEntry",
    "baselines",
    "load",
    "parse",
]
