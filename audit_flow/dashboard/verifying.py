"""Verifications that visitors ask for: a few at once, bounded in time, on allowed Hubs only."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from audit_flow.errors import AuditFlowError, InputError
from audit_flow.report.interface import AuditResult
from audit_flow.sources.hub.names import HubName, parse_name

State = Literal["waiting", "running", "done", "failed"]
_AT_ONCE, _QUEUE, _KEPT = 2, 8, 40
_MAX_NAME = 300
Verify = Callable[[HubName, Callable[[int], None]], AuditResult]


class _TooLong(Exception):
    """The time that a verification may take is over."""


@dataclass
class Job:
    """One verification; ``read`` is in bytes, ``seconds`` is how long it has run."""

    id: str
    name: HubName
    state: State = "waiting"
    read: int = 0
    problem: str = ""
    result: AuditResult | None = None
    made: float = field(default_factory=time.monotonic)
    ended: float | None = None

    @property
    def key(self) -> str:
        """The name that its audit is shown under."""
        return f"v-{self.id}"

    @property
    def seconds(self) -> float:
        """How long ago it was asked for, or how long it took."""
        return (self.ended or time.monotonic()) - self.made

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in {"done", "failed"}


class Verifier:
    """Runs verifications in threads of its own; safe to use from several threads."""

    def __init__(self, hubs: tuple[str, ...], verify: Verify, max_seconds: float) -> None:
        self._hubs = tuple(h.rstrip("/") for h in hubs)
        self._verify = verify
        self._max_seconds = max_seconds
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="verify")
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    @property
    def hubs(self) -> tuple[str, ...]:
        """The only Hubs that are asked."""
        return self._hubs

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The verifications that are still known, newest first."""
        with self._lock:
            return tuple(reversed(self._jobs.values()))

    def job(self, job_id: str) -> Job | None:
        """Return one verification."""
        with self._lock:
            return self._jobs.get(job_id)

    def ask(self, text: str) -> Job:
        """Start a verification of a Hub repository.

        Raises InputError for what names none, for a Hub that is not allowed, and when too many
        wait already.
        """
        name = self._allowed(text.strip())
        with self._lock:
            open_jobs = [j for j in self._jobs.values() if not j.is_over]
            if len(open_jobs) >= _QUEUE:
                raise InputError(
                    f"{len(open_jobs)} verifications wait already", expected=f"fewer than {_QUEUE}",
                    remedy="Try again when one is over",
                )  # fmt: skip
            job = Job(secrets.token_hex(8), name)
            self._jobs[job.id] = job
            for old in [j for j in self._jobs.values() if j.is_over][
                : max(len(self._jobs) - _KEPT, 0)
            ]:
                del self._jobs[old.id]
        self._pool.submit(self._run, job)
        return job

    def close(self) -> None:
        """Take no more; those that run are let go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _allowed(self, text: str) -> HubName:
        if not text or len(text) > _MAX_NAME or not text.isprintable():
            raise InputError(
                f"a repository's name of {len(text)} characters",
                expected="org/name or org/name@rev",
            )
        name = parse_name(text, self._hubs[0])
        if name.endpoint.rstrip("/") not in self._hubs:
            raise InputError(
                f"the Hub {name.endpoint[:200]}", expected=f"one of {', '.join(self._hubs)}",
                remedy="Whoever runs the dashboard can allow it with --hub",
            )  # fmt: skip
        return name

    def _run(self, job: Job) -> None:
        job.state, job.made = "running", time.monotonic()

        def progress(done: int) -> None:
            job.read = done
            if job.seconds > self._max_seconds:
                raise _TooLong

        try:
            job.result = self._verify(job.name, progress)
            job.state = "done"
        except _TooLong:
            job.problem = f"stopped after {self._max_seconds:.0f} seconds; nothing was judged"
        except AuditFlowError as error:
            job.problem = str(error)
        except Exception as error:
            job.problem = f"audit-flow broke down ({type(error).__name__}); nothing was judged"
        finally:
            job.ended = time.monotonic()
            job.state = "done" if job.result else "failed"


def as_stranger(policy: str) -> Verify:
    """Return the function that verifies without any token, under a bundled or a file's policy."""

    def verify(name: HubName, progress: Callable[[int], None]) -> AuditResult:
        from audit_flow.policy_file import load_policy
        from audit_flow.verify import verify_repository

        return verify_repository(name, None, load_policy(policy), token=None, progress=progress)

    return verify
