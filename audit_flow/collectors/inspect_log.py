"""Inspect AI: logs as ``.json`` and as ``.eval`` archives, versions 1 to 3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from audit_flow.analysis.moments import moment
from audit_flow.errors import EvidenceError
from audit_flow.model import ConfigValue, EvalRun, Evidence, Protocol
from audit_flow.sources import json_text
from audit_flow.sources.archive import Archive
from audit_flow.sources.fields import Fields, document, eval_run, host_of, sampling, top_level
from audit_flow.sources.inspect_samples import InspectSamples
from audit_flow.sources.reducers import MEAN, k_of
from audit_flow.sources.unread import read_each

from .interface import Family, SourceFile

_KNOWN_VERSIONS = {"1", "2", "3"}
_STDERRS = ("stderr", "bootstrap_stderr", "bootstrap_std")
_STATUS = {
    "success": "success",
    "error": "error",
    "cancelled": "incomplete",
    "started": "incomplete",
}
# What a mean over the items gives again; every other metric is the scorer's own aggregate.
_MEANS = {"accuracy", "mean"}


class InspectLog:
    """Reads scores, status, protocol and samples of an Inspect log."""

    format = "inspect"
    family: Family = "evaluation"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is a log: its own archive, or its four first keys."""
        if head.startswith(b"PK\x03\x04"):
            return source.name.endswith(".eval")
        keys = top_level(head)
        return keys.get("eval") == "{" and {"version", "status"} <= keys.keys()

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one run for each scorer and metric; EvidenceError when the log has no score."""
        log = _from_archive(source) if source.name.endswith(".eval") else _from_json(source)
        scores = tuple(_scores(log.file))
        if not any(score.values() for score in scores):
            raise _no_score(log.file)
        task = log.file.need("eval").need_text("task")
        return read_each(
            source,
            (
                (f"{task}/{score.name}/{name}", partial(_run, source, log, score, name))
                for score in scores
                for name in score.values()
            ),
        )


@dataclass(frozen=True)
class _Log:
    file: Fields
    sha256: str
    samples: InspectSamples


@dataclass(frozen=True)
class _Score:
    """One entry of the results: a scorer's (or one of its values') metrics."""

    name: str
    scorer: str
    metrics: Fields
    entry: Fields = field(repr=False)

    def values(self) -> tuple[str, ...]:
        """Return the metrics that are no standard errors."""
        return tuple(k for k in sorted(self.metrics.data) if not k.startswith(_STDERRS))


def _from_json(source: SourceFile) -> _Log:
    file, sha256 = document(source)
    samples = InspectSamples(source.path, source.cluster or _stated_cluster(file))
    rows = file.data.get("samples")
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        samples.add(row, f"samples[{number}]")
    return _Log(file, sha256, samples)


def _from_archive(source: SourceFile) -> _Log:
    archive = Archive(source)
    try:
        header = "header.json" if "header.json" in archive.names else "_journal/start.json"
        where = f"{source.path}: {header}"
        data = json_text.parse_object(archive.read(header), where, constants=True)
        if header != "header.json":
            # A run that died leaves no header: its plan is in the journal, its results nowhere.
            data["status"] = "started"
        file = Fields(data, source.path)
        return _Log(file, archive.sha256(), _samples(source, archive, _stated_cluster(file)))
    finally:
        archive.close()


def _stated_cluster(file: Fields) -> str | None:
    """Return the field that the log's own standard errors took as the group of an item."""
    for score in _scores(file):
        for name in _STDERRS:
            metric = score.metrics.maybe(name)
            for place in ("params", "options"):
                if (field_name := metric.maybe(place).text("cluster")) is not None:
                    return field_name
    return None


def _samples(source: SourceFile, archive: Archive, cluster: str | None) -> InspectSamples:
    samples = InspectSamples(source.path, source.cluster or cluster)
    for name in archive.names:
        if name.startswith("samples/") and name.endswith(".json"):
            samples.add(_row(archive.read(name), f"{source.path}: {name}"), name)
    if not samples.rows and "summaries.json" in archive.names:
        where = f"{source.path}: summaries.json"
        rows = json_text.parse(archive.read("summaries.json"), where, constants=True)
        for number, row in enumerate(rows if isinstance(rows, list) else ()):
            samples.add(row, f"summaries.json[{number}]", shortened=True)
    return samples


