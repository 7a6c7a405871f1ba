"""Components of openness and terms of the release: what lies here, and under which licence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from audit_flow.analysis.licenses import (
    license_of_base,
    license_of_header,
    license_of_text,
    plain_name,
    terms_of,
)
from audit_flow.errors import AuditFlowError
from audit_flow.model import Disclosure, OpenComponent, ReleaseTerms, Trust
from audit_flow.sources import yaml_text
from audit_flow.sources.folder import MIB, Folder, is_folder
from audit_flow.sources.manifest import Release, ReleaseManifest

_LICENSES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "COPYING.txt")
_TEXT_BYTES = MIB
_HEAD = 4096
_FRONT_MATTER = "---\n"


def components(release: Release) -> Iterator[OpenComponent]:
    """Yield each component that the manifest names, itself or as evidence."""
    for name, paths in _named(release.manifest):
        missing = tuple(p for p in paths if not _is_there(release.folder, p))
        found = [_license(release.folder, p) for p in paths if p not in missing]
        # Of several licences the component has the one that is not known, if any.
        license_, source = min(found, key=lambda f: f[0] is not None, default=(None, None))
        yield OpenComponent(
            id=f"component:{name}",
            source=paths[0],
            trust=Trust.RECOMPUTED,
            name=name,
            paths=paths,
            missing=missing,
            license=license_,
            license_source=source,
        )


def _named(manifest: ReleaseManifest) -> Iterator[tuple[str, tuple[str, ...]]]:
    evidence = manifest.evidence
    own = {
        "model-parameters-final": [manifest.weights] if manifest.weights else [],
        "model-card": [manifest.card] if manifest.card else [],
        "evaluation-results": [e.path for e in evidence.evaluations],
        "datasets": evidence.datasets,
        "model-metadata": evidence.training_configs,
    }
    stated = dict(manifest.openness.components.items()) if manifest.openness else {}
    for name in sorted({*own, *stated}):
        paths = stated.get(name) or own.get(name, [])  # type: ignore[call-overload]
        if paths:
            yield name, tuple(dict.fromkeys(paths))


def _is_there(folder: Folder, path: str) -> bool:
    try:
        place = folder.locate(path)
        if is_folder(place):
            return bool(folder.walk(path))
        return folder.file(path).stat().st_size > 0
    except (AuditFlowError, OSError):
        return False


def _license(folder: Folder, path: str) -> tuple[str | None, str | None]:
    """Return the licence of a file or folder: its own, else that of the nearest folder."""
    here = is_folder(folder.locate(path))
    own = _own_license(folder, f"{path}/README.md" if here else path)
    if own is not None:
        return own, f"{path}/README.md" if here else path
    place = PurePosixPath(path)
    for parent in ([place] if here else []) + list(place.parents):
        for name in _LICENSES:
            file = (parent / name).as_posix()
            text = _text(folder, file)
            if text is not None:
                return license_of_text(text), file
    return None, None


def _own_license(folder: Folder, path: str) -> str | None:
    if path.endswith((".safetensors", ".bin", ".pt")):
        return None
    text = _text(folder, path) or ""
    return license_of_header(text[:_HEAD]) or _front_matter(text)


def _front_matter(text: str) -> str | None:
    if not text.startswith(_FRONT_MATTER):
        return None
    front = text[len(_FRONT_MATTER) :].partition("\n---")[0]
    try:
        data = yaml_text.parse(front.encode()).data
    except AuditFlowError:
        return None
    found = data.get("license") if isinstance(data, dict) else None
    if found == "other" and isinstance(data, dict):
        found = data.get("license_name")
    return plain_name(found)[:100] if isinstance(found, str) and found else None


def _text(folder: Folder, path: str) -> str | None:
    try:
        with folder.file(path).open("rb") as stream:
            return stream.read(_TEXT_BYTES).decode("utf-8", "replace")
    except (AuditFlowError, OSError):
        return None


def terms(release: Release) -> ReleaseTerms:
    """Return the terms of the release, from its files before what the manifest says."""
    manifest = release.manifest
    base = manifest.base_model
    found = terms_in(
        release.folder, manifest.weights, manifest.card,
        base=base.id if base else None, base_license=base.license if base else None,
    )  # fmt: skip
    stated = manifest.release.license if found.license is None else None
    return found.model_copy(
        update={
            "source": found.license_source or release.path.name,
            "license": plain_name(stated) if stated else found.license,
            "license_source": found.license_source or (release.path.name if stated else None),
            "openness_class": manifest.openness.class_ if manifest.openness else None,
            "disclosures": tuple(
                Disclosure(name=n, value=v) for n, v in sorted(manifest.disclosures.items())
            ),
        }
    )


def terms_in(
    folder: Folder,
    weights: str | None,
    card: str | None,
    *,
    base: str | None,
    base_license: str | None = None,
) -> ReleaseTerms:
    """Return the terms that the files of a release state: its card, else the nearest licence.

    The base's licence is the one given, else that of a well-known model of the base's name.
    """
    found, source = _license(folder, weights) if weights else (None, None)
    text = _text(folder, card) if card else None
    in_card = _front_matter(text) if text else None
    if in_card is not None:
        found, source = in_card, card
    known = base_license or (license_of_base(base) if base else None)
    asked = terms_of(known) if known else None
    notice = asked.notice if asked else None
    held = notice is not None and text is not None and notice.casefold() in text.casefold()
    return ReleaseTerms(
        id="terms",
        source=source or card or ".",
        trust=Trust.SELF_REPORTED,
        license=found,
        license_source=source,
        base_license=plain_name(known) if known else None,
        notices=(notice,) if held and notice else (),
    )
