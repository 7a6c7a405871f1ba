"""A piece of work in a forked process that is struck at its n-th change of a file."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.faults.struck import Fault, watch


def forked(work: Callable[[], object], folder: Path, at: int = 0, kind: str = "kill") -> int:
    """Do the work in a copy of this process; minus the signal, or 0 done and 1 refused."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    code = 1
    try:
        watch(Fault(str(folder), at, kind))
        work()
        code = 0
    except Exception:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)
