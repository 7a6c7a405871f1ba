"""The tutorials are run as they stand, one after another, in a clone."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import blocks, text
from tests.house.tree import ROOT

PAGES = tuple(f"docs/tutorials/{n}.md" for n in ("release-engineer", "third-party", "reviewer"))
_EXIT = re.compile(r"\s+# exit code (\d)$")
# Each is what a reader's own clone has already, and what the other tests look at.
_SET_UP = {"make audit", 'export PATH="$PWD/.venv/bin:$PATH"'}


def lines(page: str) -> list[str]:
    shown = [body for language, body in blocks(text(page)) if language == "console"]
    return [line for body in shown for line in body.splitlines() if line not in _SET_UP]


def script(pages: tuple[str, ...], ports: dict[str, int]) -> str:
    """Write the pages' commands as one script that ends at the first unexpected exit code."""
    made = ["set -u", "trap 'kill $(jobs -p) 2>/dev/null' EXIT"]
    for line in (line for page in pages for line in lines(page)):
        expected = _EXIT.search(line)
        command = _EXIT.sub("", line)
        for shown, used in ports.items():
            command = command.replace(shown, str(used))
        made += [f"echo {shlex.quote('$ ' + command)}", command]
        if not command.endswith("&"):
            wanted = expected[1] if expected else "0"
            told = f'echo "exit code $got, not {wanted}"'
            made += [f'got=$?; [ "$got" = {wanted} ] || {{ {told}; exit 9; }}']
    return "\n".join([*made, "exit 0", ""])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return this tree as a clone has it: what git tracks, with the changes of now."""
    here = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(here)], check=True, capture_output=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, here / name)
    return here


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tutorials_run_as_they_stand(clone: Path, tmp_path: Path) -> None:
    ports = {"8090": free_port(), "8765": free_port()}
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PREFECT_API"))},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    run = subprocess.run(
        ["bash", "-c", script(PAGES, ports)],
        cwd=clone, env=environment, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=850,
    )  # fmt: skip
    assert run.returncode == 0, f"{run.stdout[-6000:]}\n{run.stderr[-3000:]}"
    for told in ("PUBLISHED: audit-flow/digit-adder", "measured by the verifier"):
        assert told in run.stdout
    asked = run.stdout.partition("$ audit-flow verify audit-flow/digit-adder --base ")[2]
    base = asked.partition("\n$ ")[0]
    # What is proven is counted, not told: only what is not would be named by its rule.
    assert "Not assessed" in base
    assert "base-model.candidates" not in base, base


@pytest.mark.parametrize("page", PAGES)
def test_a_wrong_exit_code_ends_the_script(page: str) -> None:
    """The script is no decoration: without the programs, its first command ends it."""
    run = subprocess.run(
        ["bash", "-c", script((page,), {})], env={"PATH": "/nowhere"}, cwd="/", check=False,
        executable="/bin/bash", capture_output=True,
    )  # fmt: skip
    assert run.returncode == 9
