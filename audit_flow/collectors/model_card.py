"""Claims in a model card (``model-index``, ``base_model``) and in ``.eval_results/*.yaml``."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import ValidationError

from audit_flow.analysis.matching import UNSPECIFIED
from audit_flow.errors import EvidenceError
from audit_flow.model import (
    BaseModelClaim,
    CardClaims,
    Protocol,
    ScoreClaim,
    Trust,
    Unit,
    sha256_hex,
)
from audit_flow.sources import yaml_text
from audit_flow.sources.folder import Folder
from audit_flow.sources.text_tables import own_scores, tables

C = TypeVar("C", ScoreClaim, BaseModelClaim)

MAX_CARD = 8 * 1024 * 1024
MAX_CLAIMS = 10_000
_RELATIONS = {
    "finetune": "finetune",
    "adapter": "adapter",
    "quantized": "quantized",
    "merge": "merge",
}


def read_card(
    folder: Folder, path: str, names: tuple[str, ...] | None = None
) -> tuple[CardClaims, tuple[ScoreClaim, ...]]:
    """Return the card's claims; what could not be read is listed in ``unread``, never dropped.

    With ``names``, which the model may be called, tables in the card's text are read as well.

    Raises MissingEvidence or EvidenceError when the card itself can't be read.
    """
    raw = folder.read(path, MAX_CARD)
    unread: list[str] = []
    scores = (
        [] if (front := _front_matter(raw, path)) is None else list(_scores(front, path, unread))
    )
    scores += list(_eval_results(folder, posixpath.dirname(path), unread))
    if len(scores) > MAX_CLAIMS:
        raise EvidenceError(f"{len(scores)} scores", expected=f"at most {MAX_CLAIMS}", where=path)
    card = CardClaims(
        id=f"card:{path}",
        source=path,
        sha256=sha256_hex(raw),
        trust=Trust.SELF_REPORTED,
        scores=tuple(scores),
        table_scores=() if names is None else tuple(_tabled(raw, path, names, front or {})),
        bases=tuple(_bases(front or {}, path, unread)),
        unread=tuple(unread),
    )
    return card, card.scores


def _tabled(
    raw: bytes, path: str, names: tuple[str, ...], front: dict[str, Any]
) -> Iterator[ScoreClaim]:
    text = raw.decode("utf-8", "replace")
    called = (*names, *_index_names(front.get("model-index")))
    for number, table in enumerate(tables(text), start=1):
        for benchmark, value, signed in own_scores(table, called):
            yield ScoreClaim(
                id=f"score:{benchmark} (table {number})",
                benchmark=benchmark,
                metric=UNSPECIFIED,
                value=value,
                unit="percent" if signed else unit_of(value),
                source=f"{path}, table {number}",
            )


def _index_names(index: Any) -> list[str]:
    models = [m for m in (index if isinstance(index, list) else [index]) if isinstance(m, dict)]
    return [str(m["name"]).rpartition("/")[2] for m in models if m.get("name")]


def _front_matter(raw: bytes, path: str) -> dict[str, Any] | None:
    # As the Hub reads it: white space before the first mark hides nothing.
    match = re.match(
        rb"(?:\xef\xbb\xbf)?\s*---[ \t]*[\r\n]+(.*?)[\r\n]+---[ \t]*(\r|\n|\Z)", raw, re.S
    )
    if not match:
        return None
    try:
        document = yaml_text.parse(match.group(1).replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
    except yaml_text.YamlError as error:
        raise EvidenceError(f"front matter, {error}", where=path) from error
    if document.data is None:
        return None
    if not isinstance(document.data, dict):
        raise EvidenceError(
            f"the front matter is a {type(document.data).__name__}",
            expected="keys with values",
            where=path,
        )
    return document.data


def _scores(front: dict[str, Any], path: str, unread: list[str]) -> Iterator[ScoreClaim]:
    index = front.get("model-index")
    if index is None:
        return
    for model in index if isinstance(index, list) else [index]:
        results = model.get("results") if isinstance(model, dict) else None
        if not isinstance(results, list):
            unread.append(f"{path}: model-index without a list of results")
            continue
        for number, result in enumerate(results):
            yield from _result(result, f"{path}: model-index result {number + 1}", path, unread)


def _result(result: Any, where: str, path: str, unread: list[str]) -> Iterator[ScoreClaim]:
    dataset = result.get("dataset") if isinstance(result, dict) else None
    metrics = result.get("metrics") if isinstance(result, dict) else None
    if not isinstance(dataset, dict) or not isinstance(metrics, list):
        unread.append(f"{where} has no dataset or no metrics")
        return
    name = dataset.get("name") or dataset.get("type")
    for metric in metrics:
        kind = metric.get("type") if isinstance(metric, dict) else None
        written = metric.get("value") if isinstance(metric, dict) else None
        value = _value(written)
        if not _text(name) or not _text(kind) or value is None:
            unread.append(f"{where} has a metric without dataset name, type or number")
            continue
        yield from _told(
            lambda n=name, k=kind, v=value, w=written: _claim(  # type: ignore[misc]
                str(n), str(k), v, _unit(w, v), dataset, path
            ),
            where, unread,
        )  # fmt: skip


def _told(make: Callable[[], C], where: str, unread: list[str]) -> Iterator[C]:
    """Yield a claim, or note why it can't be taken: endless names, numbers beyond any score."""
    try:
        yield make()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        unread.append(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}")


