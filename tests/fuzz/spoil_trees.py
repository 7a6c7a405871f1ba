"""Ways to spoil a document as a tree: values of other kinds, extremes, depth, doubled keys."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import yaml

from tests.fuzz.spoil_bytes import NUMBERS, TEXTS, spoil_bytes

_RAW = re.compile(r'"@raw (\d+)@"')
_TWICE = re.compile(r"@twice@")
Tree = Any


@lru_cache(4096)
def _parsed(data: bytes) -> Tree:
    return json.loads(data)


def _raw(rng: random.Random) -> str:
    # json.dumps writes no number of 5000 digits: a mark is put there and replaced afterwards.
    return f"@raw {rng.randrange(len(NUMBERS))}@"


def _deep(rng: random.Random, value: Tree) -> Tree:
    kind = rng.random() < 0.5
    for _ in range(rng.choice((2, 20, 70, 300))):
        value = [value] if kind else {"a": value}
    return value


def _leaf(rng: random.Random, value: Tree) -> Tree:
    match rng.randrange(8):
        case 0 | 1:
            return _raw(rng)
        case 2 | 3:
            return rng.choice(TEXTS)
        case 4:
            return rng.choice((None, True, False, [], {}, "", 0, [None], {"": None}, [[]], [{}]))
        case 5:
            return _deep(rng, value)
        case 6:
            return (
                [value] * rng.choice((1, 2, 50)) if rng.random() < 0.5 else {"a": value, "": value}
            )
        case _:
            return "\ud800" if rng.random() < 0.3 else str(value)[:1000] + rng.choice(TEXTS[:12])


def _changed(rng: random.Random, value: Tree, depth: int = 0) -> Tree:
    """Return a copy with one value or key changed; only the way to it is copied."""
    stop = rng.random() < 0.12 * depth
    if isinstance(value, dict) and value and not stop:
        return _in_mapping(rng, value, depth)
    if isinstance(value, list) and value and not stop:
        copy = list(value)
        at = rng.randrange(len(copy))
        if rng.random() < 0.1:
            del copy[at]
        else:
            copy[at] = _changed(rng, copy[at], depth + 1)
        return copy
    return _leaf(rng, value)


def _in_mapping(rng: random.Random, value: dict[str, Tree], depth: int) -> Tree:
    copy = dict(value)
    key = rng.choice(list(copy))
    match rng.randrange(12):
        case 0:
            del copy[key]
        case 1:
            copy[rng.choice(TEXTS)[:80]] = copy.pop(key)
        case 2:
            copy[f"{key}@twice@"] = _leaf(rng, copy[key])
        case 3:
            copy[key] = copy[rng.choice(list(copy))]
        case _:
            copy[key] = _changed(rng, copy[key], depth + 1)
    return copy


def written(tree: Tree, rng: random.Random) -> bytes:
    """Return a tree as text, with the marks for numbers and doubled keys carried out."""
    try:
        text = json.dumps(tree, ensure_ascii=rng.random() < 0.5)
    except (ValueError, RecursionError):
        return b"[" * 2000
    text = _RAW.sub(lambda m: NUMBERS[int(m[1])], text)
    return _TWICE.sub("", text).encode("utf-8", "surrogatepass")


def _tree(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    tree = _parsed(data)
    for _ in range(int(min(rng.paretovariate(1.2), 6))):
        tree = _changed(rng, tree)
    return written(tree, rng)


def spoil_json(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Spoil one JSON document; one time in five as bytes."""
    if rng.random() < 0.2:
        return spoil_bytes(rng, data, others)
    try:
        return _tree(rng, data, others)
    except (ValueError, RecursionError):
        return spoil_bytes(rng, data, others)


def spoil_lines(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Spoil one to three lines of JSON Lines; one time in five the whole as bytes."""
    if rng.random() < 0.2:
        return spoil_bytes(rng, data, others)
    lines = data.split(b"\n")
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(lines))
        if lines[at].strip():
            lines[at] = spoil_json(rng, lines[at], others)
    return b"\n".join(lines)


def as_yaml(
    load: Callable[[bytes], Tree],
) -> Callable[[random.Random, bytes, Sequence[bytes]], bytes]:
    """Return what spoils YAML: as text half the time, else as a tree that is written as JSON."""
    cached = lru_cache(1024)(load)

    def spoil(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
        if rng.random() < 0.5:
            return spoil_bytes(rng, data, others)
        try:
            tree = cached(data)
        except (yaml.YAMLError, ValueError, RecursionError):
            return spoil_bytes(rng, data, others)
        for _ in range(int(min(rng.paretovariate(1.2), 6))):
            tree = _changed(rng, tree)
        return written(tree, rng)

    return spoil
