"""Short items of a benchmark in rows and lines of a text: the question, and its answer beside it.

An item is found where question and answer are together all of a text, a line or a row, or where
the question is all of a text and its answer stands in a text near it, also in a sentence. Spaces,
capitals, marks at either end, "1160.0" for "1160", words such as "Q:" and how quotes, dashes and
accents are written make no difference.

A question of a few characters ("2+2=") stands in many a table: its answer must be all of one of
the next two texts. What more than ten items share is a template, and shows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from audit_flow.analysis.plain_text import legible

MAX_SHARED = 10
# Shorter questions and answers stand in any text: a row "1" or "yes" shows nothing.
MIN_CHARACTERS = 4
# Longer texts are compared by runs of words, or not at all.
MAX_TEXT = 400
_MIN_QUESTION = 5
_NEAR_IN_ROW = 16
_NEAR_IN_LINES = 3
_NEAR_IN_TEXT = 6
_NEXT = 2
_MAX_JOINED = 16
# What may stand between question and answer on a line.
_MARKS = ("", ",", ";")
_EDGES = "=?.!,:;*_\"'`$#"
_POINT_ZERO = re.compile(r"(?<![\d.])(\d+)\.0+(?![\d.])")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_PARTED = re.compile(r"[:<\t|\]]")
_SPEAKERS = (
    "q|a|question|answer|final answer|problem|solution|prompt|completion|input|output|instruction"
    "|response|user|human|assistant|system|gpt|bot|model"
)
# Turns of a chat in one text ("Q: ... A: ...", "[INST] ... [/INST]"), tags, cells of a table.
_TURN = re.compile(
    rf"<[^<>]{{1,60}}>|\[/?INST\]|[\t|]|(?:^|(?<=[\s.?!=*#-]))(?:{_SPEAKERS})\s?\d*\**\s*:",
    re.IGNORECASE,
)
_QUOTE = re.compile(r"[\"']")


class ShortTexts(NamedTuple):
    """The texts of one row, in order; or lines, the first of which has the number ``row``."""

    row: int
    texts: Sequence[str]
    lines: bool = False

    def number(self, at: int) -> int:
        """Return the number of the row or line that a text is of."""
        return self.row + at if self.lines else self.row


def squeezed(text: str) -> str:
    """Return a text without spaces and capitals, marks at either end, and ".0" of numbers."""
    plain = "".join(text.casefold().split())
    if ".0" in plain:
        plain = _POINT_ZERO.sub(r"\1", plain)
    return plain.strip(_EDGES) or plain


def _answer(text: str) -> str:
    return squeezed(_THOUSANDS.sub("", text) if "," in text else text)


@dataclass(frozen=True)
class _Asked:
    """A question: its answers with their items, and whether it can stand in a text by chance."""

    answers: dict[str, tuple[str, list[int]]]
    distinct: bool


class ShortItems:
    """Questions and answers to look for; ``owners`` are the numbers of those that can be found."""

    def __init__(self, items: Iterable[tuple[int, str, str]]) -> None:
        self._whole: dict[str, list[int]] = {}
        self._asked: dict[str, _Asked] = {}
        pairs: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
        for number, question, answer in items:
            item = (number, legible(question), legible(answer))
            if _can_be_found(*item[1:]):
                pairs.setdefault((squeezed(item[1]), _answer(item[2])), []).append(item)
        kept = {pair: same for pair, same in pairs.items() if len(same) <= MAX_SHARED}
        self.owners = frozenset(item[0] for same in kept.values() for item in same)
        for pair, same in kept.items():
            self._take(pair, same)

    def _take(self, pair: tuple[str, str], same: list[tuple[int, str, str]]) -> None:
        (question, answer), owners = pair, [item[0] for item in same]
        forms = {squeezed(q + mark + a) for _, q, a in same for mark in _MARKS}
        forms.add(question + answer)
        if question[-1:].isdigit():
            forms.add(f"{question}={answer}")
        for form in forms:
            self._whole.setdefault(form, []).extend(owners)
        asked = self._asked.setdefault(question, _Asked({}, _distinct(question, same[0][1])))
        asked.answers[answer] = (_spoken(same[0][2]), owners)

    def search(self, row: ShortTexts) -> Iterator[tuple[int, int, str]]:
        """Yield each item that stands in a row: its number, the row's or line's, and the words."""
        row = row._replace(texts=[*map(legible, row.texts)])
        if any(map(self._may_hold, row.texts)):
            yield from self._found(row)
        if not row.lines and 2 < len(row.texts) <= _MAX_JOINED:
            joined = "".join(row.texts)
            for owner in self._whole.get(squeezed(joined), ()):
                yield owner, row.row, joined

    def _may_hold(self, text: str) -> bool:
        """Say at once of most texts that they hold neither question nor item."""
        if len(text) > MAX_TEXT or "\n" in text or text[:1] in "[{" or _PARTED.search(text):
            return any(
                f in self._asked or f in self._whole for t in _parts(text) for f in _forms(t)
            )
        form = squeezed(text)
        return form in self._asked or form in self._whole

    def _found(self, row: ShortTexts) -> Iterator[tuple[int, int, str]]:
        parts = [list(_parts(text)) for text in row.texts]
        for at, lines in enumerate(parts):
            for line, text in enumerate(lines):
                for form in _forms(text):
                    for owner in self._whole.get(form, ()):
                        yield owner, row.number(at), text
                    if form in self._asked:
                        for owner, words in self._answered(form, row, parts, (at, line)):
                            yield owner, row.number(at), f"{text} {words}"

    def _answered(
        self, question: str, row: ShortTexts, parts: list[list[str]], place: tuple[int, int]
    ) -> Iterator[tuple[int, str]]:
        """Yield the items whose answer stands near their question, with its words."""
        asked = self._asked[question]
        for text in _next(parts, *place) if not asked.distinct else ():
            if held := asked.answers.get(_answer(text)):
                yield from ((owner, text) for owner in held[1])
        for text in _near(row, parts, *place) if asked.distinct else ():
            for owner in _told(text, question, asked):
                yield owner, text


def _can_be_found(question: str, answer: str) -> bool:
    whole = "".join((question + answer).split())
    return bool(question and answer) and MIN_CHARACTERS <= len(whole) <= MAX_TEXT


def _distinct(question: str, written: str) -> bool:
    """Say whether a question is more than a word or a number, which stand in many a table."""
    if len(question) < _MIN_QUESTION:
        return False
    # Chinese and Japanese have no spaces between words.
    return not (question.isalnum() and question.isascii() and len(written.split()) == 1)


def _parts(text: str) -> Iterator[str]:
    """Yield the lines of a text, and the turns of a line, in order."""
    for line in text.splitlines():
        if len(line) > MAX_TEXT or not line or line.isspace():
            continue
        yield line
        if line[0] in "[{":
            yield from (p for p in _QUOTE.split(line) if p.strip(" ,:[]{}"))
        elif _PARTED.search(line):
            turns = [t for t in _TURN.split(line) if t.strip()]
            if turns != [line]:
                yield from turns


def _forms(text: str) -> Iterator[str]:
    """Yield a text as it is compared, and again without the words before a colon: "Solve: ..."."""
    yield squeezed(text)
    if ":" in text[:40]:
        yield squeezed(text.partition(":")[2])


def _next(parts: list[list[str]], at: int, line: int) -> Iterator[str]:
    """Yield the next two parts, in this text or in those behind it."""
    behind = [*parts[at][line + 1 : line + 1 + _NEXT]]
    for other in parts[at + 1 : at + 1 + _NEXT]:
        behind += other[:_NEXT]
    yield from behind[:_NEXT]


def _near(row: ShortTexts, parts: list[list[str]], at: int, line: int) -> Iterator[str]:
    """Yield what stands near a part: parts of the same text, and whole texts of the row."""
    same = parts[at]
    yield from same[line + 1 : line + 1 + _NEAR_IN_TEXT]
    reach = _NEAR_IN_LINES if row.lines else _NEAR_IN_ROW
    first = at + 1 if row.lines else max(0, at - reach)
    for other in range(first, min(len(parts), at + reach + 1)):
        if other != at:
            yield _clipped(row.texts[other])
            yield from {*parts[other][:1], *parts[other][-1:]}


def _clipped(text: str) -> str:
    # An answer stands before its reasons or behind them.
    half = MAX_TEXT // 2
    return text if len(text) <= MAX_TEXT else f"{text[:half]} ... {text[-half:]}"


def _told(text: str, question: str, asked: _Asked) -> list[int]:
    """Return the items whose answer a text gives: alone, or within a sentence."""
    if held := asked.answers.get(_answer(text)):
        return held[1]
    # With more answers than this to one question, some stand in any sentence.
    if len(asked.answers) > MAX_SHARED:
        return []
    spoken = _spoken(text)
    return [
        owner
        for answer, (words, owners) in asked.answers.items()
        if words in spoken and _stands(words, spoken, anywhere=_rare(answer, question))
        for owner in owners
    ]


def _rare(answer: str, question: str) -> bool:
    """Say whether an answer stands in a sentence about the question only if it is meant."""
    long = len(answer) > 1 if answer.isdigit() else len(answer) > 3
    return long and answer not in question


def _spoken(text: str) -> str:
    plain = _POINT_ZERO.sub(r"\1", _THOUSANDS.sub("", text.casefold()))
    return " ".join(plain.split()).strip(_EDGES)


def _stands(words: str, text: str, *, anywhere: bool) -> bool:
    """Say whether words stand in a text as words: anywhere, or at its beginning or end."""
    before, behind = r"(?<![\w-])(?<!\d[.,])", r"(?!\w|[.,]\d)"
    held = re.escape(words)
    if anywhere:
        return re.search(before + held + behind, text) is not None
    edges = rf"^\W*{held}{behind}|{before}{held}\W*$"
    return re.search(edges, text) is not None
