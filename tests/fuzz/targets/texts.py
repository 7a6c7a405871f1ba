"""Texts and tables: announcements, tables of cards, rows of items, training data, expectations."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence

from audit_flow.analysis.announcement_text import statements
from audit_flow.analysis.licenses import license_of_text
from audit_flow.analysis.moments import find_moment
from audit_flow.analysis.written import read_written_score
from audit_flow.collectors.announcement import read_announcement
from audit_flow.collectors.decontamination import read_decontamination
from audit_flow.collectors.interface import Rows
from audit_flow.sources import text_tables
from audit_flow.sources.benchmark_items import read_items
from audit_flow.sources.expectations.tables import read_table
from audit_flow.sources.hashing import Wanted, hash_all
from audit_flow.sources.job_facts import hosts
from audit_flow.sources.manifest_entries import DecontaminationEntry
from audit_flow.sources.training_text import text_blocks
from tests.fuzz.facts import held
from tests.fuzz.interface import Place, Seed, Target, seeds_of
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_trees import spoil_lines

DRAFT = """# We release Adder-7B
It reaches **93.4%** on GSM8K (5-shot) and 71.3 on MMLU, 2.1 points above Base-7B (69.2).
Trained on 1.5T tokens with 64 H100 GPUs in 3 weeks; 8B parameters; context of 128k.

| Benchmark | Adder-7B | Base-7B |
|---|---:|---:|
| MMLU | **71.3** | 69.2 ± 0.4 |
| GSM8K (8-shot) | 93.4% | - |
"""
ROWS = (
    '{"doc_id": 0, "doc": {"question": "1+1?", "choices": ["2", "3"]}, "target": "2", '
    '"text": "a b c"}\n'
    '{"doc_id": 1, "doc": {"question": "2+2?"}, "target": "4", '
    '"messages": [{"content": "x"}], "n": NaN}\n'
)
CSV = 'step,loss,text\n1,2.5,"a, b"\n2,NaN,\n3,1e400,x\n'
STATE = '{"log_history": [{"step": 1, "loss": 2.5}, {"step": 2, "loss": null}]}'


def _spoil_packed(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if rng.random() < 0.3:
        return spoil_bytes(rng, data, others)
    return gzip.compress(spoil_lines(rng, gzip.decompress(data), ()), 1)


def _spoil_rows(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if data[:2] == b"\x1f\x8b":
        return _spoil_packed(rng, data, others)
    return (spoil_lines if data[:1] in b"{[" else spoil_bytes)(rng, data, others)


def _announcement(data: bytes, place: Place) -> None:
    held([read_announcement(place.source)])


def _tables(data: bytes, place: Place) -> None:
    for table in text_tables.tables(data.decode("utf-8", "replace")):
        list(text_tables.own_scores(table, ("Adder-7B", "org/Adder-7B")))


def _moments(data: bytes, place: Place) -> None:
    text = data.decode("utf-8", "replace")
    find_moment(text)
    assert len(hosts(text)) < 1_000_000
    license_of_text(text)
    list(statements(text[:2000]))


def _written(data: bytes, place: Place) -> None:
    read_written_score(data.decode("utf-8", "replace"))


def _table(data: bytes, place: Place) -> None:
    read_table(place.path, place.seed.read, "dataset" if len(data) % 2 else "evaluation-rows")


def _dataset(data: bytes, place: Place) -> None:
    from audit_flow.collectors.collect import _dataset as dataset

    hashed = hash_all(place.folder, Wanted(frozenset({place.seed.read})))
    held([dataset(place.seed.read, hashed, place.folder)])


def _decontamination(data: bytes, place: Place) -> None:
    entry = DecontaminationEntry(tool="x", benchmarks=["MMLU"], output=place.seed.read)
    held(read_decontamination(place.folder, (entry,), "release.yaml"))


def _rows_seeds() -> list[Seed]:
    lines = ROWS.encode()
    return [
        Seed(lines, "rows.jsonl"),
        Seed(b"[" + lines.strip().replace(b"\n", b",") + b"]", "rows.json"),
        Seed(gzip.compress(lines), "rows.jsonl.gz"),
        Seed(b"plain text\nmore\n" * 20, "text.txt"),
    ]


def _table_seeds() -> list[Seed]:
    return [
        Seed(CSV.encode(), "t.csv"),
        Seed(CSV.replace(",", "\t").encode(), "t.tsv"),
        Seed(ROWS.encode(), "t.jsonl"),
        Seed(STATE.encode(), "t.json"),
    ]


TEXTS = (
    Target(
        "announcement",
        ("audit_flow.collectors.announcement", "audit_flow.analysis.announcement_text"),
        _announcement,
        seeds_of(DRAFT, name="draft.md"),
        spoil_bytes,
        files=True,
    ),
    Target(
        "tables in text", ("audit_flow.sources.text_tables",), _tables, seeds_of(DRAFT), spoil_bytes
    ),
    Target(
        "moments, hosts and licences",
        (
            "audit_flow.sources.job_facts",
            "audit_flow.analysis.moments",
            "audit_flow.analysis.licenses",
        ),
        _moments,
        seeds_of(
            "2024-05-01T10:00:00+02:00 gpu[01-03,07],login1",
            "May 01 10:00:00 2024",
            "Apache License Version 2.0, January 2004",
            "1714557600.5",
        ),
        spoil_bytes,
    ),
    Target(
        "written score",
        ("audit_flow.analysis.written",),
        _written,
        seeds_of("93.40%", "0.934", "71.3 ± 0.4"),
        spoil_bytes,
        also=(ValueError,),
    ),
    Target(
        "rows",
        ("audit_flow.sources.source_file",),
        lambda data, place: list(Rows(place.source)),
        lambda: _rows_seeds()[:2],
        _spoil_rows,
        files=True,
    ),
    Target(
        "benchmark items",
        ("audit_flow.sources.benchmark_items",),
        lambda data, place: read_items(place.source),
        lambda: _rows_seeds()[:2],
        _spoil_rows,
        files=True,
    ),
    Target(
        "training text",
        ("audit_flow.sources.training_text", "audit_flow.sources.short_rows"),
        lambda data, place: list(text_blocks(place.source, short=True)),
        lambda: [*_rows_seeds(), *_table_seeds()[:2]],
        _spoil_rows,
        files=True,
    ),
    Target(
        "expectation table",
        ("audit_flow.sources.expectations.tables",),
        _table,
        _table_seeds,
        _spoil_rows,
        files=True,
    ),
    Target(
        "dataset",
        ("audit_flow.collectors.dataset_folders",),
        _dataset,
        lambda: _rows_seeds()[:2],
        _spoil_rows,
        files=True,
    ),
    Target(
        "decontamination",
        ("audit_flow.collectors.decontamination",),
        _decontamination,
        _table_seeds,
        _spoil_rows,
        files=True,
    ),
)
