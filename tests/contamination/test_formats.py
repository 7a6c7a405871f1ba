"""Items are read from what harnesses keep, and found in every format of training data."""

from __future__ import annotations

import builtins
import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as pq
import pytest
import zstandard

from audit_flow.analysis.overlap import Item, ItemIndex
from audit_flow.errors import EvidenceError
from audit_flow.sources.benchmark_items import read_items
from audit_flow.sources.folder import Folder
from audit_flow.sources.source_file import SourceFile
from audit_flow.sources.training_text import text_blocks

Row = dict[str, Any]


def questions(count: int, seed: int = 0) -> list[Row]:
    """Return items of 20 words, as a benchmark has them; two are short sums."""
    rng = random.Random(seed)
    long = [" ".join(f"w{rng.randrange(10**6)}" for _ in range(20)) for _ in range(count - 2)]
    return [
        *({"question": q, "answer": f"answer {i}"} for i, q in enumerate(long)),
        {"question": "314+271=", "answer": "585"},
        {"question": "123+456=", "answer": "579"},
    ]


def source(root: Path, name: str, data: bytes | str) -> SourceFile:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return SourceFile(Folder.at(root), name)


def inspect_sample(number: int, row: Row, *, chat: bool) -> Row:
    asked: Any = [{"role": "user", "content": [{"type": "text", "text": row["question"]}]}]
    return {
        "id": number, "epoch": 1, "input": asked if chat else row["question"],
        "target": row["answer"], "choices": None, "messages": [],
        "output": {"choices": [{"message": {"content": "what the model said"}}]},
    }  # fmt: skip


def inspect_json(root: Path, rows: list[Row]) -> SourceFile:
    samples = [inspect_sample(i, r, chat=False) for i, r in enumerate(rows)]
    document = {"version": 2, "status": "success", "eval": {"task": "t"}, "samples": samples}
    return source(root, "log.json", json.dumps(document))


def inspect_archive(root: Path, rows: list[Row]) -> SourceFile:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", "{}")
        for i, row in enumerate(rows):
            sample = inspect_sample(i, row, chat=True)
            archive.writestr(f"samples/{i}_epoch_1.json", json.dumps(sample))
    return source(root, "log.eval", stream.getvalue())


def helm(root: Path, rows: list[Row]) -> SourceFile:
    states = [
        {"instance": {
            "id": f"id{i}", "input": {"text": r["question"]}, "split": "test",
            "references": [{"output": {"text": "wrong"}, "tags": []},
                           {"output": {"text": r["answer"]}, "tags": ["correct"]}]}}
        for i, r in enumerate(rows)
    ]  # fmt: skip
    source(root, "scenario_state.json", json.dumps({"request_states": states}))
    return source(root, "per_instance_stats.json", "[]")


def helm_instances(root: Path, rows: list[Row]) -> SourceFile:
    listed = [
        {"id": f"id{i}", "input": {"text": r["question"]},
         "references": [{"output": {"text": r["answer"]}, "tags": ["correct"]}]}
        for i, r in enumerate(rows)
    ]  # fmt: skip
    source(root, "instances.json", json.dumps(listed))
    return source(root, "per_instance_stats.json", "[]")


def parquet(root: Path, rows: list[Row], name: str = "rows.parquet") -> SourceFile:
    stream = io.BytesIO()
    pq.write_table(pyarrow.Table.from_pylist(rows), stream)
    return source(root, name, stream.getvalue())


def lighteval(root: Path, rows: list[Row]) -> SourceFile:
    details = [
        {"doc": {"query": r["question"], "choices": ["no", r["answer"]], "gold_index": [1],
                 "id": str(i), "task_name": "t|0"},
         "model_response": {"text": ["what the model said"]}}
        for i, r in enumerate(rows)
    ]  # fmt: skip
    return parquet(root, details, "details_t_0.parquet")


