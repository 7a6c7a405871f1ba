"""The command line in a process of its own, which may be killed; the imports are made before."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.hf_api

import audit_flow.audit
import audit_flow.cli.publish
import audit_flow.publish
import audit_flow.verify  # noqa: F401 - imported once, for every process that is forked from here

assert huggingface_hub.hf_api
_NAMES = (".safetensors", "config.json", "README.md", "release.yaml", "LICENSE", ".index.json")


def run(arguments: list[str], state: str, token: str, log: str) -> None:
    """Run audit-flow as its own program would; the exit code is the process's."""
    from audit_flow.cli.main import main

    os.environ.update(XDG_STATE_HOME=state, HF_TOKEN=token)
    stream = Path(log).open("a")  # noqa: SIM115 - open until the process ends
    sys.stdout = sys.stderr = stream
    sys.argv = ["audit-flow", *arguments]
    main()


def run_while_changing(
    arguments: list[str], place: tuple[str, str, str], changed: str, at: int, counted: str
) -> None:
    """Run a command; before it opens a file of the release the ``at``-th time, change one.

    ``changed`` is the file whose last byte is turned; the number of openings goes to ``counted``.
    """
    root = Path(arguments[1]).parent
    seen = 0

    def opening(event: str, given: tuple[Any, ...]) -> None:
        nonlocal seen
        if event != "open" or not isinstance(given[0], str | bytes):
            return
        path = Path(os.fsdecode(given[0]))
        name = path.name if path.is_absolute() and path.is_relative_to(root) else str(path)
        if not any(name.endswith(n) for n in _NAMES):
            return
        seen += 1
        if seen == at:
            data = bytearray(Path(changed).read_bytes())
            data[-2] ^= 1
            # Another file under the same name, as editors and downloads leave it.
            Path(f"{changed}.new").write_bytes(data)
            Path(f"{changed}.new").rename(changed)

    sys.addaudithook(opening)
    try:
        run(arguments, *place)
    finally:
        Path(counted).write_text(str(seen))
