"""JSON as data: bounded, numbers with their digits, no NaN, no doubled keys."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from audit_flow.digests.strict_json import check_depth
from audit_flow.errors import EvidenceError


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        doubled = next(k for k, n in Counter(k for k, _ in pairs).items() if n > 1)
        raise ValueError(f"the key {doubled[:300]!r} stands twice")
    return mapping


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number that can be judged")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_no_constant
)
# Evaluation results hold NaN for "no standard error": they are kept as text, never as a number.
_RESULTS = json.JSONDecoder(object_pairs_hook=_unique, parse_float=Decimal, parse_constant=str)


def parse(raw: bytes, where: str, *, constants: bool = False) -> Any:
    """Parse one JSON document; ``constants`` keeps NaN and Infinity as text.

    Raises EvidenceError with line and column.
    """
    decoder = _RESULTS if constants else _STRICT
    try:
        value = decoder.decode(raw.decode("utf-8-sig"))
        check_depth(value)
        return value
    except json.JSONDecodeError as error:
        raise EvidenceError(
            f"no valid JSON: {error.msg}", where=f"{where}, line {error.lineno}"
        ) from error
    except UnicodeDecodeError as error:
        raise EvidenceError(
            "bytes that are no UTF-8 text", expected="UTF-8", where=where
        ) from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        # ArithmeticError: an exponent of more digits than a decimal can have.
        raise EvidenceError(f"no usable JSON: {error}", where=where) from error


def parse_object(raw: bytes, where: str, *, constants: bool = False) -> dict[str, Any]:
    """Parse one JSON object."""
    value = parse(raw, where, constants=constants)
    if not isinstance(value, dict):
        raise EvidenceError(
            f"the document is a {type(value).__name__}", expected="a JSON object", where=where
        )
    return value


def parse_lines(raw: bytes, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line numbers (from 1) and objects of a JSON Lines file."""
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if line.strip():
            yield number, parse_object(line, f"{where}, row {number}", constants=True)
