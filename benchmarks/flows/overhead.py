"""What the flow costs over the plain command, with a server that runs already.

Run: python benchmarks/flows/overhead.py [--pairs N] [--deployment]; README.md has the numbers.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.flows.pipeline import Pipeline  # noqa: E402

MANIFEST = ROOT / "examples" / "digit-adder" / "release.yaml"
FLOW = """
import sys
from flows.audit_release import audit_release
ended = audit_release(sys.argv[1], tracking_uri=sys.argv[2], return_state=True)
sys.exit(ended.name != "Completed")
"""


def timed(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Return wall-clock and processor seconds of a process that has to end well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    ran = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def once(pipeline: Pipeline, what: str, scratch: Path) -> tuple[float, float]:
    """Audit digit-adder once, with nothing kept from before."""
    uri = f"sqlite:///{scratch}/audits.db"
    env = {
        **pipeline.env,
        "XDG_STATE_HOME": str(scratch / "state"),
        "PREFECT_LOCAL_STORAGE_PATH": str(scratch / "results"),
    }
    words = {
        "command": ["-m", "audit_flow", "audit", str(MANIFEST), "--tracking-uri", uri],
        "flow": ["-c", FLOW, str(MANIFEST), uri],
    }[what]
    return timed([sys.executable, *words], env)


def deployed(pipeline: Pipeline, scratch: Path) -> float:
    """Return the seconds from asking for a run of the deployment to its end."""
    settings = {
        "XDG_STATE_HOME": str(scratch / "state"),
        "PREFECT_LOCAL_STORAGE_PATH": str(scratch / "results"),
    }
    with pipeline.worker_told(**settings):
        time.sleep(5)
        start = time.perf_counter()
        uri = f"sqlite:///{scratch}/audits.db"
        name = "audit-release/audit-release"
        run = pipeline.run(name, manifest=str(MANIFEST), tracking_uri=uri)
        assert pipeline.wait(run, seconds=600)["name"] == "Completed"
        return time.perf_counter() - start


def measured(pipeline: Pipeline, pairs: int, folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Run command and flow in turn; the first pair only warms up and is not counted."""
    found: dict[str, list[tuple[float, float]]] = {"command": [], "flow": []}
    for number in range(pairs + 1):
        order = ("command", "flow") if number % 2 else ("flow", "command")
        for what in order:
            scratch = folder / f"{what}-{number}"
            scratch.mkdir()
            took = once(pipeline, what, scratch)
            if number:
                found[what].append(took)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--deployment", action="store_true", help="also through a worker")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pipeline = Pipeline(folder)
        try:
            pipeline.serve()
            found = measured(pipeline, given.pairs, folder)
            report(found)
            if given.deployment:
                pipeline.deploy()
                (folder / "deployed").mkdir()
                print(f"deployment, whole: {deployed(pipeline, folder / 'deployed'):.1f} s")
        finally:
            pipeline.stop()


def report(found: dict[str, list[tuple[float, float]]]) -> None:
    """Print medians of the pairs' differences and ratios."""
    print(f"load average {os.getloadavg()[0]:.1f}, {len(found['flow'])} pairs")
    for number, unit in enumerate(("wall-clock", "processor")):
        plain, flow = ([p[number] for p in found[what]] for what in ("command", "flow"))
        pairs = list(zip(plain, flow, strict=True))
        more = statistics.median(b - a for a, b in pairs)
        ratio = statistics.median(b / a for a, b in pairs)
        a, b = statistics.median(plain), statistics.median(flow)
        print(f"{unit} seconds: command {a:.1f}, flow {b:.1f}, more {more:.1f}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
