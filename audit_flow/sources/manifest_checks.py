"""What a manifest must not say, beyond types: paths outside, claims twice, impossible numbers."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import ValidationError

from audit_flow.errors import AuditFlowError, ManifestError
from audit_flow.sources import yaml_text
from audit_flow.sources.folder import Folder

if TYPE_CHECKING:
    from audit_flow.sources.manifest_entries import ReleaseManifest


def no_path_twice(document: yaml_text.Document, name: str) -> None:
    """Refuse two checksums of one file, however its path is written."""
    data = document.data if isinstance(document.data, dict) else {}
    checksums = data.get("checksums")
    seen: set[str] = set()
    for path in checksums if isinstance(checksums, dict) else ():
        if (plain := posixpath.normpath(path)) in seen:
            line = document.line(("checksums", path)) or 1
            raise ManifestError(
                f"{name}, line {line}: {plain!r} has two checksums", expected="each file once"
            )
        seen.add(plain)


def claims_are_possible(manifest: ReleaseManifest, document: yaml_text.Document, name: str) -> None:
    """Try every entry as a claim, so that a number that can't be is told with its line."""
    for index, entry in enumerate(manifest.scores):
        possible(entry.noun, document, ("scores", index), name)
    possible(manifest.claims, document, (), name)


def possible(
    make: Callable[[], object], document: yaml_text.Document, loc: yaml_text.Path, name: str
) -> None:
    """Refuse, with its line, an entry that no noun can be made of."""
    try:
        make()
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ManifestError(
            f"{name}, line {document.line(loc) or 1}: {field} is {str(first['input'])[:80]!r}",
            expected=first["msg"][:1].lower() + first["msg"][1:],
            remedy="Correct the value",
        ) from error


def no_duplicates(manifest: ReleaseManifest, document: yaml_text.Document, name: str) -> None:
    """Refuse a claim that stands twice."""
    seen: dict[str, int] = {}
    entries = [("scores", i, s.noun().id) for i, s in enumerate(manifest.scores)]
    entries += [("training", i, f"training:{t.name}") for i, t in enumerate(manifest.training)]
    entries += [("statements", i, f"statement:{s.id}") for i, s in enumerate(manifest.statements)]
    for section, index, claim in entries:
        line = document.line((section, index)) or 1
        if claim.casefold() in seen:
            raise ManifestError(
                f"{name}, line {line}: the claim {claim!r} stands already on line "
                f"{seen[claim.casefold()]}",
                expected="each claim once",
                remedy="Keep one, or tell them apart by protocol.task",
            )
        seen[claim.casefold()] = line
    _evidence_once(manifest, document, name)


def _evidence_once(manifest: ReleaseManifest, document: yaml_text.Document, name: str) -> None:
    evidence = manifest.evidence
    for key in ("datasets", "training_configs", "job_logs", "records", "evaluations"):
        paths = [getattr(e, "path", e) for e in getattr(evidence, key)]
        for index, path in enumerate(paths):
            if path in paths[:index]:
                line = document.line(("evidence", key, index)) or 1
                raise ManifestError(
                    f"{name}, line {line}: {path!r} stands twice under evidence.{key}",
                    expected="each file once",
                )


def paths_inside(
    manifest: ReleaseManifest, folder: Folder, document: yaml_text.Document, name: str
) -> None:
    """Refuse a path that leads out of the release."""
    inside = Folder.at(folder.root)
    for loc, value in _paths(manifest):
        try:
            inside.locate(value)
        except AuditFlowError as error:
            line = document.line(loc) or 1
            raise ManifestError(f"{name}, line {line}: {error}") from error


def _paths(manifest: ReleaseManifest) -> list[tuple[yaml_text.Path, str]]:
    evidence, base = manifest.evidence, manifest.base_model
    found: list[tuple[yaml_text.Path, str | None]] = [
        (("weights",), manifest.weights),
        (("card",), manifest.card),
        (("base_model", "path"), base.path if base else None),
        (("base_model", "fingerprint"), base.fingerprint if base else None),
    ]
    for key in ("datasets", "training_configs", "job_logs", "records", "findings"):
        found += [(("evidence", key, i), p) for i, p in enumerate(getattr(evidence, key))]
    found += [(("evidence", "evaluations", i), e.path) for i, e in enumerate(evidence.evaluations)]
    for i, tool in enumerate(manifest.decontamination):
        found.append((("decontamination", i, "output"), tool.output))
    for part, paths in (manifest.openness.components if manifest.openness else {}).items():
        found += [(("openness", "components", part, i), p) for i, p in enumerate(paths)]
    found += [(("reproduce", i, "task"), r.task) for i, r in enumerate(manifest.reproduce)]
    found += [(("checksums", path), path) for path in manifest.checksums]
    return [(loc, value) for loc, value in found if value is not None]
