"""``audit-flow sign`` and ``verify-signature`` as they are called: exit codes and words."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from audit_flow.signing.keys import public_pem
from tests.house.tree import ROOT
from tests.signing.parts import make_model, model_signing, new_key, pem_of


def run(*words: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "audit_flow", *map(str, words)]
    surroundings = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("ACTIONS_", "XDG_"))},
        "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(cwd / "data"), **env,
    }  # fmt: skip
    return subprocess.run(
        command, cwd=cwd, env=surroundings, capture_output=True, text=True, timeout=120,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Path:
    key = new_key()
    make_model(tmp_path / "model")
    (tmp_path / "key.pem").write_bytes(pem_of(key))
    (tmp_path / "locked.pem").write_bytes(pem_of(key, b"secret"))
    (tmp_path / "key.pub").write_bytes(public_pem(key.public_key()))
    (tmp_path / "other.pub").write_bytes(public_pem(new_key().public_key()))
    return tmp_path


@pytest.mark.slow
def test_sign_verify_change_refuse(place: Path) -> None:
    assert run("sign", "model", "--key", "key.pem", cwd=place).returncode == 0
    good = run("verify-signature", "model", "--key", "key.pub", "--format", "json", cwd=place)
    assert good.returncode == 0, good.stderr
    document = json.loads(good.stdout)
    assert (document["schema"], document["outcome"]) == ("audit-flow/signature/v1", "PASSED")
    data = bytearray((place / "model/model.safetensors").read_bytes())
    data[-1] ^= 1
    (place / "model/model.safetensors").write_bytes(bytes(data))
    bad = run("verify-signature", "model", "--key", "key.pub", cwd=place)
    assert bad.returncode == 1
    assert "model.safetensors" in bad.stdout
    assert "tensor second" in bad.stdout
    part = ("verify-signature", "model", "--key", "key.pub")
    assert run(*part, "--subset", "config.json", cwd=place).returncode == 0
    assert run(*part, "--subset", "model.safetensors", cwd=place).returncode == 1
    assert run(*part, "--tensor", "first", cwd=place).returncode == 0
    assert run(*part, "--tensor", "model.safetensors#second", cwd=place).returncode == 1
    assert run(*part, "--tensor", "third", cwd=place).returncode == 1
    assert run(*part, "--subset", "not-there", cwd=place).returncode == 1


@pytest.mark.slow
def test_a_subset_verifies_where_the_rest_is_missing(place: Path) -> None:
    assert run("sign", "model", "--key", "key.pem", cwd=place).returncode == 0
    for name in ("config.json", "a-b.txt"):
        (place / "model" / name).unlink()
    part = ("verify-signature", "model", "--key", "key.pub")
    assert run(*part, "--subset", "model.safetensors", cwd=place).returncode == 0
    assert run(*part, cwd=place).returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--key", "other.pub"), 1),
        ((), 3),
        (("--key", "none.pub"), 2),
        (("--key", "model/config.json"), 2),
        (("--identity", "me"), 2),
        (("--issuer", "me"), 2),
        (("--trust", "none.yaml"), 2),
        (("--trusted-root", "model/config.json"), 2),
        (("--certificate-authority", "key.pub"), 2),
        (("--signature", "none.sig"), 2),
        (("--key", "key.pub", "--role", "evaluation"), 0),
    ],
)
def test_exit_codes(place: Path, words: tuple[str, ...], code: int) -> None:
    assert run("sign", "model", "--key", "key.pem", cwd=place).returncode == 0
    done = run("verify-signature", "model", *words, cwd=place)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_no_signature_is_a_wrong_command_and_a_broken_one_is_refused(place: Path) -> None:
    assert run("verify-signature", "model", "--key", "key.pub", cwd=place).returncode == 2
    (place / "model/model.sig").write_text("{")
    done = run("verify-signature", "model", "--key", "key.pub", cwd=place)
    assert done.returncode == 1
    assert "bundle" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "env", "code"),
    [
        (("--key", "locked.pem"), {}, 2),
        (("--key", "locked.pem"), {"AUDIT_FLOW_KEY_PASSWORD": "wrong"}, 2),
        (("--key", "locked.pem"), {"AUDIT_FLOW_KEY_PASSWORD": "secret"}, 0),
        (("--key", "locked.pem", "--password-file", "password"), {}, 0),
        (("--key", "key.pem"), {"AUDIT_FLOW_KEY_PASSWORD": "not needed"}, 0),
        (("--key", "key.pub"), {}, 2),
        (("--key", "key.pem", "--sigstore"), {}, 2),
        (("--sigstore",), {}, 2),
        (("--identity-token", "nonsense"), {}, 2),
        (("--certificate", "key.pub"), {}, 2),
        (("--trust-config", "key.pub"), {}, 2),
        (("--pkcs11", "token"), {}, 2),
        (("--pkcs11", "pkcs11:token=none;object=none"), {}, 2),
    ],
)
def test_ways_to_sign(place: Path, words: tuple[str, ...], env: dict[str, str], code: int) -> None:
    (place / "password").write_text("secret\n")
    done = run("sign", "model", *words, cwd=place, **env)
    assert done.returncode == code, done.stderr
    assert (place / "model/model.sig").exists() is (code == 0)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_local_key_is_made_once_and_says_what_it_does_not_prove(place: Path) -> None:
    first = run("sign", "model", cwd=place)
    assert first.returncode == 0, first.stderr
    assert "made a local key" in first.stderr
    assert "not who that is, and not when" in first.stderr
    key = place / "data/audit-flow/signing-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = (place / "model/model.sig").read_bytes()
    assert "signing with the local key" in run("sign", "model", cwd=place).stderr
    assert (place / "model/model.sig").read_bytes() == before
    public = key.with_suffix(".pub")
    assert run("verify-signature", "model", "--key", public, cwd=place).returncode == 0
    key.chmod(0o644)
    assert run("sign", "model", cwd=place).returncode == 2


@pytest.mark.slow
def test_an_empty_folder_and_a_link_are_not_signed(place: Path) -> None:
    (place / "empty").mkdir()
    assert run("sign", "empty", "--key", "key.pem", cwd=place).returncode == 2
    (place / "model/link").symlink_to("config.json")
    done = run("sign", "model", "--key", "key.pem", cwd=place)
    assert done.returncode == 2
    assert "symbolic link" in done.stderr


@pytest.mark.slow
def test_the_example_is_signed_and_judged(place: Path) -> None:
    example = place / "digit-adder"
    shutil.copytree(ROOT / "examples/digit-adder", example)
    assert run("sign", "digit-adder", "--key", "key.pem", cwd=place).returncode == 0
    model = example / "model"
    words = ("verify", "key", model, "--signature", model / "model.sig", "--public_key")
    assert model_signing(*words, place / "key.pub").returncode == 0
    assert run("verify-signature", "digit-adder", "--key", "key.pub", cwd=place).returncode == 0


@pytest.mark.slow
def test_files_of_evidence_are_signed(place: Path) -> None:
    (place / "r.json").write_text("{}")
    (place / "rows.jsonl").write_text("{}\n")
    words = ("r.json", "rows.jsonl", "--weights", "model", "--key", "key.pem")
    assert run("sign", *words, cwd=place).returncode == 0
    check = ("--key", "key.pub", "--signature", "r.json.sig")
    for name, code in (("r.json", 0), ("rows.jsonl", 0), ("key.pub", 1)):
        assert run("verify-signature", name, *check, cwd=place).returncode == code
    assert run("sign", "r.json", "--kind", "gossip", "--key", "key.pem", cwd=place).returncode == 2
    assert run("sign", "r.json", "model", "--key", "key.pem", cwd=place).returncode == 2


@pytest.mark.parametrize("cache", ["cold", "poisoned"])
def test_the_users_cache_is_never_read(place: Path, cache: str) -> None:
    """An attacker's root in the cache of Sigstore's update framework changes nothing."""
    home = place / "home"
    if cache == "poisoned":
        for base in (
            home / ".cache/sigstore-python/tuf",
            home / ".local/share/sigstore-python/tuf",
        ):
            folder = base / "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
            folder.mkdir(parents=True)
            for name in ("trusted_root.json", "root.json", "timestamp.json"):
                (folder / name).write_text("{}")
    archive = ROOT / "tests/archive/oms-sigstore-rekor1"
    words = (
        "--identity",
        "stefanb@us.ibm.com",
        "--issuer",
        "https://sigstore.verify.ibm.com/oauth2",
    )
    before = sorted(home.rglob("*"))
    done = run("verify-signature", archive, *words, cwd=place, HOME=str(home))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(home.rglob("*")) == before
