"""What a reader may do while it reads: nothing but read below its folder."""

from __future__ import annotations

import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fuzz.interface import ROOT

CPU_SECONDS = 5.0
EXTRA_MEMORY = 2 << 30
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEVER = frozenset(
    [
        "os.system",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.fork",
        "os.forkpty",
        "subprocess.Popen",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.sendto",
        "pickle.find_class",
        "os.remove",
        "os.rename",
        "os.mkdir",
        "os.rmdir",
        "os.symlink",
        "os.link",
        "os.chmod",
        "os.chown",
        "os.truncate",
        "os.utime",
        "shutil.rmtree",
        "shutil.move",
        "shutil.copyfile",
        "webbrowser.open",
        "urllib.Request",
        "ftplib.connect",
    ]
)


class Hang(BaseException):
    """A case took more processor time than any file may."""


class Reached(BaseException):
    """A reader did something other than read below its folder."""


class Sandbox:
    """Watches this process from now on; what is done within ``watch`` is held to the rule."""

    def __init__(self) -> None:
        self._root = ""
        self._readable: tuple[str, ...] = tuple(
            {
                os.path.realpath(str(p))
                for p in (
                    *sysconfig.get_paths().values(),
                    sys.base_prefix,
                    sys.prefix,
                    ROOT,
                    "/usr",
                    "/etc/mime.types",
                    "/dev/null",
                    "/dev/urandom",
                    "/etc/localtime",
                    "/etc/ssl",
                )
            }
        )
        sys.addaudithook(self._hook)
        signal.signal(signal.SIGVTALRM, _hang)

    @contextmanager
    def watch(self, root: Path) -> Iterator[None]:
        """Hold one case to the rule: time, and nothing outside ``root``."""
        self._root = str(root)
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            self._root = ""

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._root:
            return
        if event == "open":
            self._opened(args)
        elif event in _NEVER:
            raise Reached(f"{event} {args[:1]!r}"[:200])

    def _opened(self, args: tuple[Any, ...]) -> None:
        name, _, flags = args
        if isinstance(name, int) or name is None:
            return
        path = os.path.realpath(os.fsdecode(name))
        if flags & _WRITES:
            raise Reached(f"open for writing: {path}"[:200])
        if not _below(path, self._root) and not any(_below(path, r) for r in self._readable):
            raise Reached(f"open: {path}"[:200])


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith(root + "/")


def _hang(number: int, frame: object) -> None:
    raise Hang(f"more than {CPU_SECONDS:g} s of processor time")


def bound_memory() -> None:
    """Let this process take 2 GiB more than it has, and write no core file."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + EXTRA_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
