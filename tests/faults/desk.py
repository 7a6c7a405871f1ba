"""Commands that write, what lies there before, and how to tell that what they wrote is whole."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit_flow.signing.keys import public_pem
from tests.attestation.desk import key_from
from tests.faults.struck import Fault, run
from tests.lineage_models import drawn, llama, written
from tests.publish.releases import Small, small
from tests.signing.commands import run as audit_flow

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.faults.struck"])
Files = dict[str, bytes]


@dataclass(frozen=True)
class Command:
    """A command of the command line: its words, with ``{}`` for the folder that all lies in.

    ``judge`` gets the folder and a file it has written, and says whether that is what the command
    writes for what lies there now; without one, the same is written each time. ``beside`` are files
    that are made once and stay. ``changed`` is what is edited before it is run a second time.
    """

    name: str
    words: tuple[str, ...]
    writes: tuple[str, ...]
    judge: Callable[[Path, str], bool] | None = None
    beside: tuple[str, ...] = ()
    changed: str = "release/README.md"
    once: bool = False
    code: int = 0


def _says(*words: str) -> Callable[[Path, str], bool]:
    def judge(folder: Path, name: str) -> bool:
        return audit_flow(*(w.format(folder, name) for w in words)) == 0

    return judge


def _signed(key: str) -> Callable[[Path, str], bool]:
    model = _says("verify-signature", "{0}/release/model", "--key", key)

    def judge(folder: Path, name: str) -> bool:
        if name.endswith("model.tensors.sig"):
            # It is written first, and counts for nothing beside the signature of other files.
            return bool(json.loads((folder / name).read_bytes()))
        return model(folder, name)

    return judge


_LIGHT = ("--policy", "{}/light.yaml")
_KEY = ("--key", "{}/key.pem")
_SIGNED = _signed("{0}/key.pub")
_ATTESTED = _says("verify-attestation", "{0}/release/attestation", "--key", "{0}/key.pub")
_BUNDLE = _says("verify-signature", "{0}/release/README.md", "--key", "{0}/key.pub",
                "--role", "evaluation")  # fmt: skip
_LOCAL = _signed("{0}/data/audit-flow/signing-key.pub")
_FIRST = "release/model/config.json"
COMMANDS = (
    Command("audit --output --html --save",
            ("audit", "{}/release/release.yaml", *_LIGHT, "--output", "{}/release/report.txt",
             "--html", "{}/release/report.html", "--save", "{}/release/saved"),
            ("release/report.txt", "release/report.html", "release/saved")),
    Command("sign", ("sign", "{}/release/model", *_KEY),
            ("release/model/model.sig", "release/model/model.tensors.sig"), _SIGNED,
            changed=_FIRST),
    Command("sign with a key of this machine", ("sign", "{}/release/model"),
            ("release/model/model.sig", "release/model/model.tensors.sig"), _LOCAL,
            beside=("data/audit-flow/signing-key.pem", "data/audit-flow/signing-key.pub"),
            changed=_FIRST),
    Command("sign a file", ("sign", "{}/release/README.md", *_KEY),
            ("release/README.md.sig",), _BUNDLE),
    Command("attest", ("attest", "{}/release/release.yaml", *_LIGHT, *_KEY),
            ("release/attestation",), _ATTESTED),
    Command("fingerprint",
            ("fingerprint", "{}/weights", "--output", "{}/weights/a.fingerprint"),
            ("weights/a.fingerprint",), changed="release/model/LICENSE"),
    Command("record",
            ("record", "--folder", "{}/release", "--input", "{}/release/README.md", "--output",
             "{}/release/copy.md", "--name", "copy", *_KEY, "--", "cp", "release/README.md",
             "release/copy.md"),
            ("release/copy.record.json", "release/copy.log"), lambda _, name: True),
    Command("init", ("init", "{}/release", "--output", "{}/release/draft.yaml"),
            ("release/draft.yaml",), once=True),
)  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """A folder in which a command is run, struck, and run again."""

    folder: Path
    command: Command

    @classmethod
    def prepared(cls, folder: Path, command: Command, *, again: bool) -> Desk:
        """Lay everything out; with ``again`` the command was run and its input edited since."""
        made: Small = small(folder)
        written(folder / "weights", drawn(llama(layers=1), 1))
        key = key_from(7)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(pem)
        (folder / "key.pub").write_bytes(public_pem(key.public_key()))
        desk = cls(folder, command)
        assert made.root == folder / "release"
        if again:
            assert desk.finish() == command.code, desk.told
            with (folder / command.changed).open("a") as stream:
                stream.write("\n")
        return desk

    def copied(self, folder: Path) -> Desk:
        """Return the same in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Desk(folder, self.command)

    @property
    def told(self) -> str:
        """What the command has said so far."""
        return (self.folder / "log.txt").read_text()

    def start(self, at: int = 0, kind: str = "kill", log: Path | None = None) -> ForkServerProcess:
        """Start the command, struck at the ``at``-th change of a file."""
        places = {f"XDG_{n.upper()}_HOME": str(self.folder / n) for n in ("state", "data", "cache")}
        env = {**places, "TMPDIR": tempfile.gettempdir()}
        fault = Fault(str(self.folder), at, kind)
        words = [w.format(self.folder) for w in self.command.words]
        told = str(log or self.folder / "log.txt")
        process = CONTEXT.Process(target=run, args=(words, env, fault, told))
        process.start()
        return process

    def finish(self, at: int = 0, kind: str = "kill", log: Path | None = None) -> int:
        """Run the command to its end; the exit code."""
        process = self.start(at, kind, log)
        process.join(120)
        assert process.exitcode is not None
        return process.exitcode

    def changes(self) -> int:
        """Return how many changes of files the last run that was not killed has counted."""
        return int(self.told.rstrip().rpartition("\n")[2])

    def names(self) -> set[str]:
        """Return the path of everything there is, hidden and half-written files too."""
        return {
            p.relative_to(self.folder).as_posix()
            for p in self.folder.rglob("*")
            if p.name != "log.txt" and "cache" not in p.parts
        }

    def written(self) -> Files:
        """Return the files that the command is there to write, as far as they are there."""
        return {p.relative_to(self.folder).as_posix(): p.read_bytes() for p in self._written()}

    def _written(self) -> Iterator[Path]:
        for place in map(self.folder.joinpath, self.command.writes):
            yield from place.rglob("*") if place.is_dir() else (place,) if place.is_file() else ()

    def holds(self, before: Files, after: Files) -> None:
        """Assert that what the command writes is whole: as it was, or as it should be."""
        now = self.written()
        assert set(now) <= set(before) | set(after)
        assert set(before) <= set(now), "something that was there is gone"
        for name, data in now.items():
            if data == before.get(name):
                continue
            if self.command.judge is None:
                assert self._neutral(data) == after[name], name
            else:
                assert self.command.judge(self.folder, name), f"{name} is neither old nor new"

    def _neutral(self, data: bytes) -> bytes:
        return data.replace(str(self.folder).encode(), b"FOLDER")

    def expected(self) -> Files:
        """Return what was written, without the folder's name."""
        return {n: self._neutral(d) for n, d in self.written().items()}
