"""Every command that reads a folder, run as the command line runs it."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit_flow.cli.main import main

SECONDS = 60


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def check(self, *, allowed: Sequence[int] = (0, 1, 2, 3)) -> None:
        """Fail for a traceback, a breakdown, or a character that a terminal would obey."""
        assert self.code in allowed, (self.code, self.out[-2000:], self.err[-2000:])
        assert "Traceback" not in self.err
        assert "broke down" not in self.err + self.out
        for text in (self.out, self.err):
            assert not [c for c in text if c not in "\n\t\r" and not c.isprintable()]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Done:
    """Run a command in this process; a hang ends it after a minute."""
    # A strict UTF-8 output, as a terminal's: what it can't write breaks the command.
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    monkeypatch.setattr(sys, "argv", ["audit-flow", *arguments])
    with alarm(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
    told = [s.buffer.getvalue().decode() for s in (out, err)]
    return Done(code, *told)


@contextlib.contextmanager
def alarm() -> Iterator[None]:
    """Raise TimeoutError in what takes longer than a minute."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt("hung")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def commands(root: Path, out: Path) -> dict[str, list[str]]:
    """Return each command on the release below ``root``; they write to ``out`` alone."""
    key = ["--key", str(out / "key.pem")]
    store = ["--tracking-uri", f"sqlite:///{out}/store.db"]
    return {
        "audit": ["audit", str(root / "release.yaml"), *store],
        "digest": ["digest", str(root), "--tensors", "--md5"],
        "verify": ["verify", str(root)],
        "init": ["init", str(root), "--output", str(root / "draft.yaml")],
        "sign": ["sign", str(root / "model"), "--output", str(out / "model.sig"), *key],
        "fingerprint": ["fingerprint", str(root / "model"), "--output", str(out / "f.fingerprint")],
        "record": [
            "record",
            "--input",
            str(root),
            "--record",
            str(out / "r.json"),
            "--log",
            str(out / "r.log"),
            *key,
            "--",
            "true",
        ],
    }


def make_key(out: Path) -> None:
    """Write the key that ``sign`` and ``record`` use."""
    from tests.signing.parts import new_key, pem_of

    (out / "key.pem").write_bytes(pem_of(new_key()))
    (out / "key.pem").chmod(0o600)
