"""Finding audits in the list: words, digests, filters and pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from audit_flow.store.listing import AuditRow

SIZE: Final = 50
MAX_SIZE: Final = 500
OUTCOMES: Final = ("PASSED", "FAILED", "INCONCLUSIVE")
_MAX_SEARCH = 200
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{6,64})")


@dataclass(frozen=True)
class Query:
    """What a visitor looks for; ``every`` shows older audits of a release too."""

    search: str = ""
    outcome: str = ""
    every: bool = False
    unreviewed: bool = False
    page: int = 1
    size: int = SIZE

    def address(self, **changes: object) -> str:
        """Return the query string of this query with something changed."""
        parts = {"search": self.search, "outcome": self.outcome, "every": int(self.every),
                 "unreviewed": int(self.unreviewed), "page": self.page, "size": self.size,
                 **changes}  # fmt: skip
        plain = {"page": 1, "size": SIZE}
        return urlencode({n: v for n, v in parts.items() if v and v != plain.get(n)})


@dataclass(frozen=True)
class Page:
    """The rows of one page; ``audits`` says how many audits the release of a row has.

    ``superseded`` are audits that a newer one of the release contradicts.
    """

    rows: tuple[AuditRow, ...]
    found: int
    known: int
    query: Query
    pages: int
    audits: Mapping[tuple[str, str], int]
    superseded: frozenset[str] = frozenset()


def parse_query(params: Mapping[str, str]) -> Query:
    """Read a query string; what makes no sense is taken as not given."""
    outcome = params.get("outcome", "")
    return Query(
        search=params.get("search", "")[:_MAX_SEARCH].strip(),
        outcome=outcome if outcome in OUTCOMES else "",
        every=params.get("every") in {"1", "true"},
        unreviewed=params.get("unreviewed") in {"1", "true"},
        page=_number(params.get("page", ""), 1, 1_000_000),
        size=_number(params.get("size", ""), SIZE, MAX_SIZE),
    )


def select(rows: Sequence[AuditRow], query: Query, size: int | None = None) -> Page:
    """Return the page that a query asks for; ``rows`` are newest first."""
    counts = Counter(row.release for row in rows)
    newest = {row.run_id for row in _newest(rows)}
    found = [
        row for row in rows
        if (query.every or row.run_id in newest or _has_digest(row, query.search))
        and _fits(row, query)
    ]  # fmt: skip
    step = size or query.size
    pages = max(-(-len(found) // step), 1)
    first = (min(query.page, pages) - 1) * step
    shown = tuple(found[first : first + step])
    return Page(shown, len(found), len(rows), query, pages, counts, superseded(rows))


def superseded(rows: Iterable[AuditRow]) -> frozenset[str]:
    """Return the audits in whose place a newer one says something else; newest first."""
    rows = tuple(rows)
    said = {row.release: (row.record_sha256, row.verdict_sha256) for row in _newest(rows)}
    return frozenset(
        row.run_id for row in rows
        if said[row.release] != (row.record_sha256, row.verdict_sha256)
    )  # fmt: skip


def _newest(rows: Iterable[AuditRow]) -> Iterable[AuditRow]:
    newest: dict[tuple[str, str], AuditRow] = {}
    for row in rows:
        newest.setdefault(row.release, row)
    return newest.values()


def _fits(row: AuditRow, query: Query) -> bool:
    if query.outcome and row.outcome != query.outcome:
        return False
    if query.unreviewed and row.reviewed_sha256:
        return False
    return not query.search or _matches(row, query.search)


def _matches(row: AuditRow, search: str) -> bool:
    if _has_digest(row, search):
        return True
    names = f"{row.name}\n{row.hub_id}\n{row.version}".casefold()
    return all(word in names for word in search.casefold().split())


def _has_digest(row: AuditRow, search: str) -> bool:
    """Whether a search is for a digest of this audit, which an earlier one is found by, too."""
    digest = _DIGEST.fullmatch(search.lower())
    digests = (row.record_sha256, row.verdict_sha256, row.policy_sha256, row.weights_sha256,
               row.run_id)  # fmt: skip
    return digest is not None and any(known.startswith(digest[1]) for known in digests)


def _number(text: str, default: int, most: int) -> int:
    good = text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0
    return min(int(text), most) if good else default
