"""Bounded HTTP: every size, time, retry and redirect has an end, and the token has one host."""

from __future__ import annotations

import ipaddress
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from audit_flow import __version__
from audit_flow.errors import EvidenceError
from audit_flow.sources import json_text
from audit_flow.sources.hub.address import AddressRule, pool_classes, reach_of
from audit_flow.sources.hub.watchdog import Watchdog

T = TypeVar("T")

MIB = 1024 * 1024
MAX_JSON = 32 * MIB
MAX_HEADERS = 64 * 1024
MAX_HOPS = 5
MAX_WAIT = 30.0
MIN_MOVED = 64 * 1024
# So many requests without an answer, each tried again and again, and the Hub is left alone.
MAX_SILENT = 4
_CHUNK = MIB
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NoAnswer(EvidenceError):
    """The Hub could not be asked: no connection, no whole answer, or none in time."""


class ServedOtherwise(EvidenceError):
    """What was served is not what the listing says."""


class Refused(EvidenceError):
    """The Hub answered with an error; ``status`` is HTTP's, ``code`` the Hub's own word for it."""

    def __init__(self, status: int, code: str, message: str, where: str) -> None:
        words = f"{code or 'status'} {status}: {message}" if message else f"{code} {status}".strip()
        super().__init__(words, expected="200", where=where)
        self.status = status
        self.code = code


