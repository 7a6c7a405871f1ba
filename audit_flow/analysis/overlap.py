"""Which items of a benchmark stand word for word in a text that streams by.

An item is found where 13 words in a row of one of its fields stand in the text: lower-case,
letters and digits only, as in Brown et al. 2020 (arXiv 2005.14165, appendix C). A shorter item is
found whole, if its longest field has 8 words or more (8 is that paper's shortest run). One that is
shorter still is looked for by question and answer (``short_items``). A run of words that more than
ten items share is a template and shows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from audit_flow.analysis.ngrams import MAX_BLOCK, runs, spelled, tokens, words
from audit_flow.analysis.plain_text import readings
from audit_flow.analysis.short_items import MAX_SHARED, ShortItems, ShortTexts

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST, SHORTEST = 13, 8
_MAX_FILTER = 1 << 27
_SECOND = np.uint64(32)


@dataclass(frozen=True)
class Item:
    """One item of a benchmark: its id, the texts of its fields, question and answer."""

    id: str
    texts: tuple[str, ...]
    question: str = ""
    answer: str = ""


@dataclass(frozen=True)
class Place:
    """Where an item was found: file, row or line from 1, and the words that are the same."""

    file: str
    row: int
    text: str


@dataclass(frozen=True)
class Block:
    """A part of a plain text: ``offsets`` are its rows in bytes, ``rows`` their numbers.

    ``shorts`` are the texts of its rows, or its lines, for items that are found as a whole.
    """

    file: str
    data: bytes
    offsets: Sequence[int]
    rows: Sequence[int]
    shorts: Sequence[ShortTexts] = ()


@dataclass
class _Grams:
    """Hashes of runs of words and the items that they are of, as they are collected."""

    hashes: list[NDArray[np.uint64]] = field(default_factory=list)
    owners: list[NDArray[np.int32]] = field(default_factory=list)

    def take(self, n: int, texts: list[bytes], owners: list[int]) -> None:
        """Take every run of ``n`` words of texts, none across two of them."""
        block = b"\n".join(texts)
        found = tokens(block)
        ends = np.cumsum([len(t) + 1 for t in texts])
        text_of = np.searchsorted(ends, found.starts, side="right")
        hashes = runs(found.hashes, n)
        whole = text_of[: len(hashes)] == text_of[n - 1 : n - 1 + len(hashes)]
        self.hashes.append(hashes[whole])
        self.owners.append(np.asarray(owners, dtype=np.int32)[text_of[: len(hashes)][whole]])


class ItemIndex:
    """The runs of words of a benchmark's items, to hold a text against.

    ``too_short`` are the ids of items that can't be judged: too short, all template, or of few
    words and too long to be compared as a whole.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = tuple(items)
        self.found: dict[int, Place] = {}
        grams: dict[int, _Grams] = {}
        self._short = ShortItems(self._collect(grams))
        self._sizes = tuple(sorted(grams))
        self._hashes, self._owners = _kept(grams.values())
        self._filter = _filter(self._hashes)
        judged = {*np.unique(self._owners).tolist(), *self._short.owners}
        self.too_short = tuple(x.id for i, x in enumerate(self.items) if i not in judged)

    @property
    def has_short(self) -> bool:
        """Whether rows must be compared as a whole."""
        return bool(self._short.owners)

    def _collect(self, grams: dict[int, _Grams]) -> list[tuple[int, str, str]]:
        """Collect the runs of words of the items; return those that must be found as a whole."""
        short: list[tuple[int, str, str]] = []
        waiting: dict[int, tuple[list[bytes], list[int]]] = {}
        sizes: dict[int, int] = {}
        for number, item in enumerate(self.items):
            known = _runs_of(item)
            if not known:
                short.append((number, item.question, item.answer))
            for n, text in known:
                texts, owners = waiting.setdefault(n, ([], []))
                texts.append(text)
                owners.append(number)
                sizes[n] = sizes.get(n, 0) + len(text) + 1
                if sizes[n] > MAX_BLOCK // 4:
                    grams.setdefault(n, _Grams()).take(n, texts, owners)
                    del waiting[n], sizes[n]
        for n, (texts, owners) in waiting.items():
            grams.setdefault(n, _Grams()).take(n, texts, owners)
        return short

    def scan(self, block: Block) -> None:
        """Note each item that stands in a block; the first place of an item is kept."""
        if len(self._hashes):
            self._scan_runs(block)
        for texts in block.shorts if self.has_short else ():
            for owner, row, text in self._short.search(texts):
                self.found.setdefault(owner, Place(block.file, row, text))

    def _scan_runs(self, block: Block) -> None:
        found = tokens(block.data)
        mask = np.uint64(len(self._filter) - 1)
        for n in self._sizes:
            hashes = runs(found.hashes, n)
            maybe = np.flatnonzero(self._filter[hashes & mask])
            maybe = maybe[self._filter[(hashes[maybe] >> _SECOND) & mask]]
            low = np.searchsorted(self._hashes, hashes[maybe], side="left")
            held = low < len(self._hashes)
            held[held] = self._hashes[low[held]] == hashes[maybe][held]
            for at, first in zip(maybe[held].tolist(), low[held].tolist(), strict=True):
                span = block.data[found.starts[at] : found.ends[at + n - 1]]
                self._note(block, int(found.starts[at]), span, first)

    def _note(self, block: Block, start: int, span: bytes, first: int) -> None:
        shown, value = spelled(span), self._hashes[first]
        while first < len(self._hashes) and self._hashes[first] == value:
            owner = int(self._owners[first])
            first += 1
            if owner not in self.found and self._holds(owner, shown):
                row = block.rows[int(np.searchsorted(block.offsets, start, side="right")) - 1]
                text = shown.decode("utf-8", "replace").strip()
                self.found[owner] = Place(block.file, row, text)

    def _holds(self, owner: int, shown: bytes) -> bool:
        """Say whether an item really has these words: hashes may be equal by chance."""
        texts = (plain for text in self.items[owner].texts for plain in readings(text))
        return any(shown in spelled(t.encode("utf-8", "surrogatepass")) for t in texts)


