"""lm-evaluation-harness 0.4: ``results*.json`` with its per-sample rows beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from audit_flow.analysis.moments import moment
from audit_flow.model import (
    ConfigValue,
    EvalRun,
    Evidence,
    PartsSummary,
    Protocol,
    SampleSummary,
    Sampling,
)
from audit_flow.sources.aggregates import Part, direct, leaves, parts_summary
from audit_flow.sources.clusters import ClusterField
from audit_flow.sources.fields import (
    Fields,
    Host,
    document,
    eval_run,
    host_of,
    is_number,
    metric_keys,
    named,
    sampling,
    top_level,
)
from audit_flow.sources.reducers import MEAN, at_k, is_averaged, reducer_of
from audit_flow.sources.samples import SampleTable, item_digest, require_id
from audit_flow.sources.unread import read_each

from .interface import Family, Rows, SourceFile

_NOT_METRICS = {"alias", "name", "sample_len", "sample_count", "samples"}
_NOT_SCORES = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter"}
_BLANKS = ("", " ", "N/A")
_ONLY_04 = {"n-shot", "group_subtasks", "higher_is_better", "n-samples"}
_TIMESTAMP = r"(_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)?"
_ITEM_BYTES = 96
_LOGLIKELIHOOD = {"multiple_choice", "loglikelihood", "loglikelihood_rolling"}


class LmEval04:
    """Reads aggregate results, protocol and per-sample rows of lm-evaluation-harness 0.4."""

    format = "lm-eval-0.4"
    family: Family = "evaluation"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is a results file: 0.4 names a filter in every metric's key."""
        keys = top_level(head)
        if not source.name.endswith(".json") or keys.get("results") != "{":
            return False
        if keys.keys() & {"config_general", "eval", "evaluation_results"}:
            return False
        return bool(keys.keys() & _ONLY_04) or any("," in key for key in metric_keys(head))

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one run for each task, filter and metric."""
        file, sha256 = document(source)
        return read_each(source, _readings(source, sha256, file))


def _readings(
    source: SourceFile, sha256: str, file: Fields
) -> Iterator[tuple[str, Callable[[], EvalRun]]]:
    samples = _sample_files(source, frozenset(file.need("results").data))
    for task, result in file.need("results").items():
        metrics = tuple(_metrics(result))
        rows = _TaskSamples(samples[task], source.cluster) if task in samples and metrics else None
        filters = len({m.filter for m in metrics})
        for metric in metrics:
            yield (
                f"{task}/{metric.key}",
                partial(_run, source, sha256, file, task, metric, rows, filters),
            )


@dataclass(frozen=True)
class _Metric:
    name: str
    filter: str
    key: str
    result: Fields

    @property
    def stderr(self) -> Decimal | None:
        """The standard error, where one is stated."""
        name = f"{self.name}_stderr"
        return self.result.number_or_none(f"{name},{self.filter}" if "," in self.key else name)


def _metrics(result: Fields) -> Iterator[_Metric]:
    for key in sorted(result.data):
        metric, _, filter_name = key.partition(",")
        if not key.strip() or metric in _NOT_METRICS or metric.endswith("_stderr"):
            continue
        if result.data[key] in _BLANKS:
            continue  # A group's row that isn't averaged, a metric that isn't computed.
        yield _Metric(metric, filter_name or "none", key, result)


def _run(
    source: SourceFile,
    sha256: str,
    file: Fields,
    task: str,
    metric: _Metric,
    rows: _TaskSamples | None,
    filters: int,
) -> EvalRun:
    config = file.maybe("config")
    counts = file.maybe("n-samples").maybe(task)
    n_items, n_original = counts.count("effective"), counts.count("original")
    cut = n_items is not None and n_original is not None and n_items < n_original
    limited = config.data.get("limit") is not None or cut
    parts = _parts(file, task, metric)
    averaged = _averaged(file.maybe("configs").maybe(task), metric.name)
    return eval_run(
        source,
        sha256,
        metric.filter,
        format=LmEval04.format,
        task=task,
        metric=metric.name,
        value=metric.result.number(metric.key),
        stderr=metric.stderr,
        n_items=n_items or (parts.items if parts else None),
        n_original=n_original,
        seeds=_seeds(config),
        protocol=_protocol(file, config, task, metric.filter).model_copy(
            update=_samples_of(metric)
        ),
        status="incomplete" if limited else "success",
        weights_stated=_weights(file, config),
        **(rows.noise(metric, filters) if rows else {}),
        samples=rows.summary(metric, filters, averaged) if rows else None,
        parts=parts,
        measured_at=moment(file.data.get("date") or ""),
        independent=not config.data.get("use_cache"),
        note=_note(file, config, task),
    )


def _samples_of(metric: _Metric) -> dict[str, int | None]:
    """Return the k of pass@k, by the metric's name, and of maj@k, by the filter's."""
    kinds = [found for name in (metric.name, metric.filter) if (found := at_k(name))]
    passes = [k for kind, k in kinds if kind == "pass"]
    votes = [k for kind, k in kinds if kind in {"maj", "cons"}]
    return {"pass_at_k": passes[0] if passes else None, "maj_at_k": votes[0] if votes else None}


def _parts(file: Fields, task: str, metric: _Metric) -> PartsSummary | None:
    """Return what a group comes to by its tasks; None for what is no group."""
    children = file.maybe("group_subtasks").data
    below = leaves(task, children)
    scores = {n: file.maybe("results").maybe(n).number_or_none(metric.key) for n in below}
    groups = [
        file.maybe("results").maybe(n).number_or_none(metric.key) for n in direct(task, children)
    ]
    return parts_summary([Part(scores[n], _items(file, n)) for n in below], groups)


def _items(file: Fields, task: str) -> int | None:
    stated = file.maybe("n-samples").maybe(task).count("effective")
    return stated or file.maybe("results").maybe(task).count("sample_len")


def _note(file: Fields, config: Fields, task: str) -> str | None:
    notes = []
    if config.data.get("use_cache"):
        notes.append("a cache of earlier answers was used")
    if parts := leaves(task, file.maybe("group_subtasks").data):
        notes.append(f"an aggregate of {len(parts)} tasks")
    return "; ".join(notes) or None


def _seeds(config: Fields) -> tuple[ConfigValue, ...]:
    keys = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed", "seed")
    found = ((key, config.text(key)) for key in keys)
    return tuple(ConfigValue(name=key, value=value) for key, value in found if value is not None)


def _averaged(task_config: Fields, metric: str) -> bool:
    """Say whether a metric is the mean of its rows: as the task says, else by custom."""
    for entry in task_config.data.get("metric_list") or ():
        if isinstance(entry, dict) and entry.get("metric") == metric and entry.get("aggregation"):
            return bool(entry["aggregation"] == "mean")
    return is_averaged(metric)


def _protocol(file: Fields, config: Fields, task: str, filter_name: str) -> Protocol:
    below = leaves(task, file.maybe("group_subtasks").data)
    if below:
        return _shared([_protocol(file, config, name, filter_name) for name in below], task)
    task_config = file.maybe("configs").maybe(task)
    shots = file.maybe("n-shot").count(task)
    return Protocol(
        harness="lm-eval",
        harness_version=file.text("lm_eval_version"),
        task=task,
        task_version=file.maybe("versions").text(task),
        shots=shots if shots is not None else task_config.count("num_fewshot"),
        system_prompt_sha256=_prompt(file, "system_instruction"),
        chat_template_sha256=_prompt(file, "chat_template"),
        extraction=filter_name,
        sampling=_sampling(task_config),
        dataset_revision=task_config.maybe("dataset_kwargs").text("revision"),
        host=_host(config),
    )


def _shared(protocols: list[Protocol], task: str) -> Protocol:
    """Return what the protocols of a group's tasks have in common; the rest is not known."""
    first, *others = protocols
    same = {
        name: value
        for name, value in first
        if all(getattr(other, name) == value for other in others)
    }
    return Protocol(**(same | {"task": task}))


