"""The OpenAPI 3.1 document of the API, its bodies made from the nouns."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from audit_flow import __version__
from audit_flow.dashboard.searching import MAX_SIZE, OUTCOMES
from audit_flow.dashboard.tables import AUDIT_TABLES

_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_KEY = {
    "name": "key", "in": "path", "required": True, "description": "An audit's run id.",
    "schema": {"type": "string", "pattern": "^(v-)?[0-9a-f]{16,32}$"},
}  # fmt: skip
_NUMBER = {
    "name": "number", "in": "path", "required": True,
    "schema": {"type": "integer", "minimum": 0, "maximum": 999_999},
}  # fmt: skip
_TABLE = {
    "name": "table", "in": "path", "required": True,
    "schema": {"type": "string", "enum": list(AUDIT_TABLES)},
}  # fmt: skip
_JOB = {
    "name": "job", "in": "path", "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
}  # fmt: skip
_SEARCH = (
    ("search", _TEXT | {"maxLength": 200}, "Words of a name, or the first digits of a digest."),
    ("outcome", _TEXT | {"enum": list(OUTCOMES)}, "Only audits with this verdict."),
    ("every", _TEXT | {"enum": ["0", "1"]}, "1: older audits of a release too."),
    ("unreviewed", _TEXT | {"enum": ["0", "1"]}, "1: only audits that nobody has reviewed."),
    ("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000}, "From 1."),
    ("size", {"type": "integer", "minimum": 1, "maximum": MAX_SIZE}, "Rows of a page."),
)
_ERRORS = {
    "401": "Who asks is not known.",
    "403": "The request did not come from a page of the dashboard, nor with a token.",
    "404": "Nothing is there under this name.",
    "409": "A decision that can't be taken: digests have changed, or somebody decided meanwhile.",
    "413": "The request is too large.",
    "422": "The request makes no sense.",
    "503": "A store can't be read, or an audit in it is not as it was written.",
}


def document(review: type[BaseModel], draft: type[BaseModel], wanted: type[BaseModel]) -> Any:
    """Return the document; the three nouns are the bodies that can be posted."""
    bodies = {"Review": review, "Draft": draft, "Repository": wanted}
    schemas: dict[str, Any] = {"Error": _error()}
    for name, noun in bodies.items():
        schema = noun.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "audit-flow dashboard",
            "version": __version__,
            "description": "Audits of model releases, and the decisions on them. A program sends "
            "its token as `Authorization: Bearer TOKEN`.",
        },
        "servers": [{"url": "/"}],
        "paths": {f"/api/v1{path}": item for path, item in _paths().items()},
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}, {}],
    }


def _paths() -> dict[str, Any]:
    queries = [
        {"name": n, "in": "query", "required": False, "schema": s, "description": d}
        for n, s, d in _SEARCH
    ]
    both = [
        {"name": n, "in": "query", "required": True, "schema": _KEY["schema"]}
        for n in ("before", "after")
    ]
    return {
        "/status": {"get": _get("What is read, and which flows run.")},
        "/audits": {"get": _get("Find audits.", *queries)},
        "/audits/{key}": {"get": _get("One audit: record, verdict, reviews.", _KEY)},
        "/audits/{key}/tables/{table}": {"get": _get("A table of an audit.", _KEY, _TABLE)},
        "/audits/{key}/evidence/{number}": {"get": _get("One fact.", _KEY, _NUMBER)},
        "/audits/{key}/reviews": {
            "get": _get("The reviews of an audit, its digests, and `seen`.", _KEY),
            "post": _post("Approve or refuse exactly these digests.", "Review", "201", _KEY),
        },
        "/audits/{key}/announcement": {
            "post": _post("Mark the numbers of a draft.", "Draft", "200", _KEY)
        },
        "/compare": {"get": _get("What changed between two audits.", *both)},
        "/reviews": {"get": _get("The history of reviews.")},
        "/verifications": {
            "get": _get("Verifications of this session."),
            "post": _post("Verify a repository of the Hub.", "Repository", "202"),
        },
        "/verifications/{job}": {"get": _get("How far a verification is.", _JOB)},
    }


def _get(summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return _operation(summary, "200", parameters)


def _post(summary: str, body: str, status: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{body}"}
    content = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {**_operation(summary, status, parameters), "requestBody": content}


def _operation(summary: str, status: str, parameters: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    good = {"description": summary, "content": {"application/json": {"schema": _OBJECT}}}
    bad = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    errors = {code: {"description": text, "content": bad} for code, text in _ERRORS.items()}
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {status: good, **errors},
    }


def _error() -> dict[str, Any]:
    names = ("error", "expected", "remedy")
    return {
        "type": "object",
        "required": ["error"],
        "properties": dict.fromkeys(names, _TEXT),
        "additionalProperties": False,
    }
