"""A weights folder: digests of every file, the structure of safetensors, pickles by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from audit_flow.digests import (
    INDEX_SUFFIX,
    FileDigests,
    FilePlan,
    Header,
    Problem,
    check_index,
    check_structure,
    digest_files,
    read_header,
    unsafe_pickle,
    weights_root,
)
from audit_flow.errors import AuditFlowError, EvidenceError
from audit_flow.model import StructureProblem, Trust, WeightFile, WeightsDigest
from audit_flow.sources import json_text
from audit_flow.sources.folder import MIB, Folder, is_walked
from audit_flow.sources.hashing import Hashed
from audit_flow.sources.parameters import count_parameters

_END_BYTES = 64 * 1024
# What a folder may hold that does not change what the model computes: it stays outside the root
# digest, so that a card can be corrected without new weights.
DOCUMENTATION = (
    "release.yaml", "attestation/release.yaml", "README*", "LICENSE*", "NOTICE*", "*.md",
    ".gitattributes", ".gitignore", "model.sig", "model.tensors.sig",
    "*.sigstore.json", "*.sigstore", ".eval_results/*",
)  # fmt: skip

# Code and weights are never documentation, whatever they are called.
_NEVER_DOCUMENTATION = (
    ".py", ".pyc", ".so", ".sh", ".safetensors", ".bin", ".pt", ".pth", ".pkl", ".gguf",
)  # fmt: skip


def is_documentation(path: str) -> bool:
    """Say whether a file, relative to its weights folder, stays outside the root digest."""
    if path.endswith(_NEVER_DOCUMENTATION):
        return False
    return any(fnmatchcase(path, pattern) for pattern in DOCUMENTATION)


def root_of_folder(folder: Path) -> str:
    """Return the root digest of the weights in a folder, as a record names them."""
    names = [n for n in Folder.at(folder).walk() if not is_documentation(n)]
    found = digest_files(folder, [FilePlan(n, frozenset({"sha256"})) for n in names])
    return weights_root((f.path, f.get("sha256") or "") for f in found)


def weights_digest(
    folder: Folder, path: str, hashed: Hashed, role: Literal["released", "base"]
) -> WeightsDigest:
    """Return what a weights folder holds.

    Raises EvidenceError when it holds nothing, or when any file of it could not be read: digests
    of a part are no digest of the whole.
    """
    names = [f for f in folder.walk(path) if not is_documentation(within(f, path))]
    unread = [n for n in names if n not in hashed.files]
    if not names or unread:
        reason = hashed.failed.get(unread[0]) if unread else None
        raise EvidenceError(
            str(reason) if reason else "no file of weights in it", where=path,
            expected="a folder with the released files",
        )  # fmt: skip
    headers = {n: read_header(folder.file(n), n) for n in names if n.endswith(".safetensors")}
    found = {n: hashed.files[n] for n in names}
    return WeightsDigest(
        id=f"weights:{path}",
        source=path,
        trust=Trust.RECOMPUTED,
        role=role,
        root_sha256=weights_root((within(n, path), _sha256(d)) for n, d in found.items()),
        files=tuple(_file(n, d) for n, d in found.items()),
        problems=tuple(_noun(p) for p in _problems(folder, names, headers)),
        pickles=tuple(_pickles(folder, names)),
        parameters=count_parameters(headers.values(), _config(folder, path)),
    )


def _config(folder: Folder, path: str) -> dict[str, Any]:
    """Return the model's configuration; empty where it is missing or can't be read."""
    try:
        return json_text.parse_object(folder.read(f"{path}/config.json", MIB), path, constants=True)
    except AuditFlowError:
        return {}


@dataclass(frozen=True)
class ListedFiles:
    """The files of a repository that is not here as a whole, by path.

    ``small`` holds the files that are here: indexes are read from it. ``pickles`` are the signs
    that were seen, each with its reason.
    """

    sizes: Mapping[str, int]
    sha256: Mapping[str, str]
    headers: Mapping[str, Header]
    small: Folder
    pickles: Mapping[str, str]


def listed_weights(source: str, listed: ListedFiles, trust: Trust) -> WeightsDigest:
    """Return what a repository holds, by the digests that its listing states or that were computed.

    ``trust`` is ``fetched`` unless every byte was read here. Raises EvidenceError as
    ``weights_digest`` does.
    """
    names = [n for n in sorted(listed.sizes) if is_weights(n)]
    unknown = [n for n in names if n not in listed.sha256]
    if not names or unknown:
        got = f"no SHA-256 of {unknown[0]} is known" if unknown else "no file of weights in it"
        raise EvidenceError(got, where=source, expected="a repository with the released files")
    headers = {n: h for n, h in listed.headers.items() if n in names}
    return WeightsDigest(
        id=f"weights:{source}",
        source=source,
        trust=trust,
        role="released",
        root_sha256=weights_root((n, listed.sha256[n]) for n in names),
        files=tuple(
            WeightFile(
                path=n,
                size=listed.sizes[n],
                sha256=listed.sha256[n],
                tensors=len(headers[n].tensors) or None if n in headers else None,
            )
            for n in names
        ),
        problems=tuple(_noun(p) for p in _problems(listed.small, names, headers)),
        pickles=tuple(
            StructureProblem(path=n, what="a pickle", expected="safetensors", actual=reason)
            for n, reason in sorted(listed.pickles.items())
        ),
    )


def is_weights(path: str) -> bool:
    """Say whether a file of a repository enters its root digest."""
    return is_walked(path) and not is_documentation(path)


def is_within(name: str, path: str) -> bool:
    """Say whether a file of the release lies in a folder of it."""
    return path == "." or PurePosixPath(name).is_relative_to(path)


def within(name: str, path: str) -> str:
    """Return the name that a file has inside its weights folder; EvidenceError outside of it."""
    if not is_within(name, path):
        raise EvidenceError(f"{name!r} is no file of the weights", expected=f"a path in {path}")
    return name if path == "." else PurePosixPath(name).relative_to(path).as_posix()


def _sha256(found: FileDigests) -> str:
    digest = found.get("sha256")
    if digest is None:
        raise EvidenceError("no SHA-256 was computed", where=found.path)
    return digest


def _file(name: str, found: FileDigests) -> WeightFile:
    tensors = hashlib.sha256()
    for tensor in sorted(found.tensors, key=lambda t: t.name):
        shape = "x".join(map(str, tensor.shape))
        tensors.update(f"{tensor.name}\0{tensor.dtype}\0{shape}\0{tensor.blake3}\n".encode())
    return WeightFile(
        path=name,
        size=found.size,
        sha256=_sha256(found),
        md5=found.get("md5"),
        tensors=len(found.tensors) or None,
        tensors_sha256=tensors.hexdigest() if found.tensors else None,
    )


def _problems(folder: Folder, names: list[str], headers: Mapping[str, Header]) -> Iterator[Problem]:
    for header in headers.values():
        yield from check_structure(header)
    for name in names:
        if name.endswith(INDEX_SUFFIX):
            yield from check_index(name, folder.read(name, 100 * MIB), headers, names)


def _noun(problem: Problem) -> StructureProblem:
    return StructureProblem(
        path=problem.path, what=problem.what, expected=problem.expected, actual=problem.got
    )


def _pickles(folder: Folder, names: Iterable[str]) -> Iterator[StructureProblem]:
    for name in names:
        with folder.file(name).open("rb") as stream:
            first = stream.read(_END_BYTES)
            stream.seek(max(0, stream.seek(0, 2) - _END_BYTES))
            reason = unsafe_pickle(name, first, stream.read(_END_BYTES))
        if reason:
            yield StructureProblem(
                path=name, what="a pickle", expected="safetensors", actual=reason
            )
