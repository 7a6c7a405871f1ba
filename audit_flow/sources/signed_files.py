"""Which files of a model's folder a signature covers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from audit_flow import durable
from audit_flow.errors import InputError
from audit_flow.sources.every_file import every_file

# Version control, signatures themselves, and what audits leave behind.
LEFT_OUT = (
    ".git", ".gitattributes", ".github", ".gitignore", ".audit-flow",
    "model.sig", "model.sigstore.json", "model.tensors.sig",
)  # fmt: skip


def files_to_sign(model: Path, outputs: Iterable[Path]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files to sign, and the paths that the signature says it leaves out.

    ``outputs`` are the signatures about to be written. Raises InputError for a symbolic link, and
    for a folder that holds nothing to sign.
    """
    root, left_out = model.resolve(), set(LEFT_OUT)
    places = [o.resolve() for o in outputs]
    for place in places:
        durable.clear(place)
        if place.is_relative_to(root):
            left_out.add(place.relative_to(root).as_posix())
    found = every_file(root)
    if links := [p for p in found.links if not _beneath(p, left_out)]:
        raise InputError(
            f"{links[0]} is a symbolic link", expected="plain files", where=model.name,
            remedy="Copy the file in its place: others who verify the signature refuse links",
        )  # fmt: skip
    signed = (p for p in found.sizes if not _beneath(p, left_out))
    names = tuple(sorted(p for p in signed if not _unfinished(root / p, places)))
    if not names:
        raise InputError("there is no file to sign", expected="a model", where=model.name)
    return names, tuple(sorted(left_out))


def _unfinished(path: Path, places: Iterable[Path]) -> bool:
    # Somebody else may be signing at this moment.
    return any(path.parent == p.parent and durable.is_unfinished(path.name, p) for p in places)


def _beneath(path: str, tops: Iterable[str]) -> bool:
    return any(path == top or path.startswith(f"{top}/") for top in tops)
