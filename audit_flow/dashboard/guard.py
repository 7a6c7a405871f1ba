"""The gate that every request passes: host, size, identity, and the headers of every answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from audit_flow.dashboard.identity import (
    COOKIE,
    SESSION_SECONDS,
    Sessions,
    Visitor,
    by_proxy,
    by_token,
)
from audit_flow.dashboard.patience import in_time
from audit_flow.dashboard.settings import MAX_BODY, Settings

CSP: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Robots-Tag": "noindex",
}
Refusal = Callable[[Request], Response]
_MAX_ADDRESS = 2_000
_OPEN_PATHS = ("/static/", "/login", "/healthz")
_SAFE_METHODS = {"GET", "HEAD"}
_METHODS = _SAFE_METHODS | {"POST"}


class Guard:
    """ASGI middleware around the whole application; steps are in the order of their numbers."""

    def __init__(
        self, app: ASGIApp, settings: Settings, sessions: Sessions, turned_away: Refusal
    ) -> None:
        self._app = app
        # Answers a form of somebody whose session is over.
        self._turned_away = turned_away
        self._settings = settings
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it before anything else sees it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        visitor, cookie = self._visitor(headers, scope.get("client"))
        answer = _Answer(send, cookie, self._settings.is_https, scope["path"])
        refusal = self._refusal(scope, headers, visitor)
        if refusal is not None:
            await refusal(scope, receive, answer)
            return
        scope.setdefault("state", {})["visitor"] = visitor
        posted = scope["method"] not in _SAFE_METHODS
        await self._app(scope, in_time(receive) if posted else receive, answer)

    def _refusal(self, scope: Scope, headers: Headers, visitor: Visitor) -> Response | None:
        # Step 1: the name that was asked for is one of ours (no DNS rebinding).
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._settings.hosts:
            return _told(scope, 421, "this is not the address of the dashboard")
        # Step 2: a method that is served, and a body of known and bearable size.
        if scope["method"] not in _METHODS:
            return _told(scope, 405, "method not allowed")
        size = headers.get("content-length", "0")
        if (
            not (size.isascii() and size.isdigit())
            or int(size) > MAX_BODY
            or "transfer-encoding" in headers
        ):
            return _told(scope, 413, f"the request is over {MAX_BODY} bytes, or of unknown size")
        # Step 3: where visitors have names, nobody reads without one.
        if self._settings.has_identities and visitor.name is None:
            return self._login(scope, visitor)
        # Step 4: what changes something was sent from our own page, or with a token of its own.
        if scope["method"] not in _SAFE_METHODS and not self._is_ours(headers, visitor):
            return _told(scope, 403, "the request did not come from a page of the dashboard")
        return None

    def _login(self, scope: Scope, visitor: Visitor) -> Response | None:
        path = str(scope["path"])
        if path.startswith(_OPEN_PATHS):
            return None
        if is_api(scope):
            headers = {"WWW-Authenticate": "Bearer"}
            return JSONResponse({"error": "who asks is not known"}, 401, headers=headers)
        if scope["method"] not in _SAFE_METHODS:
            scope.setdefault("state", {})["visitor"] = visitor
            return self._turned_away(Request(scope))
        asked = scope.get("query_string", b"").decode("latin-1")
        return RedirectResponse(sign_in_at(f"{path}?{asked}" if asked else path), 303)

    def _visitor(
        self, headers: Headers, client: tuple[str, int] | None
    ) -> tuple[Visitor, str | None]:
        """Return who asks, and the cookie that his browser is to be given."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return Visitor("bearer", by_token(token.strip(), self._settings.tokens), "bearer"), None
        cookie = Request({"type": "http", "headers": headers.raw}).cookies.get(COOKIE, "")
        visit = self._sessions.visitor(cookie)
        named = by_proxy(headers, self._settings.proxy, client[0] if client else "")
        if visit is None:
            visit = self._sessions.fresh()
            return self._through_proxy(visit, named), self._sessions.cookie(visit)
        return self._through_proxy(visit, named), None

    def _through_proxy(self, visit: Visitor, named: str | None) -> Visitor:
        return Visitor(visit.nonce, named, "proxy") if named else visit

    def _is_ours(self, headers: Headers, visitor: Visitor) -> bool:
        if visitor.is_bearer:
            return True
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site") == "same-origin"
        ours = {f"{'https' if self._settings.is_https else 'http'}://{headers['host'].lower()}"}
        if self._settings.public_url:
            # A proxy may ask us under our own name; the browser knows the public one.
            ours.add(self._settings.public_url.rstrip("/").lower())
        return origin.lower() in ours


class _Answer:
    """Sends an answer with the headers that every answer has."""

    def __init__(self, send: Send, cookie: str | None, https: bool, path: str) -> None:
        self._send = send
        self._cookie = cookie
        self._https = https
        self._is_static = path.startswith("/static/")

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            headers.setdefault("Cache-Control", "no-cache" if self._is_static else "no-store")
            if self._https:
                headers["Strict-Transport-Security"] = "max-age=31536000"
            if self._cookie and not self._is_static and "set-cookie" not in headers:
                headers.append("Set-Cookie", set_cookie(self._cookie, https=self._https))
        await self._send(message)


def set_cookie(value: str, *, https: bool) -> str:
    """Return the header that keeps a visit in a browser, out of reach of scripts."""
    secure = "; Secure" if https else ""
    return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={SESSION_SECONDS}{secure}"


def is_api(scope: Scope) -> bool:
    """Say whether a program asks, which wants JSON."""
    return str(scope["path"]).startswith("/api/")


def _told(scope: Scope, status: int, what: str) -> Response:
    headers = {"Allow": "GET, HEAD, POST"} if status == 405 else None
    if is_api(scope):
        return JSONResponse({"error": what}, status, headers=headers)
    return PlainTextResponse(f"{what}\n", status, headers=headers)


def local(address: str) -> str:
    """Return an address if it is a page of this dashboard, else that of the list.

    Browsers read a backslash as a slash, and leave out tabs and line ends: neither is let through.
    """
    plain = len(address) <= _MAX_ADDRESS and address.isascii() and address.isprintable()
    if not plain or not re.fullmatch(r"/(?![/\\])[^\\\s]*", address):
        return "/"
    return "/" if address.startswith(("/login", "/logout")) else address


def sign_in_at(address: str) -> str:
    """Return the address to sign in at, which leads on to a page of this dashboard."""
    wanted = local(address)
    return "/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}"
