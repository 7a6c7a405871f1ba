"""The output of a tool that is said to have taken benchmark items out of the training data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from audit_flow.collectors.interface import SourceFile
from audit_flow.errors import AuditFlowError, EvidenceError
from audit_flow.model import Decontamination, Trust
from audit_flow.model.base import sha256_hex
from audit_flow.sources import json_text
from audit_flow.sources.fields import writable
from audit_flow.sources.folder import MIB, Folder
from audit_flow.sources.manifest_entries import DecontaminationEntry

MAX_BYTES = 64 * MIB
_MAX_COUNTS = 200


def read_decontamination(
    folder: Folder, entries: tuple[DecontaminationEntry, ...], source: str
) -> Iterator[Decontamination]:
    """Yield what is said of each tool, with what its output counts; ``missing`` says why not."""
    for number, entry in enumerate(entries):
        fact = Decontamination(
            id=f"decontamination:{number}:{entry.tool}",
            source=entry.output or source,
            trust=Trust.SELF_REPORTED,
            tool=entry.tool,
            benchmarks=tuple(entry.benchmarks),
            output=entry.output,
        )
        yield _with_output(fact, SourceFile(folder, entry.output)) if entry.output else fact


def _with_output(fact: Decontamination, file: SourceFile) -> Decontamination:
    try:
        raw = file.bytes(MAX_BYTES)
        rows, counts = _counted(raw, file)
    except AuditFlowError as error:
        return fact.model_copy(update={"missing": str(error)})
    return fact.model_copy(
        update={"sha256": sha256_hex(raw), "rows": rows, "counts": tuple(counts[:_MAX_COUNTS])}
    )


def _counted(raw: bytes, file: SourceFile) -> tuple[int, list[tuple[str, str]]]:
    """Return the rows of a table or list, and the numbers of an object."""
    name = file.name
    if name.endswith((".csv", ".tsv")):
        text = raw.decode("utf-8-sig", "replace")
        try:
            table = list(
                csv.reader(io.StringIO(text), dialect="excel-tab" if "\t" in text else "excel")
            )
        except csv.Error as error:
            raise EvidenceError(f"no table: {error}", where=file.path) from error
        return _not_empty(max(0, len(table) - 1), [], file)
    if name.endswith((".jsonl", ".ndjson")):
        return _not_empty(sum(1 for _ in json_text.parse_lines(raw, file.path)), [], file)
    found = json_text.parse(raw, file.path, constants=True)
    if isinstance(found, list):
        return _not_empty(len(found), [], file)
    return _not_empty(0, list(_numbers(found, "")), file)


def _not_empty(
    rows: int, counts: list[tuple[str, str]], file: SourceFile
) -> tuple[int, list[tuple[str, str]]]:
    if not rows and not counts:
        raise EvidenceError(
            "nothing is counted in it", expected="rows, or numbers by name", where=file.path
        )
    return rows, counts


def _numbers(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _numbers(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        yield writable(name)[:300], str(len(value))
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        yield writable(name)[:300], str(value)[:100]
