"""What a hostile publisher may put where a file is expected."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Thing = Callable[[Path], None]


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _socket(path: Path) -> None:
    path.unlink()
    # The path of a socket is short: it is bound by its name.
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def _link(target: str) -> Thing:
    def place(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return place


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _sparse(path: Path) -> None:
    path.unlink()
    path.touch()
    os.truncate(path, 300 << 20)


THINGS: dict[str, Thing] = {
    "fifo": _fifo,
    "socket": _socket,
    "link to itself": lambda path: _link(path.name)(path),
    "link to a device": _link("/dev/zero"),
    "link to endless randomness": _link("/dev/urandom"),
    "link to a secret": _link("/etc/passwd"),
    "link to a process": _link("/proc/self/mem"),
    "link to nothing": _link("nothing/there"),
    "link upwards": _link("../" * 30 + "etc/passwd"),
    "folder": _folder,
    "sparse": _sparse,
    "empty": _empty,
    "unreadable": lambda path: path.chmod(0),
}
NAMES = (
    b"a\nb.json",
    b"\x1b[31mred\x1b[0m.json",
    "\u202egnp.json".encode(),
    b"\xff\xfe.json",
    b"x" * 250,
    b"-rf",
    b" ",
    b"a\\b.json",
    b"%s%n.json",
    b"<script>.json",
    b"CON",
    b"\xc3\x28.safetensors",
)


@contextlib.contextmanager
def changing(path: Path) -> Iterator[None]:
    """Let a file grow, shrink and be replaced for as long as somebody reads it."""
    whole, done = path.read_bytes(), threading.Event()

    def change() -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            with contextlib.suppress(OSError):
                match turn % 3:
                    case 0:
                        os.truncate(path, len(whole) // 2)
                    case 1:
                        path.write_bytes(whole + bytes(turn % 4096))
                    case _:
                        other = path.with_name("other.tmp")
                        other.write_bytes(whole[::-1])
                        other.replace(path)
            time.sleep(0.0005)

    worker = threading.Thread(target=change, daemon=True)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()