def _prompt(file: Fields, key: str) -> str | None:
    """Return a prompt's digest: from its text, else as the harness states it."""
    digest = file.prompt_sha256(key)
    stated = file.text(f"{key}_sha")
    if digest is None and stated and re.fullmatch(r"[0-9a-f]{64}", stated):
        return stated
    return digest


def _sampling(task_config: Fields) -> Sampling | None:
    if task_config.text("output_type") in _LOGLIKELIHOOD:
        return Sampling(temperature=Decimal(0))
    arguments = task_config.maybe("generation_kwargs")
    greedy = arguments.data.get("do_sample") is False
    return sampling(
        Decimal(0) if greedy else arguments.number_or_none("temperature"),
        arguments.number_or_none("top_p"),
        arguments.count("max_gen_toks") or arguments.count("max_tokens"),
    )


def _host(config: Fields) -> Host | None:
    arguments = _model_args(config)
    return host_of(config.text("model"), arguments.get("base_url"))


def _model_args(config: Fields) -> dict[str, str]:
    """Return the model's arguments, which are text or an object by version."""
    value = config.data.get("model_args")
    if isinstance(value, dict):
        return {k: str(v) for k, v in value.items() if isinstance(v, str | int | Decimal)}
    if not isinstance(value, str):
        return {}
    pairs = (part.partition("=") for part in value.split(","))
    return {key.strip(): text for key, mark, text in pairs if mark}


