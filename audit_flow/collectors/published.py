"""What others have published about a release: ``audit-flow/published-findings/v1``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from audit_flow.collectors.interface import SourceFile
from audit_flow.errors import EvidenceError, InputError
from audit_flow.model import (
    Evidence,
    PublishedFinding,
    PublishedScore,
    ServedMeasure,
    ServedRow,
    Trust,
    Unit,
    sha256_hex,
)
from audit_flow.model.published_facts import Basis, Relation, Says, Standing
from audit_flow.sources import yaml_text
from audit_flow.sources.folder import MIB
from audit_flow.sources.manifest import Number
from audit_flow.sources.wire import Text, Wire, validate


class PublishedScoreEntry(Wire):
    """The score that was published."""

    value: Number
    unit: Unit
    n_items: int | None = Field(default=None, gt=0, lt=2**53)

    @model_validator(mode="after")
    def _in_range(self) -> PublishedScoreEntry:
        top = 100 if self.unit == "percent" else 1
        if not self.value.is_finite() or not 0 <= self.value <= top:
            raise ValueError(f"value {self.value}: expected 0 to {top} for the unit {self.unit!r}")
        return self


class FindingEntry(Wire):
    """One finding as a reviewer wrote it down."""

    id: Text = Field(min_length=1, max_length=200)
    claims: list[Text] = []
    by: Text
    relation: Relation = "unknown"
    says: Says
    basis: Basis = "statement"
    standing: Standing = "open"
    statement: Text
    score: PublishedScoreEntry | None = None
    weights: Literal["released", "other", "unknown"] = "unknown"
    conditions_differ: list[Text] = []
    source: Text


class MeasureEntry(Wire):
    """One measurement of a provider: a share in percent, or a number of any other unit."""

    name: Text
    unit: Literal["percent", "other"] = "percent"
    lower_is_better: bool = False
    value: Number | None = None
    at_least: bool = False
    right: int | None = Field(default=None, ge=0, lt=2**53)
    asked: int | None = Field(default=None, ge=0, lt=2**53)
    limit: Number | None = None

    @model_validator(mode="after")
    def _counts_fit(self) -> MeasureEntry:
        numbers = [n for n in (self.value, self.limit) if n is not None]
        if not all(n.is_finite() and len(n.as_tuple().digits) <= 40 for n in numbers):
            raise ValueError("a value or limit that is no number: expected up to 40 digits")
        if self.unit == "percent" and not all(0 <= n <= 100 for n in numbers):
            raise ValueError("a value or limit that is no share: expected 0 to 100 percent")
        if self.at_least and self.lower_is_better:
            raise ValueError("at_least with lower_is_better: expected the value itself")
        if self.right is not None and self.asked is not None and self.right > self.asked:
            raise ValueError(f"{self.right} right of {self.asked}: expected no more than asked")
        return self


class RowEntry(Wire):
    """One provider."""

    name: Text = Field(min_length=1, max_length=300)
    reference: bool = False
    measures: list[MeasureEntry] = Field(min_length=1, max_length=100)


class RowsEntry(Wire):
    """A table of providers that somebody measured."""

    by: Text
    source: Text
    rows: list[RowEntry] = Field(min_length=1, max_length=10_000)


class FindingsFile(Wire):
    """The whole file: findings, and perhaps a table of served models."""

    schema_: Literal["audit-flow/published-findings/v1"] = Field(alias="schema")
    findings: list[FindingEntry] = Field(default=[], max_length=10_000)
    served: RowsEntry | None = None

    @model_validator(mode="after")
    def _each_once(self) -> FindingsFile:
        for names in ([f.id for f in self.findings], [r.name for r in self._rows()]):
            twice = next((n for n, times in Counter(names).items() if times > 1), None)
            if twice is not None:
                raise ValueError(f"{twice[:200]!r} stands twice: expected each name once")
        if not self.findings and self.served is None:
            raise ValueError("no findings and no served rows: expected at least one")
        return self

    def _rows(self) -> list[RowEntry]:
        return self.served.rows if self.served else []


def read_published(source: SourceFile) -> tuple[Evidence, ...]:
    """Return the findings and rows of one file; EvidenceError names file and line of a slip."""
    raw = source.bytes(4 * MIB)
    try:
        document = yaml_text.parse(raw)
        read = validate(FindingsFile, document, source.path, InputError)
    except (yaml_text.YamlError, InputError) as error:
        expected = "audit-flow/published-findings/v1"
        raise EvidenceError(f"{source.path}, {error}", expected=expected) from error
    try:
        return tuple(_facts(source.path, sha256_hex(raw), read))
    except ValidationError as error:
        got = error.errors()[0]
        raise EvidenceError(
            f"{source.path}: {got['msg']}", expected="values that a record takes",
            where=".".join(map(str, got["loc"])),
        ) from None  # fmt: skip


def _facts(path: str, sha256: str, read: FindingsFile) -> Iterator[Evidence]:
    yield from (_finding(path, sha256, entry) for entry in read.findings)
    if (table := read.served) is not None:
        yield from (_row(path, sha256, table, entry) for entry in table.rows)


def _finding(path: str, sha256: str, entry: FindingEntry) -> PublishedFinding:
    given = entry.score
    return PublishedFinding(
        id=f"published-finding:{path}#{entry.id}",
        source=path,
        sha256=sha256,
        # Somebody typed it into a file; where it was published is only named.
        trust=Trust.SELF_REPORTED,
        name=entry.id,
        claims=tuple(dict.fromkeys(entry.claims)),
        by=entry.by,
        relation=entry.relation,
        says=entry.says,
        basis=entry.basis,
        standing=entry.standing,
        statement=entry.statement,
        score=PublishedScore(**given.model_dump()) if given else None,
        weights=entry.weights,
        conditions_differ=tuple(entry.conditions_differ),
        published=entry.source,
    )


def _row(path: str, sha256: str, table: RowsEntry, entry: RowEntry) -> ServedRow:
    return ServedRow(
        id=f"served-row:{path}#{entry.name}",
        source=path,
        sha256=sha256,
        trust=Trust.SELF_REPORTED,
        name=entry.name,
        by=table.by,
        reference=entry.reference,
        measures=tuple(ServedMeasure(**m.model_dump()) for m in entry.measures),
        published=table.source,
    )