class TryAgain(Exception):
    """This attempt failed in a way that the next may not; ``wait`` is in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Reply:
    """An answer with its body; ``hops`` are the headers of each answer on the way, first first."""

    status: int
    body: bytes
    url: str
    hops: tuple[Mapping[str, str], ...]

    def header(self, name: str) -> str | None:
        """Return a header of the first answer that has it: the Hub's own come before a mirror's."""
        return next((h[name] for h in self.hops if name in h), None)

    @property
    def last(self) -> Mapping[str, str]:
        """The headers of the answer that the body came with."""
        return self.hops[-1]


@dataclass(frozen=True)
class Stream:
    """An answer whose body is still to be read, in pieces."""

    status: int
    url: str
    hops: tuple[Mapping[str, str], ...]
    pieces: Iterator[bytes]


@dataclass(frozen=True)
class Limits:
    """``tries`` counts the first; ``pause``, ``answer`` and ``body`` are in seconds."""

    tries: int = 5
    pause: float = 0.25
    answer: float = 30.0
    body: float = 60.0
    threads: int = 32


class HubHttp:
    """Asks one Hub, and the hosts that it sends us to.

    The token goes to the endpoint's own scheme, host and port alone, and not even there once a
    redirect has left it. Counts ``requests`` and ``received`` body bytes.
    """

    def __init__(
        self,
        endpoint: str,
        token: str | None = None,
        *,
        limits: Limits | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint
        self.limits = limits or Limits()
        self.requests = 0
        self.received = 0
        self._token = token
        self._sleep = sleep
        self._silent = 0
        self._lock = threading.Lock()
        self._watchdog = Watchdog()
        self._rule = AddressRule()
        self._own = self._manager(self._rule.learn)
        self._other = self._manager(self._rule.check)
        self._proxies: dict[str, Any] = {}

    @property
    def anonymous(self) -> bool:
        """Whether no token is sent."""
        return self._token is None

    def close(self) -> None:
        """Close every connection."""
        for manager in (self._own, self._other, *self._proxies.values()):
            manager.clear()

    def json(self, url: str, limit: int = MAX_JSON) -> tuple[Any, Reply]:
        """Return a JSON document and its answer; EvidenceError for what is none."""
        reply = self.read(url, limit)
        return json_text.parse(reply.body, self.where(url)), reply

    def read(
        self, url: str, limit: int, headers: Mapping[str, str] | None = None, *, own: bool = True
    ) -> Reply:
        """Return an answer of at most ``limit`` bytes, tried again where that can help.

        ``own`` is False for an address that the Hub gave: no token goes there. Raises Refused,
        NoAnswer, or EvidenceError for an answer that breaks a bound.
        """

        def once() -> Reply:
            with self._open(url, headers, own) as stream:
                body = _joined(stream.pieces, limit)
                return Reply(stream.status, body, stream.url, stream.hops)

        return self.attempts(url, once)

    @contextmanager
    def stream(
        self, url: str, headers: Mapping[str, str] | None = None, *, own: bool = True
    ) -> Iterator[Stream]:
        """Open one answer and read it in pieces; the caller wraps it in ``attempts``."""
        with self._open(url, headers, own, seconds=None) as stream:
            yield stream

    def attempts(self, url: str, once: Callable[[], T]) -> T:
        """Do something up to ``limits.tries`` times, with growing pauses; NoAnswer at the end."""
        reason = ""
        if self._silent >= MAX_SILENT:
            raise NoAnswer("given up after too many requests without an answer",
                           expected="an answer", where=self.where(url))  # fmt: skip
        for number in range(self.limits.tries):
            try:
                return once()
            except TryAgain as again:
                reason, wait = str(again), again.wait
            except urllib3.exceptions.HTTPError as error:
                reason, wait = _in_words(error), None
                if isinstance(error, urllib3.exceptions.SSLError):
                    break
            if number + 1 < self.limits.tries:
                backoff = self.limits.pause * 2**number
                self._sleep(min(wait if wait is not None else backoff, MAX_WAIT))
        with self._lock:
            self._silent += 1
        raise NoAnswer(
            f"no usable answer after {number + 1} attempts: {reason}",
            expected="an answer", where=self.where(url), remedy="Try again later",
        )  # fmt: skip

    def where(self, url: str) -> str:
        """Return an address as messages show it: without the signature that a query may hold."""
        return url.partition("?")[0][:300]

    def is_own(self, url: str) -> bool:
        """Say whether an address is on the endpoint's own scheme, host and port."""
        return _origin(url) == _origin(self.endpoint)

    @contextmanager
    def _open(
        self,
        url: str,
        headers: Mapping[str, str] | None,
        own: bool,
        seconds: float | None = 0,
    ) -> Iterator[Stream]:
        hops: list[Mapping[str, str]] = []
        own = own and self.is_own(url)
        while True:
            response = self._ask(url, headers or {}, own)
            try:
                hops.append(_bounded_headers(response, self.where(url)))
                if response.status not in _REDIRECTS:
                    _usable(response, self.where(url))
                    limit = self.limits.body if seconds == 0 else seconds
                    yield Stream(response.status, url, tuple(hops), self._pieces(response, limit))
                    return
                if len(hops) > MAX_HOPS:
                    raise EvidenceError("redirects without end", where=self.where(url))
                following = self.redirected(url, hops[-1].get("location", ""))
            finally:
                # A body that was not read to its end closes the connection; others are kept.
                response.release_conn() if _is_read(response) else response.close()
            own, url = own and self.is_own(following), following

    def _ask(self, url: str, headers: Mapping[str, str], own: bool) -> Any:
        sent = {
            "user-agent": f"audit-flow/{__version__}", "accept-encoding": "identity", **headers
        }  # fmt: skip
        if own and self._token:
            sent["authorization"] = f"Bearer {self._token}"
        with self._lock:
            self.requests += 1
        return self._manager_of(url, self.is_own(url)).request(
            "GET", url, headers=sent, preload_content=False, decode_content=False, redirect=False,
            retries=False,
        )  # fmt: skip

    def _pieces(self, response: Any, seconds: float | None) -> Iterator[bytes]:
        expected, total, mark = _length(response), 0, 0
        start = time.monotonic()
        sock = getattr(response._original_response, "watched", None)
        while True:
            if seconds is None and total - mark >= MIN_MOVED:
                # A stream has no end in time as long as it moves.
                start, mark = time.monotonic(), total
            left = start + (self.limits.body if seconds is None else seconds) - time.monotonic()
            if left <= 0:
                raise TryAgain("the answer is too slow")
            with self._watchdog.limit(sock, left):
                piece = response.read1(_CHUNK)
            if not piece:
                break
            total += len(piece)
            with self._lock:
                self.received += len(piece)
            yield piece
        if expected is not None and total != expected:
            raise TryAgain(f"the answer ends after {total} of {expected} bytes")

    def redirected(self, url: str, location: str) -> str:
        """Return the address that a redirect leads to; EvidenceError where it may not be asked."""
        following = joined(url, location)
        parts = urlsplit(following) if following else None
        allowed = {"https", urlsplit(self.endpoint).scheme}
        sound = parts and parts.scheme in allowed and not (parts.username or parts.password)
        if following is None or parts is None or not sound or not parts.hostname:
            raise EvidenceError(
                f"a redirect to {self.where(following or location)!r}",
                expected=f"an address of {' or '.join(sorted(allowed))}", where=self.where(url),
            )  # fmt: skip
        if not self.is_own(following):
            _check_literal(parts.hostname, self.where(url))
        return following

    def _manager(self, guard: Callable[[str], None]) -> Any:
        manager = urllib3.PoolManager(**self._settings())
        manager.pool_classes_by_scheme = pool_classes(guard, self._watchdog, self.limits.answer)
        return manager

    def _manager_of(self, url: str, own: bool) -> Any:
        parts = urlsplit(url)
        proxy = getproxies().get(parts.scheme)
        if not proxy or proxy_bypass(parts.hostname or ""):
            return self._own if own else self._other
        with self._lock:
            if proxy not in self._proxies:
                self._proxies[proxy] = urllib3.ProxyManager(proxy, **self._settings())
            return self._proxies[proxy]

    def _settings(self) -> dict[str, Any]:
        timeout = urllib3.Timeout(connect=10.0, read=self.limits.answer)
        settings = {"num_pools": 16, "maxsize": self.limits.threads, "timeout": timeout}
        # Reading the machine's certificates takes longer than asking a Hub on this machine.
        secure = urlsplit(self.endpoint).scheme == "https"
        return settings | ({"ssl_context": _tls()} if secure else {})


