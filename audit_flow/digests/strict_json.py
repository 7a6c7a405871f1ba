"""JSON from strangers, read so that two readers can't see two different things in it."""

from __future__ import annotations

import json
from typing import NoReturn

MAX_DEPTH = 200


def load_strict(data: bytes) -> object:
    """Parse UTF-8 JSON; no duplicate keys, no NaN, no lone surrogates, no deep nesting.

    Raises ValueError saying what is wrong.
    """
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refuse
        )
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    check_depth(value)
    return value


def check_depth(value: object) -> None:
    """Raise ValueError for data that is nested beyond ``MAX_DEPTH``: whoever walks it recurses."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        parts = (
            v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)
        )
        level = [v for part in parts for v in part if isinstance(v, dict | list)]
        if not level:
            return
    raise ValueError(f"JSON nested more than {MAX_DEPTH} levels deep")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"duplicate key {ascii(key)[:120]}")
        _check_text(key)
        if isinstance(value, str):
            _check_text(value)
        found[key] = value
    return found


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError(f"a lone surrogate in {ascii(text)[:120]}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
