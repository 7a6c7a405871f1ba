"""OpenAI's simple-evals: a metrics JSON and ``*_allresults.json`` with a page for each item."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from audit_flow.model import EMPTY_TEXT_SHA256, EvalRun, Evidence, Protocol, SampleSummary
from audit_flow.sources.fields import Fields, document, eval_run, text_sha256, top_level
from audit_flow.sources.reducers import at_k, reducer_of
from audit_flow.sources.samples import SampleTable, item_digest
from audit_flow.sources.unread import read_each

from .interface import Family, SourceFile

_SUFFIX = "_allresults.json"
_STATISTICS = (":std", ":n_samples", ":bootstrap_std", ":min", ":max", ":mean", ":count")
_SCORE = re.compile(r"<p>Score: ([-+0-9.eE]{1,40}|True|False)</p>")
_TARGET = re.compile(r"<p>Correct Answer: (.*?)</p>", re.DOTALL)
# HumanEval's pages show whether each sample of a problem passed where others show one answer.
_EACH = re.compile(r"<p>Extracted Answer: \[([01](?:, ?[01]){0,9999})\]</p>")
_STAMP = re.compile(r"(_DEBUG)?_(\d{8}_\d{6})$")
# Names of one word are followed by the model; these hold more than one.
_LONG_NAMES = ("healthbench_hard", "healthbench_consensus", "healthbench_meta")
_MAX_ITEMS = 1_000_000


class SimpleEvals:
    """Reads scores, and per-item scores out of the pages that hold them."""

    format = "simple-evals"
    family: Family = "evaluation"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is the metrics file (numbers only) or the one with everything."""
        keys = top_level(head)
        if not source.name.endswith(".json"):
            return False
        if {"score", "metrics"} <= keys.keys() and keys["metrics"] == "{":
            return "htmls" in keys or b'"htmls"' in head or source.name.endswith(_SUFFIX)
        numbers = all(re.fullmatch(r"[-+0-9.eE]+|NaN|null", value) for value in keys.values())
        return numbers and any(key.endswith((":std", ":bootstrap_std")) for key in keys)

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one run for each metric, with items where the pages are there."""
        file, sha256 = document(source)
        pages = _pages(source, file, sha256)
        metrics = file.maybe("metrics") if "metrics" in file.data else file
        found: dict[str, Fields] = {k: metrics for k in metrics.data if not k.endswith(_STATISTICS)}
        if file.data.get("score") is not None:
            found["score"] = file
        return read_each(
            source,
            (
                (name, partial(_run, source, sha256, name, place, metrics, pages))
                for name, place in sorted(found.items(), key=lambda item: item[0])
            ),
            "score",
        )


class _Pages:
    """The items of a run, read from its pages."""

    def __init__(self, file: Fields, sha256: str) -> None:
        self.file, self.sha256 = file, sha256
        self.table = SampleTable()
        self.each = SampleTable()
        self.systems: set[str] = set()
        pages = _list(file, "htmls")
        convos = _list(file, "convos") or [None] * len(pages)
        if len(convos) != len(pages):
            raise file.error("convos", f"as many as htmls, {len(pages)}")
        seen: dict[bytes, int] = {}
        for page, convo in zip(pages, convos, strict=True):
            self._add(str(page), convo, seen)

    def _add(self, page: str, convo: Any, seen: dict[bytes, int]) -> None:
        # The page is a template's output with escaped text, so only the last mark is the score's.
        marks = _SCORE.findall(page)
        targets = _TARGET.findall(page)
        prompt = _prompt(convo) or page.partition("<h3>Sampled message</h3>")[0]
        if isinstance(convo, list):
            self.systems.add("\n".join(_system(convo)))
        item = item_digest(prompt, html.unescape(targets[-1]) if targets else None)
        # The harness asks some benchmarks several times over: equal questions are repeats.
        repeat = seen.get(item, 0)
        seen[item] = repeat + 1
        score = _score(marks[-1]) if marks else None
        self.table.add(item.hex(), item, {"score": score}, repeat=repeat)
        if not repeat and (each := _EACH.findall(page)):
            self.each.add_each(item.hex(), item, {"passed": [int(v) for v in each[-1].split(",")]})

    def of(self, metric: str) -> SampleTable | None:
        """Return the rows that a metric is counted from: pass@k from each problem's samples."""
        if metric == "score":
            return self.table
        kind, _ = at_k(metric) or ("", 0)
        return self.each if kind == "pass" and self.each.items == self.table.items else None

    @property
    def system_sha256(self) -> str | None:
        """The digest of the one system prompt; None when unknown or several."""
        if len(self.systems) != 1:
            return None
        text = next(iter(self.systems))
        return text_sha256(text) if text else EMPTY_TEXT_SHA256


