"""The same facts for programs: JSON under /api/v1, described by OpenAPI."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from audit_flow.approval import Asked
from audit_flow.dashboard import announcing, reviewing, searching, tables
from audit_flow.dashboard.comparing import compare
from audit_flow.dashboard.library import Audit, Missing
from audit_flow.dashboard.openapi import document
from audit_flow.dashboard.site import Site, body_of, site_of, visitor_of
from audit_flow.dashboard.story import permission
from audit_flow.dashboard.verifying import Job
from audit_flow.errors import InputError
from audit_flow.model import Frozen
from audit_flow.report.announced import marks_data
from audit_flow.report.json_format import report_data

N = TypeVar("N", bound=Frozen)


class Draft(Frozen):
    """A draft to be marked."""

    text: str = Field(min_length=1, max_length=announcing.MAX_DRAFT)


class Wanted(Frozen):
    """A repository to be verified."""

    repository: str = Field(min_length=1, max_length=300)


def openapi(request: Request) -> Response:
    """Describe this interface."""
    del request
    return JSONResponse(document(Asked, Draft, Wanted))


def status(request: Request) -> Response:
    """Say what is read, and what can't be."""
    site = site_of(request)
    runs, problem = site.runs()
    return JSONResponse(
        {
            "ready": site.library.is_ready,
            "stores": list(site.library.stores),
            "problems": [*site.library.problems, *([problem] if problem else [])],
            "flow_runs": [run.plain() for run in runs],
            "visitor": visitor_of(request).name,
        }
    )


def audits(request: Request) -> Response:
    """List audits as the page does."""
    site = site_of(request)
    page = searching.select(site.library.rows(), searching.parse_query(request.query_params))
    return JSONResponse(
        {
            "found": page.found,
            "known": page.known,
            "page": min(page.query.page, page.pages),
            "pages": page.pages,
            "audits": [
                {
                    **row.model_dump(mode="json"),
                    "open_questions": row.open_questions,
                    "superseded": row.run_id in page.superseded,
                    **site.library.told(row),
                }
                for row in page.rows
            ],
        }
    )


def audit(request: Request) -> Response:
    """Return one audit, proven, with what its reviews come to."""
    site, found = _asked(request)
    data = report_data(found.result)
    uploads = [upload.plain() for upload in site.uploads(found)]
    newer = site.library.newer(found)
    may = permission(found.result.verdict.outcome, site.library.standing(found), newer is not None)
    more = {
        "key": found.key, "review": _standing(site, found), "publications": uploads,
        "newer": {"key": newer.key, "outcome": newer.outcome} if newer else None,
        "may_be_announced": may.tone == "pass", "announcing": may.words,
    }  # fmt: skip
    return _json({**data, **more})


def table(request: Request) -> Response:
    """Return one table of an audit as JSON."""
    site, found = _asked(request)
    name = request.path_params["table"]
    if name not in tables.AUDIT_TABLES:
        raise Missing(name)
    return _json(tables.of_audit(name, found.result, site.upload(found)).plain())


def evidence(request: Request) -> Response:
    """Return one piece of evidence, whole."""
    _, found = _asked(request)
    items, number = found.result.record.evidence, int(request.path_params["number"])
    if number >= len(items):
        raise Missing(str(number))
    return _json(items[number].plain())


async def audit_reviews(request: Request) -> Response:
    """Return the reviews of an audit, or take one."""
    site = site_of(request)
    key = request.path_params["key"]
    if request.method != "POST":
        found = await run_in_threadpool(site.audit, key)
        return _json(await run_in_threadpool(_standing, site, found))
    asked = await _body(request, Asked)
    visitor = visitor_of(request)
    entry = await run_in_threadpool(reviewing.take, site, key, asked, visitor.name)
    kept = {"entry": entry.plain(), "sha256": entry.sha256, "notes": list(site.notes[entry.sha256])}
    return JSONResponse(kept, 201)


async def announcement(request: Request) -> Response:
    """Mark a draft."""
    site = site_of(request)
    wanted = await _body(request, Draft)
    found = await run_in_threadpool(site.audit, request.path_params["key"])
    draft = await run_in_threadpool(announcing.read, wanted.text, found.result)
    return _json(
        {
            "schema": "audit-flow/announcement/v1",
            "outcome": draft.outcome,
            "record_sha256": found.result.record.sha256,
            "statements": marks_data(draft.marks),
        }
    )


def comparison(request: Request) -> Response:
    """Return what changed between two audits."""
    site = site_of(request)
    before, after = (request.query_params.get(n, "") for n in ("before", "after"))
    found = compare(site.audit(before).result, site.audit(after).result)
    return _json(tables.changes(found).plain())


def reviews(request: Request) -> Response:
    """Return every review."""
    library = site_of(request).library
    entries = (entry for _, entry in library.reviews())
    return _json(tables.reviews(entries, library.seals.of).plain())


async def verifications(request: Request) -> Response:
    """List verifications, or start one."""
    site = site_of(request)
    if request.method != "POST":
        return JSONResponse({"verifications": [_job(job) for job in site.verifier.jobs]})
    wanted = await _body(request, Wanted)
    return JSONResponse(_job(site.verifier.ask(wanted.repository)), 202)


def verification(request: Request) -> Response:
    """Say how far one verification is."""
    job = site_of(request).verifier.job(request.path_params["job"])
    if job is None:
        raise Missing("verification")
    return JSONResponse(_job(job))


def _job(job: Job) -> dict[str, Any]:
    outcome = job.result.verdict.outcome if job.result else None
    return {
        "id": job.id,
        "repository": job.name.repo,
        "revision": job.name.revision,
        "hub": job.name.endpoint,
        "state": job.state,
        "bytes_read": job.read,
        "seconds": round(job.seconds, 1),
        "problem": job.problem,
        "outcome": outcome,
        "audit": job.key if job.result else None,
    }


def _asked(request: Request) -> tuple[Site, Audit]:
    site = site_of(request)
    return site, site.audit(request.path_params["key"])


def _standing(site: Site, found: Audit) -> dict[str, Any]:
    told = site.library.standing(found)
    return {
        "state": told.state,
        "superseded": site.library.newer(found) is not None,
        "seen": told.seen,
        "decided": found.decided.plain(),
        "reviews": [review.plain() for review in told.reviews],
    }


async def _body(request: Request, noun: type[N]) -> N:
    site, visitor = site_of(request), visitor_of(request)
    if not visitor.is_bearer:
        given = request.headers.get("x-csrf-token", "")
        if not site.sessions.is_form_token(visitor, given):
            raise Forbidden
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InputError(f"a body of type {kind[:100]!r}", expected="application/json")
    try:
        return noun.model_validate_json(await body_of(request))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{where or 'the body'}: {first['msg']}", expected="as OpenAPI says"
        ) from error


class Forbidden(Exception):
    """A browser's request without the form token of its visit."""


def _json(data: Any) -> Response:
    # Lone surrogates and the like can't be written raw: everything beyond ASCII is escaped.
    text = json.dumps(data, allow_nan=False)
    return Response(text, media_type="application/json")
