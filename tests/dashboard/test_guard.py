"""Who may come in, from where, and what every answer carries."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from audit_flow.dashboard.identity import Proxy, Sessions, Visitor, new_token, read_tokens
from audit_flow.dashboard.settings import Root, Settings
from audit_flow.errors import InputError
from tests.dashboard.served import ANA, Browser, Served, serving, tokens

PAGES = ("/", "/login", "/static/dashboard.css", "/nope", "/api/v1/audits", "/api/v1/nope")


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_is_fenced_in(served: Served, path: str) -> None:
    headers = served.browser().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:1", ""])
def test_another_host_name_is_not_answered(served: Served, host: str) -> None:
    visitor = Browser(served.url, host=host or "x")
    assert visitor.get("/").status == 421


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(served: Served, method: str) -> None:
    assert served.browser().ask(method, "/").status == 405


def test_a_large_request_is_refused(served: Served) -> None:
    answer = served.browser().post("/verify", {"repository": "x" * 3_000_000})
    assert answer.status == 413


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}],
)
def test_a_form_of_another_site_is_refused(served: Served, headers: dict[str, str]) -> None:
    visitor = served.browser()
    token = visitor.form_token("/verify")
    answer = visitor.post("/verify", {"form_token": token, "repository": "a/b"}, **headers)
    assert answer.status == 403
    assert served.site.verifier.jobs == ()


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_its_token_is_refused(served: Served, token: str) -> None:
    answer = served.browser().post("/verify", {"form_token": token, "repository": "a/b"})
    assert answer.status == 422
    assert served.site.verifier.jobs == ()


def test_a_form_token_of_another_visitor_is_refused(served: Served) -> None:
    stolen = served.browser().form_token("/verify")
    visitor = served.browser()
    visitor.get("/")
    assert visitor.post("/verify", {"form_token": stolen, "repository": "a/b"}).status == 422


@pytest.mark.parametrize("path", ["/", "/reviews", "/releases.csv", "/compare", "/verify"])
def test_nobody_reads_without_a_name_where_names_are_asked_for(desk: Served, path: str) -> None:
    answer = desk.browser().get(path)
    to = "/login" if path == "/" else f"/login?next=%2F{path[1:]}"
    assert (answer.status, answer.headers["location"]) == (303, to)
    assert desk.browser(ANA).get(path).status == 200


def test_programs_need_their_token(desk: Served) -> None:
    assert Browser(desk.url).get("/api/v1/audits").status == 401
    assert desk.program("wrong").get("/api/v1/audits").status == 401
    assert desk.program(ANA).get("/api/v1/audits").status == 200


def test_a_wrong_token_does_not_sign_in(desk: Served) -> None:
    visitor = desk.browser()
    assert visitor.sign_in("wrong").status == 403
    assert visitor.get("/").status == 303


def test_signing_out_is_forgetting(desk: Served) -> None:
    visitor = desk.browser(ANA)
    assert "ana@example.org" in visitor.get("/").text
    assert visitor.send("/", {}).status == 405
    token = visitor.form_token("/")
    assert visitor.post("/logout", {"form_token": token}).status == 303
    assert visitor.get("/").status == 303


def test_a_cookie_is_kept_from_scripts(desk: Served) -> None:
    cookie = desk.browser().get("/login").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_proxy_names_visitors_only_with_its_secret(root: Path) -> None:
    root.mkdir(parents=True)
    proxy = Proxy("X-Forwarded-User", "s" * 32)
    with serving(root, proxy=proxy) as running:
        named = {"X-Forwarded-User": "ana@example.org"}
        visitor = Browser(running.url)
        assert visitor.ask("GET", "/", headers=named).status == 303
        wrong = {**named, "X-Audit-Flow-Proxy-Secret": "t" * 32}
        assert visitor.ask("GET", "/", headers=wrong).status == 303
        right = {**named, "X-Audit-Flow-Proxy-Secret": "s" * 32}
        answer = visitor.ask("GET", "/", headers=right)
        assert answer.status == 200
        assert "ana@example.org" in answer.text
        unnamed = {"X-Forwarded-User": "<b>", "X-Audit-Flow-Proxy-Secret": "s" * 32}
        assert visitor.ask("GET", "/", headers=unnamed).status == 303


@pytest.mark.parametrize(
    "changes",
    [{"host": "0.0.0.0"}, {"host": "192.0.2.1"}, {"host": "0.0.0.0", "tokens": tokens()},
     {"public_url": "https://x/path"}, {"public_url": "javascript:alert(1)"}, {"roots": ()}],
)  # fmt: skip
def test_what_would_be_open_to_everybody_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Settings(**{"roots": (Root(Path("x")),), **changes}).check()  # type: ignore[arg-type]


def test_a_public_dashboard_has_names_and_https() -> None:
    settings = Settings(
        (Root(Path("x")),), host="0.0.0.0", tokens=tokens(), public_url="https://audits.example"
    ).check()
    assert settings.is_https
    assert settings.hosts == {"audits.example"}


def test_a_token_is_kept_as_its_digest_only(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    token = new_token("ana@example.org", path)
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    (known,) = read_tokens(path)
    assert known.name == "ana@example.org"
    assert known.sha256 == hashlib.sha256(token.encode()).hexdigest()


@pytest.mark.parametrize(
    "text", ["", "ana", "ana sha256:xyz", "sha256:" + "0" * 64, f"<b>x sha256:{'0' * 64}"]
)
def test_a_file_of_no_tokens_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(InputError):
        read_tokens(path)


def test_a_cookie_can_not_be_made_up() -> None:
    sessions = Sessions(b"k" * 32)
    cookie = sessions.cookie(Visitor("n", "ana", "session"))
    assert sessions.visitor(cookie) == Visitor("n", "ana", "session")
    body, _, mac = cookie.partition(".")
    for forged in (body + "." + "0" * 64, "x" + cookie, body, "", f"{body}.{mac}0", "é.é"):
        assert sessions.visitor(forged) is None
    assert Sessions(b"j" * 32).visitor(cookie) is None