def _weights(file: Fields, config: Fields) -> str | None:
    arguments = _model_args(config)
    name = arguments.get("pretrained") or arguments.get("model") or file.text("model_name")
    return named(name, config.text("model_sha") or arguments.get("revision"))


def _sample_files(source: SourceFile, tasks: frozenset[str]) -> dict[str, SourceFile]:
    """Return the sample file of each task that belongs to this results file, by its time stamp.

    Before 0.4.3 the names were ``<model>_<task>.jsonl`` beside ``results.json``.
    """
    stamp = re.fullmatch(rf"results{_TIMESTAMP}\.json", source.name)
    wanted = (stamp.group(1) or "") if stamp else None
    found: dict[str, SourceFile] = {}
    for file in source.beside("*.jsonl"):
        match = re.fullmatch(rf"samples_(.+?){_TIMESTAMP}\.jsonl", file.name)
        if match and (wanted is None or (match.group(2) or "") == wanted):
            found[match.group(1)] = file
        elif wanted == "" and not match:
            stem = file.name.removesuffix(".jsonl")
            ends = [t for t in tasks if stem == t or stem.endswith(f"_{t}")]
            if ends:
                found.setdefault(max(ends, key=len), file)
    return found


class _TaskSamples:
    """Per-sample rows of one task, counted again for each filter and metric."""

    def __init__(self, source: SourceFile, cluster: str | None = None) -> None:
        self._source = source
        self._rows = Rows(source)
        self._cluster = ClusterField(cluster)
        self._tables: dict[str, SampleTable] = {}
        self._several: set[int] = set()
        self._listed: list[Any] = []
        self._names: tuple[str, ...] = ()
        for row in self._rows:
            self._add(row)

    def _add(self, row: dict[str, Any]) -> None:
        doc = row.get("doc_id")
        if type(doc) is not int:
            doc = require_id(doc, "doc_id", f"{self._source.path}: doc_id")
        name = row.get("filter", "")
        table = self._tables.get(name) if type(name) is str else None
        if table is None:
            table = self._tables.setdefault(str(name), SampleTable())
        metrics = row.get("metrics")
        if type(metrics) is list:
            if metrics != self._listed:
                self._listed = metrics
                self._names = tuple(dict.fromkeys(m for m in metrics if isinstance(m, str)))
            # The first row of a filter says whether items have one score or one for each sample.
            if not table.rows and any(isinstance(row.get(n), list) for n in self._names):
                self._several.add(id(table))
            if id(table) not in self._several:
                table.add(doc, _item(row), row, names=self._names, cluster=self._group(row))
                return
            scores = {n: row.get(n) for n in self._names}
        else:
            scores = _scores(row)
        table.add_each(doc, _item(row), scores, cluster=self._group(row))

    def _group(self, row: dict[str, Any]) -> str | None:
        return self._cluster.of(row.get("doc"), row)

    def _table(self, metric: _Metric, filters: int) -> SampleTable | None:
        """Return the rows of a filter; before 0.4.4 rows don't name theirs, which is the only."""
        table = self._tables.get(metric.filter)
        return self._tables.get("") if table is None and filters == 1 else table

    def noise(self, metric: _Metric, filters: int) -> dict[str, Any]:
        """Return the repeats of a mean over several samples of every item, and their noise."""
        table = self._table(metric, filters)
        if table is None or not table.lists(metric.name) or reducer_of(metric.name) != MEAN:
            return {}
        return {
            "runs": table.repeats,
            "within_variance_sum": table.within_variance_sum(metric.name),
            "design_effect": table.design_effect(metric.name),
        }

    def summary(self, metric: _Metric, filters: int, averaged: bool) -> SampleSummary | None:
        """Return what the rows of one filter say about one metric."""
        table = self._table(metric, filters)
        if table is None:
            return None
        table.cluster_field = self._cluster.name
        return table.summary(metric.name, self._source.path, self._rows.sha256, averaged=averaged)


def _item(row: dict[str, Any]) -> bytes:
    """Return the digests of document, prompt and target, one after the other."""
    try:
        joined = bytes.fromhex(row["doc_hash"] + row["prompt_hash"] + row["target_hash"])
    except (KeyError, TypeError, ValueError):
        joined = b""
    if len(joined) == _ITEM_BYTES:
        return joined
    # Versions before 0.4.4 have no hashes of prompt and target, but both in full.
    parts = [row.get(k) for k in ("doc_hash", "doc", "prompt_hash", "arguments", "target")]
    return item_digest(*parts).ljust(_ITEM_BYTES, b"\0")


def _scores(row: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in row.items()
        if (key not in _NOT_SCORES and (isinstance(value, float | bool) or is_number(value)))
        or (at_k(key) and isinstance(value, list))
    }
