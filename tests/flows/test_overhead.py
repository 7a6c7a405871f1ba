"""What a flow adds to the plain command, and that a server's start is told while it lasts."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.flows.pipeline import ROOT, Pipeline

pytestmark = pytest.mark.slow
FLOW = """
import sys
from flows.audit_release import audit_release
print("BEGUN", flush=True)
ended = audit_release(sys.argv[1], tracking_uri=sys.argv[2], return_state=True)
print("ENDED", ended.name, flush=True)
"""


@pytest.mark.long  # a server that starts beside other tests may take longer than Prefect waits
def test_the_start_of_a_server_of_its_own_is_told_while_it_lasts(
    without_server: dict[str, str], tmp_path: Path
) -> None:
    manifest = ROOT / "examples" / "reflection-70b" / "release.yaml"
    process = subprocess.Popen(
        [sys.executable, "-c", FLOW, str(manifest), f"sqlite:///{tmp_path}/audits.db"],
        env=without_server, cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines = timed_lines(process)
    assert process.wait(60) == 0, lines
    told = next(t for t, line in lines if "Starting temporary server" in line)
    begun = next(t for t, line in lines if line.startswith("BEGUN"))
    first = next(t for t, line in lines if "Beginning flow run" in line)
    ended = next(line for _, line in lines if line.startswith("ENDED"))
    assert ended == "ENDED Blocked"
    # It stands there before anybody has to wait: what follows is the server's start.
    assert told - begun < first - told, lines


@pytest.fixture
def without_server(tmp_path: Path) -> dict[str, str]:
    """Return the surroundings of somebody who has no server."""
    env = Pipeline(tmp_path).env
    return {n: v for n, v in env.items() if n not in {"PREFECT_API_URL", "PYTHONUNBUFFERED"}}


def timed_lines(process: subprocess.Popen[str]) -> list[tuple[float, str]]:
    found: queue.Queue[tuple[float, str]] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            found.put((time.monotonic(), line.rstrip()))

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(400)
    return list(found.queue)


def test_a_flow_adds_a_bounded_number_of_words_with_the_server(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Seconds depend on the machine (benchmarks/flows); what they are made of is counted here."""
    manifest = ROOT / "examples" / "digit-adder" / "release.yaml"
    env = {**pipeline.env, "XDG_STATE_HOME": str(tmp_path / "state")}
    env["PREFECT_LOCAL_STORAGE_PATH"] = str(tmp_path / "results")
    code = COUNTED + FLOW
    ran = subprocess.run(
        [sys.executable, "-c", code, str(manifest), f"sqlite:///{tmp_path}/audits.db"],
        env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert "ENDED Completed" in ran.stdout, ran.stdout + ran.stderr
    counted = int(ran.stdout.rsplit("REQUESTS", 1)[1])
    assert counted <= MAX_REQUESTS, f"{counted} requests"


MAX_REQUESTS = 60
COUNTED = """
import atexit, httpx

count = 0
for kind in (httpx.Client, httpx.AsyncClient):
    def counting(plain):
        def send(self, *given, **more):
            global count
            count += 1
            return plain(self, *given, **more)
        return send
    kind.send = counting(kind.send)
atexit.register(lambda: print("REQUESTS", count))
"""
