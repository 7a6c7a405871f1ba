"""Each fact once: two facts under one name are refused, so that none hides another."""

from __future__ import annotations

from audit_flow.errors import EvidenceError
from audit_flow.model import EvalRun, Evidence, content_digest
from audit_flow.sources.unread import unread


def one_each(evidence: list[Evidence]) -> tuple[Evidence, ...]:
    """Return each fact once; two facts under one name are refused, so that none hides another."""
    kept: dict[str, Evidence] = {}
    for item in evidence:
        first = kept.setdefault(item.id, item)
        if first != item:
            error = EvidenceError(
                f"two different facts are called {item.id}",
                expected="each fact once",
                remedy="Name each result once",
            )
            both = unread("fact", item.source, error)
            kept[both.id] = both
            _keep_lower(kept, first, item)
    return tuple(kept.values())


def _keep_lower(kept: dict[str, Evidence], first: Evidence, item: Evidence) -> None:
    """Keep the same of two in whatever order they came: the lower run, else by their content."""
    kept[item.id] = min(first, item, key=_rank)


def _rank(item: Evidence) -> tuple[float, str]:
    return (item.fraction if isinstance(item, EvalRun) else 0.0, content_digest(item))
