"""Reads a case folder: claims.yaml, reproduction.yaml and tables beside them (docs/incidents.md).

Unknown keys are kept out of the way and unknown words are kept as they are: what they mean is not
guessed here. A file that is no case is a CaseError that names it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from audit_flow.errors import AuditFlowError
from audit_flow.sources import yaml_text

CLAIMS = "audit-case/claims/v1"
REPRODUCTION = "audit-case/reproduction/v1"
MAX_TABLE = 1024 * 1024
MAX_TABLES = 50


class CaseError(Exception):
    """A folder that holds no case that can be read."""


@dataclass(frozen=True)
class CaseClaim:
    """A claim of the case: its kind, what it says, and its number if it is one."""

    id: str
    kind: str
    text: str
    source: str
    metric: Mapping[str, Any]
    conditions: Mapping[str, Any]


@dataclass(frozen=True)
class CaseFinding:
    """A finding of the case, as it stands there; ``fields`` are all of its keys."""

    id: str
    bears_on: tuple[str, ...]
    by: str
    value: Any
    verdict: str
    source: str
    status: str
    fields: Mapping[str, Any]

    @property
    def text(self) -> str:
        """What was found, in words."""
        return words(self.value)


@dataclass(frozen=True)
class Table:
    """A CSV file beside the case."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Expected:
    """What the case says a gate should have said; nothing but the comparison reads it."""

    verdict: str
    blocking: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    rows: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One case: claims, findings, tables, and apart from them what is expected."""

    id: str
    title: str
    hub_repo: str
    claimant: str
    status: str
    claims: tuple[CaseClaim, ...]
    findings: tuple[CaseFinding, ...]
    tables: tuple[Table, ...]
    files: frozenset[str]
    expected: Expected


def is_case(folder: Path) -> bool:
    """Say whether a folder holds a case."""
    return (folder / "claims.yaml").is_file() and (folder / "reproduction.yaml").is_file()


def read_case(folder: Path) -> Case:
    """Read one case; CaseError names the file and what was expected of it."""
    claims = _document(folder / "claims.yaml", CLAIMS)
    found = _document(folder / "reproduction.yaml", REPRODUCTION)
    release = _mapping(claims.get("release"))
    return Case(
        id=words(claims.get("case_id") or folder.name),
        title=words(claims.get("title") or claims.get("case_id") or folder.name),
        hub_repo=words(release.get("hub_repo")),
        claimant=words(release.get("claimant")),
        status=words(found.get("status") or claims.get("status")),
        claims=tuple(map(_claim, _mappings(claims.get("claims"), "claims.yaml"))),
        findings=tuple(map(_finding, _mappings(found.get("findings"), "reproduction.yaml"))),
        tables=tuple(_tables(folder)),
        files=frozenset(p.name for p in folder.iterdir() if p.is_file()),
        expected=_expected(_mapping(found.get("expected_gate"))),
    )


def words(value: Any) -> str:
    """Return a value as text: lists and mappings as their parts, nothing as the empty text."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {words(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(words, value))
    return str(value).strip()


def _document(path: Path, schema: str) -> Mapping[str, Any]:
    try:
        data = yaml_text.parse(path.read_bytes()).data
    except (AuditFlowError, OSError) as error:
        raise CaseError(f"{path.name}: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != schema:
        got = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise CaseError(f"{path.name}: got schema {got!r}, expected {schema}")
    return data


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: Any, where: str) -> list[Mapping[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(part, dict) for part in value):
        raise CaseError(f"{where}: expected a list of entries with keys")
    return value


def _names(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else [value] if value is not None else []
    return tuple(dict.fromkeys(words(part) for part in parts))


_OWN_NUMBER = ("benchmark", "value", "unit", "n_items", "variant", "metric")


def _claim(entry: Mapping[str, Any]) -> CaseClaim:
    metric = entry.get("metric")
    if not isinstance(metric, dict):
        # A number may also stand in the claim itself.
        metric = {key: entry[key] for key in _OWN_NUMBER if key in entry}
    conditions = entry.get("conditions")
    stated = conditions if isinstance(conditions, dict) else {}
    text = words(entry.get("value")) or words(metric)
    return CaseClaim(
        id=words(entry.get("id")),
        kind=words(entry.get("kind")).casefold(),
        text=f"{text} ({words(conditions)})" if conditions and not stated else text,
        source=words(entry.get("source")),
        metric=metric,
        conditions=stated,
    )


def _finding(entry: Mapping[str, Any]) -> CaseFinding:
    return CaseFinding(
        id=words(entry.get("id")),
        bears_on=_names(entry.get("bears_on")),
        by=words(entry.get("by")),
        value=entry.get("value"),
        verdict=words(entry.get("verdict")),
        source=words(entry.get("source")),
        status=words(entry.get("status")),
        fields=entry,
    )


def _expected(entry: Mapping[str, Any]) -> Expected:
    rows = entry.get("rows")
    return Expected(
        verdict=words(entry.get("verdict")).upper(),
        blocking=_names(entry.get("blocking_findings") or []),
        warnings=_names(entry.get("warning_findings") or entry.get("with_warnings") or []),
        rows={words(k): words(v).upper() for k, v in _mapping(rows).items()},
    )


def _tables(folder: Path) -> Iterable[Table]:
    for path in sorted(folder.glob("*.csv"))[:MAX_TABLES]:
        if path.stat().st_size > MAX_TABLE:
            continue
        reader = csv.DictReader(io.StringIO(path.read_text("utf-8-sig", "replace")))
        try:
            rows = tuple({str(k): words(v) for k, v in row.items()} for row in reader)
        except csv.Error:
            continue
        yield Table(path.name, tuple(reader.fieldnames or ()), rows)


def number(value: Any) -> Decimal | None:
    """Return a number from a number or from text such as ``76.2 %``; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if not isinstance(value, str):
        return None
    try:
        found = Decimal(value.strip().removesuffix("percent").rstrip("% "))
    except ArithmeticError:
        return None
    return found if found.is_finite() else None
