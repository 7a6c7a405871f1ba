"""What somebody tries who means harm: each try ends in a refusal, and the dashboard goes on."""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import threading
import time
from pathlib import Path

import pytest

from audit_flow.dashboard import patience, raw_file
from audit_flow.dashboard.identity import Proxy
from audit_flow.errors import AuditFlowError
from audit_flow.model import Evidence, Trust
from audit_flow.model.evidence import FileFact
from tests.dashboard.served import ANA, EVA, Browser, Served, record, serving, tokens
from tests.dashboard.story import good
from tests.dashboard.test_reviewing import form_of, key_of


def talk(desk: Served, text: str, seconds: float = 20) -> bytes:
    """Send raw bytes and read until the other side closes, or for so long."""
    host, _, port = desk.url.removeprefix("http://").partition(":")
    got = b""
    with socket.create_connection((host, int(port)), timeout=seconds) as stream:
        stream.sendall(text.encode("latin-1"))
        try:
            while part := stream.recv(65_536):
                got += part
        except TimeoutError:
            return got + b"<still open>"
    return got


def head(desk: Served, *lines: str, first: str = "GET / HTTP/1.1") -> str:
    return "\r\n".join([first, f"Host: {desk.url.removeprefix('http://')}", *lines]) + "\r\n"


PATHS = (
    "/audits/../../etc/passwd", "/audits/..%2f..%2fetc%2fpasswd", "/audits/%2e%2e/lineage",
    "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e%2fsettings.py",
    "/static//etc/passwd",
    "/audits/{key}/evidence/../../../etc/passwd", "/audits/{key}/evidence/-1",
    "/audits/{key}/evidence/9999999999", "/audits/{key}/evidence/0x1", "/audits/{key}/evidence/٣",
    "/audits/{key}/tables/..%2f..%2fmlflow.db.csv", "/audits/{key}/tables/__class__.json",
    "/audits/{key}/claims/1e3", "/audits/{key}%00/lineage", "/verify/..%2f", "/compare.exe",
    "/api/v1/audits/..%2f..%2fetc", "/api/v1/audits/{key}/tables/%2e%2e", "/audits/{key}\n/review",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_anywhere_else(served: Served, path: str) -> None:
    key = served.site.library.rows()[0].run_id
    asked = path.format(key=key).encode("ascii", "backslashreplace").decode().replace("\n", "%0a")
    got = talk(served, head(served, "Connection: close", first=f"GET {asked} HTTP/1.1") + "\r\n")
    status = int(got.split(b" ", 2)[1])
    assert status in {400, 404}, got[:300]
    assert b"root:" not in got


@pytest.mark.parametrize(
    "path", ["//evil.example", "//evil.example/", "/\\evil.example", "/login?next=https://evil.example",
             "/verify/", "/audits/", "/reviews/", "/?search=x&next=//evil.example"],
)  # fmt: skip
def test_nothing_sends_a_visitor_elsewhere(desk: Served, path: str) -> None:
    for visitor in (desk.browser(), desk.browser(ANA)):
        where = visitor.get(path).headers.get("location", "/login")
        assert where.removeprefix(desk.url).startswith("/"), where
        assert not where.removeprefix(desk.url).startswith("//"), where


def test_signing_in_does_not_follow_a_form(desk: Served) -> None:
    visitor = desk.browser()
    answer = visitor.send("/login", {"token": ANA, "next": "https://evil.example"})
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize(
    "lines",
    [("Host: evil.example",), ("X-Forwarded-Host: evil.example", "Host: evil.example")],
)
def test_two_host_names_are_none(served: Served, lines: tuple[str, ...]) -> None:
    got = talk(served, head(served, *lines, "Connection: close") + "\r\n")
    assert got.split(b" ", 2)[1] in {b"400", b"421"}


def test_a_slow_head_is_closed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.5)
    for begun in ("", "GET / HT", head(served, "X-A: b")):
        start = time.monotonic()
        assert b"still open" not in talk(served, begun, 15)
        assert time.monotonic() - start < 14


def test_a_slow_body_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "BODY_SECONDS", 0.5)
    visitor = served.browser()
    visitor.get("/")
    cookie = "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())
    asked = head(
        served, f"Cookie: {cookie}", f"Origin: {served.url}", "Content-Length: 1000",
        "Content-Type: application/x-www-form-urlencoded", first="POST /verify HTTP/1.1",
    )  # fmt: skip
    got = talk(served, asked + "\r\nform_token=", 30)
    assert got.startswith(b"HTTP/1.1 408")


def test_dawdlers_keep_nobody_out(served: Served) -> None:
    host, _, port = served.url.removeprefix("http://").partition(":")
    slow = [socket.create_connection((host, int(port)), timeout=20) for _ in range(100)]
    try:
        for each in slow:
            each.sendall(b"GET / HTTP/1.1\r\nX-A: ")
        assert served.browser().get("/healthz").status == 200
    finally:
        for each in slow:
            each.close()


