"""From parsed YAML to a checked wire type, with line, expectation and remedy for every slip."""

from __future__ import annotations

import difflib
import types
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from audit_flow.errors import InputError
from audit_flow.sources.yaml_text import Document

M = TypeVar("M", bound=BaseModel)


class Wire(BaseModel):
    """A written format: strict types, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def as_text(value: Any) -> Any:
    """Return a number as the text that it was written as; anything else unchanged."""
    # Versions and prompts are often written without quotes: 1.0 and 405 are meant as text.
    is_number = isinstance(value, int) or type(value).__name__ == "Decimal"
    return str(value) if is_number and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(as_text), Field(min_length=1)]


def validate(model: type[M], document: Document, where: str, error: type[InputError]) -> M:
    """Validate a document against a wire type.

    Raises ``error`` naming the file, the line, what was got, what was expected and the remedy, for
    every problem at once.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as failed:
        problems = [_explain(model, item, document, where) for item in failed.errors()[:20]]
    raise error("\n".join(problems))


def _explain(model: type[BaseModel], item: ErrorDetails, document: Document, where: str) -> str:
    loc = tuple(item["loc"])
    line = document.line(loc) or 1
    name = ".".join(str(part) for part in loc) or "document"
    return f"{where}, line {line}: {_words(model, loc, name, item)}"


def _words(
    model: type[BaseModel], loc: tuple[str | int, ...], name: str, item: ErrorDetails
) -> str:
    if item["type"] == "extra_forbidden":
        known = _fields_at(model, loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "Remove it"
        return f"unknown key {name!r}; expected one of {', '.join(known) or 'none'}. {remedy}"
    if item["type"] == "missing":
        return f"{name!r} is not there; expected a value. Add it"
    message = item["msg"].removeprefix("Value error, ")
    return f"{name} is {_short(item['input'])}; {message[0].lower()}{message[1:]}"


def _short(value: Any) -> str:
    text = str(value) if type(value).__name__ == "Decimal" else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _fields_at(model: Any, loc: tuple[str | int, ...]) -> list[str]:
    current: Any = model
    for part in loc:
        current = _unwrap(current)
        if isinstance(part, str) and _is_model(current):
            found = current.model_fields.get(part)
            current = found.annotation if found else None
    current = _unwrap(current)
    return list(current.model_fields) if _is_model(current) else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _unwrap(kind: Any) -> Any:
    while get_origin(kind) is not None:
        inner = [a for a in get_args(kind) if a is not type(None)]
        origin = get_origin(kind)
        if not inner or origin not in {list, tuple, Union, types.UnionType, Annotated, dict}:
            return kind
        models = [a for a in inner if get_origin(a) is not None or _is_model(a)]
        kind = models[-1] if models else inner[-1]
    return kind
