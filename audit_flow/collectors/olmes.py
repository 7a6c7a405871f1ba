"""OLMES (oe-eval): ``*-metrics.json``, ``metrics-all.jsonl`` and their predictions and requests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import orjson

from audit_flow.errors import EvidenceError
from audit_flow.model import ConfigValue, EvalRun, Evidence, Protocol, SampleSummary, Sampling
from audit_flow.sources.clusters import ClusterField
from audit_flow.sources.fields import (
    Fields,
    document,
    eval_run,
    host_of,
    is_figure,
    named,
    sampling,
    top_level,
)
from audit_flow.sources.reducers import is_averaged
from audit_flow.sources.samples import SampleTable, item_digest, require_id
from audit_flow.sources.unread import read_each

from .interface import Family, Rows, SourceFile

_METRICS, _PREDICTIONS, _REQUESTS = "-metrics.json", "-predictions.jsonl", "-requests.jsonl"
_KEYS = {
    "metrics": {"task_name", "task_hash", "model_hash"},
    "predictions": {"doc_id", "metrics", "task_hash", "model_hash"},
    "requests": {"request_type", "doc", "request", "task_name"},
}
_Readings = Iterator[tuple[str, Callable[[], EvalRun]]]
_MULTIPLE_CHOICE = ("acc", "logits_", "bits_", "sum_logits")


class Olmes:
    """Reads the files that OLMES writes for a task, whichever of them is named."""

    format = "olmes"
    family: Family = "evaluation"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is one of the three kinds of file, by its first object's keys."""
        return source.name.endswith((".json", ".jsonl")) and _kind(head) is not None

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one run for each task and metric.

        Requests hold no score: EvidenceError names the file that does.
        """
        kind = _kind(source.head())
        if kind == "requests":
            raise EvidenceError(
                "requests without scores",
                expected="metrics or predictions",
                where=source.path,
                remedy=f"Name the file that ends in {_METRICS}",
            )
        readings = _from_predictions(source) if kind == "predictions" else _from_metrics(source)
        return read_each(source, readings, "metrics")


def _kind(head: bytes) -> str | None:
    keys = top_level(head).keys()
    for kind in ("predictions", "metrics", "requests"):
        if _KEYS[kind] <= keys:
            return kind
    return None


def _from_metrics(source: SourceFile) -> _Readings:
    if source.name.endswith(".jsonl"):
        rows = Rows(source)
        entries = [Fields(_exact(row), f"{source.path}, row {n}") for n, row in enumerate(rows, 1)]
        for entry in entries:
            yield from _readings(source, rows.sha256, entry, _predictions_of(source, entry))
        return
    file, sha256 = document(source)
    yield from _readings(source, sha256, file, _predictions_of(source, file))


def _exact(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose floats are decimals: the shortest digits that give the float again."""
    exact: dict[str, Any] = _decimals(row)
    return exact


