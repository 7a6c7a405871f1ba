"""The application: routes, the guard around them, and what errors look like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from audit_flow.dashboard import api, downloads, forms, pages
from audit_flow.dashboard.guard import HEADERS, Guard, is_api, local, sign_in_at
from audit_flow.dashboard.identity import Sessions
from audit_flow.dashboard.library import Library, Missing
from audit_flow.dashboard.patience import TooSlow
from audit_flow.dashboard.publications import Publications
from audit_flow.dashboard.rendering import templates
from audit_flow.dashboard.seals import Seals
from audit_flow.dashboard.settings import Settings
from audit_flow.dashboard.site import OutOfDate, Site, site_of
from audit_flow.dashboard.verifying import Verifier, as_stranger
from audit_flow.errors import ApprovalError, AuditFlowError, InputError

_ASSETS = {
    "report.css": ("audit_flow.report", "templates/report.css", "text/css"),
    "dashboard.css": ("audit_flow.dashboard", "static/dashboard.css", "text/css"),
    "dashboard.js": ("audit_flow.dashboard", "static/dashboard.js", "text/javascript"),
    "icon.svg": ("audit_flow.dashboard", "static/icon.svg", "image/svg+xml"),
}


_HEADINGS = {
    403: "Not allowed",
    404: "Not found",
    409: "Not as it was",
    422: "This makes no sense",
    503: "Can't be shown",
}


class _Key(Convertor[str]):
    regex = "(?:v-)?[0-9a-f]{16,32}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Number(Convertor[int]):
    regex = "[0-9]{1,6}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


class _Form(_Key):
    regex = "csv|json"


def make_site(settings: Settings, verifier: Verifier | None = None) -> Site:
    """Put together what a dashboard needs; nothing is read yet."""
    stranger = as_stranger(settings.policy)
    return Site(
        settings=settings,
        library=Library(settings.roots, Seals(settings.trust, settings.own)),
        verifier=verifier or Verifier(settings.hubs, stranger, settings.max_verify_seconds),
        sessions=Sessions(),
        templates=templates(),
        publications=Publications(
            (root.stated for root in settings.roots), settings.publications, settings.trust
        ),
    )


def make_app(site: Site) -> Starlette:
    """Return the ASGI application of a site."""
    register_url_convertor("key", _Key())
    register_url_convertor("number", _Number())
    register_url_convertor("form", _Form())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        site.library.start()
        yield
        site.library.stop()
        site.verifier.close()

    app = Starlette(
        routes=[*_pages(), *_api()],
        middleware=[
            Middleware(
                Guard, settings=site.settings, sessions=site.sessions, turned_away=_turned_away
            )
        ],
        exception_handlers={
            Missing: _missing,
            AuditFlowError: _refused,
            api.Forbidden: _forbidden,
            TooSlow: _too_slow,
            HTTPException: _http,
            Exception: _broken,
        },
        lifespan=lifespan,
    )
    app.state.site = site
    return app


def _pages() -> list[Route]:
    both = ["GET", "POST"]
    one = "/audits/{key:key}"
    return [
        Route("/", pages.releases),
        Route("/releases.{form:form}", downloads.releases),
        Route(one, pages.release),
        Route(f"{one}/lineage", pages.lineage),
        Route(f"{one}/evidence/{{number:number}}", pages.evidence),
        Route(f"{one}/evidence/{{number:number}}/file", pages.evidence_file),
        Route(f"{one}/claims/{{number:number}}", pages.claim),
        Route(f"{one}/findings/{{number:number}}", pages.finding),
        Route(f"{one}/announcement", forms.announcement, methods=both),
        Route(f"{one}/review", forms.review, methods=both),
        Route(f"{one}/tables/{{table:str}}.{{form:form}}", downloads.of_audit),
        Route("/compare", pages.comparison),
        Route("/compare.{form:form}", downloads.comparison),
        Route("/reviews", forms.reviews),
        Route("/reviews.{form:form}", downloads.reviews),
        Route("/verify", forms.verify, methods=both),
        Route("/verify/{job:key}", forms.verification),
        Route("/login", forms.login, methods=both),
        Route("/logout", forms.logout, methods=["POST"]),
        Route("/static/{name}", _asset),
        Route("/healthz", _healthy),
    ]


def _api() -> list[Route]:
    both = ["GET", "POST"]
    one = "/api/v1/audits/{key:key}"
    return [
        Route("/api/v1/openapi.json", api.openapi),
        Route("/api/v1/status", api.status),
        Route("/api/v1/audits", api.audits),
        Route(one, api.audit),
        Route(f"{one}/tables/{{table:str}}", api.table),
        Route(f"{one}/evidence/{{number:number}}", api.evidence),
        Route(f"{one}/reviews", api.audit_reviews, methods=both),
        Route(f"{one}/announcement", api.announcement, methods=["POST"]),
        Route("/api/v1/compare", api.comparison),
        Route("/api/v1/reviews", api.reviews),
        Route("/api/v1/verifications", api.verifications, methods=both),
        Route("/api/v1/verifications/{job:key}", api.verification),
    ]


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise Missing(name)
    package, path, kind = _ASSETS[name]
    return Response(files(package).joinpath(path).read_bytes(), media_type=kind)


def _healthy(request: Request) -> Response:
    del request
    return PlainTextResponse("ok\n")


def _missing(request: Request, error: Exception) -> Response:
    del error
    site = site_of(request)
    listing = "" if site.library.is_ready else " The stores are still being read: try again soon."
    what = "Nothing is there under this name." + listing
    return _answer(request, 404, {"error": what})


def _refused(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, AuditFlowError) else AuditFlowError(str(error))
    status = 503
    if isinstance(known, InputError):
        status = 422
    elif isinstance(known, ApprovalError):
        status = 409
    told = {"error": str(known.got), "expected": known.expected, "remedy": known.remedy}
    heading = (
        "This form is out of date. Nothing was decided" if isinstance(known, OutOfDate) else ""
    )
    return _answer(request, status, {k: v for k, v in told.items() if v}, heading)


def _turned_away(request: Request) -> Response:
    heading = "You are not signed in any more. Nothing was decided"
    told = {"error": "the session is over, or it was signed out elsewhere",
            "remedy": "Sign in and send the form again"}  # fmt: skip
    answer = _page(request, 401, told, heading, ("Sign in", sign_in_at(request.url.path)))
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _forbidden(request: Request, error: Exception) -> Response:
    del error
    return _answer(request, 403, {"error": "the request lacks the form token of this visit"})


def _too_slow(request: Request, error: Exception) -> Response:
    del request, error
    told = {"error": "the request did not arrive in time"}
    return JSONResponse(told, 408, headers={"Connection": "close"})


def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return _missing(request, error)
    headers = getattr(error, "headers", None)
    return JSONResponse({"error": f"status {status}"}, status, headers=headers)


def _broken(request: Request, error: Exception) -> Response:
    # Whatever broke stands in the log; a visitor learns nothing of the machine.
    del request, error
    told = {"error": "The dashboard broke down on this request; the log says why."}
    return JSONResponse(told, 500, headers=HEADERS)


def _answer(request: Request, status: int, told: dict[str, str], heading: str = "") -> Response:
    if is_api(request.scope) or not hasattr(request.state, "visitor"):
        return JSONResponse(told, status)
    back = local(request.url.path) if request.method == "POST" else "/"
    to = ("Back to the releases", "/") if back == "/" else ("Back to the page", back)
    return _page(request, status, told, heading or _HEADINGS.get(status, "Something broke"), to)


def _page(
    request: Request, status: int, told: dict[str, str], heading: str, to: tuple[str, str]
) -> Response:
    return site_of(request).render(
        request, "problem.html.j2", status, told=told, heading=heading, to=to
    )
