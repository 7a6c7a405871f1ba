"""The rows that hold an evaluation's items, whatever the harness keeps them in.

JSON Lines and JSON as they are; Inspect's logs (samples of a zip archive or of one document);
HELM's run folders (``scenario_state.json`` or ``instances.json`` beside the statistics); Parquet
(lighteval's details, or any table).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from audit_flow.errors import EvidenceError
from audit_flow.sources import json_text
from audit_flow.sources.archive import Archive
from audit_flow.sources.columnar_rows import COLUMNAR, columnar_rows
from audit_flow.sources.source_file import Rows, SourceFile

Row = dict[str, Any]
_ROWS = (".jsonl", ".json", ".ndjson")
_HELM = ("scenario_state.json", "instances.json")
_MAX_PARTS = 200


def item_rows(source: SourceFile) -> Iterator[Row]:
    """Yield a row for each item; EvidenceError where the format holds no texts that are known."""
    if source.name.endswith(".eval"):
        yield from _archived(source)
    elif source.name.endswith(COLUMNAR):
        yield from (_detail(row) for row in columnar_rows(source))
    elif source.name in {"per_instance_stats.json", "stats.json"}:
        yield from _helm(source)
    elif not source.name.endswith(_ROWS):
        raise EvidenceError(
            "items are read from JSON rows, Parquet, Inspect's logs and HELM's folders",
            expected=", ".join((*_ROWS, *COLUMNAR, ".eval")), where=source.path,
        )  # fmt: skip
    elif source.name.endswith(".json") and source.head().lstrip()[:1] == b"{":
        yield from _document(source)
    else:
        yield from Rows(source)


def _document(source: SourceFile) -> Iterator[Row]:
    """Yield the samples of an Inspect log; a file of one row a line may be called .json too."""
    head = source.head()
    if b'"samples"' not in head and b'"eval"' not in head:
        yield from Rows(source)
        return
    data, _ = source.json()
    for row in _objects(data.get("samples")):
        yield _sample(row)


def _archived(source: SourceFile) -> Iterator[Row]:
    with closing(Archive(source)) as archive:
        names = [n for n in archive.names if n.startswith("samples/") and n.endswith(".json")]
        for name in names:
            where = f"{source.path}: {name}"
            yield _sample(json_text.parse_object(archive.read(name), where, constants=True))
        if not names and "summaries.json" in archive.names:
            where = f"{source.path}: summaries.json"
            rows = json_text.parse(archive.read("summaries.json"), where, constants=True)
            yield from (_sample(row) for row in _objects(rows))


def _sample(row: Row) -> Row:
    """Return what a sample asks and what is right; the conversation after it is the model's."""
    attachments = row.get("attachments")
    texts = attachments if isinstance(attachments, dict) else {}
    asked = row.get("input")
    if isinstance(asked, list):
        asked = [p for m in _objects(asked) for p in _said(m.get("content"))]
    found = {"question": asked, "choices": row.get("choices"), "answer": row.get("target")}
    return {"id": row.get("id"), **{k: _resolved(v, texts) for k, v in found.items()}}


def _said(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    parts = [p.get("text") for p in _objects(content)]
    return [p for p in parts if isinstance(p, str)]


def _resolved(value: Any, texts: Row) -> Any:
    if isinstance(value, list):
        found = [_resolved(v, texts) for v in value[:_MAX_PARTS]]
        return found[0] if len(found) == 1 else found
    if isinstance(value, str) and value.startswith("attachment://"):
        return texts.get(value.removeprefix("attachment://"), value)
    return value


def _helm(source: SourceFile) -> Iterator[Row]:
    beside = {s.name: s for name in _HELM for s in source.beside(name)}
    if "scenario_state.json" in beside:
        data, _ = beside["scenario_state.json"].json()
        instances: list[Any] = [s.get("instance") for s in _objects(data.get("request_states"))]
    elif "instances.json" in beside:
        listed = beside["instances.json"]
        instances = _objects(json_text.parse(listed.bytes(), listed.path, constants=True))
    else:
        raise EvidenceError("no such file", expected=" or ".join(_HELM), where=source.path)
    for instance in _objects(instances):
        yield _instance(instance)


def _instance(instance: Row) -> Row:
    references = _objects(instance.get("references"))
    texts = [(_inner(r.get("output")), r.get("tags")) for r in references]
    right = [text for text, tags in texts if isinstance(tags, list) and "correct" in tags]
    return {
        "id": instance.get("id"),
        "question": _inner(instance.get("input")),
        "choices": [text for text, _ in texts],
        "answer": right[0] if right else None,
    }


def _inner(value: Any) -> Any:
    return value.get("text") if isinstance(value, dict) else value


def _detail(row: Row) -> Row:
    """Return the item of a row of lighteval's details; other tables are rows as they are."""
    doc = row.get("doc")
    if isinstance(doc, dict) and "query" in doc:
        choices, gold = doc.get("choices"), doc.get("gold_index")
        first = gold[0] if isinstance(gold, list) and gold else gold
        found = {"question": doc["query"], "choices": choices, "specific": doc.get("specific")}
        if isinstance(choices, list) and isinstance(first, int) and 0 <= first < len(choices):
            found["answer"] = choices[first]
        return {"id": doc.get("id"), **found}
    if isinstance(doc, dict) or "full_prompt" not in row:
        return row
    kept = {k: row.get(k) for k in ("example", "instruction", "choices", "gold")}
    return {"question": kept["example"] or row["full_prompt"], **kept}


def _objects(value: Any) -> list[Row]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
