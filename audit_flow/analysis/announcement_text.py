"""Numbers and superlatives in an announcement's text (Markdown or plain)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from audit_flow.analysis.announcement_words import (
    COMPARISON,
    FACTOR,
    SPELLED,
    SUPERLATIVE,
    spelled_value,
)
from audit_flow.model.announcement_facts import Statement, StatementKind

MAX_STATEMENTS = 5_000
_WINDOW = 400

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
# What holds digits and states nothing: written over with blanks, so that columns stay true.
_SILENT = re.compile(
    "|".join(
        (
            r"(?<!`)`[^`\n]+`(?!`)",
            r"https?://[^\s)>\]]+",
            r"\]\([^)\n]*\)",
            r"<!--.*?-->",
            r"</?[A-Za-z][^<>]*>",
            r"\[\^?\d+\]",
            r"\b\d{4}-\d{2}-\d{2}(?:T[\d:.]+Z?)?",
            r"\b\d{1,2}:\d{2}(?::\d{2})?",
            rf"\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s+\d{{4}})?\b",
            rf"\b\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH}(?:\s+\d{{4}})?\b",
            r"(?<![\d.,])(?:19|20)\d{2}(?![\d.,%]|\s*%)",
            r"\b\d+[- ]shots?\b",
            r"\b\d+(?:\.\d+){2,}\b",
        )
    ),
    re.IGNORECASE | re.DOTALL,
)
_NUMBER = re.compile(
    r"(?<![\w.,/\-–#])"
    r"(?P<sign>[+−-])?(?:(?P<whole>\d{1,3}),(?P<part>\d{3}(?=\s?(?:%|per\s?cent\b))|\d{1,2}(?!\d)"
    r"|\d{4,30})(?![.,]\d)|(?P<digits>\d{1,3}(?:,\d{3})+(?![\d])|\d{1,30})(?P<rest>\.\d{1,30})?)"
    r"(?:\s?(?P<unit>%|per\s?cent\b|pp\b|points?\b|percentage\s+points?\b|thousand\b|million\b"
    r"|billion\b|trillion\b|[KMBT](?![\w])|[x×](?!\w)))?"
    r"(?!\w|[.,]\d)",
    re.IGNORECASE,
)
_UNITS = {
    "%": "%", "percent": "%", "per cent": "%", "pp": "points", "point": "points",
    "points": "points", "thousand": "K", "million": "M", "billion": "B", "trillion": "T",
    "k": "K", "m": "M", "b": "B", "t": "T", "x": "x", "×": "x",
}  # fmt: skip
_AT_LEAST = re.compile(r"(?:over|more than|above|at least|exceed\w*|greater than|>=?|≥)\s*$", re.I)
_AT_MOST = re.compile(r"(?:under|less than|below|at most|fewer than|up to|<=?|≤)\s*$", re.I)
_BY = re.compile(r"\bby\s*$", re.IGNORECASE)

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[\"“'(\[*_#]*[A-Z0-9])")
_ORDINAL = re.compile(r"^\s*(?:[-*+>]\s+|#{1,6}\s+)*(?:\d{1,3}[.)]\s+)?")
_DIVIDER = re.compile(r"^\s*\|?\s*:?-{1,}:?\s*(?:\|\s*:?-{1,}:?\s*)*\|?\s*$")


@dataclass(frozen=True)
class _Line:
    number: int
    text: str


@dataclass(frozen=True)
class _Passage:
    """A stretch of text that is read together, and where each of its characters stands."""

    text: str
    places: tuple[tuple[int, int, int], ...]
    labels: tuple[str, ...] = ()

    def place(self, at: int) -> tuple[int, int]:
        """Return line and column, from 1, of a character."""
        start, line, column = max(p for p in self.places if p[0] <= at)
        return line, column + at - start


def statements(text: str) -> tuple[Statement, ...]:
    """Return the numbers and superlatives of a text, in its order; at most ``MAX_STATEMENTS`` + 1.

    Code, links, dates, version numbers, shot counts and list ordinals state nothing.
    """
    found: list[Statement] = []
    for passage in _passages(text):
        found += _of_passage(passage)
        if len(found) > MAX_STATEMENTS:
            break
    return tuple(sorted(found, key=lambda s: (s.line, s.column)))


def _passages(text: str) -> Iterator[_Passage]:
    lines = list(_told(text))
    at = 0
    while at < len(lines):
        if at + 1 < len(lines) and "|" in lines[at].text and _DIVIDER.match(lines[at + 1].text):
            at, cells = _table(lines, at)
            yield from cells
            continue
        at, paragraph = _paragraph(lines, at)
        yield from paragraph


def _told(text: str) -> Iterator[_Line]:
    """Yield the lines that people read: no front matter, no code, silent parts as blanks."""
    blanked = _SILENT.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text.expandtabs(4))
    fenced = front = False
    for number, line in enumerate(blanked.split("\n"), start=1):
        bare = line.strip()
        divides = bare == "---" and (number == 1 or front)
        fence = bare.startswith(("```", "~~~"))
        front, fenced = front ^ divides, fenced ^ fence
        silent = fenced or front or divides or fence
        yield _Line(number, "" if silent else line.rstrip("\r"))


def _table(lines: list[_Line], at: int) -> tuple[int, list[_Passage]]:
    heads = [text.strip() for _, text in _cells(lines[at].text)]
    found: list[_Passage] = []
    at += 2
    while at < len(lines) and "|" in lines[at].text:
        cells = _cells(lines[at].text)
        label = cells[0][1].strip() if cells else ""
        for number, (column, cell) in enumerate(cells):
            if number == 0 and heads[:1] != [""] and len(cells) > 1:
                continue
            labels = (label, heads[number]) if number < len(heads) else (label,)
            found.append(_Passage(cell, ((0, lines[at].number, column + 1),), labels))
        at += 1
    return at, found


def _cells(line: str) -> list[tuple[int, str]]:
    parts: list[tuple[int, str]] = []
    start = 0
    for part in line.split("|"):
        parts.append((start, part))
        start += len(part) + 1
    if parts and not parts[0][1].strip():
        parts = parts[1:]
    if parts and not parts[-1][1].strip():
        parts = parts[:-1]
    return parts


def _paragraph(lines: list[_Line], at: int) -> tuple[int, list[_Passage]]:
    """Return the sentences from a line to the next blank one, list item, heading or table."""
    text, places = "", []
    first = at
    while at < len(lines) and lines[at].text.strip():
        line = lines[at]
        mark = _ORDINAL.match(line.text)
        skip = mark.end() if mark else 0
        if at > first and re.match(r"\s*(?:[-*+]\s|#|\d{1,3}[.)]\s|\|)", line.text):
            break
        places.append((len(text), line.number, skip + 1))
        text += line.text[skip:] + " "
        at += 1
    if at == first:
        return at + 1, []
    return at, list(_sentences(text, places))


def _sentences(text: str, places: list[tuple[int, int, int]]) -> Iterator[_Passage]:
    ends = [m.end() for m in _SENTENCE_END.finditer(text)]
    for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
        inside = [p for p in places if start <= p[0] < end]
        before = max((p for p in places if p[0] <= start), default=places[0])
        head = (0, before[1], before[2] + start - before[0])
        yield _Passage(text[start:end], (head, *((p[0] - start, p[1], p[2]) for p in inside)))


def _of_passage(passage: _Passage) -> Iterator[Statement]:
    for match in _NUMBER.finditer(passage.text):
        yield _number(passage, match)
    for match in SPELLED.finditer(passage.text):
        yield _spelled(passage, match)
    patterns: tuple[tuple[re.Pattern[str], StatementKind], ...] = (
        (SUPERLATIVE, "superlative"),
        (COMPARISON, "comparison"),
        (FACTOR, "comparison"),
    )
    for pattern, kind in patterns:
        for match in pattern.finditer(passage.text):
            yield _statement(passage, match, kind)


def _statement(passage: _Passage, match: re.Match[str], kind: StatementKind) -> Statement:
    line, column = passage.place(match.start())
    begin = max(0, match.start() - _WINDOW)
    return Statement(
        line=line,
        column=column,
        text=match[0].strip()[:200] or match[0][:200],
        kind=kind,
        context=passage.text[begin : match.end() + _WINDOW],
        at=match.start() - begin,
        labels=tuple(label[:500] for label in passage.labels),
    )


def _number(passage: _Passage, match: re.Match[str]) -> Statement:
    unit = _UNITS.get(re.sub(r"^percentage\s+", "", (match["unit"] or "").casefold()))
    before = passage.text[max(0, match.start() - 30) : match.start()]
    difference = bool(match["sign"] or unit in {"points", "x"} or _BY.search(before))
    plain = _statement(passage, match, "difference" if difference else "number")
    digits = _digits(match)
    bound = (
        "at-least" if _AT_LEAST.search(before) else "at-most" if _AT_MOST.search(before) else None
    )
    return plain.model_copy(
        update={"value": Decimal(digits[:40].rstrip(".")), "unit": unit, "bound": bound}
    )


def _digits(match: re.Match[str]) -> str:
    """Return a number as written, with a point: "97,2" is 97.2, "24,000" is thousands."""
    if match["whole"] is not None:
        return f"{match['whole']}.{match['part']}"
    return match["digits"].replace(",", "") + (match["rest"] or "")


def _spelled(passage: _Passage, match: re.Match[str]) -> Statement:
    value = Decimal(spelled_value(match["words"]))
    unit = "%" if match["percent"] else None
    return _statement(passage, match, "number").model_copy(update={"value": value, "unit": unit})
