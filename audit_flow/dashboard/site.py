"""What every page has at hand: settings, audits, verifications, templates, and small answers."""

from __future__ import annotations

import datetime as dt
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from audit_flow.approval import FlowRun
from audit_flow.dashboard.identity import Sessions, Visitor
from audit_flow.dashboard.library import Audit, Library
from audit_flow.dashboard.publications import Publications, Upload
from audit_flow.dashboard.settings import MAX_BODY, Settings
from audit_flow.dashboard.verifying import Verifier
from audit_flow.errors import ApprovalError, InputError

if TYPE_CHECKING:
    from jinja2 import Environment


class OutOfDate(InputError):
    """A form that was not made for this visit: nothing of it is done."""


_MAX_FIELDS = 40
_NOTES = 200
_RUNS_SECONDS = 2.0


@dataclass
class Site:
    """One running dashboard."""

    settings: Settings
    library: Library
    verifier: Verifier
    sessions: Sessions
    templates: Environment
    publications: Publications
    # What a reviewer is told after the redirect, by the digest of the review.
    notes: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)

    told_runs: tuple[float, tuple[tuple[FlowRun, ...], str]] = (float("-inf"), ((), ""))

    def render(
        self, request: Request, template: str, status: int = 200, **context: Any
    ) -> Response:
        """Return a page with what every page needs."""
        visitor: Visitor = request.state.visitor
        text = self.templates.get_template(template).render(
            visitor=visitor,
            form_token=self.sessions.form_token(visitor),
            has_identities=self.settings.has_identities,
            path=request.url.path,
            **context,
        )
        return HTMLResponse(text, status)

    def audit(self, key: str, *, again: bool = False) -> Audit:
        """Return an audit of a store, or of a verification of this session."""
        self.library.visit(
            {j.key: Audit(j.key, j.result, 0) for j in self.verifier.jobs if j.result is not None}
        )
        return self.library.audit(key, again=again)

    def uploads(self, audit: Audit) -> tuple[Upload, ...]:
        """Return what was published of an audit, the latest first."""
        return self.publications.of(audit.decided) if audit.root is not None else ()

    def upload(self, audit: Audit) -> Upload | None:
        """Return the latest publication of an audit, if there is any."""
        return next(iter(self.uploads(audit)), None)

    def runs(self, *, again: bool = False) -> tuple[tuple[FlowRun, ...], str]:
        """Return the flow runs under way, and what kept them from being told.

        Asked at most every two seconds, however many look; ``again`` asks now.
        """
        if self.settings.waiting is None:
            return (), ""
        at, told = self.told_runs
        if again or time.monotonic() - at > _RUNS_SECONDS:
            try:
                told = self.settings.waiting.runs(), ""
            except ApprovalError as error:
                told = (), str(error)
            self.told_runs = (time.monotonic(), told)
        return told

    def remember(self, digest: str, notes: tuple[str, ...]) -> None:
        """Keep what is to be told after a redirect."""
        self.notes[digest] = notes
        while len(self.notes) > _NOTES:
            self.notes.popitem(last=False)


def site_of(request: Request) -> Site:
    """Return the site that serves a request."""
    site: Site = request.app.state.site
    return site


def visitor_of(request: Request) -> Visitor:
    """Return who asks."""
    visitor: Visitor = request.state.visitor
    return visitor


async def body_of(request: Request, limit: int = MAX_BODY) -> bytes:
    """Return a request's body; raises InputError for more than ``limit`` bytes."""
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise InputError(f"a request of over {limit} bytes", expected=f"at most {limit}")
        parts.append(chunk)
    return b"".join(parts)


async def form_of(request: Request, site: Site) -> Mapping[str, str]:
    """Return a form of one of our own pages; raises InputError for any other."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise InputError(f"a form of type {kind[:100]!r}", expected="a form of the dashboard")
    try:
        text = (await body_of(request)).decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError("a form that can't be read", expected="UTF-8") from error
    form = dict(pairs)
    if not site.sessions.is_form_token(visitor_of(request), form.get("form_token", "")):
        raise OutOfDate(
            "a form that was not made for this visit", expected="the form of this page",
            remedy="Load the page again and send it once more",
        )  # fmt: skip
    return form


def moment(milliseconds: int) -> str:
    """Return a time as people read it, in UTC to the minute; the year 1 where it makes no sense."""
    try:
        when = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        when = dt.datetime.min.replace(tzinfo=dt.UTC)
    return when.strftime("%Y-%m-%d %H:%M UTC")
