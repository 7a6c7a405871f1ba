"""Every table as a file: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import json
import re

from starlette.requests import Request
from starlette.responses import Response

from audit_flow.dashboard import searching, tables
from audit_flow.dashboard.comparing import compare
from audit_flow.dashboard.library import Audit, Missing
from audit_flow.dashboard.site import Site, site_of

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def releases(request: Request) -> Response:
    """Return the audits that the list shows, all pages."""
    site = site_of(request)
    query = searching.parse_query(request.query_params)
    rows = site.library.rows()
    page = searching.select(rows, query, size=max(len(rows), 1))
    return _file(tables.releases(page.rows, site.library.told), request)


def of_audit(request: Request) -> Response:
    """Return one table of an audit."""
    site = site_of(request)
    audit, name = site.audit(request.path_params["key"]), request.path_params["table"]
    if name == "reviews":
        return _file(_reviews(site, audit.key), request, audit)
    if name not in tables.AUDIT_TABLES:
        raise Missing(name)
    return _file(tables.of_audit(name, audit.result, site.upload(audit)), request, audit)


def reviews(request: Request) -> Response:
    """Return the history of reviews."""
    library = site_of(request).library
    entries = (entry for _, entry in library.reviews())
    return _file(tables.reviews(entries, library.seals.of), request)


def comparison(request: Request) -> Response:
    """Return the changes between two audits."""
    site = site_of(request)
    before, after = (request.query_params.get(n, "") for n in ("before", "after"))
    both = site.audit(before), site.audit(after)
    return _file(tables.changes(compare(*(each.result for each in both))), request, *both)


def _of(audit: Audit) -> str:
    """Return release and record of an audit as a part of a file's name."""
    name = _NOT_IN_NAMES.sub("-", audit.result.verdict.subject.name).strip("-.")[:60]
    return f"{name or 'release'}-{audit.result.record.sha256[:12]}"


def _reviews(site: Site, key: str) -> tables.Table:
    decided = site.audit(key).decided
    entries = [e for _, e in site.library.reviews() if e.review.decided == decided]
    return tables.reviews(entries, site.library.seals.of)


def _file(table: tables.Table, request: Request, *audits: Audit) -> Response:
    form = request.path_params["form"]
    if form == "csv":
        text, kind = table.csv(), "text/csv; charset=utf-8"
    else:
        text, kind = json.dumps(table.plain(), allow_nan=False) + "\n", "application/json"
    whose = "".join(f"{_of(audit)}-" for audit in audits)
    name = f'attachment; filename="{whose}{table.name}.{form}"'
    data = text.encode("utf-8", "backslashreplace")
    return Response(data, media_type=kind, headers={"Content-Disposition": name})
