"""The OMS statement: every file of a model with its digest, and one root digest over all.

Source: OpenSSF Model Signing specification 1.0, and model_signing 1.1.1 for the order of the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import rfc8785

from audit_flow.digests.plan import check_relative_path
from audit_flow.digests.strict_json import load_strict
from audit_flow.errors import AuditFlowError, InputError, SignatureError

STATEMENT = "https://in-toto.io/Statement/v1"
OMS = "https://model_signing/signature/v1.0"
# What model_signing wrote before 1.0: each file is a subject, and there is no root.
OLD_OMS = "https://model_signing/Digests/v0.1"
# Where this project's own predicate types live.
PREDICATES = "https://github.com/audit-flow/audit-flow/predicates"
EVIDENCE = f"{PREDICATES}/evidence/v1"
GIT_PATHS = (".git", ".gitattributes", ".github", ".gitignore")
MAX_NAME = 4096
_DIGITS = {"sha256": 64, "blake3": 64}


@dataclass(frozen=True)
class Resource:
    """One signed file: POSIX path relative to the model, and its digest."""

    path: str
    algorithm: str
    digest: str


@dataclass(frozen=True)
class ModelStatement:
    """What an OMS signature says of a model; ``root`` is missing in the form before 1.0."""

    predicate_type: str
    root: str | None
    resources: tuple[Resource, ...]
    ignore_paths: tuple[str, ...] = ()
    allow_symlinks: bool = False


def in_toto(
    subjects: Iterable[tuple[str, str]], predicate_type: str, predicate: dict[str, Any]
) -> bytes:
    """Return an in-toto Statement v1 over (name, SHA-256 hex) subjects, as RFC 8785 JSON."""
    document: dict[str, Any] = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    try:
        return rfc8785.dumps(document)
    except rfc8785.CanonicalizationError as error:
        raise SignatureError(
            f"what can't be signed: {error}", expected="names that are UTF-8 text",
            remedy="Rename the file whose name is no text",
        ) from error  # fmt: skip


def oms_statement(
    name: str, files: Iterable[tuple[str, str]], ignore_paths: Iterable[str] = ()
) -> bytes:
    """Return the statement for a model from (path, SHA-256 hex) pairs that are already known.

    Raises InputError for an empty model: a signature over nothing says nothing.
    """
    ordered = sorted(files, key=lambda file: file[0].split("/"))
    if not ordered:
        raise InputError("there is no file to sign", expected="a model of at least one file")
    resources = [{"name": p, "algorithm": "sha256", "digest": digest} for p, digest in ordered]
    serialization = {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": False,
        "ignore_paths": sorted(ignore_paths),
    }
    root = oms_root(digest for _, digest in ordered)
    return in_toto([(name, root)], OMS, {"serialization": serialization, "resources": resources})


def oms_root(digests: Iterable[str]) -> str:
    """Return the SHA-256 over raw digests (hex), in the order of the resources.

    model_signing orders by the parts of the paths, not by code points: ``a/b`` before ``a-b``.
    """
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in digests)).hexdigest()


def _is_short(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME


def read_statement(payload: bytes) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    """Return predicate type, subjects and predicate of an in-toto Statement v1.

    Raises SignatureError for anything else.
    """
    try:
        value = load_strict(payload)
    except ValueError as error:
        raise _error(f"the payload is no JSON ({error})", "an in-toto statement") from error
    if not isinstance(value, dict) or value.get("_type") != STATEMENT:
        raise _error("the payload is no statement", STATEMENT)
    kind, subjects, predicate = (value.get(k) for k in ("predicateType", "subject", "predicate"))
    if not isinstance(kind, str) or not _is_short(kind) or not isinstance(predicate, dict | None):
        raise _error("no predicate type that can be read", "a type and a predicate")
    if not isinstance(subjects, list) or not all(isinstance(s, dict) for s in subjects):
        raise _error("no subjects that can be read", "a list of subjects")
    return kind, subjects, predicate or {}


def parse_oms(payload: bytes) -> ModelStatement:
    """Read an OMS statement; raises SignatureError for another predicate or another form."""
    kind, subjects, predicate = read_statement(payload)
    if kind == OLD_OMS:
        found = tuple(_resource(s.get("name"), "sha256", _sha256(s)) for s in subjects)
        return ModelStatement(kind, None, _each_once(found))
    if kind != OMS:
        raise _error(f"predicate type {ascii(kind)[:200]}", OMS)
    if len(subjects) != 1:
        raise _error(f"{len(subjects)} subjects", "one, the model")
    settings, resources = predicate.get("serialization"), predicate.get("resources")
    if not isinstance(settings, dict) or not isinstance(resources, list):
        raise _error("no resources that can be read", "serialization and resources")
    if settings.get("method") != "files" or str(settings.get("hash_type")) not in _DIGITS:
        how = f"{settings.get('method')!r} by {settings.get('hash_type')!r}"
        raise _error(f"digests of {how[:100]}", "files by sha256 or blake3")
    return ModelStatement(
        predicate_type=kind,
        root=_digits(_sha256(subjects[0]), "sha256"),
        resources=_each_once(tuple(_listed(r) for r in resources)),
        ignore_paths=_ignored(settings.get("ignore_paths", [])),
        allow_symlinks=settings.get("allow_symlinks") is True,
    )


def _sha256(subject: dict[str, Any]) -> Any:
    digest = subject.get("digest")
    return digest.get("sha256") if isinstance(digest, dict) else None


def _listed(resource: Any) -> Resource:
    if not isinstance(resource, dict):
        raise _error("a resource that is no object", "name, algorithm and digest")
    return _resource(resource.get("name"), resource.get("algorithm"), resource.get("digest"))


def _resource(name: Any, algorithm: Any, digest: Any) -> Resource:
    if not _is_short(name) or not isinstance(algorithm, str) or algorithm not in _DIGITS:
        raise _error(f"a resource {ascii(name)[:100]} by {ascii(algorithm)[:40]}", "sha256, blake3")
    try:
        check_relative_path(name)
    except AuditFlowError as error:
        raise _error(error.got, error.expected) from error
    return Resource(name, algorithm, _digits(digest, algorithm))


def _digits(digest: Any, algorithm: str) -> str:
    wanted = _DIGITS[algorithm]
    if (
        not isinstance(digest, str)
        or len(digest) != wanted
        or set(digest) - set("0123456789abcdef")
    ):
        raise _error(f"a digest {ascii(digest)[:80]}", f"{wanted} lower-case hex digits")
    return digest


def _each_once(resources: tuple[Resource, ...]) -> tuple[Resource, ...]:
    paths = [r.path for r in resources]
    if len(set(paths)) != len(paths):
        raise _error("a file is listed twice", "each file once")
    return resources


def _ignored(paths: Any) -> tuple[str, ...]:
    if not isinstance(paths, list) or not all(isinstance(p, str) for p in paths):
        raise _error("ignore_paths that can't be read", "a list of paths")
    return tuple(sorted({p.removeprefix("./").rstrip("/") for p in paths}))


def _error(got: str, expected: str) -> SignatureError:
    return SignatureError(got, expected=expected)
