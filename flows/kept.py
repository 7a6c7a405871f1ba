"""Results that are kept between runs: JSON with a seal, and only of the nouns listed here.

Prefect's own serialisers import whatever class a stored result names. This one knows its nouns, and
takes nothing back that this account has not sealed: who can write to the folder of results can't
make a measurement up.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from prefect.serializers import D, Serializer
from pydantic import Field

from audit_flow.errors import RecordError
from audit_flow.model import canonical_json
from audit_flow.reproduce.evidence_store import state_home
from audit_flow.reproduce.machine_key import MachineKey, make_machine_key
from flows.values import NOUNS

SCHEMA = "audit-flow/kept/v1"
_CONTEXT = b"audit-flow/kept/v1\0"


class SealedJson(Serializer[D]):
    """Writes a noun as one line of seal and one of canonical JSON; reads nothing else."""

    type: str = Field(default="audit-flow-sealed-json", frozen=True)

    def dumps(self, obj: Any) -> bytes:
        """Seal a noun; raises RecordError for anything else."""
        noun = type(obj).__name__
        if NOUNS.get(noun) is not type(obj):
            raise RecordError(f"a result of the kind {noun}", expected=" or ".join(NOUNS))
        body = canonical_json({"schema": SCHEMA, "noun": noun, "value": obj.plain()})
        return _seal(body).encode() + b"\n" + body

    def loads(self, blob: bytes) -> Any:
        """Return a noun, proven to be sealed by this account; raises RecordError."""
        seal, _, body = blob.partition(b"\n")
        if not hmac.compare_digest(_seal(body).encode(), seal):
            raise RecordError(
                "a kept result without this account's seal",
                expected="a result that was written here, and not changed since",
                remedy="Find out who wrote to the folder of results; run again without it",
            )
        content = json.loads(body)
        if content["schema"] != SCHEMA:
            raise RecordError(f"a kept result of {content['schema']}", expected=SCHEMA)
        return NOUNS[content["noun"]].model_validate_json(json.dumps(content["value"]))


def _seal(body: bytes) -> str:
    return _key().mac(_CONTEXT + body)


def _key() -> MachineKey:
    return make_machine_key(state_home() / "machine.key")
