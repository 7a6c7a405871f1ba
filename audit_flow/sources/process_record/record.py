"""One recorded run from end to end: look, run, look again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit_flow import __version__, durable
from audit_flow.errors import EvidenceError, InputError
from audit_flow.model.base import sha256_hex
from audit_flow.sources.folder import Folder
from audit_flow.sources.process_record import files, machine, software
from audit_flow.sources.process_record.child import Ended, run
from audit_flow.sources.process_record.predicate import RecordedRun


@dataclass(frozen=True)
class Plan:
    """What is to be run and looked at; paths of files lie inside ``folder``.

    ``interval`` is the seconds between two readings of the GPUs, ``variables`` are names of
    settings beside those that are always kept.
    """

    command: tuple[str, ...]
    folder: Path
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    log: Path
    name: str
    interval: float = 10.0
    variables: tuple[str, ...] = ()


def record_run(plan: Plan, progress: Callable[[int], None] | None = None) -> RecordedRun:
    """Hash the inputs, run the command, and hash inputs and outputs again.

    A command that fails is a result. Raises InputError where it can't be started, and before
    anything is run for whatever is wrong with the plan.
    """
    folder = Folder.at(plan.folder)
    read = files.named(folder, plan.inputs, "the input")
    outputs = files.named(folder, plan.outputs, "the output")
    (log,) = files.named(folder, [plan.log], "the log")
    settings = software.variables(plan.variables)
    python, commit = software.packages(plan.command), software.commit(folder.root)
    before = files.inputs(folder, read, progress)
    stamps = files.stamps(folder, outputs)
    hardware = machine.hardware()
    with machine.watching(hardware, plan.interval) as use:
        ended = _run(plan)
    return RecordedRun(
        name=plan.name,
        command=software.without_secrets(plan.command),
        materials=before,
        changed=files.changed(folder, before, read),
        products=files.products(folder, tuple(o for o in outputs if o != log), stamps, progress),
        ended=ended,
        log=(log, sha256_hex(folder.file(log).read_bytes())),
        hardware=hardware,
        use=use,
        variables=settings,
        python=python,
        commit=commit,
        recorder=f"audit-flow {__version__}",
    )


class _Log:
    """A log whose disk may become full: the command that is recorded goes on without it."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._error: OSError | None = None

    def write(self, block: bytes) -> None:
        """Append a block, unless an earlier one could not be."""
        try:
            left = memoryview(block)
            while left and self._error is None:
                left = left[os.write(self._handle, left) :]
        except OSError as error:
            self._error = error

    def whole(self, ended: Ended) -> None:
        """Bring it to the disk; raises EvidenceError where a part of it is missing."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            self._error = self._error or error
        if self._error is not None:
            raise EvidenceError(
                f"the log could not be kept: {self._error.strerror}",
                expected="all that the command writes",
                remedy=f"The command has ended with {ended.status}; what it wrote is there, but "
                "no record of it: free the space and record it again",
            ) from self._error


def _run(plan: Plan) -> Ended:
    """Run the command; its log appears under its name only once it is whole."""
    try:
        with durable.being_written(plan.log, 0o644) as (handle, partial):
            log = _Log(handle)
            ended = run(plan.command, log)
            log.whole(ended)
            partial.replace(plan.log)
    except OSError as error:
        raise InputError(
            f"can't write {plan.log}: {error.strerror}", expected="a folder that can be written to"
        ) from error
    return ended
