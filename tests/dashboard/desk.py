"""The dashboard as an operator starts it: the command, in a process of its own, beside Prefect."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from audit_flow.signing.keys import public_pem
from tests.attestation.desk import key_from
from tests.dashboard.served import ANA
from tests.flows.pipeline import ROOT, free_port

EXAMPLES = ("digit-adder", "reflection-70b")


def copied(folder: Path) -> Path:
    """Copy both examples with the pipeline that made one of them; return their folder."""
    for name in ("dvc.yaml", "dvc.lock"):
        shutil.copy(ROOT / name, folder / name)
    for name in EXAMPLES:
        left_out = shutil.ignore_patterns(".audit-flow", "attestation", "publication")
        shutil.copytree(ROOT / "examples" / name, folder / "examples" / name, ignore=left_out)
    return folder / "examples"


def command(
    *words: str, env: dict[str, str], cwd: Path, exit_code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run ``audit-flow`` to its end."""
    ran = subprocess.run(
        [sys.executable, "-m", "audit_flow", *words], env=env, cwd=cwd, check=False,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == exit_code, ran.stdout + ran.stderr
    return ran


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> Path:
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    )
    return path


@dataclass(frozen=True)
class Keys:
    """Who signs verdicts, who signs reviews, and the file that trusts both for just that."""

    gate: Path
    reviews: Path
    trust: Path


def keys(folder: Path) -> Keys:
    gate, reviews = key_from(41), key_from(42)
    parties = (("gate of acme", gate, "verdict"), ("reviews of acme", reviews, "review"))
    document = {
        "schema": "audit-flow/trust/v1",
        "keys": [
            {"name": name, "roles": [role], "pem": public_pem(key.public_key()).decode()}
            for name, key, role in parties
        ],
    }
    trust = folder / "trust.yaml"
    trust.write_text(yaml.safe_dump(document))
    return Keys(write_key(folder / "gate.pem", gate), write_key(folder / "r.pem", reviews), trust)


def token_file(folder: Path, name: str = "ana@example.org", token: str = ANA) -> Path:
    path = folder / "tokens"
    path.write_text(f"{name} sha256:{hashlib.sha256(token.encode()).hexdigest()}\n")
    return path


@contextmanager
def running(*words: str, env: dict[str, str], cwd: Path) -> Iterator[str]:
    """Run ``audit-flow dashboard`` until the end of the block; gives its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = (cwd / "dashboard.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "audit_flow", "dashboard", "--port", str(port), *words],
        env=env, cwd=cwd, stdout=log, stderr=log,
    )  # fmt: skip
    try:
        _until_up(url, process, cwd / "dashboard.log")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _until_up(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the stores are listed, which MLflow takes its time for."""
    end = time.monotonic() + 240
    headers = {"Authorization": f"Bearer {ANA}"}
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            with urllib3.PoolManager(retries=False, timeout=30) as pool:
                answer = pool.request("GET", f"{url}/api/v1/status", headers=headers)
            if answer.status == 200 and answer.json()["ready"]:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.2)