def _claim(
    name: str, metric: str, value: Decimal, unit: Unit | None, dataset: dict[str, Any], path: str
) -> ScoreClaim:
    arguments = dataset.get("args")
    shots = arguments.get("num_few_shot") if isinstance(arguments, dict) else None
    revision = dataset.get("revision")
    return ScoreClaim(
        id=f"score:{name}/{metric}",
        benchmark=name,
        metric=metric,
        value=value,
        unit=unit,
        protocol=Protocol(
            task=_text(dataset.get("type")),
            shots=shots if isinstance(shots, int) and shots >= 0 else None,
            dataset_revision=_text(revision),
        ),
        source=path,
    )


def _text(value: Any) -> str | None:
    """Return what names something; lists and mappings, as text, are names of nothing."""
    return None if not value or isinstance(value, dict | list) else str(value)


def unit_of(value: Decimal) -> Unit | None:
    """Return the unit that a bare number can only have; 0 and 1 leave it open.

    Cards and ``.eval_results`` fix no unit: 20.90 and 0.412 both occur.
    """
    if 0 < value < 1:
        return "fraction"
    return "percent" if 1 < value <= 100 else None


def _unit(written: Any, value: Decimal) -> Unit | None:
    """Return the unit as written: 0.9 % is no fraction."""
    signed = isinstance(written, str) and written.rstrip().endswith("%")
    return "percent" if signed else unit_of(value)


def _value(value: Any) -> Decimal | None:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]{1,3}(?:\.[0-9]{1,20})?)\s*%?\s*", value)
        return Decimal(match.group(1)) if match else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value) if abs(Decimal(value)) < 10**9 else None


def _bases(front: dict[str, Any], path: str, unread: list[str]) -> Iterator[BaseModelClaim]:
    named = front.get("base_model")
    stated = front.get("base_model_relation")
    relation = _RELATIONS.get(str(stated))
    if stated is not None and relation is None:
        unread.append(f"{path}: base_model_relation is {str(stated)[:80]!r}")
    for base in named if isinstance(named, list) else [named]:
        if base is None:
            continue
        if not isinstance(base, str) or not base:
            unread.append(f"{path}: base_model is {str(base)[:80]!r}")
            continue
        stated = {"id": f"base-model:{base}", "base": base, "relation": relation, "source": path}
        yield from _told(
            lambda s=stated: BaseModelClaim.model_validate(s),  # type: ignore[misc]
            f"{path}: base_model", unread,
        )  # fmt: skip


def _eval_results(folder: Folder, here: str, unread: list[str]) -> Iterator[ScoreClaim]:
    place = folder.locate(posixpath.join(here, ".eval_results"))
    names = sorted(p.name for p in place.iterdir()) if place.is_dir() else []
    for name in names:
        if not name.endswith((".yaml", ".yml")):
            continue
        path = posixpath.join(here, ".eval_results", name)
        try:
            entries = yaml_text.parse(folder.read(path, MAX_CARD)).data
        except yaml_text.YamlError as error:
            unread.append(f"{path}, {error}")
            continue
        yield from _entries(entries, path, unread)


def _entries(entries: Any, path: str, unread: list[str]) -> Iterator[ScoreClaim]:
    if not isinstance(entries, list):
        unread.append(f"{path}: no list of results")
        return
    for number, entry in enumerate(entries, start=1):
        dataset = entry.get("dataset") if isinstance(entry, dict) else None
        written = entry.get("value") if isinstance(entry, dict) else None
        value = _value(written)
        if not isinstance(dataset, dict) or not _text(dataset.get("id")) or value is None:
            unread.append(f"{path}: result {number} has no dataset id or no number")
            continue
        if dataset.get("task_id") and not _text(dataset["task_id"]):
            unread.append(f"{path}: result {number} has a task that is no text")
            continue
        task = _text(dataset.get("task_id")) or str(dataset["id"])
        about = {"type": task, "revision": dataset.get("revision")}
        unit = _unit(written, value)
        yield from _told(
            lambda d=dataset, v=value, u=unit, a=about: _claim(  # type: ignore[misc]
                str(d["id"]), UNSPECIFIED, v, u, a, path
            ),
            f"{path}: result {number}", unread,
        )  # fmt: skip
