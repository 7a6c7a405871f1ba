"""Layouts in which people keep questions and answers: shapes of rows, and kinds of files."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as pq

Row = dict[str, Any]
Pair = tuple[str, str]
Shape = Callable[[int, Pair], Row]
NAMES = [
    ("question", "answer"), ("prompt", "completion"), ("input", "output"), ("problem", "solution"),
    ("instruction", "response"), ("query", "label"), ("q", "a"), ("source", "target"),
]  # fmt: skip
EXTRA: Row = {
    "level": 3, "source_name": "made up", "lang": "en", "license": "mit", "split": "train",
    "topic": "sums", "reviewed": True, "score": 0.97, "version": "1.2.0",
}  # fmt: skip


def named(question: str, answer: str) -> Shape:
    return lambda number, pair: {question: pair[0], answer: pair[1]}


def chat(list_name: str, speaker: str, text: str, names: tuple[str, str], *, system: bool) -> Shape:
    first = [{speaker: "system", text: "You add numbers."}] if system else []
    return lambda number, pair: {
        list_name: [*first, *({speaker: n, text: t} for n, t in zip(names, pair, strict=True))]
    }


def framed(pattern: str) -> Shape:
    return lambda number, pair: {"text": pattern.format(q=pair[0], a=pair[1])}


def with_extra(shape: Shape, *, behind: bool) -> Shape:
    def made(number: int, pair: Pair) -> Row:
        row = shape(number, pair)
        return {**row, "id": number, **EXTRA} if behind else {"id": f"ex-{number}", **EXTRA, **row}

    return made


def between(number: int, pair: Pair) -> Row:
    return {"question": pair[0], "id": number, **EXTRA, "answer": pair[1]}


def sorted_keys(number: int, pair: Pair) -> Row:
    return {"answer": pair[1], "id": number, "question": pair[0]}


FRAMES = {
    "Q and A": "Q: {q}\nA: {a}",
    "Q and A in one line": "Q: {q} A: {a}",
    "in words": "Question: {q}\nAnswer: {a}",
    "in bold": "**Question:** {q}\n\n**Answer:** {a}",
    "headings": "### Instruction:\n{q}\n\n### Response:\n{a}",
    "tags of a chat": "<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n{a}<|im_end|>",
    "Llama's tags": "<s>[INST] {q} [/INST] {a} </s>",
    "Gemma's tags": "<start_of_turn>user\n{q}<end_of_turn>\n<start_of_turn>model\n{a}<end_of_turn>",
    "speakers": "Human: {q}\n\nAssistant: {a}",
    "a task": "Solve: {q}\n{a}",
    "nothing between": "{q}{a}",
    "a reason behind": "Q: {q}\nA: {a}. First the ones are added, then the tens.",
}
TREES: dict[str, Shape] = {
    "messages": chat("messages", "role", "content", ("user", "assistant"), system=False),
    "messages with a system prompt": chat(
        "messages", "role", "content", ("user", "assistant"), system=True
    ),
    "ShareGPT": chat("conversations", "from", "value", ("human", "gpt"), system=False),
}
FLAT: dict[str, Shape] = {
    **{f"{q} and {a}": named(q, a) for q, a in NAMES},
    **{name: framed(pattern) for name, pattern in FRAMES.items()},
    "fields between": between,
    "sorted keys": sorted_keys,
    "a number with a point": lambda n, p: {"question": p[0], "answer": f"{p[1]}.0"},
    "thousands": lambda n, p: {"question": p[0], "answer": f"{int(p[1]):,}"},
    "a sentence": lambda n, p: {"question": p[0], "answer": f"The answer is {p[1]}."},
    "an answer and its reason": lambda n, p: {
        "question": p[0], "answer": f"{p[1]}, since the sum of the hundreds is less.",
    },
    "a long reason": lambda n, p: {
        "question": p[0], "answer": f"{'We add digit by digit. ' * 30}So it is {p[1]}.",
    },
    "Alpaca": lambda n, p: {"instruction": "Add the numbers.", "input": p[0], "output": p[1]},
}  # fmt: skip
SHAPES: dict[str, Shape] = {
    **FLAT,
    **TREES,
    **{f"{n}, and more": with_extra(s, behind=False) for n, s in {**FLAT, **TREES}.items()},
    **{f"more, {n}": with_extra(s, behind=True) for n, s in {**FLAT, **TREES}.items()},
}


def _table(rows: list[Row], separator: str) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), delimiter=separator)
    writer.writeheader()
    for row in rows:
        writer.writerow({k: json.dumps(v) if isinstance(v, list) else v for k, v in row.items()})
    return stream.getvalue().encode()


def _lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _parquet(rows: list[Row]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


def _arrow(rows: list[Row]) -> bytes:
    made, stream = pyarrow.Table.from_pylist(rows), io.BytesIO()
    with pyarrow.ipc.new_stream(stream, made.schema) as writer:
        writer.write_table(made)
    return stream.getvalue()


def _columns(rows: list[Row]) -> bytes:
    return json.dumps({k: {str(i): r[k] for i, r in enumerate(rows)} for k in rows[0]}).encode()


FILES: dict[str, Callable[[list[Row]], bytes]] = {
    "d.csv": lambda rows: _table(rows, ","),
    "semicolons.csv": lambda rows: _table(rows, ";"),
    "d.tsv": lambda rows: _table(rows, "\t"),
    "d.csv.gz": lambda rows: gzip.compress(_table(rows, ",")),
    "d.jsonl": _lines,
    "array.json": lambda rows: json.dumps(rows, indent=1).encode(),
    "object.json": lambda rows: json.dumps({"version": 1, "data": rows}).encode(),
    "columns.json": _columns,
    "d.parquet": _parquet,
    "d.arrow": _arrow,
}


def write(root: Path, name: str, rows: list[Row]) -> str:
    """Write rows to a file of this name; return the name."""
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(FILES[name](rows))
    return name
