"""What people see of an audit in Prefect: a page of text, a table of findings, links."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from audit_flow.model import Verdict
from audit_flow.report.neutral import neutralise
from audit_flow.store import Stored
from audit_flow.store.note import markdown, summary
from flows.values import Audited

_MAX_ROWS = 500
# Where the dashboard answers, if one does: for links alone.
DASHBOARD = "AUDIT_FLOW_DASHBOARD_URL"


def show(audited: Audited, stored: Stored | None = None) -> None:
    """Leave artifacts: the verdict as text, its findings as a table, links to where it is kept."""
    key = _key(audited.verdict)
    text = summary(audited.record, audited.verdict)
    create_markdown_artifact(
        key=f"verdict-{key}", markdown=f"{text}\n\n{_where(stored)}", description="The verdict"
    )
    create_table_artifact(
        key=f"findings-{key}", table=_rows(audited.verdict), description="What each rule found"
    )
    for name, address in _links(stored).items():
        create_link_artifact(key=f"{name}-{key}", link=address, link_text=f"{name}: this audit")


def _rows(verdict: Verdict) -> list[dict[str, str]]:
    findings = sorted(verdict.findings, key=lambda f: not f.blocks)
    return [
        {
            "outcome": f.outcome.value + (" (waived)" if f.waiver else ""),
            "level": f.level,
            "rule": f.rule,
            "about": neutralise(f.about, 300),
            "got": neutralise(f.actual, 300),
            "expected": neutralise(f.expected, 300),
            "remedy": neutralise(f.remedy, 300),
        }
        for f in findings[:_MAX_ROWS]
    ]


def _where(stored: Stored | None) -> str:
    return f"Kept in MLflow: {markdown(stored.how_to_open)}" if stored else ""


def _links(stored: Stored | None) -> dict[str, str]:
    found = {}
    if stored and stored.how_to_open.startswith(("http://", "https://")):
        found["mlflow"] = stored.how_to_open
    board = os.environ.get(DASHBOARD, "").rstrip("/")
    if stored and board.startswith(("http://", "https://")):
        found["dashboard"] = f"{board}/audits/{quote(stored.run_id, safe='')}"
    return found


def _key(verdict: Verdict) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", verdict.subject.name.lower()).strip("-")[:60]
    return name or "release"
