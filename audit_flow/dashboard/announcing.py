"""A draft with each of its numbers and superlatives marked by what the audit says of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from audit_flow.analysis.announcement_text import MAX_STATEMENTS, statements
from audit_flow.errors import InputError
from audit_flow.report.announced import Marked, marked, outcome_of
from audit_flow.report.interface import AuditResult

MAX_DRAFT: Final = 200_000
_MAX_LINES = 2_000


@dataclass(frozen=True)
class Draft:
    """A draft as it is shown: ``lines`` are pieces of text, marked or plain."""

    marks: tuple[Marked, ...]
    lines: tuple[tuple[tuple[str, Marked | None], ...], ...]
    cut: bool

    @property
    def outcome(self) -> str:
        """PASSED, FAILED or INCONCLUSIVE over all marks."""
        return outcome_of(self.marks)

    @property
    def counts(self) -> Counter[str]:
        """How many statements have each mark."""
        return Counter(mark.mark for mark in self.marks)


def read(text: str, result: AuditResult) -> Draft:
    """Hold a draft against an audit; raises InputError for an empty or an endless one."""
    plain = text.replace("\r\n", "\n")
    if not plain.strip() or len(plain) > MAX_DRAFT:
        got = f"{len(plain):,} characters" if plain.strip() else "no words"
        raise InputError(f"a draft of {got}", expected=f"1 to {MAX_DRAFT:,} characters of text")
    found = statements(plain)
    if len(found) > MAX_STATEMENTS:
        raise InputError(f"over {MAX_STATEMENTS:,} numbers", expected="a draft for people")
    marks = marked(found, result)
    lines = plain.expandtabs(4).split("\n")
    by_line: dict[int, list[Marked]] = {}
    for mark in marks:
        by_line.setdefault(mark.statement.line, []).append(mark)
    shown = tuple(_pieces(x, by_line.get(n, [])) for n, x in enumerate(lines[:_MAX_LINES], start=1))
    return Draft(marks, shown, len(lines) > _MAX_LINES)


def _pieces(line: str, marks: list[Marked]) -> tuple[tuple[str, Marked | None], ...]:
    pieces: list[tuple[str, Marked | None]] = []
    at = 0
    for mark in marks:
        start = line.find(mark.statement.text, max(mark.statement.column - 1, at))
        if start < 0:
            continue
        end = start + len(mark.statement.text)
        pieces += [(line[at:start], None), (line[start:end], mark)]
        at = end
    return tuple(p for p in (*pieces, (line[at:], None)) if p[0])