def _row(raw: bytes, where: str) -> Any:
    """Return a parsed sample; its events make it large, so the fast parser comes first."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        # NaN and Infinity are no JSON, yet scorers write them.
        return json_text.parse(raw, where, constants=True)


def _scores(file: Fields) -> Iterator[_Score]:
    """Yield the scores, in the three shapes that versions gave them."""
    results = file.maybe("results")
    if "scorer" in results.data and "metrics" in results.data:
        name = results.maybe("scorer").text("name") or "scorer"
        yield _Score(name, name, results.need("metrics"), results)
        return
    for entry in results.rows("scores" if "scores" in results.data else "scorers"):
        name = entry.need_text("name")
        yield _Score(name, entry.text("scorer") or name, entry.need("metrics"), entry)


def _no_score(file: Fields) -> EvidenceError:
    said = file.maybe("error").text("message")
    status = file.text("status") or "unknown"
    return EvidenceError(
        f"the run's status is {status!r} and it has no score" + (f": {said[:200]}" if said else ""),
        expected="a score",
        where=file.place("results"),
    )


def _run(source: SourceFile, log: _Log, score: _Score, metric: str) -> EvalRun:
    file, samples = log.file, log.samples
    spec = file.need("eval")
    averaged = metric.rpartition("/")[2] in _MEANS
    table = samples.table(score.scorer, score.name)
    status, note = _status(file, spec)
    repeats = table.repeats if table else _epochs(spec)
    reducer = score.entry.text("reducer") or MEAN
    name = score.name if score.name == score.scorer else f"{score.scorer}.{score.name}"
    # The mean of repeats is that of several runs; any other reducer makes one score of them.
    plain = reducer == MEAN
    return eval_run(
        source,
        log.sha256,
        name if plain else f"{name}/{reducer}",
        format=InspectLog.format,
        task=spec.need_text("task"),
        metric=metric,
        value=score.metrics.need(metric).number("value"),
        stderr=_stderr(score, metric),
        n_items=_items(file, score, _epochs(spec)) or (table.items if table else None),
        n_original=spec.maybe("dataset").count("samples"),
        runs=max(repeats, 1) if plain else 1,
        within_variance_sum=table.within_variance_sum("value")
        if table and averaged and plain
        else None,
        design_effect=table.design_effect("value") if table and averaged and plain else None,
        seeds=_seeds(file, spec),
        protocol=_protocol(file, spec, score, samples).model_copy(
            update={
                "pass_at_k": k_of(reducer, "pass_at"),
                "maj_at_k": repeats if reducer == "mode" and repeats > 1 else None,
            }
        ),
        status=status,
        measured_at=moment(spec.text("created") or ""),
        weights_stated=spec.text("model"),
        samples=table.summary("value", source.path, log.sha256, averaged=averaged, reducer=reducer)
        if table
        else None,
        note=note,
    )


def _stderr(score: _Score, metric: str) -> Any:
    if metric.rpartition("/")[2] not in _MEANS:
        return None
    for name in _STDERRS:
        if name in score.metrics.data:
            return score.metrics.need(name).number_or_none("value")
    return None


def _epochs(spec: Fields) -> int:
    return spec.maybe("config").count("epochs") or 1


def _items(file: Fields, score: _Score, epochs: int) -> int | None:
    """Return the number of distinct items that were scored; totals count every epoch."""
    scored = score.entry.count("scored_samples")
    if scored is not None:
        return scored
    completed = file.maybe("results").count("completed_samples")
    return completed // epochs if completed is not None and completed % epochs == 0 else None


def _status(file: Fields, spec: Fields) -> tuple[str, str | None]:
    said = file.need_text("status")
    status = _STATUS.get(said, "unknown")
    notes = [] if said == "success" else [f"the run's status is {said!r}"]
    if file.data.get("invalidated") is True:
        status, notes = "error", [*notes, "the log is marked as invalidated"]
    config, results = spec.maybe("config"), file.maybe("results")
    limited = [k for k in ("limit", "sample_id") if config.data.get(k) is not None]
    total, completed = results.count("total_samples"), results.count("completed_samples")
    if total is not None and completed is not None and completed < total:
        limited.append(f"{completed} of {total} samples completed")
    if status == "success" and limited:
        status = "incomplete"
    if limited:
        notes.append("limited: " + ", ".join(limited))
    version = str(file.data.get("version"))
    if version not in _KNOWN_VERSIONS:
        notes.append(f"log version {version} is not among those known")
    return status, "; ".join(notes) or None


def _seeds(file: Fields, spec: Fields) -> tuple[ConfigValue, ...]:
    for place in (spec.maybe("model_generate_config"), file.maybe("plan").maybe("config")):
        seed = place.text("seed")
        if seed is not None:
            return (ConfigValue(name="seed", value=seed),)
    return ()


def _protocol(file: Fields, spec: Fields, score: _Score, samples: InspectSamples) -> Protocol:
    plan = file.maybe("plan").maybe("config").data | spec.maybe("model_generate_config").data
    config = Fields({k: v for k, v in plan.items() if v is not None}, file.file, "plan.config")
    model = spec.text("model") or ""
    return Protocol(
        harness="inspect",
        harness_version=spec.maybe("packages").text("inspect_ai"),
        task=spec.need_text("task"),
        task_version=spec.text("task_version"),
        shots=_shots(spec),
        system_prompt_sha256=samples.system_sha256() or _declared_system(file, config),
        extraction=score.scorer,
        sampling=sampling(
            config.number_or_none("temperature"),
            config.number_or_none("top_p"),
            config.count("max_tokens"),
        ),
        dataset_revision=spec.maybe("task_args").text("dataset_revision"),
        host=host_of(model.partition("/")[0], spec.text("model_base_url")),
    )


def _shots(spec: Fields) -> int | None:
    arguments = spec.maybe("task_args")
    for key in ("fewshot", "num_fewshot", "n_shots", "shots"):
        if (shots := arguments.count(key)) is not None:
            return shots
    return None


def _declared_system(file: Fields, config: Fields) -> str | None:
    """Return the digest of the system prompt that the plan names, where no sample shows it."""
    if text := config.text("system_message"):
        return hashlib.sha256(text.encode()).hexdigest()
    for step in file.maybe("plan").rows("steps"):
        template = step.maybe("params").text("template")
        if step.text("solver") == "system_message" and template:
            return hashlib.sha256(template.encode()).hexdigest()
    return None
