"""Running the dashboard on one address until it is stopped."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from audit_flow.dashboard.settings import Settings
from audit_flow.errors import InputError

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Config


def serve(settings: Settings) -> None:
    """Serve until interrupted; raises InputError for an address that can't be taken."""
    import uvicorn

    from audit_flow.dashboard.app import make_app, make_site

    server = uvicorn.Server(configured(make_app(make_site(settings.check()))))
    with bound(settings.host, settings.port) as listening:
        server.run(sockets=[listening])


def configured(app: ASGIApp) -> Config:
    """Return how an application is served: quietly, bounded, believing no proxy's headers."""
    import uvicorn

    from audit_flow.dashboard.patience import Patient

    return uvicorn.Config(
        app,
        http=Patient,
        log_level="warning",
        access_log=False,
        server_header=False,
        # A proxy's word on addresses and schemes is not needed, so it is not listened to.
        proxy_headers=False,
        h11_max_incomplete_event_size=64 * 1024,
        limit_concurrency=200,
        timeout_keep_alive=10,
        ws="none",
    )


def bound(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises InputError where the address is taken or not ours."""
    name = host.strip("[]")
    try:
        family = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((name, port))
    except OSError as error:
        raise InputError(
            f"can't listen on {host}:{port}: {error.strerror}",
            expected="a free port of this machine",
            remedy="Choose another with --port",
        ) from error
    return listening
