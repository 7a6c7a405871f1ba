"""HELM: a run's folder, recognised at its ``run_spec.json`` or its ``stats.json``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from audit_flow.analysis.benchmarks_known import known_benchmark
from audit_flow.errors import MissingEvidence
from audit_flow.model import EvalRun, Evidence, Protocol, sha256_hex
from audit_flow.sources import json_text
from audit_flow.sources.fields import Fields, eval_run, host_of, sampling, top_level
from audit_flow.sources.folder import MIB
from audit_flow.sources.samples import SampleTable, item_digest, require_id
from audit_flow.sources.unread import read_each

from .interface import Family, SourceFile

# Counts, costs and times that HELM keeps among its statistics.
_BOOKKEEPING = re.compile(
    r"(num_|training_|inference_|finish_reason_|estimated_|max_prob|batch_size|prompt_truncated|"
    r"logprob|num_bytes|predicted_index|cached|.*_(runtime|tokens|cost)$).*"
)
_MODEL = re.compile(r",?\b(model|model_deployment)=[^,]*")
_LIMIT = 1024 * MIB
_SPLITS = {"valid": "validation"}


class Helm:
    """Reads the statistics of one HELM run with its specification and instances."""

    format = "helm"
    family: Family = "evaluation"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is one of the files that stand for a run."""
        if source.name == "scenario_state.json":
            return head.lstrip()[:1] == b"{" and b'"adapter_spec"' in head
        if source.name == "run_spec.json":
            return {"name", "adapter_spec"} <= top_level(head).keys()
        return source.name == "stats.json" and head.lstrip()[:1] == b"[" and b'"count"' in head

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one run for each metric, split and perturbation.

        Raises MissingEvidence when the run's statistics or specification are not beside it.
        """
        folder = _RunFolder(source)
        return read_each(source, _readings(source, folder), folder.stats_path)


@dataclass(frozen=True)
class _Name:
    """What tells one statistic of a run from another."""

    metric: str
    split: str
    perturbation: str

    @classmethod
    def of(cls, stat: Fields) -> _Name:
        name = stat.need("name")
        changed = name.maybe("perturbation")
        described = ",".join(
            str(changed.data[k]) for k in ("name", "computed_on") if changed.data.get(k)
        )
        parts = (name.text("split"), name.text("sub_split"))
        return cls(name.need_text("name"), "/".join(p for p in parts if p), described)

    @property
    def variant(self) -> str:
        """Split and perturbation, as far as there are any."""
        return "/".join(p for p in (self.split, self.perturbation) if p)


class _RunFolder:
    """The files of one run."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._digests: dict[str, str] = {}
        self.spec = Fields(self._object("run_spec.json"), self._path("run_spec.json"))
        self.stats_path = self._path("stats.json")
        self.stats = self._rows("stats.json", self._raw("stats.json"))
        state = self._optional("scenario_state.json")
        data = json_text.parse_object(state, "scenario_state.json") if state else {}
        self.state = Fields(data, self._path("scenario_state.json"))
        self.tables = self._tables()

    def _path(self, name: str) -> str:
        return self._source.path.removesuffix(self._source.name) + name

    def _raw(self, name: str) -> bytes:
        raw = self._optional(name)
        if raw is None:
            raise MissingEvidence(
                "no such file", where=self._path(name), remedy="Keep the run's folder together"
            )
        return raw

    def _optional(self, name: str) -> bytes | None:
        files = self._source.beside(name)
        if not files:
            return None
        raw = files[0].bytes(_LIMIT)
        self._digests[name] = sha256_hex(raw)
        return raw

    def _object(self, name: str) -> dict[str, Any]:
        return json_text.parse_object(self._raw(name), self._path(name), constants=True)

    def _rows(self, name: str, raw: bytes) -> tuple[Fields, ...]:
        data = json_text.parse(raw, self._path(name), constants=True)
        return Fields({"rows": data}, self._path(name)).rows("rows")

    def sha256(self, name: str) -> str:
        """Return the digest of a file that was read."""
        return self._digests[name]

    def _tables(self) -> dict[tuple[str, str], SampleTable]:
        """Count the instances again, by split and perturbation."""
        raw = self._optional("per_instance_stats.json")
        if raw is None:
            return {}
        prompts = _prompts(self.state)
        tables: dict[tuple[str, str], SampleTable] = {}
        for row in self._rows("per_instance_stats.json", raw):
            item_id = require_id(
                row.data.get("instance_id"), "instance_id", row.place("instance_id")
            )
            trial = row.count("train_trial_index") or 0
            changed = _perturbation(row)
            scores: dict[tuple[str, str], dict[str, Any]] = {}
            for stat in row.rows("stats"):
                name = _Name.of(stat)
                mean = stat.number_or_none("mean") if stat.count("count") else None
                scores.setdefault((name.split, name.perturbation or changed), {})[name.metric] = (
                    mean
                )
            for key, values in scores.items():
                item = prompts.get((str(item_id), changed, trial))
                tables.setdefault(key, SampleTable()).add(item_id, item, values, repeat=trial)
        return tables


def _perturbation(row: Fields) -> str:
    changed = row.maybe("perturbation")
    return ",".join(str(changed.data[k]) for k in ("name", "computed_on") if changed.data.get(k))


