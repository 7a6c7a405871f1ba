"""The items of an evaluation, from its per-sample rows: what was asked, and the answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from audit_flow.errors import EvidenceError
from audit_flow.sources.item_rows import item_rows
from audit_flow.sources.source_file import SourceFile

if TYPE_CHECKING:
    from audit_flow.analysis.overlap import Item

Row = dict[str, Any]
MAX_ITEMS = 2_000_000
# What harnesses and data sets call the question, and the answer.
_QUESTIONS = (
    "question", "problem", "query", "prompt", "input", "raw", "instruction", "ctx", "context",
    "goal", "sentence", "text", "passage", "premise", "story", "original_problem",
)  # fmt: skip
_ANSWERS = ("answer", "target", "gold", "label", "solution", "output", "reference", "answers")
# Names, numbers and origins are no text of the item.
_NO_TEXT = {
    "id", "idx", "index", "doc_id", "native_id", "sample_id", "url", "source", "subject", "level",
    "category", "type", "task", "split", "date", "hash", "license", "filter", "doc_hash",
}  # fmt: skip


def read_items(source: SourceFile) -> tuple[Item, ...]:
    """Return the distinct items of a file of rows.

    Raises EvidenceError where the format holds no texts that can be read here.
    """
    asked = _requests(source) or source
    found: dict[str, Item] = {}
    for number, row in enumerate(item_rows(asked)):
        if len(found) >= MAX_ITEMS:
            raise EvidenceError(f"more than {MAX_ITEMS} items", where=asked.path)
        item = _item(row, number)
        if item is not None:
            found.setdefault(item.id, item)
    if not found:
        raise EvidenceError("no row holds the text of its item", where=asked.path)
    return tuple(found.values())


def _requests(source: SourceFile) -> SourceFile | None:
    """Return the file with what was asked, where a harness writes it apart from the answers."""
    if not source.name.endswith("-predictions.jsonl"):
        return None
    name = source.name.removesuffix("-predictions.jsonl") + "-requests.jsonl"
    return next(iter(source.beside(name)), None)


def _item(row: Row, number: int) -> Item | None:
    from audit_flow.analysis.overlap import Item

    inner = next((row[k] for k in ("doc", "input") if isinstance(row.get(k), dict)), row)
    texts = tuple(dict.fromkeys(_texts(inner)))
    if not texts:
        return None
    stated = next((row[k] for k in ("doc_id", "sample_id", "task_id", "id") if k in row), number)
    question = next((t for k in _QUESTIONS if (t := _text(inner.get(k)))), texts[0])
    answers = (_text(place.get(k)) for place in (inner, row) for k in _ANSWERS)
    return Item(str(stated)[:200], texts, question, next((a for a in answers if a), ""))


def _text(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield every text of an item, also in its parts; what a model answered is none of it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth < 4:
        for key, part in value.items():
            if key not in _NO_TEXT and (depth or key not in _OF_THE_RUN):
                yield from _texts(part, depth + 1)
    elif isinstance(value, list) and depth < 4:
        for part in value[:100]:
            yield from _texts(part, depth + 1)


_OF_THE_RUN = {
    "arguments", "resps", "filtered_resps", "metrics", "model_output", "output", "messages",
    "generation", "completion", "response", "prompt_hash", "target_hash", "evaluation_name",
    "model_id", "schema_version", "evaluation_id", "evaluation_result_id", "sample_hash",
    "interaction_type", "predictions", "model_response", "pred_logits",
}  # fmt: skip