def json_lines(root: Path, rows: list[Row], name: str = "rows.jsonl") -> SourceFile:
    return source(root, name, "".join(json.dumps(r) + "\n" for r in rows))


KEPT: tuple[Callable[[Path, list[Row]], SourceFile], ...] = (
    inspect_json, inspect_archive, helm, helm_instances, parquet, lighteval, json_lines,
)  # fmt: skip


@pytest.mark.parametrize("keep", KEPT)
def test_items_are_read_from_what_harnesses_keep(
    keep: Callable[[Path, list[Row]], SourceFile], tmp_path: Path
) -> None:
    rows = questions(12)
    items = read_items(keep(tmp_path, rows))
    assert [(i.question, i.answer) for i in items] == [(r["question"], r["answer"]) for r in rows]
    assert not [i for i in items if any("model said" in text for text in i.texts)]


def packed(root: Path, rows: list[Row], suffix: str) -> SourceFile:
    data = "".join(json.dumps(r) + "\n" for r in rows).encode()
    pack = gzip.compress if suffix == "gz" else zstandard.ZstdCompressor().compress
    return source(root, f"rows.jsonl.{suffix}", pack(data))


def table(root: Path, rows: list[Row], separator: str = ",") -> SourceFile:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator)
    writer.writerows([["id", "text"], *([i, r["question"]] for i, r in enumerate(rows))])
    return source(root, "rows.csv", stream.getvalue())


def arrow(root: Path, rows: list[Row], *, stream: bool) -> SourceFile:
    made = pyarrow.Table.from_pylist(rows)
    sink = io.BytesIO()
    opened = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with opened(sink, made.schema) as writer:
        writer.write_table(made)
    return source(root, "data-00000-of-00001.arrow", sink.getvalue())


def chat(root: Path, rows: list[Row]) -> SourceFile:
    said = [
        {"messages": [{"role": "user", "content": r["question"]},
                      {"role": "assistant", "content": r["answer"]}]}
        for r in rows
    ]  # fmt: skip
    return json_lines(root, said)


FORMATS: dict[str, Callable[[Path, list[Row]], SourceFile]] = {
    "JSON Lines": json_lines,
    "a JSON array": lambda root, rows: source(root, "rows.json", json.dumps(rows)),
    "a chat": chat,
    "gzip": lambda root, rows: packed(root, rows, "gz"),
    "zstd": lambda root, rows: packed(root, rows, "zst"),
    "Parquet": parquet,
    "an Arrow stream": lambda root, rows: arrow(root, rows, stream=True),
    "an Arrow file": lambda root, rows: arrow(root, rows, stream=False),
    "CSV": table,
    "text": lambda root, rows: source(
        root, "rows.txt", "\n".join(f"{r['question']} {r['answer']}" for r in rows)
    ),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", FORMATS)
def test_one_planted_item_in_twenty_is_found(name: str, seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    items = [
        Item(str(i), (r["question"],), r["question"], r["answer"])
        for i, r in enumerate(questions(200, seed))
    ]
    data = questions(1000, seed + 100)[:-2]
    chosen = rng.sample(range(198), 10)
    for at in chosen:
        row = {"question": items[at].question, "answer": items[at].answer}
        data.insert(rng.randrange(len(data)), row)
    index = ItemIndex(tuple(items))
    for block in text_blocks(FORMATS[name](tmp_path, data), short=index.has_short):
        index.scan(block)
    assert sorted(index.found) == sorted(chosen)


@pytest.mark.parametrize("read", [read_items, lambda s: list(text_blocks(s))])
def test_without_the_library_the_reason_is_said(
    read: Callable[[SourceFile], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = parquet(tmp_path, questions(5))
    real = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(EvidenceError, match="pyarrow"):
        read(made)


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "log.eval"])
def test_what_is_damaged_is_said(name: str, tmp_path: Path) -> None:
    broken = source(tmp_path, name, b"PAR1" + b"\0" * 200)
    with pytest.raises(EvidenceError):
        read_items(broken)