def _prompts(state: Fields) -> dict[tuple[str, str, int], bytes]:
    """Return what each instance was: prompt as sent and references, by id and trial."""
    found: dict[tuple[str, str, int], bytes] = {}
    for entry in state.rows("request_states"):
        instance = entry.maybe("instance")
        key = (
            instance.text("id") or "",
            _perturbation(instance),
            entry.count("train_trial_index") or 0,
        )
        request = entry.maybe("request")
        asked = request.data.get("prompt") or request.data.get("messages")
        # Several requests stand for one instance where each choice is a request of its own.
        digest = item_digest(asked, instance.data.get("references"))
        found[key] = item_digest(found[key].hex(), digest.hex()) if key in found else digest
    return found


def _readings(
    source: SourceFile, folder: _RunFolder
) -> Iterator[tuple[str, Callable[[], EvalRun]]]:
    counts = _instances(folder)
    task = _MODEL.sub("", folder.spec.need_text("name")).strip(":,")
    for stat in folder.stats:
        name = _Name.of(stat)
        if stat.count("count") and not _BOOKKEEPING.fullmatch(name.metric):
            reading = partial(_run, source, folder, stat, name, task, counts)
            yield f"{task}/{name.metric}/{name.variant}", reading


def _run(
    source: SourceFile,
    folder: _RunFolder,
    stat: Fields,
    name: _Name,
    task: str,
    counts: dict[tuple[str, str], int],
) -> EvalRun:
    table = folder.tables.get((name.split, name.perturbation))
    n_items = counts.get((name.split, name.perturbation)) or (table.items if table else None)
    size = _size(folder, name, task, counts, n_items)
    status, note = _status(folder, name, size, n_items)
    # The values stand in stats.json, whichever of the two files was named.
    return eval_run(
        SourceFile(source.folder, folder.stats_path),
        folder.sha256("stats.json"),
        name.variant,
        format=Helm.format,
        task=task
        if name.split in {"", "test"} and not name.perturbation
        else f"{task} [{name.variant}]",
        metric=name.metric,
        value=stat.number("mean"),
        n_items=n_items,
        n_original=size.of,
        runs=stat.count("count") or 1,
        within_variance_sum=table.within_variance_sum(name.metric) if table else None,
        protocol=_protocol(folder, task),
        status=status,
        weights_stated=folder.spec.need("adapter_spec").text("model"),
        samples=table.summary(
            name.metric,
            folder.stats_path.removesuffix("stats.json") + "per_instance_stats.json",
            folder.sha256("per_instance_stats.json"),
            averaged=_has(folder, name),
        )
        if table and _has(folder, name)
        else None,
        note=note,
    )


def _has(folder: _RunFolder, name: _Name) -> bool:
    """Say whether instances carry this metric: perplexity and its kin exist for the whole only."""
    table = folder.tables.get((name.split, name.perturbation))
    return table is not None and table.holds(name.metric)


def _instances(folder: _RunFolder) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for stat in folder.stats:
        name = _Name.of(stat)
        mean = stat.number_or_none("mean")
        if name.metric == "num_instances" and mean is not None and mean == int(mean) and mean > 0:
            found[name.split, name.perturbation] = int(mean)
    return found


@dataclass(frozen=True)
class _Size:
    """How many instances there are to evaluate, as far as that is known, and the run's limit."""

    of: int | None
    limit: int | None = None


def _size(
    folder: _RunFolder,
    name: _Name,
    task: str,
    counts: dict[tuple[str, str], int],
    n_items: int | None,
) -> _Size:
    """Return the benchmark's size, and the limit where it has left instances out.

    HELM draws up to ``max_eval_instances`` of all splits together. A run that did not reach its
    limit has seen everything; one that did states nowhere how many there are, so that only the
    known sizes of benchmarks can tell.
    """
    limit = folder.spec.need("adapter_spec").count("max_eval_instances")
    seen = sum(n for (_, changed), n in counts.items() if not changed)
    if limit is None or 0 < seen < limit:
        return _Size(n_items)
    known = _known_size(task, name.split)
    return _Size(known, None if known is not None and known == n_items else limit)


def _known_size(task: str, split: str) -> int | None:
    scenario, _, arguments = task.partition(":")
    given = dict(pair.partition("=")[::2] for pair in arguments.split(",") if "=" in pair)
    others = given.keys() - {"method", "subject"}
    subject = given.get("subject")
    known = known_benchmark(f"{scenario} {subject}" if subject else scenario)
    return known.size_of(_SPLITS.get(split, split)) if known and not others else None


def _status(
    folder: _RunFolder, name: _Name, size: _Size, n_items: int | None
) -> tuple[str, str | None]:
    results = [entry.maybe("result") for entry in folder.state.rows("request_states")]
    failed = sum(result.data.get("success") is False for result in results)
    notes = [f"{failed} of {len(results)} requests failed"] if failed else []
    if size.limit is not None:
        there = "how many there are is not stated" if size.of is None else f"of {size.of}"
        notes.append(f"limited to {size.limit} instances: {n_items or '?'} evaluated, {there}")
    if name.perturbation:
        notes.append(f"perturbed: {name.perturbation}")
    cut = failed or size.limit is not None
    status = "incomplete" if cut else "success" if results else "unknown"
    return status, "; ".join(notes) or None


def _protocol(folder: _RunFolder, task: str) -> Protocol:
    adapter = folder.spec.need("adapter_spec")
    deployment = adapter.text("model_deployment") or ""
    return Protocol(
        harness="helm",
        task=task,
        shots=adapter.count("max_train_instances"),
        extraction=adapter.text("method"),
        sampling=sampling(
            adapter.number_or_none("temperature"),
            adapter.number_or_none("top_p"),
            adapter.count("max_tokens"),
        ),
        host=host_of(deployment.partition("/")[0]) if deployment else None,
    )
