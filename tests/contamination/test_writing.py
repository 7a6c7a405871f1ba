"""Items are found however their characters are written: spaces, marks, accents, entities."""

from __future__ import annotations

import html
import json
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_flow.analysis.ngrams import words
from audit_flow.analysis.overlap import Item, ItemIndex
from audit_flow.analysis.plain_text import byte_readings, legible, readings
from audit_flow.sources.training_text import BLOCK
from tests.contamination.test_overlap import search

SCRIPTS = {
    "latin": "abcdefghijklmnopqrstuvwxyz",
    "german": "aeiouäöüßnrst",
    "vietnamese": "aâăeêioôơuưyđnhếệởữtc",
    "cyrillic": "абвгдеёжзийклмнопрст",
    "greek": "αάβγδεέζηήθικλμ",
    "hindi": "कखगघचिीुूेो",
    "chinese": "天地玄黄宇宙洪荒日月盈昃",
}
# Every space, dash and quotation mark of Unicode, and some others that stand between words.
BETWEEN = [
    c
    for c in map(chr, (*range(0x80, 0x2070), *range(0x3000, 0x3020)))
    if unicodedata.category(c) in {"Zs", "Zl", "Zp", "Pd", "Pi", "Pf"}
]
UNSEEN = ["\u200b", "\u200c", "\u2060", "\ufeff", "\u00ad"]


def phrase(rng: random.Random, letters: str, count: int) -> str:
    return " ".join("".join(rng.choices(letters, k=rng.randrange(3, 9))) for _ in range(count))


def within(text: str, mark: str) -> str:
    return " ".join(w[:2] + mark + w[2:] for w in text.split())


WRITTEN: dict[str, Callable[[str], str]] = {
    "one kind of space": lambda t: t.replace(" ", "\u00a0"),
    "many kinds of spaces": lambda t: "".join(
        w + BETWEEN[i % len(BETWEEN)] for i, w in enumerate(t.split())
    ),
    "quotes and dashes": lambda t: "“" + t.replace(" ", "” — “") + "…”",
    "entities": lambda t: html.escape("'").join(t.split()).replace("e", "&#101;", 1),
    "entities for spaces": lambda t: t.replace(" ", "&nbsp;").replace(";", ";&#8203;&ensp;", 1),
    "beside spaces": lambda t: t.replace(" ", " \u200b"),
    "decomposed": lambda t: unicodedata.normalize("NFD", t),
    "capitals": str.upper,
    **{f"{ord(c):x} for spaces": lambda t, c=c: t.replace(" ", c) for c in UNSEEN},  # type: ignore[misc]
    **{f"{ord(c):x} in words": lambda t, c=c: within(t, c) for c in UNSEEN},  # type: ignore[misc]
}


def write(root: Path, name: str, rows: list[str]) -> None:
    if name.endswith("jsonl"):
        rows = [json.dumps({"text": r}, ensure_ascii=i % 2 == 0) for i, r in enumerate(rows)]
    (root / name).write_text("\n".join(rows) + "\n", "utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data.jsonl", "data.txt"])
@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("script", SCRIPTS)
def test_items_are_found_however_they_are_written(
    script: str, written: str, name: str, tmp_path: Path
) -> None:
    rng = random.Random(f"{script} {written}")
    letters = SCRIPTS[script]
    items = [Item(str(i), (phrase(rng, letters, rng.choice((8, 12, 13, 40))),)) for i in range(40)]
    rows = [phrase(rng, letters, 30) for _ in range(60)]
    places = dict(zip(rng.sample(range(60), 20), rng.sample(items, 20), strict=True))
    for place, one in places.items():
        rows[place] += f" {WRITTEN[written](one.texts[0])} {rows[place]}"
    write(tmp_path, name, rows)
    wanted = {one.id: (name, place + 1) for place, one in places.items()}
    assert search(ItemIndex(items), tmp_path, name) == wanted
    # It is all one which of the two was written plainly.
    strange = [Item(i.id, (WRITTEN[written](i.texts[0]),)) for i in items]
    write(tmp_path, name, [one.texts[0] for one in places.values()])
    assert set(search(ItemIndex(strange), tmp_path, name)) == set(wanted)


