"""bigcode-evaluation-harness: pass@k and other metrics of code tasks in one JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import PurePosixPath

from audit_flow.errors import EvidenceError
from audit_flow.model import ConfigValue, EvalRun, Evidence, Protocol, Sampling
from audit_flow.sources.code_samples import CodeSamples, holds_code_samples
from audit_flow.sources.fields import (
    Fields,
    document,
    eval_run,
    is_figure,
    named,
    sampling,
    top_level,
)
from audit_flow.sources.unread import read_each

from .interface import Family, SourceFile

_PASS_AT = re.compile(r"pass@([1-9]\d{0,5})")
_CONFIG_MARKS = (b'"n_samples"', b'"allow_code_execution"', b'"do_sample"')


class BigCode:
    """Reads the metrics that bigcode-evaluation-harness writes."""

    format = "bigcode-eval"
    family: Family = "evaluation"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether the file is pass@k at the top, or tasks beside this harness's config."""
        if holds_code_samples(source, head):
            return True
        keys = top_level(head)
        if not source.name.endswith(".json") or not keys or "results" in keys:
            return False
        if all(_PASS_AT.fullmatch(key) for key in keys.keys() - {"config"}) and len(keys) > (
            "config" in keys
        ):
            return True
        tasks = {k: v for k, v in keys.items() if k != "config"}
        own = keys.get("config") == "{" and sum(mark in head for mark in _CONFIG_MARKS) >= 2
        return bool(tasks) and own and all(v == "{" for v in tasks.values())

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one run for each task and metric, with the samples that lie beside it."""
        if holds_code_samples(source, source.head()):
            return read_each(source, _counted(CodeSamples(source)))
        file, sha256 = document(source)
        return read_each(source, _readings(source, sha256, file))


def _readings(
    source: SourceFile, sha256: str, file: Fields
) -> Iterator[tuple[str, Callable[[], EvalRun]]]:
    tasks = tuple(_tasks(file, PurePosixPath(source.name).stem))
    for task, result in tasks:
        samples = _samples_beside(source, task, only=len(tasks) == 1)
        for metric in sorted(result.data):
            if _PASS_AT.fullmatch(metric) or is_figure(result.data[metric]):
                yield (
                    f"{task}/{metric}",
                    partial(_run, source, sha256, file, task, result, metric, samples),
                )


def _samples_beside(source: SourceFile, task: str, *, only: bool) -> CodeSamples | None:
    """Return the samples that a task was counted from: the one file that can be meant."""
    stem = PurePosixPath(source.name).stem
    beside = [f for f in source.beside("*.jsonl") if holds_code_samples(f, f.head())]
    named_so = [f for f in beside if task in f.name or stem in f.name]
    found = named_so or (beside if only else [])
    return CodeSamples(found[0]) if len(found) == 1 else None


def _counted(samples: CodeSamples) -> Iterator[tuple[str, Callable[[], EvalRun]]]:
    """Count pass@k from samples without a metrics file."""
    for k in (1, 10, 100):
        if k <= samples.fewest:
            yield f"pass@{k}", partial(_count, samples, k)


def _count(samples: CodeSamples, k: int) -> EvalRun:
    summary = samples.summary(f"pass@{k}")
    if summary.mean is None:
        raise EvidenceError(
            f"{summary.conflicts} samples stand twice and differ",
            expected="each sample once",
            where=f"{samples.source.path}: passed",
        )
    return eval_run(
        samples.source,
        samples.sha256,
        "",
        format=BigCode.format,
        task=PurePosixPath(samples.source.name).stem,
        metric=f"pass@{k}",
        value=summary.mean,
        n_items=summary.items,
        protocol=Protocol(pass_at_k=k, inference_budget=f"{samples.fewest} samples a problem"),
        samples=summary,
        note="counted from the samples: no metrics file was named",
    )


def _run(
    source: SourceFile,
    sha256: str,
    file: Fields,
    task: str,
    result: Fields,
    metric: str,
    samples: CodeSamples | None,
) -> EvalRun:
    config = file.maybe("config")
    named_task = result is not file
    return eval_run(
        source,
        sha256,
        "",
        format=BigCode.format,
        task=task,
        metric=metric,
        value=result.number(metric),
        n_items=samples.table.items if samples else config.count("limit") or None,
        samples=samples.summary(metric) if samples and _PASS_AT.fullmatch(metric) else None,
        seeds=_seeds(config),
        protocol=_protocol(config, task if named_task else None, _PASS_AT.fullmatch(metric)),
        status=_status(config),
        weights_stated=named(config.text("model"), config.text("revision")),
        note=_note(config, named_task=named_task),
    )


def _tasks(file: Fields, stem: str) -> Iterator[tuple[str, Fields]]:
    if any(_PASS_AT.fullmatch(key) and is_figure(file.data[key]) for key in file.data):
        yield stem, file
        return
    for task in sorted(file.data.keys() - {"config"}):
        yield task, file.need(task)


def _protocol(config: Fields, task: str | None, k: re.Match[str] | None) -> Protocol:
    return Protocol(
        harness="bigcode-evaluation-harness",
        task=task,
        sampling=_sampling(config),
        pass_at_k=int(k.group(1)) if k else None,
        host="self-hosted" if config.text("model") else None,
        inference_budget=_samples(config),
    )


def _sampling(config: Fields) -> Sampling | None:
    greedy = config.data.get("do_sample") is False
    return sampling(
        Decimal(0) if greedy else config.number_or_none("temperature"),
        config.number_or_none("top_p"),
        None,
    )


def _samples(config: Fields) -> str | None:
    samples = config.count("n_samples")
    return f"{samples} samples a problem" if samples else None


def _seeds(config: Fields) -> tuple[ConfigValue, ...]:
    seed = config.text("seed")
    return (ConfigValue(name="seed", value=seed),) if seed is not None else ()


def _status(config: Fields) -> str:
    if not config.data:
        return "unknown"
    return "incomplete" if config.data.get("limit") is not None else "success"


def _note(config: Fields, *, named_task: bool) -> str | None:
    notes = [] if named_task else ["the file names no task: this is its own name"]
    if config.text("load_generations_path"):
        notes.append("generations were loaded from a file")
    return "; ".join(notes) or None