def _score(text: str) -> float | None:
    if text in {"True", "False"}:
        return float(text == "True")
    try:
        return float(text)
    except ValueError:
        return None


def _list(file: Fields, key: str) -> list[Any]:
    value = file.data.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MAX_ITEMS:
        raise file.error(key, f"a list of at most {_MAX_ITEMS}")
    return value


def _prompt(convo: Any) -> list[Any] | None:
    """Return the messages before the answer that was scored."""
    if not isinstance(convo, list):
        return None
    end = len(convo)
    # All samples of a problem stand one after the other at the end.
    while end and isinstance(convo[end - 1], dict) and convo[end - 1].get("role") == "assistant":
        end -= 1
    return convo[:end]


def _system(convo: list[Any]) -> Iterator[str]:
    for message in convo:
        if isinstance(message, dict) and message.get("role") in ("system", "developer"):
            yield str(message.get("content", ""))


def _pages(source: SourceFile, file: Fields, sha256: str) -> tuple[SourceFile, _Pages] | None:
    if "htmls" in file.data:
        return (source, _Pages(file, sha256)) if file.data["htmls"] else None
    wanted = source.name.removesuffix(".json") + _SUFFIX
    beside = [other for other in source.beside("*" + _SUFFIX) if other.name == wanted]
    if not beside:
        return None
    whole, digest = document(beside[0])
    return beside[0], _Pages(whole, digest)


def _run(
    source: SourceFile,
    sha256: str,
    metric: str,
    place: Fields,
    metrics: Fields,
    pages: tuple[SourceFile, _Pages] | None,
) -> EvalRun:
    task, model, stamp = _names(source.name)
    table = pages[1].table if pages else None
    rows = pages[1].of(metric) if pages else None
    scored = metric == "score"
    k = at_k(metric)
    return eval_run(
        source,
        sha256,
        "",
        format=SimpleEvals.format,
        task=task,
        metric=metric,
        value=place.number(metric),
        stderr=_bootstrap(metrics, metric),
        n_items=table.items if table else _stated_items(metrics, metric),
        runs=table.repeats if table and scored else 1,
        within_variance_sum=table.within_variance_sum("score") if table and scored else None,
        protocol=Protocol(
            harness="simple-evals",
            task=task,
            pass_at_k=k[1] if k and k[0] == "pass" else None,
            system_prompt_sha256=pages[1].system_sha256 if pages else None,
        ),
        status="incomplete" if "_DEBUG" in source.name else "success",
        weights_stated=model,
        samples=_summary(rows, metric, pages) if rows and pages else None,
        note=f"measured {stamp}" if stamp else None,
    )


def _summary(rows: SampleTable, metric: str, pages: tuple[SourceFile, _Pages]) -> SampleSummary:
    path, sha256 = pages[0].path, pages[1].sha256
    if rows is pages[1].table:
        return rows.summary(metric, path, sha256)
    return rows.summary("passed", path, sha256, reducer=reducer_of(metric))


def _bootstrap(metrics: Fields, metric: str) -> Decimal | None:
    return metrics.number_or_none(f"{metric}:bootstrap_std")


def _stated_items(metrics: Fields, metric: str) -> int | None:
    return metrics.count(f"{metric}:n_samples")


def _names(name: str) -> tuple[str, str | None, str | None]:
    """Split ``<task>_<model>_<time>`` as the harness joins it; the model may hold ``_`` too."""
    stem = name.removesuffix(".json").removesuffix("_allresults")
    stamp = _STAMP.search(stem)
    if stamp:
        stem = stem[: stamp.start()]
    for long in _LONG_NAMES:
        if stem.startswith(f"{long}_"):
            return long, stem[len(long) + 1 :] or None, stamp.group(2) if stamp else None
    task, _, model = stem.partition("_")
    return task, model or None, stamp.group(2) if stamp else None
