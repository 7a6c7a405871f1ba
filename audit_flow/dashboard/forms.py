"""The pages that take something: a draft, a decision, a repository to verify, a token."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from audit_flow.approval import Asked, Entry
from audit_flow.dashboard import announcing, reviewing
from audit_flow.dashboard.guard import local, set_cookie
from audit_flow.dashboard.identity import by_token
from audit_flow.dashboard.library import Audit, Missing
from audit_flow.dashboard.pages import frame_of
from audit_flow.dashboard.seals import Seal
from audit_flow.dashboard.site import Site, form_of, site_of, visitor_of
from audit_flow.dashboard.story import Story
from audit_flow.errors import ApprovalError, InputError


async def announcement(request: Request) -> Response:
    """Mark each number and superlative of a draft that was pasted."""
    site = site_of(request)
    form = await form_of(request, site) if request.method == "POST" else None
    return await run_in_threadpool(_announcement, request, site, form)


def _announcement(request: Request, site: Site, form: Mapping[str, str] | None) -> Response:
    audit = site.audit(request.path_params["key"])
    text = (form or {}).get("text", "")
    draft, problem = None, ""
    if form is not None:
        try:
            draft = announcing.read(text, audit.result)
        except InputError as error:
            problem = str(error)
    return site.render(
        request,
        "announcement.html.j2",
        422 if problem else 200,
        text=text,
        draft=draft,
        problem=problem,
        claim_numbers={c.id: n for n, c in enumerate(audit.result.record.claims)},
        **frame_of(site, audit),
    )


async def review(request: Request) -> Response:
    """Show what is to be decided on, or take a decision."""
    site = site_of(request)
    if request.method != "POST":
        return await run_in_threadpool(_review_page, request, site, request.path_params["key"])
    form = await form_of(request, site)
    return await run_in_threadpool(_decide, request, site, form)


def _decide(request: Request, site: Site, form: Mapping[str, str]) -> Response:
    key = request.path_params["key"]
    try:
        asked = asked_in(form)
        entry = reviewing.take(site, key, asked, visitor_of(request).name)
    except (ApprovalError, InputError) as error:
        status = 422 if isinstance(error, InputError) else 409
        return _review_page(request, site, key, status, str(error), form)
    return RedirectResponse(f"/audits/{key}/review?kept={entry.sha256}", 303)


def asked_in(form: Mapping[str, str]) -> Asked:
    """Return the decision in a form; raises InputError."""
    digests = {
        name: form.get(name, "") or None
        for name in ("record_sha256", "verdict_sha256", "policy_sha256", "subject_sha256")
    }
    try:
        return Asked.model_validate(
            {
                "decision": form.get("decision", ""),
                # Browsers send a line's end as two characters, and count it as one.
                "reason": form.get("reason", "").replace("\r\n", "\n"),
                "decided": digests,
                "seen": form.get("seen", ""),
            }
        )
    except ValidationError as error:
        raise InputError(
            "a decision that is not complete", expected="approve or refuse, and a reason",
            remedy="Choose one of the two and write why",
        ) from error  # fmt: skip


def _review_page(
    request: Request,
    site: Site,
    key: str,
    status: int = 200,
    problem: str = "",
    form: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    # What is decided on is read and hashed again each time that it is shown.
    audit: Audit = site.audit(key, again=True)
    kept = request.query_params.get("kept", "")
    return site.render(
        request,
        "review.html.j2",
        status,
        decided=audit.decided,
        problem=problem,
        reason=form.get("reason", ""),
        chosen=form.get("decision", ""),
        no_reason=bool(problem) and not form.get("reason", "").strip(),
        kept=kept if kept in site.notes else "",
        notes=site.notes.get(kept, ()),
        about=_about(site, audit),
        uploads=site.uploads(audit),
        **frame_of(site, audit),
    )


def _about(site: Site, audit: Audit) -> tuple[tuple[Entry, Seal], ...]:
    try:
        return site.library.about(audit)
    except ApprovalError:
        # The page says so already, and shows no review of a history that was edited.
        return ()


def reviews(request: Request) -> Response:
    """Show the history of reviews."""
    site = site_of(request)
    problem, found = "", []
    try:
        found = site.library.reviews()
    except ApprovalError as error:
        problem = str(error)
    keys = {row.record_sha256: row.run_id for row in site.library.rows()}
    seal = site.library.seals.of
    return site.render(
        request, "reviews.html.j2", reviews=found, problem=problem, keys=keys, seal=seal,
        broken=[entry for _, entry in found[:1000] if seal(entry).state == "broken"],
    )  # fmt: skip


async def verify(request: Request) -> Response:
    """Take a repository's name and start verifying it, or show what runs."""
    site = site_of(request)
    problem, name = "", ""
    if request.method == "POST":
        form = await form_of(request, site)
        name = form.get("repository", "")
        try:
            job = site.verifier.ask(name)
        except InputError as error:
            problem = str(error)
        else:
            return RedirectResponse(f"/verify/{job.id}", 303)
    return site.render(
        request, "verify.html.j2", 422 if problem else 200, jobs=site.verifier.jobs,
        hubs=site.verifier.hubs, problem=problem, name=name,
    )  # fmt: skip


def verification(request: Request) -> Response:
    """Show how far one verification is."""
    site = site_of(request)
    job = site.verifier.job(request.path_params["job"])
    if job is None:
        raise Missing("verification")
    reading = Story(job.result) if job.result else None
    return site.render(request, "verification.html.j2", job=job, r=reading)


async def login(request: Request) -> Response:
    """Take a token and remember its owner in the browser."""
    site = site_of(request)
    problem, wanted = "", request.query_params.get("next", "/")
    if request.method == "POST":
        form = await form_of(request, site)
        name, wanted = by_token(form.get("token", ""), site.settings.tokens), form.get("next", "/")
        if name is not None:
            return _with_cookie(site, name, local(wanted))
        problem = "This token is not known."
    status = 403 if problem else 200
    return site.render(request, "login.html.j2", status, problem=problem, wanted=local(wanted))


async def logout(request: Request) -> Response:
    """Forget who the browser's owner is."""
    site = site_of(request)
    await form_of(request, site)
    site.sessions.end(visitor_of(request))
    return _with_cookie(site, None, "/login")


def _with_cookie(site: Site, name: str | None, to: str) -> Response:
    answer = RedirectResponse(to, 303)
    value = site.sessions.cookie(site.sessions.fresh(name))
    answer.headers["Set-Cookie"] = set_cookie(value, https=site.settings.is_https)
    return answer
