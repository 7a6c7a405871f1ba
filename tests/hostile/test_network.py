"""A hostile Hub: addresses that are none, data that breaks readers, and where a token goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from audit_flow.errors import EvidenceError, InputError
from audit_flow.sources.hub import http as hub_http
from audit_flow.sources.hub.http import HubHttp
from audit_flow.sources.hub.names import parse_name
from tests.hostile.commands import run
from tests.hub.server import HubServer
from tests.verify.served import REPO, serve

NO_ADDRESSES = (
    "http://[::1",
    "http://localhost:99999/",
    "http://a:b@localhost/",
    "file:///etc/passwd",
    "gopher://x",
    "//",
    "http://",
    "http://169.254.169.254/",
    "http://127.0.0.1:1/\nX: y",
    "ftp://x",
    "http://\u2100.example/",
    "javascript:alert(1)",
    "http://[fe80::1%25eth0]/",
    "https://10.0.0.1/x",
    "http://0x7f.1:port/",
)
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("redirect", {"to": "stranger"}),
    ("redirect", {"to": "http://[::1"}),
    ("redirect", {"to": "http://localhost:99999/"}),
    ("status", {"code": 401}),
    ("status", {"code": 500}),
    ("garbage", {"body": b"<html>"}),
    ("header", {"field": "Link", "value": '<http://[::1>; rel="next"'}),
    ("truncate", {"size": 10}),
    ("header", {"field": "Content-Encoding", "value": "br"}),
    ("redirect_loop", {}),
)


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_a_redirect_to_no_address_is_refused(address: str) -> None:
    http = HubHttp("https://hub.example")
    with pytest.raises(EvidenceError, match="redirect"):
        http.redirected("https://hub.example/x", address)


@pytest.mark.parametrize(
    "address", ["https://[x", "https://hub:99999/org/name", "https://[::1/a/b", "http://h:p/a"]
)
def test_a_repository_at_no_address_is_the_operators_slip(address: str) -> None:
    with pytest.raises(InputError):
        parse_name(address, "https://hub.example")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "json", "html", "github", "junit", "sarif"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f[0]} {list(f[1].values())}")
def test_no_output_holds_the_token(
    fault: tuple[str, dict[str, Any]],
    form: str,
    hub_server: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = hub_http.Limits(tries=2, pause=0.01, answer=2.0, body=2.0)
    monkeypatch.setattr(hub_http, "Limits", lambda: limits)
    monkeypatch.setattr(hub_http, "MAX_WAIT", 0.02)
    token = hub_server.read_token
    serve(hub_server)
    hub_server.faults.add(fault[0], "*", count=None, **fault[1])
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("HF_ENDPOINT", hub_server.url)
    done = run(monkeypatch, "verify", REPO, "--format", form)
    done.check(allowed=(1, 2, 3))
    assert token not in done.out + done.err
    assert not hub_server.leaks()
    for path in (p for p in tmp_path.rglob("*") if p.is_file()):
        assert token.encode() not in path.read_bytes()
