"""Weights that lie about themselves give a finding or an exit code, in every command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audit_flow.cli.main import main
from tests.lineage_models import changed, drawn, llama, written
from tests.sources.test_weight_samples import HOSTILE, rewritten

pytestmark = pytest.mark.slow

BASE = drawn(llama(), 1)
CARD = "---\nbase_model: ./base\nbase_model_relation: finetune\n---\n# It\n"
MANIFEST = """\
schema: audit-flow/release/v1
release: {name: acme/it, version: 1.0.0}
weights: it
base_model: {id: base, path: base, relation: finetune}
"""


def lying(change: Callable[[dict[str, object]], object]) -> Callable[[Path], object]:
    return lambda folder: rewritten(written(folder, BASE), change)


def filled(value: float) -> Callable[[Path], object]:
    return lambda folder: written(folder, {n: np.full_like(v, value) for n, v in BASE.items()})


def mixed(folder: Path) -> object:
    return written(folder, BASE, "F16", model__embed_tokens__weight="I32")


def broken_gguf(folder: Path) -> object:
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF\x03\0\0\0" + b"\xff" * 64)
    return folder


MODELS: dict[str, Callable[[Path], object]] = {
    **{change.__name__: lying(change) for change in HOSTILE},
    "not a number": filled(np.nan), "infinite": filled(np.inf), "zero": filled(0.0),
    "integers among floats": mixed, "a GGUF file": broken_gguf,
}  # fmt: skip
COMMANDS = {
    "verify, as the release": ["verify", "./it", "--base", "./base"],
    "verify, as the base": ["verify", "./base", "--base", "./it"],
    "fingerprint": ["fingerprint", "./it", "--key", "key.pem", "--output", "x.fingerprint"],
    "fingerprint --search": ["fingerprint", "./it", "--search", "known"],
    "audit": ["audit", "release.yaml"],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    written(tmp_path / "base", BASE)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "known").mkdir()
    (tmp_path / "release.yaml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> int:
    monkeypatch.setattr(sys, "argv", ["audit-flow", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def test_honest_weights_are_read_by_every_command(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(place / "it", changed(BASE, 0.1, 2))
    (place / "it" / "README.md").write_text(CARD)
    assert run(monkeypatch, COMMANDS["fingerprint"]) == 0
    assert run(monkeypatch, COMMANDS["fingerprint --search"]) == 0
    for command in ("verify, as the release", "audit"):
        capsys.readouterr()
        assert run(monkeypatch, [*COMMANDS[command], "--format", "json"]) == 3
        assert "share lineage or initialisation with the named base" in capsys.readouterr().out


@pytest.mark.parametrize("name", MODELS)
def test_weights_that_lie_are_told_and_pass_nothing(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    MODELS[name](place / "it")
    for side in ("it", "base"):
        (place / side / "README.md").write_text(CARD.replace("./base\n", "./it\n", 1)
                                                if side == "base" else CARD)  # fmt: skip
    partly = {"integers among floats"}
    # What can be read of such a model is a fingerprint; a search that finds nothing says so.
    fine = {"fingerprint --search"} | ({"fingerprint"} if name in partly else set())
    for command, arguments in COMMANDS.items():
        code = run(monkeypatch, arguments)
        said = capsys.readouterr()
        assert code in {1, 2, 3} or (code == 0 and command in fine), command
        assert "Traceback" not in said.out + said.err
        assert "share lineage or initialisation with the named" not in said.out, command
    assert (place / "x.fingerprint").exists() == (name in partly)
