"""lighteval: ``results_*.json`` and, for each task, a Parquet file of details."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from audit_flow.model import ConfigValue, EvalRun, Evidence, PartsSummary, Protocol, Sampling
from audit_flow.sources.aggregates import Part, parts_summary
from audit_flow.sources.fields import Fields, document, eval_run, named, sampling, top_level
from audit_flow.sources.lighteval_details import Details, read_details
from audit_flow.sources.reducers import is_averaged
from audit_flow.sources.unread import read_each

from .interface import Family, SourceFile

_STAMP = re.compile(r"results_(.+)\.json")
_AGGREGATES = ("all", "_average")


class LightEval:
    """Reads results, protocol and details of lighteval."""

    format = "lighteval"
    family: Family = "evaluation"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is a results file, by its general configuration."""
        keys = top_level(head)
        return source.name.endswith(".json") and keys.get("config_general") == "{"

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one run for each task and metric.

        Raises EvidenceError where details are there and pyarrow is not.
        """
        file, sha256 = document(source)
        return read_each(source, _readings(source, sha256, file))


def _readings(
    source: SourceFile, sha256: str, file: Fields
) -> Iterator[tuple[str, Callable[[], EvalRun]]]:
    for task, result in file.need("results").items():
        path = None if _is_aggregate(task) else _details_file(source, task)
        details = read_details(path, source.cluster) if path else None
        for metric in sorted(result.data):
            if not metric.endswith("_stderr"):
                reading = partial(_run, source, sha256, file, task, metric, result, details)
                yield f"{task}/{metric}", reading


def _run(
    source: SourceFile,
    sha256: str,
    file: Fields,
    task: str,
    metric: str,
    result: Fields,
    details: Details | None,
) -> EvalRun:
    general = file.need("config_general")
    config = _task_config(file, task)
    effective, original = _docs(config, "effective"), _docs(config, "original")
    limited = general.data.get("max_samples") is not None
    table = details.table if details else None
    return eval_run(
        source,
        sha256,
        "",
        format=LightEval.format,
        task=task,
        metric=metric,
        value=result.number(metric),
        stderr=result.number_or_none(f"{metric}_stderr"),
        n_items=effective or (table.items if table else None),
        n_original=original,
        seeds=_seeds(general),
        protocol=_protocol(file, general, config, task),
        status="incomplete" if limited else "success",
        weights_stated=_weights(general),
        samples=table.summary(
            metric, details.path, details.sha256, averaged=_averaged(config, metric)
        )
        if table and details
        else None,
        parts=_parts(file, task, metric),
        note=_note(general, task),
    )


def _parts(file: Fields, task: str, metric: str) -> PartsSummary | None:
    """Return what an aggregate comes to by its tasks; None for what is none."""
    results = file.need("results")
    below = [name for name in sorted(results.data) if _belongs(name, task)]
    return parts_summary(
        [
            Part(results.maybe(n).number_or_none(metric), _docs(_task_config(file, n), "effective"))
            for n in below
        ]
    )


def _belongs(name: str, aggregate: str) -> bool:
    """Say whether a task is one of those that ``all`` or ``<suite>:_average|<shots>`` averages."""
    if not _is_aggregate(aggregate) or _is_aggregate(name):
        return False
    suite, _, shots = aggregate.partition(":_average")
    return aggregate == "all" or (name.startswith(f"{suite}:") and name.endswith(shots))


def _note(general: Fields, task: str) -> str | None:
    notes = ["an aggregate of other tasks"] if _is_aggregate(task) else []
    if (limit := general.text("max_samples")) is not None:
        notes.append(f"at most {limit} samples of each task")
    return "; ".join(notes) or None


def _is_aggregate(task: str) -> bool:
    return task.startswith(_AGGREGATES) or ":_average" in task


def _task_config(file: Fields, task: str) -> Fields:
    """Return a task's configuration; versions name it with or without its shots."""
    configs = file.maybe("config_tasks")
    for name in (task, task.rpartition("|")[0], task.split("|", maxsplit=1)[0]):
        if isinstance(configs.data.get(name), dict):
            return configs.need(name)
    return Fields({}, file.file, f"config_tasks.{task}")


