"""The schemas of the API's answers, closed: what is not described is not served."""

from __future__ import annotations

from typing import Any, Final

from audit_flow.approval import Entry, FlowRun
from audit_flow.model import Decided, PublishedFile, Review
from audit_flow.model.publication import PublicationCheck
from audit_flow.store.listing import AuditRow

Schema = dict[str, Any]
TEXT: Final[Schema] = {"type": "string"}
WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
FREE: Final[Schema] = {"type": "object"}
OUTCOME: Final[Schema] = {"enum": ["PASSED", "FAILED", "INCONCLUSIVE"]}
_TEXTS: Final[Schema] = {"type": "array", "items": TEXT}
_NOUNS = (AuditRow, Decided, Entry, FlowRun, PublicationCheck, PublishedFile, Review)


def schemas() -> dict[str, Schema]:
    """Return every answer's schema by its name, with those of the nouns in them."""
    found: dict[str, Schema] = {}
    for noun in _NOUNS:
        schema = noun.model_json_schema(
            mode="serialization", ref_template="#/components/schemas/{model}"
        )
        found |= schema.pop("$defs", {})
        found[noun.__name__] = _optional(schema)
    found["ListedAudit"] = _listed(found["AuditRow"])
    return {**found, **_answers()}


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def error() -> Schema:
    """Return the schema of every refusal."""
    return _closed(
        {"error": TEXT, "expected": TEXT, "remedy": TEXT}, optional={"expected", "remedy"}
    )


def _answers() -> dict[str, Schema]:
    nullable = {"type": ["string", "null"]}
    newer = _closed({"key": TEXT, "outcome": OUTCOME})
    table = _closed({"table": TEXT, "columns": _TEXTS, "rows": _many(FREE)})
    standing = _closed(
        {"state": {"enum": ["open", "approved", "refused"]}, "seen": TEXT,
         "superseded": {"type": "boolean"},
         "decided": ref("Decided"), "reviews": _many(ref("Review"))}
    )  # fmt: skip
    return {
        "Status": _closed(
            {"ready": {"type": "boolean"}, "stores": _TEXTS, "problems": _TEXTS,
             "flow_runs": _many(ref("FlowRun")), "visitor": nullable}
        ),
        "Audits": _closed(
            {"found": WHOLE, "known": WHOLE, "page": WHOLE, "pages": WHOLE,
             "audits": _many(ref("ListedAudit"))}
        ),
        "Audit": _closed(
            {"schema": {"const": "audit-flow/report/v1"}, "record_sha256": TEXT,
             "verdict_sha256": TEXT, "verdict": FREE, "record": FREE, "key": TEXT,
             "review": ref("Standing"), "publications": _many(ref("Upload")),
             "newer": {"anyOf": [newer, {"type": "null"}]},
             "may_be_announced": {"type": "boolean"}, "announcing": TEXT}
        ),
        "Upload": _upload(),
        "Standing": standing,
        "Table": table,
        "Fact": {
            "type": "object",
            "required": ["id", "kind", "source", "trust"],
            "properties": {"id": TEXT, "kind": TEXT, "source": TEXT, "trust": TEXT},
        },
        "Kept": _closed({"entry": ref("Entry"), "sha256": TEXT, "notes": _TEXTS}),
        "Marked": _closed(
            {"schema": {"const": "audit-flow/announcement/v1"}, "outcome": OUTCOME,
             "record_sha256": TEXT, "statements": _many(_statement())}
        ),
        "Verifications": _closed({"verifications": _many(ref("Verification"))}),
        "Verification": _closed(
            {"id": TEXT, "repository": TEXT, "revision": nullable, "hub": TEXT,
             "state": {"enum": ["waiting", "running", "done", "failed"]}, "bytes_read": WHOLE,
             "seconds": {"type": "number", "minimum": 0}, "problem": TEXT,
             "outcome": {"enum": [*OUTCOME["enum"], None]}, "audit": nullable}
        ),
    }  # fmt: skip


def _upload() -> Schema:
    names = ("id", "phase", "endpoint", "repo", "branch", "commit", "retraction", "at")
    check = {"anyOf": [ref("PublicationCheck"), {"type": "null"}]}
    seal = _closed({"state": {"enum": ["holds", "unknown", "broken", "none"]}, "by": TEXT,
                    "why": TEXT})  # fmt: skip
    return _closed(
        {**dict.fromkeys(names, TEXT), "files": _many(ref("PublishedFile")), "check": check,
         "problems": _TEXTS, "signature": seal}
    )  # fmt: skip


def _statement() -> Schema:
    marks = {"enum": ["backed", "contradicted", "unproven", "unbacked"]}
    return _closed(
        {"line": WHOLE, "column": WHOLE, "text": TEXT, "kind": TEXT, "mark": marks, "why": TEXT,
         "claim": TEXT},
        optional={"claim"},
    )  # fmt: skip


def _listed(row: Schema) -> Schema:
    more = {
        "open_questions": WHOLE,
        "superseded": {"type": "boolean"},
        "proof": {"enum": ["proven", "altered", "unread"]},
        "review": {"enum": ["approved", "refused", "none", "altered"]},
    }
    properties = {**row["properties"], **more}
    return {**row, "properties": properties, "required": [*row["required"], *more]}


def _closed(properties: Schema, optional: set[str] | None = None) -> Schema:
    required = [name for name in properties if name not in (optional or set())]
    return {"type": "object", "properties": properties, "required": required,
            "additionalProperties": False}  # fmt: skip


def _optional(schema: Schema) -> Schema:
    """Leave out of ``required`` what is left out where it is empty."""
    needed = [
        name
        for name in schema.get("required", ())
        if {"type": "null"} not in schema["properties"][name].get("anyOf", ())
    ]
    return {**schema, "required": needed}


def _many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}
