"""A dashboard on loopback: the real application under the real server, over stores made here."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import uvicorn

from audit_flow.dashboard.app import make_app, make_site
from audit_flow.dashboard.identity import Token
from audit_flow.dashboard.serve import bound, configured
from audit_flow.dashboard.settings import Root, Settings
from audit_flow.dashboard.site import Site
from audit_flow.model import LineageRecord, Verdict
from audit_flow.store import record_audit

ANA, EVA = "token-of-ana", "token-of-eva"
_FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


def tokens() -> tuple[Token, ...]:
    names = {"ana@example.org": ANA, "eva@example.org": EVA}
    return tuple(Token(n, hashlib.sha256(t.encode()).hexdigest()) for n, t in names.items())


def record(root: Path, audit: tuple[LineageRecord, Verdict]) -> str:
    """Record an audit in the store of a folder; returns its run id."""
    return record_audit(*audit, {}, tracking_uri=None, default_root=root).run_id


@dataclass
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        import json

        return json.loads(self.text)


@dataclass
class Browser:
    """One visitor: keeps cookies and sends forms as a browser does."""

    url: str
    bearer: str | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    host: str | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        sent |= {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        sent |= {"Host": self.host} if self.host else {}
        with urllib3.PoolManager(retries=False, timeout=60) as pool:
            got = pool.request(
                method,
                self.url + path,
                body=body,
                headers={**sent, **(headers or {})},
                redirect=False,
            )
        for cookie in got.headers.getlist("set-cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        text = got.data.decode("utf-8")
        return Answer(got.status, text, {k.lower(): v for k, v in got.headers.items()})

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def form_token(self, path: str) -> str:
        found = _FORM_TOKEN.search(self.get(path).text)
        assert found, path
        return found[1]

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.url}
        return self.ask("POST", path, urlencode(form), {**kind, **headers})

    def send(self, path: str, form: Mapping[str, str]) -> Answer:
        """Post a form with the token of the page at ``path``."""
        return self.post(path, {"form_token": self.form_token(path), **form})

    def sign_in(self, token: str) -> Answer:
        return self.send("/login", {"token": token})


@dataclass
class Served:
    site: Site
    url: str

    def browser(self, token: str | None = None) -> Browser:
        visitor = Browser(self.url)
        if token:
            assert visitor.sign_in(token).status == 303
        return visitor

    def program(self, token: str = ANA) -> Browser:
        return Browser(self.url, bearer=token)


@contextmanager
def serving(*roots: Path, **settings: Any) -> Iterator[Served]:
    """Serve the stores in these folders until the end of the block."""
    with bound("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        chosen = Settings(roots=tuple(Root(r) for r in roots), port=port)
        site = make_site(replace(chosen, **settings).check())
        server = uvicorn.Server(configured(make_app(site)))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            _until(lambda: server.started and site.library.is_ready)
            yield Served(site, f"http://127.0.0.1:{port}")
        finally:
            server.should_exit = True
            thread.join(30)


def _until(true: Any, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "the dashboard did not get ready"
        time.sleep(0.05)
