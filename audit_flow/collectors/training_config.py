"""Training configurations in YAML, JSON or TOML, flattened to dotted names."""

from __future__ import annotations

import tomllib
from typing import Any

from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import ConfigValue, Evidence, TrainingConfig, Trust, sha256_hex
from audit_flow.sources import json_text, yaml_text
from audit_flow.sources.folder import MIB
from audit_flow.sources.settings import flatten

MAX_VALUES = 20_000
# How common trainers name the model that they start from.
BASE_KEYS = ("base_model", "model_name_or_path", "base_model_name_or_path", "pretrained_model")
_SUFFIXES = (".yaml", ".yml", ".json", ".toml")


class TrainingConfiguration:
    """Reads a training configuration."""

    format = "training-config"
    family: Family = "training-config"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether the name is that of a configuration file."""
        del head
        return source.name.lower().endswith(_SUFFIXES)

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return the settings; EvidenceError names file and line."""
        raw = source.bytes(4 * MIB)
        values = tuple(flatten(_parse(raw, source), ""))
        if not values:
            raise EvidenceError("no settings in it", expected="a configuration", where=source.path)
        if len(values) > MAX_VALUES:
            raise EvidenceError(
                f"{len(values)} settings", expected=f"at most {MAX_VALUES}", where=source.path
            )
        config = TrainingConfig(
            id=f"training-config:{source.path}",
            source=source.path,
            sha256=sha256_hex(raw),
            trust=Trust.SELF_REPORTED,
            values=values,
            base_model=_base_model(values),
        )
        return (config,)


def _parse(raw: bytes, source: SourceFile) -> dict[str, Any]:
    suffix = source.name.lower().rsplit(".", 1)[-1]
    if suffix == "json":
        return json_text.parse_object(raw, source.path, constants=True)
    if suffix == "toml":
        return _toml(raw, source)
    try:
        return yaml_text.as_mapping(yaml_text.parse(raw), source.path)
    except yaml_text.YamlError as error:
        raise EvidenceError(str(error), where=source.path) from error


def _toml(raw: bytes, source: SourceFile) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"no valid TOML: {error}", where=source.path) from error


def _base_model(values: tuple[ConfigValue, ...]) -> str | None:
    for key in BASE_KEYS:
        for value in values:
            if value.name.rsplit(".", 1)[-1] == key and value.value != "null":
                return value.value
    return None
