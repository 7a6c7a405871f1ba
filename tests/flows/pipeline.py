"""A Prefect server, a worker and the deployments, each as people start them, on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

ROOT = Path(__file__).resolve().parents[2]
PREFECT = str(Path(sys.executable).with_name("prefect"))
_STARTED = "=== the worker is started\n"
ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})
OURS = ("PREFECT_", "HF_", "MLFLOW_", "DVC_", "GX_", "DO_NOT_TRACK", "AUDIT_FLOW_")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have started."""
    ran = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in ran.stdout.splitlines()]
    found = [pid]
    for parent in found:
        found += [child for child, above in pairs if above == parent]
    return found[1:]


@dataclass
class Pipeline:
    """Everything that runs for a test; ``folder`` holds its state, results and logs."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def env(self) -> dict[str, str]:
        # What keeps it quiet has to come from the project itself: no switch of the tests' own.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "XDG_STATE_HOME": str(self.state),
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_LOCAL_STORAGE_PATH": str(self.folder / "results"),
            "PREFECT_API_URL": self.api,
            "PREFECT_SERVER_UI_API_URL": self.api,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "HF_HUB_DISABLE_XET": "1",
            **self.settings,
        }

    # Starting and stopping

    def serve(self, seconds: float = 240) -> None:
        self._start("server", "server", "start", "--host", "127.0.0.1", "--port", str(self.port))
        self.until(self._answers, seconds, "the server answers")

    def deploy(self) -> str:
        self.python("import runpy; runpy.run_module('flows.pools', run_name='__main__')")
        return self.prefect("deploy", "--all")

    def work(self, pool: str = "audit-flow") -> None:
        with (self.folder / f"worker-{pool}.log").open("a") as log:
            log.write(_STARTED)
        self._start(f"worker-{pool}", "worker", "start", "--pool", pool)

    @contextmanager
    def worker_told(self, pool: str = "audit-flow", **settings: str) -> Iterator[None]:
        """Have a worker with other settings for a while."""
        before, worker = dict(self.settings), f"worker-{pool}"
        self.settings |= settings
        self._anew(worker, pool)
        try:
            yield
        finally:
            self.settings = before
            self._anew(worker, pool)

    def _anew(self, worker: str, pool: str) -> None:
        if worker in self.started:
            self.kill(worker)
        self.work(pool)

    def kill(self, name: str) -> None:
        """End a process and all that it has started, with SIGKILL."""
        process = self.started.pop(name)
        # A worker's runs have sessions of their own: its group does not hold them.
        for pid in (process.pid, *descendants(process.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in reversed(list(self.started)):
            self.kill(name)

    def said(self, which: int = -1, pool: str = "audit-flow") -> str:
        """Return what a pool's worker has said: -1, since its last start; -2, before that."""
        log = (self.folder / f"worker-{pool}.log").read_text(errors="replace")
        return log.split(_STARTED)[which]

    def prefect(self, *words: str) -> str:
        ran = subprocess.run(
            [PREFECT, "--no-prompt", *words], env=self.env, cwd=ROOT, check=False,
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def _start(self, name: str, *words: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        self.started[name] = subprocess.Popen(
            [PREFECT, *words], env=self.env, cwd=ROOT, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2):
                return bool(self.ask("GET", "/health"))
        except (urllib3.exceptions.HTTPError, OSError, AssertionError):
            return False

    def python(self, code: str, **settings: str) -> str:
        """Run a few lines in a process of their own, as somebody without a worker would."""
        ran = subprocess.run(
            [sys.executable, "-c", code], env={**self.env, **settings}, cwd=self.folder,
            check=False, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    # Runs

    def run(self, deployment: str, **parameters: Any) -> str:
        """Start a run; return its id."""
        found = self.ask("GET", f"/deployments/name/{deployment}")
        made = self.ask(
            "POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters}
        )
        return str(made["id"])

    def flow_run(self, run: str) -> dict[str, Any]:
        return dict(self.ask("GET", f"/flow_runs/{run}"))

    def wait(self, run: str, *, waiting: bool = False, seconds: float = 240) -> dict[str, Any]:
        """Wait until a run has ended, or until it waits for a person; return its state."""
        wanted = {"PAUSED"} if waiting else ENDED

        def there() -> bool:
            kind = self.flow_run(run)["state"]["type"]
            assert not waiting or kind not in ENDED, self.told(run)
            return kind in wanted

        self.until(there, seconds, f"run {run} is at its end", run)
        return dict(self.flow_run(run)["state"])

    def resume(self, run: str, given: dict[str, Any] | None) -> dict[str, Any]:
        """Answer a run that waits; the server knows a moment later what it waits for."""
        body = {"run_input": given} if given is not None else {}
        while True:
            said = dict(self.ask("POST", f"/flow_runs/{run}/resume", body))
            if said["details"].get("reason") != "Run input schema not found.":
                return said
            time.sleep(0.2)

    def again(self, run: str) -> None:
        """Schedule a run anew, as `prefect flow-run retry` does."""
        state = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
        self.ask("POST", f"/flow_runs/{run}/set_state", state)

    def tasks(self, run: str) -> list[dict[str, Any]]:
        return list(self.ask("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}}))

    def events(self, prefix: str) -> list[dict[str, Any]]:
        wanted = {"filter": {"event": {"prefix": [prefix]}}, "limit": 50}
        return list(self.ask("POST", "/events/filter", wanted)["events"])

    def artifacts(self, run: str) -> list[dict[str, Any]]:
        wanted = {"artifacts": {"flow_run_id": {"any_": [run]}}}
        return list(self.ask("POST", "/artifacts/filter", wanted))

    def told(self, run: str) -> str:
        """The run's state and log, for an assertion that fails."""
        logs = self.ask("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
        lines = [str(line["message"]) for line in logs]
        return "\n".join([str(self.flow_run(run)["state"]), *lines])

    def until(
        self, there: Callable[[], bool], seconds: float, what: str, run: str | None = None
    ) -> None:
        end = time.monotonic() + seconds
        while not there():
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}\n{run and self.told(run)}")
            time.sleep(0.5)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        # A server on SQLite says 503 while its database is held: clients ask again.
        again = urllib3.Retry(5, status_forcelist=[503], allowed_methods=None, backoff_factor=0.5)
        with urllib3.PoolManager(retries=again, timeout=30) as pool:
            answer = pool.request(
                method, self.api + path, body=None if body is None else json.dumps(body),
                headers={"Content-Type": "application/json"},
            )  # fmt: skip
        assert answer.status < 300, (answer.status, answer.data[:2000])
        return json.loads(answer.data) if answer.data else None
