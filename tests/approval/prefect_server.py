"""A few lines of HTTP that answer as Prefect's API does, on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from audit_flow.approval.waiting import TAG

RUN = "11111111-2222-3333-4444-555555555555"


class FakePrefect:
    """What the server holds and was asked."""

    def __init__(self, record: str = "0" * 64) -> None:
        self.status, self.answer = 200, "ACCEPT"
        self.asked: list[tuple[str, Any, str | None]] = []
        self.raw: bytes | None = None
        self.rows: list[dict[str, Any]] = [
            {"id": RUN, "name": "wise-owl", "state_type": "PAUSED", "state_name": "Suspended",
             "start_time": "2026-01-01T00:00:00Z", "tags": ["x", TAG + record]},
            {"id": RUN[::-1], "name": "busy-bee", "state_type": "RUNNING", "tags": []},
        ]  # fmt: skip

    def reply(self, path: str) -> bytes:
        if self.raw is not None:
            return self.raw
        resume = path.endswith("/resume")
        return json.dumps({"status": self.answer} if resume else self.rows).encode()


@contextmanager
def serving(prefect: FakePrefect) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            prefect.asked.append((self.path, json.loads(body), self.headers["Authorization"]))
            data = prefect.reply(self.path)
            self.send_response(prefect.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