# Short texts are compared with the marks between their words.
SHORT = sorted(set(WRITTEN) - {"many kinds of spaces", "quotes and dashes", "entities"})


@pytest.mark.parametrize("written", SHORT)
@pytest.mark.parametrize("name", ["data.jsonl", "data.txt"])
def test_short_items_are_found_however_they_are_written(
    name: str, written: str, tmp_path: Path
) -> None:
    rng = random.Random(written)
    pairs = [(f"wo ist’s {phrase(rng, 'aeéüst', 2)} —?", f"«{rng.randrange(999)} {i}»")
             for i in range(40)]  # fmt: skip
    items = [Item(str(i), pair, *pair) for i, pair in enumerate(pairs)]
    rows = [WRITTEN[written](f"{q} {a}") for q, a in pairs[:15]]
    write(tmp_path, name, ["nichts davon"] * 20 + rows)
    assert sorted(map(int, search(ItemIndex(items), tmp_path, name))) == list(range(15))


@pytest.mark.slow
@pytest.mark.parametrize("filler", ["ß", "界", "x\u00a0", "“é” ", "ΐ", "\u0390\u00a0", "字\u200b"])
def test_items_across_the_ends_of_blocks_are_found(filler: str, tmp_path: Path) -> None:
    rng = random.Random(filler)
    one = Item("0", (phrase(rng, SCRIPTS["vietnamese"], 30),))
    size = len(filler.encode())
    text = WRITTEN["one kind of space"](unicodedata.normalize("NFD", one.texts[0]))
    for shift in range(0, 700, 130):
        before = filler * ((BLOCK - 4096 - shift) // size) + "y" * (shift % size)
        for name in ("data.txt", "data.jsonl"):
            write(tmp_path, name, [f"{before}\u00a0{text} {filler * 9000}"])
            assert search(ItemIndex([one]), tmp_path, name) == {"0": (name, 1)}, (name, shift)


def test_rows_keep_their_numbers_beside_strange_line_ends(tmp_path: Path) -> None:
    one = Item("0", (phrase(random.Random(4), SCRIPTS["german"], 20),))
    rows = ["a\u2028b\u0085c&#10;d\u200b", "ü&NewLine;", "ΐ" * 200_000, one.texts[0]]
    write(tmp_path, "data.txt", rows)
    assert search(ItemIndex([one]), tmp_path, "data.txt") == {"0": ("data.txt", 4)}


def test_letters_that_differ_are_still_other_letters(tmp_path: Path) -> None:
    rng = random.Random(5)
    one = Item("0", (phrase(rng, "äöé", 20),))
    bare = unicodedata.normalize("NFD", one.texts[0]).encode("ascii", "ignore").decode()
    write(tmp_path, "data.txt", [bare, one.texts[0].replace("ä", "å")])
    assert search(ItemIndex([one]), tmp_path, "data.txt") == {}


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_one_text_has_one_reading_however_it_is_composed(text: str) -> None:
    found = [words(each) for each in readings(text)]
    assert found == [words(each) for each in readings(unicodedata.normalize("NFD", text))]
    assert legible(text) == legible(unicodedata.normalize("NFD", text))


@given(st.binary(max_size=300))
def test_any_bytes_have_readings_with_the_lines_they_had(data: bytes) -> None:
    for found in byte_readings(data):
        assert found.count(b"\n") == data.count(b"\n")
    assert byte_readings(data)[0] == data or not data.isascii() or b"&" in data


@given(st.text("ab &;#10xnbsp", max_size=40))
def test_plain_ascii_without_entities_stays_as_it_is(text: str) -> None:
    assert readings(text)[0] == html.unescape(text).replace("\n", " ") or "&" in text
