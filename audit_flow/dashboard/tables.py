"""Every table of the dashboard as rows, for pages, CSV and JSON alike."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from audit_flow.approval import Entry
from audit_flow.dashboard.comparing import Comparison
from audit_flow.dashboard.publications import Upload
from audit_flow.dashboard.seals import Seal
from audit_flow.dashboard.summary import file_rows
from audit_flow.report.interface import AuditResult
from audit_flow.report.reading import Reading
from audit_flow.store.listing import AuditRow

# What a spreadsheet would run as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A named table; every row has the same columns."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def csv(self) -> str:
        """Return RFC 4180 text with a header; what a spreadsheet would run gets an apostrophe."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(self.columns)
        writer.writerows([_cell(row[name]) for name in self.columns] for row in self.rows)
        return out.getvalue()

    def plain(self) -> dict[str, Any]:
        """Return JSON data."""
        return {"table": self.name, "columns": list(self.columns), "rows": list(self.rows)}


def releases(rows: Iterable[AuditRow], told: Callable[[AuditRow], Row]) -> Table:
    """Return the list of audits as the index tells it, and how far that is proven and reviewed."""
    columns = (*AuditRow.model_fields, "proof", "review")
    found = ({**row.model_dump(mode="json"), "recorded": _iso(row.recorded), **told(row)}
             for row in rows)  # fmt: skip
    return _table("releases", columns, found)


def reviews(entries: Iterable[Entry], seal: Callable[[Entry], Seal]) -> Table:
    """Return reviews with their places in the history, and what their signatures come to."""
    columns = ("number", "time", "reviewer", "decision", "reason", "subject", "record_sha256",
               "verdict_sha256", "policy_sha256", "subject_sha256", "entry_sha256",
               "signature", "signed_by")  # fmt: skip
    return _table("reviews", columns, (_review(entry, seal(entry)) for entry in entries))


def changes(comparison: Comparison) -> Table:
    """Return the changes between two audits."""
    rows = (
        {"topic": topic, "what": c.what, "change": c.word, "before": c.before, "after": c.after}
        for topic, found in comparison.topics
        for c in found
    )
    return _table("changes", ("topic", "what", "change", "before", "after"), rows)


def of_audit(name: str, result: AuditResult, upload: Upload | None = None) -> Table:
    """Return a table of one audit; raises KeyError for a name that there is not.

    ``upload`` is its publication, which the table of checksums tells of.
    """
    columns, read = AUDIT_TABLES[name]
    rows = _files(result, upload) if name == "checksums" else read(result)
    return _table(name, columns, rows)


def _findings(result: AuditResult) -> Iterable[Row]:
    for finding in result.verdict.findings:
        plain = finding.plain()
        waiver = finding.waiver
        yield {**plain, "applied": finding.applied, "evidence": "; ".join(finding.evidence),
               "waived_by": waiver.owner if waiver else "",
               "waived_until": waiver.expires.isoformat() if waiver else ""}  # fmt: skip


def _scores(result: AuditResult) -> Iterable[Row]:
    for row in Reading(result).scores:
        seen = row.comparison.plain() if row.comparison else {}
        # As on the page: reproduced − claimed, in percentage points.
        yield {**seen, "benchmark": row.benchmark, "metric": row.metric, "claimed": row.claimed,
               "difference": row.difference, "status": row.status.word,
               "why": row.why}  # fmt: skip


def _claims(result: AuditResult) -> Iterable[Row]:
    for claim in result.record.claims:
        plain = claim.plain()
        rest = {k: v for k, v in plain.items() if k not in {"id", "kind", "source"}}
        yield {**plain, "says": rest}


def _evidence(result: AuditResult) -> Iterable[Row]:
    for item in result.record.evidence:
        yield {"id": item.id, "kind": item.kind, "source": item.source,
               "trust": item.trust.value, "sha256": item.sha256 or ""}  # fmt: skip


def _links(result: AuditResult) -> Iterable[Row]:
    for link in result.record.links:
        yield {**link.plain(), "digest": str(link.digest)}


def _waivers(result: AuditResult) -> Iterable[Row]:
    used = [w for f in result.verdict.waived if (w := f.waiver)]
    for state, group in (("in use", used), ("unused", result.verdict.unused_waivers)):
        yield from ({**w.plain(), "state": "expired" if w.expired else state} for w in group)


def _files(result: AuditResult, upload: Upload | None = None) -> Iterable[Row]:
    for row in file_rows(result.record, upload):
        told = {name: digest or words for name, digest, words in row.told()}
        yield {"path": row.path, "state": row.state, **told}


_Reader = Callable[[AuditResult], Iterable[Row]]
AUDIT_TABLES: dict[str, tuple[tuple[str, ...], _Reader]] = {
    "findings": (
        ("rule", "about", "outcome", "applied", "level", "title", "message", "expected", "actual",
         "remedy", "docs", "evidence", "waived_by", "waived_until"),
        _findings,
    ),
    "scores": (
        ("benchmark", "metric", "claimed", "status", "why", "reproduced", "low", "high",
         "difference", "p_value", "p_adjusted", "mdo80", "delta", "rho", "n_items", "runs",
         "measured_by"),
        _scores,
    ),
    "claims": (("id", "kind", "source", "says"), _claims),
    "evidence": (("id", "kind", "source", "trust", "sha256"), _evidence),
    "links": (("source", "relation", "target", "digest", "via"), _links),
    "gaps": (
        ("name", "topic", "about", "contradicted", "expected", "actual"),
        lambda result: (gap.plain() for gap in result.record.gaps),
    ),
    "checksums": (
        ("path", "state", "claimed", "audited", "signed", "uploaded", "fetched_back"),
        _files,
    ),
    "waivers": (
        ("rule", "about", "owner", "reason", "expires", "subject_sha256", "state"),
        _waivers,
    ),
}  # fmt: skip


def _review(entry: Entry, seal: Seal) -> Row:
    plain = entry.review.plain()
    return {**plain, **plain["decided"], "number": entry.number, "entry_sha256": entry.sha256,
            "signature": seal.words, "signed_by": seal.by}  # fmt: skip


def _table(name: str, columns: Sequence[str], rows: Iterable[Row]) -> Table:
    chosen = tuple({c: row.get(c, "") for c in columns} for row in rows)
    return Table(name, tuple(columns), chosen)


def _iso(milliseconds: int) -> str:
    """Return a time as ISO 8601 in UTC, to the second; empty where it makes no sense."""
    try:
        when = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"'{text}" if text.startswith(_FORMULA) and not number else text