def joined(url: str, reference: str) -> str | None:
    """Return an address that another one refers to; None for what is no address."""
    try:
        # "//" alone names no host, and is taken for the same address again.
        following = urljoin(url, reference) if reference.strip("/") else ""
        # A port above 65535 is only seen when it is asked for.
        _origin(following)
    except ValueError:
        return None
    return following if following.isascii() and following.isprintable() else None


def _check_literal(host: str, where: str) -> None:
    """Refuse a bare address in a private network: storage beside a private Hub has a name."""
    with suppress(ValueError):
        reach = reach_of(str(ipaddress.ip_address(host)))
        if reach != "public":
            raise EvidenceError(f"a redirect to the {reach} address {host}", where=where,
                                expected="a host with a name")  # fmt: skip


@cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    with suppress(ImportError, OSError):
        import certifi

        # Beside the machine's own store, which small images do not have.
        context.load_verify_locations(certifi.where())
    return context


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _bounded_headers(response: Any, where: str) -> Mapping[str, str]:
    headers = {str(k).lower(): str(v) for k, v in response.headers.items()}
    size = sum(len(k) + len(v) for k, v in headers.items())
    if size > MAX_HEADERS:
        raise EvidenceError(
            f"{size} bytes of headers", expected=f"at most {MAX_HEADERS}", where=where
        )
    return headers


def _usable(response: Any, where: str) -> None:
    status = response.status
    if status in _RETRIED:
        raise TryAgain(f"status {status}", _retry_after(response.headers.get("retry-after")))
    if status not in {200, 206}:
        detail = response.headers.get("x-error-message") or ""
        code = response.headers.get("x-error-code") or ""
        raise Refused(status, code[:80], detail[:300], where)
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise EvidenceError(f"a body in {encoding[:40]}", expected="plain bytes", where=where)


def _retry_after(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else None


def _length(response: Any) -> int | None:
    text = response.headers.get("content-length")
    return int(text) if text and text.isascii() and text.isdigit() else None


def _is_read(response: Any) -> bool:
    inner = response._original_response
    return inner is None or bool(inner.isclosed())


def _joined(pieces: Iterator[bytes], limit: int) -> bytes:
    found: list[bytes] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise EvidenceError("the answer is too large", expected=f"at most {limit} bytes")
        found.append(piece)
    return b"".join(found)


def _in_words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:300]
