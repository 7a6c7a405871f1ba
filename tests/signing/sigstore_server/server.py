"""The private Sigstore over HTTP on loopback: routes to the services, and their faults."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509

from .encoding import pem
from .faults import Faults, HttpFault, Service
from .identity import AUDIENCE, TokenRefused
from .rekor import EntryRefused

if TYPE_CHECKING:
    from .sigstore import PrivateSigstore

JSON = "application/json"
MAX_BODY = 1 << 20
DRIP = 16
_CLOSING = {
    HttpFault.OUTAGE, HttpFault.TRUNCATED, HttpFault.STALLED, HttpFault.UNANSWERED,
}  # fmt: skip


class Answer(Exception):
    """An answer that ends the routing: status, kind and body."""

    def __init__(self, status: int, body: bytes, kind: str = JSON) -> None:
        super().__init__(status)
        self.status, self.body, self.kind = status, body, kind


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def refusal(status: int, message: str) -> Answer:
    return as_json({"code": status, "message": message}, status)


def service_of(path: str) -> Service | None:
    first = path.lstrip("/").split("/", maxsplit=1)[0]
    return Service(first) if first in set(Service) else None


class Router:
    """Answers requests from the services of one private Sigstore."""

    def __init__(self, sigstore: PrivateSigstore) -> None:
        self.sigstore = sigstore
        self._routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/oidc/.well-known/openid-configuration"): self._discovery,
            ("GET", "/oidc/keys"): self._keys,
            ("GET", "/oidc/ambient"): self._ambient,
            ("POST", "/api/v2/signingCert"): self._certificate,
            ("GET", "/api/v2/trustBundle"): self._trust_bundle,
            ("POST", "/rekor1/api/v1/log/entries"): self._rekor_v1,
            ("POST", "/rekor2/api/v2/log/entries"): self._rekor_v2,
            ("POST", "/tsa/api/v1/timestamp"): self._timestamp,
        }

    def answer(self, request: Request) -> Answer:
        route = self._routes.get((request.method, request.path))
        if route is None:
            return self._tuf(request)
        try:
            return route(request)
        except TokenRefused as error:
            return refusal(401, str(error))
        except (EntryRefused, ValueError, KeyError, TypeError) as error:
            return refusal(400, f"{type(error).__name__}: {error}")

    def _discovery(self, request: Request) -> Answer:
        return as_json(self.sigstore.issuer.discovery())

    def _keys(self, request: Request) -> Answer:
        return as_json(self.sigstore.issuer.key_set())

    def _ambient(self, request: Request) -> Answer:
        """GitHub's endpoint behind ACTIONS_ID_TOKEN_REQUEST_URL."""
        issuer = self.sigstore.issuer
        if request.bearer != issuer.runner_secret or request.query.get("audience") != [AUDIENCE]:
            raise TokenRefused("the runner's secret or the audience is not the expected one")
        return as_json({"value": issuer.workflow_token()})

    def _certificate(self, request: Request) -> Answer:
        claims = self.sigstore.issuer.claims_of(request.bearer)
        text = base64.b64decode(request.json()["certificateSigningRequest"])
        wanted = x509.load_pem_x509_csr(text)
        if not wanted.is_signature_valid:
            return refusal(400, "the certificate request is not signed by its key")
        chain = self.sigstore.fulcio.certify(wanted.public_key(), claims)
        texts = {"certificates": [pem(item) for item in chain]}
        return as_json({"signedCertificateEmbeddedSct": {"chain": texts}}, 201)

    def _trust_bundle(self, request: Request) -> Answer:
        chain = [pem(item) for item in self.sigstore.fulcio.authority.chain]
        return as_json({"chains": [{"certificates": chain}]})

    def _rekor_v1(self, request: Request) -> Answer:
        return as_json(self.sigstore.rekor_v1.submit(request.json()), 201)

    def _rekor_v2(self, request: Request) -> Answer:
        return as_json(self.sigstore.rekor_v2.submit(request.json()), 201)

    def _timestamp(self, request: Request) -> Answer:
        body = self.sigstore.tsa.answer(request.body)
        return Answer(201, body, "application/timestamp-reply")

    def _tuf(self, request: Request) -> Answer:
        found = self.sigstore.tuf.get(request.path.removeprefix("/tuf/"))
        if request.method != "GET" or not request.path.startswith("/tuf/") or found is None:
            return refusal(404, f"nothing at {request.path}")
        return Answer(200, found, "application/octet-stream")


class Request:
    """One request, read in full."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        size = int(handler.headers.get("Content-Length") or 0)
        self.method, self.path = handler.command, parts.path
        self.query = parse_qs(parts.query)
        self.body = handler.rfile.read(min(size, MAX_BODY))
        scheme, _, value = (handler.headers.get("Authorization") or "").partition(" ")
        self.bearer = value if scheme.lower() == "bearer" else ""

    def json(self) -> dict[str, Any]:
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise TypeError("a JSON object is expected")
        return value


def serve(sigstore: PrivateSigstore) -> ThreadingHTTPServer:
    """Starts the server on a free port of loopback; `shutdown` and `server_close` end it."""
    router = Router(sigstore)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keeps the test's output clean; `requests` holds what was asked."""

        def do_GET(self) -> None:
            request = Request(self)
            sigstore.requests.append((request.method, request.path))
            service = service_of(request.path)
            fault = sigstore.faults.meet(service)
            deliver(self, router, request, fault, sigstore.faults)

        do_POST = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    return server


def deliver(
    handler: BaseHTTPRequestHandler,
    router: Router,
    request: Request,
    fault: HttpFault | None,
    faults: Faults,
) -> None:
    """Sends the answer as the fault in force lets it through."""
    if fault in _CLOSING:
        handler.close_connection = True
    if fault is HttpFault.STALLED:
        time.sleep(faults.stalled_seconds)
        return
    if fault is HttpFault.OUTAGE:
        return
    answer = _answer_under(fault, router, request)
    if fault is HttpFault.UNANSWERED:
        return
    handler.send_response(answer.status)
    handler.send_header("Content-Type", answer.kind)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    _send_body(handler, answer.body, fault, faults.slow_seconds)


def _answer_under(fault: HttpFault | None, router: Router, request: Request) -> Answer:
    if fault is HttpFault.SERVER_ERROR:
        return refusal(503, "the service is down for maintenance")
    answer = router.answer(request)
    if fault is HttpFault.MALFORMED:
        return Answer(answer.status, b"<html>proxy error</html>", answer.kind)
    return answer


def _send_body(
    handler: BaseHTTPRequestHandler, body: bytes, fault: HttpFault | None, pause: float
) -> None:
    if fault is HttpFault.TRUNCATED:
        handler.wfile.write(body[: len(body) // 2])
        return
    if fault is not HttpFault.SLOW_DRIP:
        handler.wfile.write(body)
        return
    for start in range(0, len(body), DRIP):
        handler.wfile.write(body[start : start + DRIP])
        handler.wfile.flush()
        time.sleep(pause)