def _decimals(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {key: _decimals(item) for key, item in value.items()}
    return [_decimals(item) for item in value] if isinstance(value, list) else value


def _from_predictions(source: SourceFile) -> _Readings:
    """Read the metrics beside the predictions, else count the predictions themselves."""
    stem = source.name.removesuffix(_PREDICTIONS)
    beside = [other for other in source.beside("*" + _METRICS) if other.name == stem + _METRICS]
    predictions = _Predictions(source, source.cluster)
    if beside:
        file, _ = document(beside[0])
        yield from _readings(source, predictions.sha256, file, predictions)
        return
    for metric in predictions.table.metrics:
        summary = predictions.summary(metric)
        if summary.mean is not None:
            yield f"{stem}/{metric}", partial(_counted, source, stem, metric, summary)


def _counted(source: SourceFile, task: str, metric: str, summary: SampleSummary) -> EvalRun:
    return eval_run(
        source,
        summary.sha256,
        "",
        format=Olmes.format,
        task=task,
        metric=metric,
        value=summary.mean,
        n_items=summary.items,
        protocol=Protocol(harness="olmes"),
        status="unknown",
        samples=summary,
        note="counted from the predictions: no metrics file is beside them",
    )


def _readings(
    source: SourceFile, sha256: str, file: Fields, predictions: _Predictions | None
) -> _Readings:
    task = file.need_text("task_name")
    metrics = file.need("metrics")
    for metric in sorted(metrics.data):
        if not metric.endswith("_stderr") and is_figure(metrics.data[metric]):
            yield f"{task}/{metric}", partial(_run, source, sha256, file, metric, predictions)


def _run(
    source: SourceFile, sha256: str, file: Fields, metric: str, predictions: _Predictions | None
) -> EvalRun:
    task, metrics = file.need_text("task_name"), file.need("metrics")
    config = file.maybe("task_config")
    return eval_run(
        source,
        sha256,
        file.text("task_idx") or "",
        format=Olmes.format,
        task=task,
        metric=metric,
        value=metrics.number(metric),
        stderr=metrics.number_or_none(f"{metric}_stderr"),
        n_items=file.count("num_instances"),
        seeds=_seeds(config),
        protocol=_protocol(file, config, task, metric),
        status="incomplete" if config.data.get("limit") is not None else "success",
        weights_stated=_weights(file),
        samples=predictions.of(_row_metric(metric, config)) if predictions else None,
        note=_note(metric, config),
    )


def _row_metric(metric: str, config: Fields) -> str:
    """Return the name that rows have for a metric: the primary score is one of the others."""
    return config.text("primary_metric") or metric if metric == "primary_score" else metric


def _note(metric: str, config: Fields) -> str | None:
    notes = []
    if metric == "primary_score" and (primary := config.text("primary_metric")):
        notes.append(f"the primary metric is {primary}")
    if (limit := config.text("limit")) is not None:
        notes.append(f"at most {limit} instances")
    return "; ".join(notes) or None


def _seeds(config: Fields) -> tuple[ConfigValue, ...]:
    found = ((key, config.text(key)) for key in ("fewshot_seed", "random_subsample_seed"))
    return tuple(ConfigValue(name=key, value=value) for key, value in found if value is not None)


def _protocol(file: Fields, config: Fields, task: str, metric: str) -> Protocol:
    model = file.maybe("model_config")
    alias = config.maybe("metadata").text("alias")
    return Protocol(
        harness="olmes",
        harness_version=file.maybe("beaker_info").text("GIT_REF"),
        task=alias or task,
        task_version=config.text("version"),
        shots=config.count("num_shots"),
        system_prompt_sha256=config.maybe("context_kwargs").prompt_sha256("system_prompt"),
        chat_template_sha256=model.maybe("chat_model").prompt_sha256("chat_template"),
        extraction=_row_metric(metric, config),
        sampling=_sampling(config, metric),
        dataset_revision=config.text("revision"),
        host=_host(model),
    )


def _sampling(config: Fields, metric: str) -> Sampling | None:
    arguments = config.maybe("generation_kwargs")
    if not arguments.data:
        ranked = _row_metric(metric, config).startswith(_MULTIPLE_CHOICE)
        return Sampling(temperature=Decimal(0)) if ranked else None
    greedy = arguments.data.get("do_sample") is False
    return sampling(
        Decimal(0) if greedy else arguments.number_or_none("temperature"),
        arguments.number_or_none("top_p"),
        arguments.count("max_gen_toks"),
    )


def _host(model: Fields) -> str | None:
    kind = model.text("model_type")
    return None if kind == "litellm" else host_of(kind)


def _weights(file: Fields) -> str | None:
    model = file.maybe("model_config")
    name = model.text("model_path") or model.text("model")
    return named(name, model.text("revision"))


class _Predictions:
    """The per-instance rows of one task, with what was asked where the requests are beside them."""

    def __init__(self, source: SourceFile, cluster: str | None = None) -> None:
        self.source = source
        self.table = SampleTable()
        self._cluster = ClusterField(cluster)
        asked = _asked(source)
        rows = Rows(source)
        for row in rows:
            self._add(row, asked)
        self.sha256 = rows.sha256

    def _add(self, row: dict[str, Any], asked: dict[Any, bytes]) -> None:
        where = f"{self.source.path}, row {self.table.rows + 1}"
        doc = require_id(row.get("doc_id"), "doc_id", f"{where}: doc_id")
        metrics = row.get("metrics")
        if not isinstance(metrics, dict):
            raise EvidenceError("metrics is missing", expected="scores", where=f"{where}: metrics")
        request = asked.get(doc)
        item = item_digest(request.hex(), row.get("label")) if request else None
        group = self._cluster.of(row, row.get("doc"))
        self.table.cluster_field = self._cluster.name
        self.table.add_each(doc, item, metrics, cluster=group)

    def of(self, metric: str) -> SampleSummary | None:
        """Return the summary of a metric that rows hold, else None."""
        return self.summary(metric) if self.table.holds(metric) else None

    def summary(self, metric: str) -> SampleSummary:
        """Return what the rows say about a metric."""
        return self.table.summary(
            metric, self.source.path, self.sha256, averaged=is_averaged(metric)
        )


def _asked(source: SourceFile) -> dict[Any, bytes]:
    """Return the digest of each document's requests, whose order is that of the file."""
    wanted = source.name.removesuffix(_PREDICTIONS) + _REQUESTS
    beside = [other for other in source.beside("*" + _REQUESTS) if other.name == wanted]
    found: dict[Any, bytes] = {}
    for row in Rows(beside[0]) if beside else ():
        doc = row.get("doc_id")
        if isinstance(doc, int | str):
            request = orjson.dumps(row.get("request"), default=str, option=orjson.OPT_SORT_KEYS)
            found[doc] = hashlib.sha256(found.get(doc, b"") + request).digest()
    return found


def _predictions_of(source: SourceFile, file: Fields) -> _Predictions | None:
    """Return the predictions of a task: of the same stem, or of index and name."""
    task, index = file.text("task_name") or "", file.count("task_idx")
    names = [source.name.removesuffix(_METRICS) + _PREDICTIONS]
    if index is not None:
        names.append(f"task-{index:03d}-{task}{_PREDICTIONS}")
    beside = {other.name: other for other in source.beside("*" + _PREDICTIONS)}
    found = next((beside[name] for name in names if name in beside), None)
    return _Predictions(found, source.cluster) if found else None
