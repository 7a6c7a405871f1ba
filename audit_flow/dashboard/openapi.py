"""The OpenAPI 3.1 document of the API, its bodies made from the nouns."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from audit_flow import __version__
from audit_flow.dashboard.answers import TEXT, error, ref, schemas
from audit_flow.dashboard.searching import MAX_SIZE, OUTCOMES
from audit_flow.dashboard.tables import AUDIT_TABLES

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
    ("search", TEXT | {"maxLength": 200}, "Words of a name, or the first digits of a digest."),
    ("outcome", TEXT | {"enum": list(OUTCOMES)}, "Only audits with this verdict."),
    ("every", TEXT | {"enum": ["0", "1"]}, "1: older audits of a release too."),
    ("unreviewed", TEXT | {"enum": ["0", "1"]}, "1: only audits that nobody has reviewed."),
    ("page", {"type": "integer", "minimum": 1, "maximum": 1_000_000}, "From 1."),
    ("size", {"type": "integer", "minimum": 1, "maximum": MAX_SIZE}, "Rows of a page."),
)
_ERRORS = {
    "401": "Who asks is not known.",
    "403": "The request did not come from a page of the dashboard, nor with a token.",
    "404": "Nothing is there under this name.",
    "405": "The method is not served here.",
    "408": "The request did not arrive in time.",
    "409": "A decision that can't be taken: digests have changed, or somebody decided meanwhile.",
    "413": "The request is too large, or of unknown size.",
    "421": "This is not the address of the dashboard.",
    "422": "The request makes no sense.",
    "503": "A store can't be read, or an audit in it is not as it was written.",
}


def document(review: type[BaseModel], draft: type[BaseModel], wanted: type[BaseModel]) -> Any:
    """Return the document; the three nouns are the bodies that can be posted."""
    bodies = {"Decision": review, "Draft": draft, "Repository": wanted}
    found: dict[str, Any] = {"Error": error(), **schemas()}
    for name, noun in bodies.items():
        schema = noun.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        found[name] = schema
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
            "schemas": found,
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
    one = "/audits/{key}"
    return {
        "/status": {"get": _get("What is read, and which flows run.", "Status")},
        "/audits": {"get": _get("Find audits.", "Audits", *queries)},
        one: {"get": _get("One audit: record, verdict, reviews, publications.", "Audit", _KEY)},
        f"{one}/tables/{{table}}": {"get": _get("A table of an audit.", "Table", _KEY, _TABLE)},
        f"{one}/evidence/{{number}}": {"get": _get("One fact.", "Fact", _KEY, _NUMBER)},
        f"{one}/reviews": {
            "get": _get("The reviews of an audit, its digests, and `seen`.", "Standing", _KEY),
            "post": _post(
                "Approve or refuse exactly these digests.", "Decision", ("201", "Kept"), _KEY
            ),
        },
        f"{one}/announcement": {
            "post": _post("Mark the numbers of a draft.", "Draft", ("200", "Marked"), _KEY)
        },
        "/compare": {"get": _get("What changed between two audits.", "Table", *both)},
        "/reviews": {"get": _get("The history of reviews.", "Table")},
        "/verifications": {
            "get": _get("Verifications of this session.", "Verifications"),
            "post": _post("Verify a repository of the Hub.", "Repository", ("202", "Verification")),
        },
        "/verifications/{job}": {"get": _get("How far a verification is.", "Verification", _JOB)},
    }


def _get(summary: str, answer: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return _operation(summary, "200", answer, parameters)


def _post(
    summary: str, body: str, answer: tuple[str, str], *parameters: dict[str, Any]
) -> dict[str, Any]:
    content = {"required": True, "content": {"application/json": {"schema": ref(body)}}}
    return {**_operation(summary, *answer, parameters), "requestBody": content}


def _operation(
    summary: str, status: str, answer: str, parameters: tuple[dict[str, Any], ...]
) -> dict[str, Any]:
    good = {"description": summary, "content": {"application/json": {"schema": ref(answer)}}}
    bad = {"application/json": {"schema": ref("Error")}}
    errors = {code: {"description": text, "content": bad} for code, text in _ERRORS.items()}
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {status: good, **errors},
    }
