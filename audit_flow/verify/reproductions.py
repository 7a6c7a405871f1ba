"""Evaluation results that the verifier brings: his own measurement, tied to weights by digest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from audit_flow.collectors import SourceFile, read, unread
from audit_flow.collectors.weights import weights_digest
from audit_flow.errors import AuditFlowError, EvidenceError, InputError
from audit_flow.model import EvalRun, Evidence, Trust
from audit_flow.sources.folder import Folder
from audit_flow.sources.hashing import Wanted, hash_all

_ROOT = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


def read_reproductions(paths: Iterable[Path], measured: str | None) -> list[Evidence]:
    """Read results files; ``measured`` is the root digest, or the folder, of what was measured.

    The verifier answers for them, as for his policy: they count as measured by an auditor. A file
    that reports what somebody else measured keeps what it says. Raises InputError for a file that
    is not there and for a digest that is none.
    """
    files = list(paths)
    names = [path.name for path in files]
    if len(set(names)) != len(names):
        raise InputError("two results files of one name", expected="a name for each")
    root = measured_root(measured) if measured else None
    return [run for path in files for run in _read(path, root)]


def measured_root(text: str) -> str:
    """Return the root digest that a text states, or of the folder that it names."""
    if match := _ROOT.match(text):
        return match[1]
    if not Path(text).is_dir():
        raise InputError(f"{text!r} says no weights", expected="a folder, or its SHA-256 root")
    folder = Folder.at(Path(text))
    hashed = hash_all(folder, Wanted(frozenset({"."})))
    try:
        return weights_digest(folder, ".", hashed, "released").root_sha256
    except AuditFlowError as error:
        raise InputError(f"{text}: {error}", expected="a folder of weights") from error


def _read(path: Path, root: str | None) -> list[Evidence]:
    if not path.is_file():
        raise InputError(f"there is no results file {path}", expected="a file")
    source = SourceFile(Folder.at(path.parent), path.name)
    try:
        return [_own(run, root) for run in read(source, "evaluation")]
    except AuditFlowError as error:
        return [unread("reproduction", path.name, error)]
    except Exception as error:
        broken = EvidenceError(f"reading broke down: {type(error).__name__}", where=path.name)
        return [unread("reproduction", path.name, broken)]


def _own(run: Evidence, root: str | None) -> Evidence:
    if not isinstance(run, EvalRun):
        return run
    tie = {} if run.weights_sha256 or root is None else {"weights_sha256": root}
    if run.format == "reported-results":
        return run.model_copy(update=tie)
    mine = {"measured_by": "auditor", "by": "the verifier", "trust": Trust.RECOMPUTED}
    return run.model_copy(update=tie | mine)
