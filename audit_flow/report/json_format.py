"""The stable, versioned JSON report, and the JSON Schema that describes it."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from audit_flow.model import LineageRecord, Verdict, content_digest
from audit_flow.report.interface import AuditResult, Look

SCHEMA: Final = "audit-flow/report/v1"
_SHA256: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def report_data(result: AuditResult) -> dict[str, Any]:
    """Return the report as plain JSON data; it holds no time, so the same audit gives the same."""
    verdict = result.verdict
    words = {"in_words": verdict.in_words(), "counts": verdict.counts()}
    return {
        "schema": SCHEMA,
        "record_sha256": result.record.sha256,
        "verdict_sha256": content_digest(verdict),
        "verdict": verdict.plain() | words,
        "record": result.record.plain(),
    }


class JsonFormat:
    """JSON with sorted keys, two spaces of indent, ASCII only, and a newline at the end."""

    name = "json"

    def render(self, result: AuditResult, look: Look) -> str:
        """Return the report; colour, width and verbosity change nothing.

        Raises ValueError for a number that JSON can't hold (NaN, infinity).
        """
        del look
        text = json.dumps(report_data(result), sort_keys=True, indent=2, allow_nan=False)
        # json leaves DEL raw, alone among the control characters.
        return text.replace("\x7f", "\\u007f") + "\n"


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the report, made from the nouns."""
    _, shared = models_json_schema(
        [(LineageRecord, "serialization"), (Verdict, "serialization")],
        ref_template="#/$defs/{model}",
    )
    definitions = shared["$defs"]
    definitions["Verdict"] = _verdict_with_words(definitions["Verdict"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:audit-flow:report:v1",
        "title": "audit-flow report, version 1",
        "description": (
            "record_sha256 is the SHA-256 of the RFC 8785 form of record; verdict_sha256 that of"
            " verdict without in_words and counts. Within v1 fields are only added."
        ),
        "type": "object",
        "additionalProperties": False,
        "required": ["schema", "record_sha256", "verdict_sha256", "verdict", "record"],
        "properties": {
            "schema": {"const": SCHEMA},
            "record_sha256": _SHA256,
            "verdict_sha256": _SHA256,
            "verdict": {"$ref": "#/$defs/Verdict"},
            "record": {"$ref": "#/$defs/LineageRecord"},
        },
        "$defs": definitions,
    }


def schema_text() -> str:
    """Return the JSON Schema as it is published in ``docs/schemas/report-v1.json``."""
    return json.dumps(report_schema(), sort_keys=True, indent=2) + "\n"


def _verdict_with_words(verdict: dict[str, Any]) -> dict[str, Any]:
    counts = {
        "description": "Deny-level findings by outcome, and warnings that did not pass.",
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 0},
        "required": ["PASSED", "FAILED", "UNPROVEN", "ERROR", "warnings"],
    }
    words = {"description": "The verdict with waivers counted.", "type": "string"}
    properties = verdict["properties"] | {"counts": counts, "in_words": words}
    required = sorted({*verdict["required"], "counts", "in_words"})
    return verdict | {"properties": properties, "required": required}
