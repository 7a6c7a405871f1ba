"""What a release says about its own evaluations: tasks, models, templates, and what was kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import yaml

from audit_flow.model import canonical_json
from audit_flow.reproduce.character_tokenizer import read_tokenizer
from audit_flow.reproduce.confined import Folder
from audit_flow.reproduce.declared_task import read_declared_task
from audit_flow.reproduce.endpoint_client import EndpointClient
from audit_flow.reproduce.evidence_store import _parsed
from audit_flow.reproduce.jinja_check import check_template
from audit_flow.reproduce.llama_config import read_config
from audit_flow.reproduce.task_file import read_task, safe_pattern
from audit_flow.reproduce.templates import parse_template
from audit_flow.sources.json_text import parse_object
from tests.fuzz.interface import Place, Seed, Target, seeds_of
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_trees import spoil_json
from tests.fuzz.targets.documents import spoil_yaml
from tests.reproduce.tiny import CONFIG, ITEMS, SETTINGS, TASK, TOKENIZER

ROWS = "".join(json.dumps(row) + "\n" for row in ITEMS).encode()
COMPLETION: dict[str, Any] = {
    "id": "x",
    "model": "adder",
    "system_fingerprint": "fp",
    "usage": {"completion_tokens": 3},
    "choices": [{"text": "2", "finish_reason": "stop", "index": 0}],
}
CHAT: dict[str, Any] = COMPLETION | {
    "choices": [{"message": {"role": "assistant", "content": "2"}, "finish_reason": "stop"}],
}
TEMPLATE = "Question: {{question}}\n{% if choices %}{{ choices | join(', ') }}{% endif %}\nAnswer:"


def _task(data: bytes, place: Place) -> None:
    read_task(Folder(place.root), Path("task.yaml"))


def _declared(data: bytes, place: Place) -> None:
    read_declared_task(Folder(place.root), Path("task.yaml"))


def _config(data: bytes, place: Place) -> None:
    assert read_config(Folder(place.root), Path()).shapes()


def _tokenizer(data: bytes, place: Place) -> None:
    tokenizer = read_tokenizer(Folder(place.root), Path())
    tokenizer.decode(tokenizer.encode("1"))


def _pattern(data: bytes, place: Place) -> None:
    pattern = safe_pattern(data.decode("utf-8", "replace"), "case")
    pattern.findall("a" * 2000 + "1" * 2000 + " " * 2000 + "!")


def _template(data: bytes, place: Place) -> None:
    text = data.decode("utf-8", "replace")
    check_template(text, "case")
    parse_template(text, "case")


def _endpoint(data: bytes, place: Place, api: Literal["completions", "chat"]) -> None:
    client = EndpointClient("http://127.0.0.1:9/v1", "adder", api)
    answer = parse_object(data, "case", constants=True)
    client._note(answer)
    client._choices(answer, 16)


def _run(data: bytes, place: Place) -> None:
    _parsed(data, Path("a/b/c/run-0001.json"))


def _task_seeds() -> Iterable[Seed]:
    beside = {"items.jsonl": ROWS}
    more = {
        **TASK,
        "filter_list": [
            {
                "name": "strict",
                "filter": [
                    {"function": "regex", "regex_pattern": "([0-9]+)"},
                    {"function": "take_first"},
                ],
            }
        ],
    }
    for task in (TASK, more):
        yield Seed(yaml.safe_dump(task, sort_keys=False).encode(), "task.yaml", beside=beside)


def _model_seeds() -> Iterable[Seed]:
    yield Seed(json.dumps(CONFIG).encode(), "config.json")


def _tokenizer_seeds() -> Iterable[Seed]:
    files = {
        "tokenizer.json": json.dumps(TOKENIZER).encode(),
        "tokenizer_config.json": json.dumps(SETTINGS).encode(),
    }
    for name, data in files.items():
        yield Seed(data, name, beside={n: d for n, d in files.items() if n != name})


def _run_seeds() -> Iterable[Seed]:
    from tests.fuzz.targets.stored_runs import stored_run

    return [
        Seed(canonical_json(stored_run().model_dump(mode="json", exclude_none=True, by_alias=True)))
    ]


REPRODUCTIONS = (
    Target(
        "task file",
        ("audit_flow.reproduce.task_file", "audit_flow.reproduce.confined"),
        _task,
        _task_seeds,
        spoil_yaml,
        files=True,
    ),
    Target(
        "declared task",
        ("audit_flow.reproduce.declared_task",),
        _declared,
        _task_seeds,
        spoil_yaml,
        files=True,
    ),
    Target(
        "llama configuration",
        ("audit_flow.reproduce.llama_config",),
        _config,
        _model_seeds,
        spoil_json,
        files=True,
    ),
    Target(
        "tokenizer",
        ("audit_flow.reproduce.character_tokenizer",),
        _tokenizer,
        _tokenizer_seeds,
        spoil_json,
        files=True,
    ),
    Target(
        "patterns of tasks",
        ("audit_flow.reproduce.task_file",),
        _pattern,
        seeds_of("([0-9]+)", "#### (-?[0-9.,]+)", "(?i)answer: ([A-D])"),
        spoil_bytes,
    ),
    Target(
        "templates",
        ("audit_flow.reproduce.templates", "audit_flow.reproduce.jinja_check"),
        _template,
        seeds_of(TEMPLATE, "{{question}} {{answer}}"),
        spoil_bytes,
    ),
    Target(
        "answers of an endpoint",
        ("audit_flow.reproduce.endpoint_client",),
        partial(_endpoint, api="completions"),
        seeds_of(json.dumps(COMPLETION)),
        spoil_json,
    ),
    Target(
        "answers of a chat endpoint",
        ("audit_flow.reproduce.endpoint_client",),
        partial(_endpoint, api="chat"),
        seeds_of(json.dumps(CHAT)),
        spoil_json,
    ),
    Target("kept runs", ("audit_flow.reproduce.evidence_store",), _run, _run_seeds, spoil_json),
)
