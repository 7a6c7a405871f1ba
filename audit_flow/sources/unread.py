"""What can't be read becomes a fact of its own: told, and hiding nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from audit_flow.errors import AuditFlowError, EvidenceError, MissingEvidence
from audit_flow.model import EvalRun, Evidence, Trust, Unread
from audit_flow.sources.fields import writable
from audit_flow.sources.source_file import SourceFile

_MAX_NAME = 200


@contextmanager
def within_bounds(what: str, where: str) -> Iterator[None]:
    """Raise EvidenceError for values that no noun takes: endless names, numbers beyond 2^53."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise EvidenceError(
            f"{place} of {error.title}: {first['msg'].lower()}",
            expected=f"{what} within the bounds of a record",
            where=where,
        ) from error


def unread(what: str, path: str, error: AuditFlowError, name: str = "") -> Unread:
    """Return the fact that evidence is missing or can't be read, with where and what to do.

    ``name`` tells several such facts of one file apart.
    """
    missing = isinstance(error, MissingEvidence)
    where = f"{error.where}: " if error.where and error.where != path else ""
    what = writable(what)
    detail = f"{where}{error.got}" + (f"; expected {error.expected}" if error.expected else "")
    return Unread(
        id=f"unread:{what}:{path}" + (f"#{name}" if name else ""),
        source=path[:4096] or ".",
        trust=Trust.RECOMPUTED,
        of=what,
        reason="missing" if missing else "unreadable",
        detail=writable(detail),
        remedy=error.remedy,
    )


def read_each(
    source: SourceFile,
    metrics: Iterable[tuple[str, Callable[[], EvalRun]]],
    at: str = "results",
) -> tuple[Evidence, ...]:
    """Return the run of each metric, or the fact that this one metric can't be read.

    ``metrics`` names each by task and metric; ``at`` is where the file holds them. What is wrong
    with the file as a whole still raises, as does a file without any: EvidenceError.
    """
    found: list[Evidence] = []
    for name, read in metrics:
        try:
            found.append(read())
        except EvidenceError as error:
            found.append(unread(f"metric {name[:_MAX_NAME]}", source.path, error))
    if not found:
        raise EvidenceError(
            "no metric in it", expected="at least one result", where=f"{source.path}: {at}"
        )
    return tuple(found)
