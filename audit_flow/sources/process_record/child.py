"""Running one command: its output passed through and kept, signals handed on, its end told."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol

from audit_flow.errors import InputError

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BLOCK = 64 * 1024
_WAKE = 0.2
# What a command has left running may hold its output open for ever.
_LINGER = 2.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, or the signal that ended it; times in seconds (epoch)."""

    started: float
    ended: float
    elapsed: float
    code: int | None
    signal: str | None

    @property
    def succeeded(self) -> bool:
        """Whether the command says that it succeeded."""
        return self.code == 0

    @property
    def status(self) -> int:
        """The exit status as a shell has it: 128 and the signal's number where one ended it."""
        if self.code is not None:
            return self.code
        return 128 + signal.Signals[self.signal or "SIGKILL"]


class Log(Protocol):
    """Takes what a command writes."""

    def write(self, block: bytes, /) -> object:
        """Take a block."""


def run(command: Sequence[str], log: Log) -> Ended:
    """Run a command in a process group of its own; what it writes goes to ``log`` as well.

    SIGINT, SIGTERM and SIGHUP are handed on to the group. Raises InputError where the command
    can't be started.
    """
    started, clock = time.time(), time.monotonic()
    with _forwarding() as group:
        process = _started(command)
        group.begin(process.pid)
        _pass_on(process, log)
        status = process.wait()
    name = signal.Signals(-status).name if status < 0 else None
    return Ended(
        started=started,
        ended=time.time(),
        elapsed=time.monotonic() - clock,
        code=status if status >= 0 else None,
        signal=name,
    )


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    # A process group that is not in front may not read from the terminal: it would stop.
    stdin = subprocess.DEVNULL if _reads_terminal() else None
    try:
        return subprocess.Popen(  # noqa: S603 - the operator's own command
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"{command[0]!r} can't be run: {reason}", expected="a command after --"
        ) from error


def _reads_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


class _Group:
    """A process group that signals are handed on to; what came too early waits for its start."""

    def __init__(self) -> None:
        self._leader: int | None = None
        self._early: list[int] = []

    def take(self, number: int, frame: FrameType | None) -> None:
        """Hand a signal on."""
        del frame
        if self._leader is None:
            self._early.append(number)
            return
        with suppress(ProcessLookupError):
            os.killpg(self._leader, number)

    def begin(self, leader: int) -> None:
        """Hand on what came before the group was there."""
        self._leader = leader
        for number in self._early:
            self.take(number, None)


@contextmanager
def _forwarding() -> Iterator[_Group]:
    group = _Group()
    before: dict[signal.Signals, Any] = {}
    try:
        for number in FORWARDED:
            before[number] = signal.signal(number, group.take)
        yield group
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pass_on(process: subprocess.Popen[bytes], log: Log) -> None:
    """Copy both outputs to ours and to the log until they end."""
    targets = ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
    with selectors.DefaultSelector() as selector:
        for pipe, out in targets:
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, out)
        gone: float | None = None
        while selector.get_map():
            for key, _ in selector.select(_WAKE):
                gone = None
                block = os.read(key.fd, _BLOCK)
                if not block:
                    selector.unregister(key.fileobj)
                    continue
                log.write(block)
                _show(key.data, block)
            if process.poll() is not None:
                gone = gone or time.monotonic()
                if time.monotonic() - gone > _LINGER:
                    return


def _show(out: Any, block: bytes) -> None:
    """Show a block; that nobody reads it any more must not end what is recorded."""
    try:
        binary = getattr(out, "buffer", None)
        if binary is None:
            out.write(block.decode(errors="replace"))
        else:
            binary.write(block)
        out.flush()
    except (OSError, ValueError):
        return
