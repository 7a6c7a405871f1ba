"""Who a visitor is: bearer tokens, a trusted proxy's word, sessions, and tokens against forgery."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from audit_flow.errors import InputError

if TYPE_CHECKING:
    from starlette.datastructures import Headers

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
COOKIE: Final = "audit_flow_visit"
SESSION_SECONDS: Final = 12 * 3600
PROXY_SECRET: Final = "x-audit-flow-proxy-secret"  # noqa: S105 - a header's name
_LINE = re.compile(r"(?P<name>\S[^\t]{0,199}?)\s+sha256:(?P<digest>[0-9a-f]{64})")
_NAME = re.compile(r"[\w.@+ -]{2,200}")


@dataclass(frozen=True)
class Token:
    """A visitor's name and the SHA-256 of the token that proves it; the token is kept nowhere."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Proxy:
    """A reverse proxy that names the visitor in a header and proves itself by a shared secret.

    ``networks`` are the only addresses that it asks from; none: any, the secret decides.
    """

    header: str
    secret: str
    networks: tuple[Network, ...] = ()

    def may_be(self, client: str) -> bool:
        """Say whether the proxy asks from this address."""
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return not self.networks
        return not self.networks or any(address in network for network in self.networks)


@dataclass(frozen=True)
class Visitor:
    """One visitor: ``name`` is None for one who is not known; ``nonce`` is his browser's.

    ``by`` says how he is known: by a bearer token in the request itself, or by what a browser
    sends by itself (session, proxy) and that another site could make it send.
    """

    nonce: str
    name: str | None = None
    by: str = ""

    @property
    def is_bearer(self) -> bool:
        """Whether the request itself carries a token, which no other site could add."""
        return self.by == "bearer"


def read_tokens(path: Path) -> tuple[Token, ...]:
    """Read lines of ``NAME sha256:HEX``; raises InputError with the line."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the tokens in {path} can't be read", expected="a text file") from error
    found = [
        _token(line, f"{path}:{number}")
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("#")
    ]
    if not found:
        raise InputError(f"no token in {path}", expected="at least one line NAME sha256:HEX")
    return tuple(found)


def new_token(name: str, path: Path) -> str:
    """Append a new token's digest to a file that only its owner reads; return the token, once."""
    if not _NAME.fullmatch(name):
        raise InputError(f"the name {name[:100]!r}", expected="2 to 200 letters, digits or . @ + -")
    token = secrets.token_urlsafe(32)
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"{name} sha256:{hashlib.sha256(token.encode()).hexdigest()}\n")
    return token


def by_token(token: str, known: tuple[Token, ...]) -> str | None:
    """Return whose token this is; every known one is compared, so that time tells nothing."""
    given = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
    names = [t.name for t in known if hmac.compare_digest(t.sha256, given)]
    return names[0] if names else None


def by_proxy(headers: Headers, proxy: Proxy | None, client: str) -> str | None:
    """Return whom the proxy names, where the request came through it, from the address ``client``.

    A header that is there twice was not set by the proxy alone: it names nobody.
    """
    if proxy is None or not proxy.may_be(client):
        return None
    secrets_given, names = headers.getlist(PROXY_SECRET), headers.getlist(proxy.header)
    if len(secrets_given) != 1 or len(names) != 1:
        return None
    given = secrets_given[0].encode("latin-1", "replace")
    proven = hmac.compare_digest(given, proxy.secret.encode())
    name = names[0].strip()
    return name if proven and _NAME.fullmatch(name) else None


class Sessions:
    """Signed cookies and signed form tokens; the key lives as long as the process."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        # Visits that were ended before their time, with the time that they would have ended at.
        self._ended: dict[str, float] = {}

    def end(self, visitor: Visitor) -> None:
        """End a visit: a copy of its cookie is worth nothing any more."""
        now = time.time()
        self._ended = {nonce: until for nonce, until in self._ended.items() if until > now}
        self._ended[visitor.nonce] = now + SESSION_SECONDS

    def fresh(self, name: str | None = None) -> Visitor:
        """Return a visitor with a new nonce."""
        return Visitor(secrets.token_urlsafe(18), name, "session" if name else "")

    def cookie(self, visitor: Visitor) -> str:
        """Return the cookie's value: who, until when, signed."""
        until = int(time.time()) + SESSION_SECONDS
        content = {"nonce": visitor.nonce, "name": visitor.name, "until": until}
        body = base64.urlsafe_b64encode(json.dumps(content).encode()).decode()
        return f"{body}.{self._mac('visit', body)}"

    def visitor(self, cookie: str) -> Visitor | None:
        """Return who a cookie says it is, or None where it is not ours or has run out."""
        body, _, mac = cookie.partition(".")
        if len(cookie) > 4_000 or not _equal(mac, self._mac("visit", body)):
            return None
        content = json.loads(base64.urlsafe_b64decode(body))
        if content["until"] < time.time() or content["nonce"] in self._ended:
            return None
        name = content["name"]
        return Visitor(content["nonce"], name, "session" if name else "")

    def form_token(self, visitor: Visitor) -> str:
        """Return the token that a form of this visitor must carry."""
        return self._mac("form", f"{visitor.nonce}|{visitor.name or ''}")

    def is_form_token(self, visitor: Visitor, given: str) -> bool:
        """Say whether a form was made for this visitor."""
        return _equal(given, self.form_token(visitor))

    def _mac(self, use: str, text: str) -> str:
        return hmac.new(self._key, f"{use}:{text}".encode(), hashlib.sha256).hexdigest()


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _token(line: str, where: str) -> Token:
    match = _LINE.fullmatch(line.strip())
    if match is None or not _NAME.fullmatch(match["name"]):
        raise InputError(
            "a line that names no token", expected="NAME sha256:HEX", where=where,
            remedy="Make one with: audit-flow dashboard --new-token NAME --tokens FILE",
        )  # fmt: skip
    return Token(match["name"], match["digest"])
