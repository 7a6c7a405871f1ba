"""A command in a process of its own that is struck at its n-th change of a file.

A change is what Python tells its audit hooks of before it is made (a file opened for writing, made,
renamed, linked or removed), and every fsync. Struck before each of them in turn, a command has been
interrupted in every state that its files can be in between two calls.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import audit_flow.audit
import audit_flow.cli.attest
import audit_flow.cli.audit
import audit_flow.cli.fingerprint
import audit_flow.cli.init
import audit_flow.cli.record
import audit_flow.cli.sign
import audit_flow.collectors.signature
import audit_flow.signing.sign_model
import audit_flow.sources.process_record
import audit_flow.store
import audit_flow.verify.candidates

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MAKING = {"open", "os.mkdir", "os.link", "os.rename", "fsync"}
_CHANGING = _MAKING | {"os.remove", "os.rmdir", "os.truncate", "os.chmod"}


@dataclass
class Fault:
    """What happens at the ``at``-th change below ``folder``: ``kind`` is "kill" or an errno's name.

    An error stays from then on, as a full disk does; a disk that is full still lets files go.
    """

    folder: str
    at: int = 0
    kind: str = "kill"
    seen: int = field(default=0, compare=False)

    def meet(self, event: str, arguments: Sequence[Any]) -> None:
        if not self._counts(event, arguments):
            return
        self.seen += 1
        if not self.at or self.seen < self.at:
            return
        if self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        code = getattr(errno, self.kind)
        if code != errno.ENOSPC or event in _MAKING:
            raise OSError(code, os.strerror(code))

    def _counts(self, event: str, arguments: Sequence[Any]) -> bool:
        if event not in _CHANGING:
            return False
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITING):
            return False
        return event == "fsync" or any(self._inside(a) for a in arguments[:2])

    def _inside(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        return os.path.abspath(os.fsdecode(path)).startswith(self.folder + os.sep)  # noqa: PTH100


def run(words: Sequence[str], env: Mapping[str, str], fault: Fault, log: str) -> None:
    """Run audit-flow as its own program would, struck by a fault; the log gets what it says.

    The last line of the log is the number of changes that were counted.
    """
    from audit_flow.cli.main import main

    os.environ.update(env)
    os.chdir(fault.folder)
    # MLflow writes in a process of its own, which has tests of its own.
    audit_flow.store.installed = lambda: False
    stream = Path(log).open("a")  # noqa: SIM115 - open until the process ends
    sys.stdout = sys.stderr = stream
    sys.argv = ["audit-flow", *words]
    watch(fault)
    try:
        main()
    finally:
        fault.at = 0
        stream.write(f"\n{fault.seen}\n")
        stream.flush()


def watch(fault: Fault) -> None:
    """Strike this process, from now on."""
    synced = os.fsync

    def fsync(handle: Any) -> None:
        fault.meet("fsync", ())
        synced(handle)

    os.fsync = fsync  # type: ignore[assignment]
    sys.addaudithook(fault.meet)
