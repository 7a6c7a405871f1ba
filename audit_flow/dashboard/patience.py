"""How long a request may take to arrive: visitors who dawdle hold no place of others."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import h11
from starlette.types import Message, Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 30.0


class TooSlow(Exception):
    """The body of a request did not arrive in time."""


class Patient(H11Protocol):
    """Closes a connection whose request line and headers are not whole in time.

    uvicorn itself waits for ever for a request that was begun; keeping alive has its own time.
    """

    _closing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for a first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take what has come; once the headers are whole, the wait is over."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the wait."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._closing is None:
            self._closing = self.loop.call_later(HEAD_SECONDS, self._close)

    def _stop_waiting(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def _close(self) -> None:
        self._closing = None
        # An answer under way, or the time between two requests, is not a request that dawdles.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def in_time(receive: Receive) -> Receive:
    """Return a ``receive`` that raises TooSlow when a body takes too long as a whole."""
    end = time.monotonic() + BODY_SECONDS

    async def bounded() -> Message:
        left = end - time.monotonic()
        try:
            return await asyncio.wait_for(receive(), max(left, 0.001))
        except TimeoutError:
            raise TooSlow from None

    return bounded
