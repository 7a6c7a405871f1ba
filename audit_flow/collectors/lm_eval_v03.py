"""lm-evaluation-harness up to 0.3, and BigScience's fork: one JSON with all tasks, no rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from audit_flow.model import EvalRun, Evidence, Protocol
from audit_flow.sources.fields import (
    Fields,
    document,
    eval_run,
    host_of,
    metric_keys,
    named,
    top_level,
    unit_of,
)
from audit_flow.sources.unread import read_each

from .interface import Family, SourceFile

_OTHERS = {
    "config_general", "eval", "evaluation_results", "task_hash", "n-shot", "group_subtasks",
    "higher_is_better", "n-samples", "run_spec", "log_history",
}  # fmt: skip
_TEXTS = {"task_name", "prompt_name", "prompt_id", "prompt_jinja", "dataset_path", "dataset_name",
          "subset", "fixed_answer_choice_list"}  # fmt: skip


class LmEval03:
    """Reads results of lm-evaluation-harness before metrics were named with their filter."""

    format = "lm-eval-0.3"
    family: Family = "evaluation"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is a results file with plain metric names."""
        keys = top_level(head)
        if not source.name.endswith(".json") or keys.get("results") != "{" or keys.keys() & _OTHERS:
            return False
        if any("," in key for key in metric_keys(head)):
            return False
        return b'_stderr"' in head or bool(keys.keys() & {"versions", "config"})

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one run for each task and metric; n is not stated in this format."""
        file, sha256 = document(source)
        return read_each(source, _readings(source, sha256, file))


def _readings(
    source: SourceFile, sha256: str, file: Fields
) -> Iterator[tuple[str, Callable[[], EvalRun]]]:
    for task, entry in file.need("results").items():
        for stamp, result in _measurements(entry):
            for metric in sorted(result.data):
                if not metric.endswith("_stderr") and metric not in _TEXTS:
                    name = f"{task}/{metric}" + (f"/{stamp}" if stamp else "")
                    yield name, partial(_run, source, sha256, file, task, stamp, result, metric)


def _run(
    source: SourceFile,
    sha256: str,
    file: Fields,
    task: str,
    stamp: str,
    result: Fields,
    metric: str,
) -> EvalRun:
    config = file.maybe("config")
    value = result.number(metric)
    return eval_run(
        source,
        sha256,
        stamp,
        format=LmEval03.format,
        task=task,
        metric=metric,
        value=value,
        unit="percent" if _in_percent(result, metric) else unit_of(value),
        stderr=result.number_or_none(f"{metric}_stderr"),
        protocol=_protocol(file, config, task),
        status=_status(config),
        weights_stated=_weights(config),
        note=_note(config, stamp),
    )


def _measurements(entry: Fields) -> Iterator[tuple[str, Fields]]:
    """Yield the metrics of a task: BigScience's fork holds them under the time of each run."""
    if entry.data and all(isinstance(value, dict) for value in entry.data.values()):
        yield from entry.items()
    else:
        yield "", entry


def _in_percent(result: Fields, metric: str) -> bool:
    value = result.number(metric)
    return metric in {"em", "f1", "exact", "HasAns_exact", "best_exact"} and 1 < value <= 100


def _status(config: Fields) -> str:
    if not config.data:
        return "unknown"
    return "incomplete" if config.data.get("limit") is not None else "success"


def _protocol(file: Fields, config: Fields, task: str) -> Protocol:
    return Protocol(
        harness="lm-eval",
        harness_version=file.text("lm_eval_version"),
        task=task,
        task_version=file.maybe("versions").text(task),
        shots=config.count("num_fewshot"),
        host=host_of(config.text("model")),
    )


def _weights(config: Fields) -> str | None:
    text = config.text("model_args") or ""
    arguments = dict(part.partition("=")[::2] for part in text.split(","))
    name = arguments.get("pretrained") or arguments.get("engine") or arguments.get("model")
    return named(name, arguments.get("revision"))


def _note(config: Fields, stamp: str) -> str | None:
    notes = [f"measured {stamp}"] if stamp else []
    if config.data.get("no_cache") is False:
        notes.append("a cache of earlier answers was allowed")
    return "; ".join(notes) or None
