"""A Dask cluster as people start one: a scheduler and worker processes, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

QUIET = ("--no-dashboard", "--host", "127.0.0.1")


@dataclass
class Cluster:
    """Each worker's log lies in ``folder`` under the worker's name."""

    folder: Path
    env: Mapping[str, str]
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    @property
    def address(self) -> str:
        return str(json.loads(self.file.read_text())["address"])

    def serve(self, *workers: str) -> None:
        self._start("scheduler", "dask_scheduler", "--port", "0", "--scheduler-file", self.file)
        until(self._answers, "the scheduler answers")
        for name in workers:
            self.add(name)
        self.until(lambda client: len(client.scheduler_info()["workers"]) == len(workers))

    def add(self, name: str) -> None:
        words = ("--name", name, "--nthreads", "1", "--no-nanny", "--local-directory", self.folder)
        self._start(name, "dask_worker", self.address, *words)

    def kill(self, name: str) -> None:
        process = self.started.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in reversed(list(self.started)):
            self.kill(name)

    def until(self, there: Callable[[Any], bool], seconds: float = 120) -> None:
        """Wait for what a client of the cluster sees."""
        from distributed import Client

        with Client(self.address) as client:  # type: ignore[no-untyped-call]
            until(lambda: there(client), "the cluster is as wanted", seconds)

    def finished(self, name: str, task: str) -> int:
        """Count the tasks whose name begins so that ended well on one worker."""
        text = (self.folder / f"{name}.log").read_text()
        lines = [x for x in text.splitlines() if f"Task run '{task}" in x]
        return sum("Finished in state Completed" in x for x in lines)

    def _answers(self) -> bool:
        return self.file.exists() and self.file.read_text().endswith("}")

    def _start(self, name: str, module: str, *words: object) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        command = [sys.executable, "-m", f"distributed.cli.{module}", *map(str, words), *QUIET]
        self.started[name] = subprocess.Popen(
            command, env={**os.environ, **self.env}, cwd=self.folder, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def until(there: Callable[[], bool], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
