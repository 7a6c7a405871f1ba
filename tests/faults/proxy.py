"""Stands before a server and lets it go down, whole, after so many messages from its client."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Forwards TCP; after ``left`` pieces from clients every connection ends and none is taken.

    ``left`` of None lets everything through; ``seen`` counts the pieces. With ``answer_lost`` the
    last piece still arrives, and only its answer does not.
    """

    host: str
    port: int
    left: int | None = None
    answer_lost: bool = False
    seen: int = 0
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fail_after(self, left: int, *, answer_lost: bool) -> None:
        """Go down after so many more pieces."""
        self.left, self.answer_lost = left, answer_lost

    def up_again(self) -> None:
        """Let everything through from now on."""
        self.left, self.seen = None, 0

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        if self.left == 0:
            client.close()
            return
        server = socket.create_connection((self.host, self.port))
        with self._lock:
            self._open |= {client, server}
        back = threading.Thread(target=self._copy, args=(server, client, False), daemon=True)
        back.start()
        self._copy(client, server, True)

    def _copy(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                if counted and not self._takes():
                    if self.answer_lost:
                        target.sendall(piece)
                    self._down()
                    return
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _takes(self) -> bool:
        with self._lock:
            self.seen += 1
            if self.left is None:
                return True
            self.left = max(self.left - 1, 0)
            return self.left > 0

    def _down(self) -> None:
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._open.clear()


@contextlib.contextmanager
def before(port: int, host: str = "127.0.0.1") -> Iterator[tuple[Proxy, int]]:
    """Start a proxy before a server; yields it and the port that it listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(host, port)
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        yield proxy, int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
