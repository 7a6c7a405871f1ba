"""The strict parsers of JSON and YAML that every reader stands on."""

from __future__ import annotations

import json
from typing import Any

import yaml

from audit_flow.digests.strict_json import load_strict
from audit_flow.errors import EvidenceError
from audit_flow.reproduce.confined import json_object
from audit_flow.sources import json_text, yaml_text
from tests.fuzz.interface import Place, Target, seeds_of
from tests.fuzz.spoil_trees import as_yaml, spoil_json, spoil_lines

JSON = (
    '{"a": [1, 2.50, -3e4, null, true, "text \\u00e9"], "b": {"c": {"d": [[], {}]}}}',
    "[]",
    '{"a": NaN}',
)
YAML = (
    "a: 1.50\nb: [x, 'y', \"z\\u00e9\"]\nc: {d: ~, e: true}\nf: |\n  text\n  more\n",
    "base: &base {a: 1, b: [2, 3]}\nuse: *base\nmore:\n  <<: *base\n  c: 2024-01-02\n",
    "- 1\n- - 2\n  - 3\n- {}\n",
)
spoil_yaml = as_yaml(lambda data: json.loads(json.dumps(yaml.safe_load(data), default=str)))


def _json(data: bytes, place: Place) -> None:
    for constants in (False, True):
        try:
            json_text.parse(data, "case", constants=constants)
        except EvidenceError as error:
            last = error
        else:
            continue
        if constants:
            raise last


def _strict(data: bytes, place: Place) -> None:
    value = load_strict(data)
    # What is read strictly is the same for everybody: it can be written and read again.
    assert load_strict(json.dumps(value, ensure_ascii=False).encode()) == value


def _yaml(data: bytes, place: Place) -> Any:
    document = yaml_text.parse(data)
    assert document.line(()) is not None
    return json.dumps(yaml_text.plain(document.data))


DOCUMENTS = (
    Target("json", ("audit_flow.sources.json_text",), _json, seeds_of(*JSON), spoil_json),
    Target(
        "json lines",
        ("audit_flow.sources.json_text",),
        lambda data, place: list(json_text.parse_lines(data, "case")),
        seeds_of('{"a": 1}\n{"a": NaN, "b": [1]}\n\n{"c": {}}\n'),
        spoil_lines,
    ),
    Target(
        "strict json",
        ("audit_flow.digests.strict_json",),
        _strict,
        seeds_of(*JSON[:2]),
        spoil_json,
        also=(ValueError,),
    ),
    Target(
        "confined json",
        ("audit_flow.reproduce.confined",),
        lambda data, place: json_object(data, "case"),
        seeds_of(JSON[0]),
        spoil_json,
    ),
    Target("yaml", ("audit_flow.sources.yaml_text",), _yaml, seeds_of(*YAML), spoil_yaml),
)
