"""Task files of lm-evaluation-harness that are data and nothing else.

The harness calls functions, loads data-set scripts and metric scripts, and renders templates
without a sandbox, all on a task file's word. A task file is handed to it only when every key,
loader, metric, filter and template in it is known to run no code.

Source: the task guide of lm-evaluation-harness 0.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from audit_flow.errors import EvidenceError
from audit_flow.reproduce.confined import Folder
from audit_flow.reproduce.jinja_check import check_template
from audit_flow.sources import yaml_text

MAX_TASK_BYTES = 64 << 10
_LOADERS = {"json": (".json", ".jsonl"), "csv": (".csv",), "text": (".txt",)}
_OUTPUTS = {"generate_until", "multiple_choice", "loglikelihood", "loglikelihood_rolling"}
_TEMPLATES = ("doc_to_text", "doc_to_target", "description", "gen_prefix")
_SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")
_PLAIN = ("target_delimiter", "fewshot_delimiter", "num_fewshot", "repeats", "tag", "task_alias")
_KEYS = frozenset(
    {"task", "dataset_path", "dataset_kwargs", "output_type", "doc_to_choice", "fewshot_config",
     "generation_kwargs", "filter_list", "metric_list", "metadata", "should_decontaminate",
     *_TEMPLATES, *_SPLITS, *_PLAIN}
)  # fmt: skip
_METRICS = {
    "acc", "acc_norm", "exact_match", "f1", "mcc", "brier_score", "perplexity", "word_perplexity",
    "byte_perplexity", "bits_per_byte",
}  # fmt: skip
_AGGREGATIONS = {
    "mean", "median", "f1", "mcc", "brier_score", "perplexity", "weighted_perplexity",
    "bits_per_byte",
}  # fmt: skip
_METRIC_KEYS = {
    "metric", "aggregation", "higher_is_better", "ignore_case", "ignore_punctuation",
    "ignore_numbers", "regexes_to_ignore",
}  # fmt: skip
_FILTERS = {
    "regex", "take_first", "take_first_k", "majority_vote", "lowercase", "uppercase",
    "remove_whitespace", "multi_choice_regex", "map",
}  # fmt: skip
_FILTER_KEYS = {
    "function", "regex_pattern", "group_select", "fallback", "k", "ignore_case",
    "ignore_punctuation", "regexes_to_ignore", "mapping_dict", "default_value",
}  # fmt: skip
_GENERATION = {"until", "do_sample", "temperature", "top_p", "top_k", "max_gen_toks", "max_length"}
_DEFAULT_NEW_TOKENS = 256


@dataclass(frozen=True)
class DeclaredTask:
    """What a task file declares: its name, its data files, and what a run of it costs.

    ``items`` and ``prompt_bytes`` are None where the format does not say them by its lines.
    """

    name: str
    data: tuple[Path, ...]
    greedy: bool
    max_new_tokens: int
    items: int | None
    prompt_bytes: int | None


def read_declared_task(folder: Folder, path: Path) -> DeclaredTask:
    """Read a task file and its data, noting their digests in ``folder``.

    Raises EvidenceError for anything that could make a harness run code or leave the folder.
    """
    raw = folder.read(path, MAX_TASK_BYTES)
    document = yaml_text.parse(raw, max_bytes=MAX_TASK_BYTES)
    check = _Check(str(path))
    task = check.task(yaml_text.as_mapping(document, str(path)))
    sizes = {file: folder.read(file, 256 << 20) for file in task.data}
    items, size = _count(sizes[task.asked] if task.asked else None)
    return DeclaredTask(task.name, task.data, task.greedy, task.max_new_tokens, items, size)


def _count(data: bytes | None) -> tuple[int | None, int | None]:
    if data is None:
        return None, None
    lines = [line for line in data.split(b"\n") if line.strip()]
    return len(lines), len(data)


@dataclass(frozen=True)
class _Checked:
    name: str
    data: tuple[Path, ...]
    asked: Path | None
    greedy: bool
    max_new_tokens: int


class _Check:
    """Goes through one task file; knows its name for the errors."""

    def __init__(self, where: str) -> None:
        self.where = where

    def refuse(self, got: str, expected: str) -> NoReturn:
        raise EvidenceError(
            got,
            expected=expected,
            remedy="A task file of a release is only run as plain data; a task that needs code "
            "must come with the operator's own harness",
            where=self.where,
        )

    def mapping(self, value: object, name: str, keys: frozenset[str] | set[str]) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.refuse(f"{name} is {type(value).__name__}", "a mapping")
        if unknown := sorted(set(value) - keys):
            self.refuse(
                f"{name} has {', '.join(unknown[:5])[:200]}", f"only {', '.join(sorted(keys))}"
            )
        return value

    def choice(self, value: object, name: str, among: set[str]) -> str:
        if not isinstance(value, str) or value not in among:
            self.refuse(f"{name} {str(value)[:80]!r}", f"one of {', '.join(sorted(among))}")
        return value

    def task(self, raw: dict[str, Any]) -> _Checked:
        self.mapping(raw, "the task", _KEYS)
        name = raw.get("task")
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII):
            self.refuse(f"the task's name {str(name)[:80]!r}", "letters, digits, '_', '-' and '.'")
        output = self.choice(raw.get("output_type", "generate_until"), "output_type", _OUTPUTS)
        self.plain(raw)
        self.templates(raw)
        self.metrics(raw.get("metric_list"))
        self.filters(raw.get("filter_list"))
        data = self.data(raw)
        greedy, tokens = self.generation(raw.get("generation_kwargs") or {})
        asked = data.get(str(raw.get("test_split") or raw.get("validation_split")), ())
        lines = len(asked) == 1 and asked[0].suffix in {".jsonl", ".txt"}
        return _Checked(
            name,
            tuple(dict.fromkeys(f for files in data.values() for f in files)),
            asked[0] if lines else None,
            greedy or output != "generate_until",
            tokens if output == "generate_until" else 1,
        )

    def plain(self, raw: dict[str, Any]) -> None:
        for key in _PLAIN:
            value = raw.get(key)
            if value is not None and type(value) not in {str, int}:
                self.refuse(f"{key}: {str(value)[:80]!r}", "a text or a number")
        if raw.get("should_decontaminate") not in {None, False}:
            self.refuse("should_decontaminate", "false")
        if not isinstance(raw.get("metadata") or {}, dict):
            self.refuse("metadata", "a mapping")
        config = self.mapping(raw.get("fewshot_config") or {}, "fewshot_config", {"sampler"})
        if config:
            self.choice(config["sampler"], "sampler", {"default", "first_n"})

    def templates(self, raw: dict[str, Any]) -> None:
        for key in _TEMPLATES:
            value = raw.get(key)
            if value is None and key in {"description", "gen_prefix"}:
                continue
            if type(value) is int and key == "doc_to_target":
                continue
            self.template(value, key)
        choices = raw.get("doc_to_choice")
        if isinstance(choices, list):
            for each in choices:
                self.template(each, "doc_to_choice")
        elif choices is not None:
            self.template(choices, "doc_to_choice")

    def template(self, value: object, name: str) -> None:
        if not isinstance(value, str):
            self.refuse(f"{name}: {str(value)[:80]!r}", "a text")
        check_template(value, f"{self.where}: {name}")

    def metrics(self, value: object) -> None:
        if not isinstance(value, list) or not value:
            self.refuse(f"metric_list {str(value)[:80]!r}", "at least one metric")
        for entry in value:
            given = self.mapping(entry, "a metric", _METRIC_KEYS)
            # An unknown name would be looked up, and run, as a metric script.
            self.choice(given.get("metric"), "metric", _METRICS)
            if "aggregation" in given:
                self.choice(given["aggregation"], "aggregation", _AGGREGATIONS)

    def filters(self, value: object) -> None:
        for entry in value if isinstance(value, list) else [] if value is None else [value]:
            given = self.mapping(entry, "filter_list", {"name", "filter"})
            steps = given.get("filter")
            if not isinstance(given.get("name"), str) or not isinstance(steps, list):
                self.refuse(f"filter_list {str(entry)[:80]}", "name and filter")
            for step in steps:
                self.choice(
                    self.mapping(step, "a filter", _FILTER_KEYS).get("function"),
                    "filter function", _FILTERS,
                )  # fmt: skip

    def data(self, raw: dict[str, Any]) -> dict[str, tuple[Path, ...]]:
        loader = self.choice(raw.get("dataset_path"), "dataset_path", set(_LOADERS))
        kwargs = self.mapping(raw.get("dataset_kwargs"), "dataset_kwargs", {"data_files"})
        files = kwargs.get("data_files")
        if not isinstance(files, dict) or not files:
            self.refuse("no data_files", "a file of this folder for each split")
        for key in _SPLITS:
            if raw.get(key) is not None and not (isinstance(raw[key], str) and raw[key] in files):
                self.refuse(
                    f"{key} {str(raw[key])[:80]!r}", f"one of {', '.join(sorted(files))[:200]}"
                )
        if not (raw.get("test_split") or raw.get("validation_split")):
            self.refuse("no test_split", "the split that is asked")
        return {
            split: tuple(
                self.path(p, _LOADERS[loader]) for p in (v if isinstance(v, list) else [v])
            )
            for split, v in files.items()
        }

    def path(self, value: object, suffixes: tuple[str, ...]) -> Path:
        plain = isinstance(value, str) and re.fullmatch(r"[\w. /-]{1,400}", value)
        pure = PurePosixPath(str(value))
        if not plain or pure.is_absolute() or ".." in pure.parts or pure.suffix not in suffixes:
            self.refuse(
                f"data file {str(value)[:80]!r}",
                f"one relative path inside the folder that ends in {' or '.join(suffixes)}",
            )
        return Path(pure)

    def generation(self, value: object) -> tuple[bool, int]:
        given = self.mapping(value, "generation_kwargs", _GENERATION)
        until = given.get("until", [])
        for key, entry in given.items():
            kinds = (bool,) if key == "do_sample" else (int, Decimal)
            if key != "until" and type(entry) not in kinds:
                self.refuse(
                    f"{key}: {str(entry)[:80]!r}", "true or false" if bool in kinds else "a number"
                )
        if not all(isinstance(u, str) for u in (until if isinstance(until, list) else [until])):
            self.refuse(f"until: {str(until)[:80]}", "texts")
        greedy = given.get("do_sample", False) is False or given.get("temperature") == 0
        return greedy, int(given.get("max_gen_toks", _DEFAULT_NEW_TOKENS))
