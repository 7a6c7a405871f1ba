"""Items that stand in a text are found, wherever they stand, and no others."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.analysis.ngrams import runs, tokens, words
from audit_flow.analysis.overlap import Item, ItemIndex
from audit_flow.analysis.plain_text import readings
from audit_flow.sources.folder import Folder
from audit_flow.sources.source_file import SourceFile
from audit_flow.sources.training_text import BLOCK, text_blocks

LETTERS = "abcdefghijklmnopqrstuvwxyz"
texts = st.text(st.characters(codec="utf-8"), max_size=300)


@given(texts)
def test_words_and_hashed_words_are_the_same(text: str) -> None:
    (text, *_) = readings(text)
    raw = text.encode()
    found = tokens(raw)
    spans = [raw[a:b].lower() for a, b in zip(found.starts, found.ends, strict=True)]
    assert spans == words(text)
    by_hash = dict(zip(found.hashes.tolist(), spans, strict=True))
    assert len(by_hash) == len(set(spans))


@settings(max_examples=60)
@given(st.lists(st.sampled_from(["a", "b", "c", "dd"]), max_size=60), st.integers(1, 13))
def test_equal_runs_of_words_have_equal_hashes(found: list[str], n: int) -> None:
    hashes = runs(tokens(" ".join(found).encode()).hashes, n).tolist()
    plain = [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]
    assert len(hashes) == len(plain)
    assert len(set(zip(plain, hashes, strict=True))) == len(set(plain)) == len(set(hashes))


def phrase(rng: random.Random, count: int) -> str:
    return " ".join("".join(rng.choices(LETTERS, k=rng.randrange(3, 9))) for _ in range(count))


def item(rng: random.Random, number: int, count: int) -> Item:
    question, answer = phrase(rng, count), phrase(rng, 1)
    return Item(str(number), (question, answer), question, answer)


def search(index: ItemIndex, root: Path, name: str) -> dict[str, tuple[str, int]]:
    source = SourceFile(Folder.at(root), name)
    for block in text_blocks(source, short=index.has_short):
        index.scan(block)
    return {index.items[i].id: (p.file, p.row) for i, p in index.found.items()}


def planted(rng: random.Random, rows: list[str], items: list[Item]) -> dict[str, int]:
    """Put items into rows that are not used yet; return the row of each, from 1."""
    places = rng.sample(range(len(rows)), len(items))
    for place, one in zip(places, items, strict=True):
        long = len(one.question.split()) >= 8
        shouted = f"{one.question.upper()}{'?!' if long else ''}  {one.answer}"
        rows[place] = f"{rows[place]}. {shouted} {rows[place]}" if long else shouted
    return {one.id: place + 1 for place, one in zip(places, items, strict=True)}


FORMS = ["data.jsonl", "data.txt", "data.jsonl.gz", "data.json", "data.csv"]


def write(root: Path, name: str, rows: list[str]) -> None:
    if name == "data.json":
        text = json.dumps([{"text": r} for r in rows])
    elif "jsonl" in name:
        text = "".join(json.dumps({"id": i, "text": r}) + "\n" for i, r in enumerate(rows))
    else:
        text = "\n".join(rows) + "\n"
    raw = text.encode()
    (root / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_planted_is_found_and_nothing_else(seed: int, name: str, tmp_path: Path) -> None:
    rng = random.Random(seed)
    items = [item(rng, i, rng.choice((2, 5, 8, 10, 12, 13, 20, 60))) for i in range(300)]
    rows = [phrase(rng, rng.randrange(1, 60)) for _ in range(4000)]
    wanted = planted(rng, rows, rng.sample(items, 40))
    write(tmp_path, name, rows)
    index = ItemIndex(items)
    assert index.too_short == ()
    assert search(index, tmp_path, name) == {i: (name, row) for i, row in wanted.items()}


def test_an_item_across_the_end_of_a_block_is_found(tmp_path: Path) -> None:
    rng = random.Random(1)
    one = item(rng, 0, 30)
    for shift in range(0, 400, 37):
        filler = "x " * ((BLOCK - 8192) // 2) + "y" * (shift + 8192 - 4096 - 200)
        for name in ("data.txt", "data.jsonl"):
            write(tmp_path, name, [f"{filler} {one.question} {one.answer} end"])
            assert search(ItemIndex([one]), tmp_path, name) == {"0": (name, 1)}, (name, shift)


def test_escapes_in_rows_are_undone(tmp_path: Path) -> None:
    words_ = phrase(random.Random(2), 20).split()
    text = "\n".join(words_[:10]) + '\t"' + " ".join(words_[10:]) + '"'
    (tmp_path / "d.jsonl").write_text(json.dumps({"text": text}) + "\n", "utf-8")
    assert search(ItemIndex([Item("a", (" ".join(words_),))]), tmp_path, "d.jsonl")


def test_a_template_that_items_share_shows_nothing(tmp_path: Path) -> None:
    rng = random.Random(3)
    frame = phrase(rng, 20)
    items = [Item(str(i), (f"{frame} {phrase(rng, 15)}",)) for i in range(50)]
    write(tmp_path, "data.txt", [frame])
    assert search(ItemIndex(items), tmp_path, "data.txt") == {}
    write(tmp_path, "data.txt", [items[7].texts[0]])
    assert list(search(ItemIndex(items), tmp_path, "data.txt")) == ["7"]


@pytest.mark.parametrize(
    ("row", "hit"),
    [
        ({"question": "87+89=", "answer": "176"}, True),
        ({"q": "87 + 89 =", "a": 176, "id": 3}, True),
        ({"text": "87+89=176"}, True),
        ({"text": "first\n87 + 89 = 176\nlast"}, True),
        ({"question": "87-89=", "answer": "176"}, False),
        ({"question": "87+89=", "answer": "1760"}, False),
        ({"text": "it is said that 87+89=176 or so"}, False),
    ],
)
def test_a_short_item_is_found_only_as_a_whole(
    row: dict[str, object], hit: bool, tmp_path: Path
) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    short = Item("a", ("87+89=", "176"), "87+89=", "176")
    assert bool(search(ItemIndex([short]), tmp_path, "d.jsonl")) is hit


def test_what_is_too_short_is_said() -> None:
    items = [Item("a", ("1", "2"), "1", "2"), Item("b", ("what", "")), Item("c", ())]
    assert ItemIndex(items).too_short == ("a", "b", "c")
