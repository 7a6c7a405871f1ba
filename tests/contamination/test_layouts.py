"""Short items are found in whatever layout they are kept, and honest data is not flagged."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_flow.analysis.overlap import Item, ItemIndex
from audit_flow.errors import EvidenceError
from audit_flow.sources.folder import Folder
from audit_flow.sources.source_file import SourceFile
from audit_flow.sources.training_text import BLOCK, text_blocks
from tests.contamination.layouts import FILES, SHAPES, TREES, Pair, write


def sums(rng: random.Random, count: int) -> list[Pair]:
    """Return distinct sums of three digits, as a benchmark and its training data have them."""
    drawn = rng.sample(range(810_000), count)
    pairs = [(100 + n // 900, 100 + n % 900) for n in drawn]
    return [(f"{a}+{b}=", str(a + b)) for a, b in pairs]


def index_of(pairs: list[Pair]) -> ItemIndex:
    return ItemIndex(Item(str(i), pair, *pair) for i, pair in enumerate(pairs))


def found(index: ItemIndex, root: Path, name: str) -> set[int]:
    for block in text_blocks(SourceFile(Folder.at(root), name), short=index.has_short):
        index.scan(block)
    return set(index.found)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("shape", SHAPES)
def test_planted_items_are_found_and_no_others(shape: str, name: str, tmp_path: Path) -> None:
    rng = random.Random(f"{shape} {name}")
    drawn = sums(rng, 260)
    items, data = drawn[:60], drawn[60:]
    made = SHAPES[shape]
    honest = [made(i, pair) for i, pair in enumerate(data)]
    assert found(index_of(items), tmp_path, write(tmp_path, name, honest)) == set()
    chosen = set(rng.sample(range(60), 5))
    mixed = [*data, *(items[i] for i in chosen)]
    rng.shuffle(mixed)
    rows = [made(i, pair) for i, pair in enumerate(mixed)]
    assert found(index_of(items), tmp_path, write(tmp_path, name, rows)) == chosen


@pytest.mark.parametrize("shape", TREES)
def test_every_item_of_a_long_conversation_is_found(shape: str, tmp_path: Path) -> None:
    items = sums(random.Random(shape), 40)
    rows = [TREES[shape](i, pair) for i, pair in enumerate(items)]
    (name,) = rows[0]
    turns = [turn for row in rows for turn in row[name]]
    assert found(index_of(items), tmp_path, write(tmp_path, "d.jsonl", [{name: turns}])) == set(
        range(40)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern", ["{q},{a}", "{q}\t{a}", "{q} | {a}", "| {q} | {a} |", "Q: {q}\nA: {a}\n", "{q}\n{a}"]
)
@pytest.mark.parametrize("name", ["d.txt", "d.md", "d.csv"])
def test_plain_text_of_several_blocks(pattern: str, name: str, tmp_path: Path) -> None:
    rng = random.Random(pattern)
    drawn = sums(rng, 60_000)
    items, data = drawn[:100], drawn[100:]
    chosen = set(range(0, 100, 5))
    for at in chosen:
        data.insert(rng.randrange(len(data)), items[at])
    text = "\n".join(pattern.format(q=q, a=a) for q, a in data) + "\n"
    assert len(text) > BLOCK
    (tmp_path / name).write_text(text, "utf-8")
    index = index_of(items)
    assert found(index, tmp_path, name) == chosen
    lines = text.split("\n")
    for at, place in index.found.items():
        assert items[at][0] in "\n".join(lines[place.row - 1 : place.row + 1])


def test_a_quote_that_nothing_closes_hides_no_rows(tmp_path: Path) -> None:
    items = sums(random.Random(1), 3000)
    for text in ('"', '5" pipe,"', 'a,"b\nc'):
        lines = ["question,answer", text, *(f"{q},{a}" for q, a in items)]
        (tmp_path / "d.csv").write_text("\n".join(lines), "utf-8")
        assert len(found(index_of(items), tmp_path, "d.csv")) == 3000


def test_old_line_ends_and_marks_of_byte_order_are_read(tmp_path: Path) -> None:
    items = sums(random.Random(2), 30)
    for end, mark in (("\r", ""), ("\r\n", "\ufeff"), ("\n", "\ufeff")):
        text = mark + end.join(f"{q},{a}" for q, a in items)
        (tmp_path / "d.csv").write_bytes(text.encode())
        assert len(found(index_of(items), tmp_path, "d.csv")) == 30, (end, mark)


NOT_THE_ITEM = [
    {"question": "87+89=", "answer": "1760"},
    {"question": "87+89=", "answer": "The answer is 1176."},
    {"question": "87+89=", "answer": "17.6"},
    {"question": "87+89=", "answer": "-176"},
    {"question": "87+890=", "answer": "176"},
    {"question": "187+89=", "answer": "176"},
    {"id": 176, "question": "87+89=", "answer": "no idea"},
    {"question": "87+89=", "idx": 176, "answer": "no idea"},
    {"text": "What 87+89= gives is known to be 176 by all"},
]


@pytest.mark.parametrize("row", NOT_THE_ITEM, ids=str)
def test_what_only_resembles_an_item_is_not_taken_for_it(
    row: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    assert found(index_of([("87+89=", "176")]), tmp_path, "d.jsonl") == set()


def test_an_answer_of_the_question_s_own_words_must_be_given(tmp_path: Path) -> None:
    asked = [("Is a cat or a dog bigger?", "dog")]
    for answer, held in (("It is not a dog house", False), ("dog", True), ("A dog.", True)):
        row = {"question": asked[0][0], "answer": answer}
        (tmp_path / "d.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
        assert bool(found(index_of(asked), tmp_path, "d.jsonl")) is held, answer


@pytest.mark.parametrize("seed", range(5))
def test_tables_of_numbers_hold_small_items_only_side_by_side(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    items = [(f"{a}+{b}=", str(a + b)) for a in range(2, 10) for b in range(2, 10)]
    words = [f"{a}+{b}=" for a in range(2, 10) for b in range(2, 10)]
    rows = [
        {"first": rng.choice(words), "second": "x", "third": "y", "fourth": str(rng.randrange(20))}
        for _ in range(500)
    ]
    assert found(index_of(items), tmp_path, write(tmp_path, "d.jsonl", rows)) == set()
    beside = [{"first": "2+2=", "second": "4"}]
    assert len(found(index_of(items), tmp_path, write(tmp_path, "d.jsonl", beside))) == 1


def test_a_question_that_many_items_share_is_a_template() -> None:
    same = [("Is it positive?", "yes") for _ in range(11)]
    assert len(index_of(same).too_short) == 11
    assert index_of(same[:10]).too_short == ()


def test_a_long_item_of_few_words_is_said_to_be_unjudged() -> None:
    assert index_of([("x" * 500, "y")]).too_short == ("0",)


def test_rows_of_token_numbers_are_not_passed_over(tmp_path: Path) -> None:
    tokens = {"input_ids": list(range(64)), "attention_mask": [1] * 64, "source": "made up"}
    name = write(tmp_path, "d.jsonl", [tokens, {"question": "87+89=", "answer": "176"}])
    index = index_of([("87+89=", "176")])
    with pytest.raises(EvidenceError, match="1 rows hold numbers of tokens"):
        found(index, tmp_path, name)
    assert set(index.found) == {0}
    texts = {"text": "some words", "input_ids": list(range(64))}
    assert found(index_of([("87+89=", "176")]), tmp_path, write(tmp_path, name, [texts])) == set()


def test_rows_that_are_too_deep_are_not_passed_over(tmp_path: Path) -> None:
    deep: object = {"question": "87+89=", "answer": "176"}
    for _ in range(25):
        deep = [deep]
    (tmp_path / "d.jsonl").write_text(json.dumps(deep) + "\n", "utf-8")
    with pytest.raises(EvidenceError, match="1 rows hold text more than 20 levels deep"):
        found(index_of([("87+89=", "176")]), tmp_path, "d.jsonl")


@given(st.text(alphabet='0123456789+=,;"|\t\n\r :QA<>[]{}a', max_size=400))
def test_any_table_is_read(text: str) -> None:
    from audit_flow.analysis.short_items import ShortItems
    from audit_flow.sources.short_rows import ShortLines

    items = ShortItems([(0, "1+1=", "2"), (1, "12+13=", "25")])
    for name in ("d.csv", "d.tsv", "d.txt"):
        lines = ShortLines(name)
        raw = text.encode()
        told = [*lines.take(raw[:100]), *lines.take(raw[100:]), *lines.rest()]
        for row in told:
            assert list(items.search(row)) is not None