def _runs_of(item: Item) -> list[tuple[int, bytes]]:
    """Return which runs of words an item is known by; none for a short one."""
    fields = [readings(text) for text in item.texts]
    ways = [[words(each[way]) for each in fields] for way in (0, -1)]
    return list(dict.fromkeys(run for way in ways for run in _runs_of_fields(way)))


def _runs_of_fields(fields: list[list[bytes]]) -> list[tuple[int, bytes]]:
    long = [(LONGEST, _clipped(w)) for w in fields if len(w) >= LONGEST]
    if long:
        return long
    longest = max(fields, key=len, default=[])
    return [(len(longest), b" ".join(longest))] if len(longest) >= SHORTEST else []


def _clipped(found: list[bytes]) -> bytes:
    # An item of a megabyte is known by its beginning.
    return b" ".join(found)[: MAX_BLOCK // 8]


def _kept(
    grams: Iterable[_Grams],
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Return hashes in order with their items, without templates that many items share."""
    found = [g for each in grams for g in zip(each.hashes, each.owners, strict=True)]
    if not found:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int32)
    hashes = np.concatenate([h for h, _ in found])
    owners = np.concatenate([o for _, o in found])
    order = np.lexsort((owners, hashes))
    hashes, owners = hashes[order], owners[order]
    first = np.ones(len(hashes), dtype=np.bool_)
    first[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    hashes, owners = hashes[first], owners[first]
    starts = np.flatnonzero(np.append(True, hashes[1:] != hashes[:-1]))
    counts = np.diff(np.append(starts, len(hashes)))
    rare = np.repeat(counts <= MAX_SHARED, counts)
    return hashes[rare], owners[rare]


def _filter(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return a table that says of most hashes at once that they are not among these."""
    size = 1 << 10
    while size < 16 * len(hashes) and size < _MAX_FILTER:
        size *= 2
    table = np.zeros(size, dtype=np.bool_)
    for bits in (hashes, hashes >> _SECOND):
        table[bits & np.uint64(size - 1)] = True
    return table