def test_a_body_of_unknown_size_is_refused(served: Served) -> None:
    lines = ("Transfer-Encoding: chunked", "Connection: close")
    got = talk(served, head(served, *lines, first="POST /verify HTTP/1.1") + "\r\n0\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 413")


def test_a_form_of_endless_fields_is_refused(served: Served) -> None:
    form = {f"f{n}": "x" for n in range(1_000)}
    assert served.browser().send("/verify", form).status == 422


def test_a_copied_cookie_ends_with_the_visit(desk: Served) -> None:
    visitor = desk.browser(ANA)
    thief = Browser(desk.url, cookies=dict(visitor.cookies))
    assert thief.get("/").status == 200
    visitor.send("/reviews", {})
    token = visitor.form_token("/")
    assert visitor.post("/logout", {"form_token": token}).status == 303
    assert thief.get("/").status == 303


def test_signing_in_gives_another_cookie(desk: Served) -> None:
    visitor = desk.browser()
    visitor.get("/login")
    planted = dict(visitor.cookies)
    assert visitor.sign_in(ANA).status == 303
    assert visitor.cookies != planted
    assert Browser(desk.url, cookies=planted).get("/").status == 303


def test_cookies_and_answers_are_kept_close(root: Path) -> None:
    record(root, good())
    with serving(root, tokens=tokens(), public_url="https://audits.example") as desk:
        visitor = Browser(desk.url, host="audits.example")
        answer = visitor.get("/login")
        for flag in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/"):
            assert flag in answer.headers["set-cookie"]
        assert answer.headers["cache-control"] == "no-store"
        assert "max-age" in answer.headers["strict-transport-security"]


SECRET = {"X-Audit-Flow-Proxy-Secret": "s" * 32}


def test_an_identity_is_believed_from_the_proxy_alone(root: Path) -> None:
    root.mkdir(parents=True)
    name = {"X-Forwarded-User": "ana@example.org"}
    elsewhere = Proxy("X-Forwarded-User", "s" * 32, (ipaddress.ip_network("192.0.2.0/24"),))
    here = Proxy("X-Forwarded-User", "s" * 32, (ipaddress.ip_network("127.0.0.0/8"),))
    with serving(root, proxy=elsewhere) as desk:
        assert Browser(desk.url).ask("GET", "/", headers={**name, **SECRET}).status == 303
    with serving(root, proxy=here) as desk:
        assert Browser(desk.url).ask("GET", "/", headers={**name, **SECRET}).status == 200
        twice = ("X-Forwarded-User: eve@example.org", "X-Forwarded-User: ana@example.org",
                 f"X-Audit-Flow-Proxy-Secret: {'s' * 32}", "Connection: close")  # fmt: skip
        assert talk(desk, head(desk, *twice) + "\r\n").startswith(b"HTTP/1.1 303")


def fact(path: str, data: bytes) -> Evidence:
    sha = hashlib.sha256(data).hexdigest()
    return FileFact(
        id="f", source=path, sha256=sha, trust=Trust.RECOMPUTED, size=len(data)
    )  # fmt: skip


def test_only_the_very_file_that_was_audited_is_handed_out(tmp_path: Path) -> None:
    folder, secret = tmp_path / "release", tmp_path / "secret"
    folder.mkdir()
    secret.write_bytes(b"secret")
    (folder / "a.json").write_bytes(b"{}")
    (folder / "link").symlink_to(secret)
    assert raw_file.raw_bytes(folder, fact("a.json", b"{}")) == b"{}"
    outside = ("../secret", str(secret), "link", "a.json/../../secret", "~/x", "\0", "a" * 4_000)
    for path in outside:
        with pytest.raises(AuditFlowError):
            raw_file.raw_bytes(folder, fact(path, b"secret"))
    (folder / "a.json").write_bytes(b"[]")
    with pytest.raises(AuditFlowError, match="another one"):
        raw_file.raw_bytes(folder, fact("a.json", b"{}"))


def test_a_raw_file_is_no_page(tmp_path: Path) -> None:
    answer = raw_file.attached(b"<script>", 'x/"a\r\n.html')
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "\r" not in answer.headers["content-disposition"]
    assert answer.media_type == "application/octet-stream"


@pytest.mark.slow
def test_many_reviewers_at_two_dashboards_lose_no_word(root: Path) -> None:
    record(root, good())
    with serving(root, tokens=tokens()) as one, serving(root, tokens=tokens()) as two:
        key = key_of(one)
        problems: list[str] = []
        threads = [
            threading.Thread(target=insists, args=(desk, token, key, problems))
            for desk in (one, two)
            for token in (ANA, EVA, ANA)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        entries = [entry for _, entry in one.site.library.reviews()]
        assert sorted(e.number for e in entries) == list(range(1, len(threads) + 1))


def insists(desk: Served, token: str, key: str, problems: list[str]) -> None:
    """Decide; whoever is overtaken reads the other's review and decides again."""
    visitor = desk.browser(token)
    for _ in range(60):
        status = visitor.post(f"/audits/{key}/review", form_of(visitor, key)).status
        if status == 303:
            return
        if status != 409:
            problems.append(f"status {status}")
            return
    problems.append("never came through")
