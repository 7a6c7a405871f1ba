"""What takes seconds to start is started ahead, in processes beside the run: GX and MLflow.

A task takes what was started for its job in its own process; on another machine, or tried again, it
starts its own. Nothing here changes what a task gives.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from audit_flow.checks.tables import suites_of
from audit_flow.collectors.tables import started
from audit_flow.errors import AuditFlowError
from audit_flow.model import Policy
from audit_flow.policy_file import load_policy
from audit_flow.sources.expectations import ExpectationsBeside
from audit_flow.store import RecorderBeside, installed
from flows import opening
from flows.values import Job

_lock = threading.Lock()
_under_way: dict[tuple[str, Job], Any] = {}


def start_ahead(job: Job) -> None:
    """Start what the tasks of a job will need; what is wrong with the job is told by its tasks."""
    with suppress(AuditFlowError, OSError):
        opening.release_of(job)
        if suites_of(load_policy(job.policy)):
            _keep("tables", job, ExpectationsBeside())
        if installed():
            _keep("recorder", job, RecorderBeside(opening.tracking_uri(job), opening.beside(job)))


@contextmanager
def tables_of(job: Job, policy: Policy) -> Iterator[ExpectationsBeside | None]:
    """Give the validator of tables that was started ahead, or one that starts now."""
    ahead: ExpectationsBeside | None = _take("tables", job)
    with ahead or started(suites_of(policy)) as beside:
        yield beside


@contextmanager
def recorder_of(job: Job) -> Iterator[RecorderBeside | None]:
    """Give the recorder that was started ahead, if there is one and it was not used yet."""
    ahead: RecorderBeside | None = _take("recorder", job)
    try:
        yield ahead
    finally:
        _close(ahead)


def _keep(what: str, job: Job, child: Any) -> None:
    with _lock:
        before = _under_way.pop((what, job), None)
        _under_way[what, job] = child
    _close(before)


def _take(what: str, job: Job) -> Any:
    with _lock:
        return _under_way.pop((what, job), None)


def _close(child: Any) -> None:
    if child is not None:
        child.close()


@atexit.register
def _close_all() -> None:
    while _under_way:
        _close(_under_way.popitem()[1])