def _docs(config: Fields, which: str) -> int | None:
    return config.count(f"{which}_num_docs") or None


def _protocol(file: Fields, general: Fields, config: Fields, task: str) -> Protocol:
    model = general.maybe("model_config")
    holder = model if "system_prompt" in model.data else general
    return Protocol(
        harness="lighteval",
        harness_version=_known(general.text("lighteval_sha")),
        task=task,
        task_version=file.maybe("versions").text(task) or config.text("version"),
        shots=_shots(config, task),
        system_prompt_sha256=holder.prompt_sha256("system_prompt"),
        chat_template_sha256=general.prompt_sha256("chat_template"),
        sampling=_sampling(general, model, config),
        dataset_revision=config.text("hf_revision"),
        host=_host(model),
    )


def _known(text: str | None) -> str | None:
    return None if text in {"?", "unknown"} else text


def _shots(config: Fields, task: str) -> int | None:
    """Return the shots: the number that the task's name ends with, else the configuration's."""
    for part in task.split("|")[1:]:
        if part.isdecimal():
            return int(part[:9])
    return config.count("num_fewshots")


def _sampling(general: Fields, model: Fields, config: Fields) -> Sampling | None:
    holder = model if "generation_parameters" in model.data else general
    arguments = holder.maybe("generation_parameters")
    return sampling(
        arguments.number_or_none("temperature"),
        arguments.number_or_none("top_p"),
        arguments.count("max_new_tokens") or config.count("generation_size"),
    )


def _host(model: Fields) -> str | None:
    if not model.data:
        return None
    remote = model.data.keys() & {"base_url", "provider", "endpoint_name", "api_key", "org_to_bill"}
    return None if remote else "self-hosted"


def _weights(general: Fields) -> str | None:
    model = general.maybe("model_config")
    name = general.text("model_name") or model.text("model_name") or model.text("pretrained")
    return named(name, general.text("model_sha") or model.text("revision"))


def _seeds(general: Fields) -> tuple[ConfigValue, ...]:
    arguments = general.maybe("model_config").maybe("generation_parameters")
    found = [(k, h.text(k)) for h, k in ((arguments, "seed"), (general, "num_fewshot_seeds"))]
    return tuple(ConfigValue(name=k, value=v) for k, v in found if v is not None)


def _averaged(config: Fields, metric: str) -> bool:
    """Say whether a metric is the mean of its rows: as the task's metric says, else by custom."""
    for entry in config.data.get("metrics") or config.data.get("metric") or ():
        if isinstance(entry, dict) and _names(entry.get("metric_name"), metric):
            level: Any = entry.get("corpus_level_fn")
            level = level.get(metric) if isinstance(level, dict) else level
            return level is None or str(level) in {"mean", "np.mean"}
    return is_averaged(metric)


def _names(name: Any, metric: str) -> bool:
    return metric in name if isinstance(name, list) else name == metric


def _details_file(source: SourceFile, task: str) -> SourceFile | None:
    """Return the details of a task: beside the results, or in lighteval's own folder for them."""
    stamp = _STAMP.fullmatch(source.name)
    for file in _details_files(source, stamp.group(1) if stamp else None):
        name = file.name.removeprefix("details_").removesuffix(".parquet")
        if stamp:
            name = name.removesuffix(f"_{stamp.group(1)}")
        if _plain(name) == _plain(task):
            return file
    return None


def _details_files(source: SourceFile, stamp: str | None) -> Iterator[SourceFile]:
    pattern = f"details_*_{_literal(stamp)}.parquet" if stamp else "details_*.parquet"
    yield from source.beside(pattern)
    parts = PurePosixPath(source.path).parts
    if stamp and "results" in parts[:-1]:
        at = len(parts) - 2 - parts[:-1][::-1].index("results")
        place = PurePosixPath(*parts[:at], "details", *parts[at + 1 : -1], stamp)
        if source.folder.locate(place.as_posix()).is_dir():
            yield from SourceFile(source.folder, (place / "x").as_posix()).beside(pattern)


def _literal(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def _plain(name: str) -> str:
    return re.sub(r"\W+|_", "_", name)
