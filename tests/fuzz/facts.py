"""What must hold of facts that a reader returned, whatever the file was."""

from __future__ import annotations

from collections.abc import Iterable

from audit_flow.model import canonical_json
from audit_flow.model.base import Frozen


def held(facts: Iterable[Frozen]) -> None:
    """Check that facts can be stored, signed and read back: text, bounded, the same again."""
    for fact in facts:
        raw = canonical_json(fact)
        assert len(raw) < 64 << 20, f"a fact of {len(raw)} bytes"
        again = type(fact).model_validate_json(raw)
        assert again == fact, f"a fact that is another after it was stored: {type(fact).__name__}"
