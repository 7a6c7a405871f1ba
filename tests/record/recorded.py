"""A release whose training is a real small script, run and recorded by the command line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit_flow.audit import audit
from audit_flow.collectors.command_record import statement
from audit_flow.model import Finding, LineageRecord, TrustFile, Verdict
from audit_flow.signing.keys import public_pem
from audit_flow.sources.manifest import load
from tests.release_parts import default_policy, validator

TRAIN = '''"""Fit a line by gradient descent and write it as safetensors."""
import json
import struct
from pathlib import Path

import numpy as np

rows = [json.loads(line) for line in Path("data/train.jsonl").read_text().splitlines()]
config = json.loads(Path("config.json").read_text())
x, y = (np.array([row[name] for row in rows]) for name in "xy")
w = b = 0.0
for step in range(config["steps"]):
    error = w * x + b - y
    w -= config["rate"] * (error * x).mean()
    b -= config["rate"] * error.mean()
    print(f"step {step} loss {float((error ** 2).mean()):.6f}", flush=True)
data = np.array([w, b], dtype="<f4").tobytes()
head = json.dumps({"line": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
head += b" " * (-len(head) % 8)
Path("model").mkdir(exist_ok=True)
Path("model/model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
'''


@dataclass(frozen=True)
class Made:
    """A folder to record in, with a key to sign with."""

    root: Path
    key: Path
    public: bytes

    def record(
        self, *arguments: str, signer: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``audit-flow record`` in the folder, signing with the key or as ``signer`` says."""
        signed = signer or ("--key", str(self.key))
        command = [sys.executable, "-m", "audit_flow", "record", *signed, *arguments]
        return subprocess.run(
            command, cwd=self.root, capture_output=True, text=True, timeout=120, check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        )  # fmt: skip

    def train(
        self, *more: str, signer: tuple[str, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Record the training script with everything that it reads."""
        inputs = ("data/train.jsonl", "config.json", "train.py")
        named = [word for name in inputs for word in ("--input", name)]
        script = ("--output", "model", *more, "--", sys.executable, "train.py")
        return self.record(*named, *script, signer=signer, **environment)

    def predicate(self, name: str = "train") -> dict[str, Any]:
        """Return what the record says."""
        raw = (self.root / f"{name}.record.json").read_bytes()
        found: dict[str, Any] = json.loads(statement(raw, name))
        return found

    def judge(self, trust: TrustFile | None = None) -> tuple[LineageRecord, Verdict]:
        """Audit the folder."""
        result = audit(
            load(self.root / "release.yaml"), default_policy(), trust=trust, tables=validator()
        )
        return result.record, result.verdict


def made(root: Path, seed: int = 0) -> Made:
    """Write script, data, configuration and manifest; nothing is trained yet."""
    rng = random.Random(seed)
    root.mkdir(parents=True)
    (root / "data").mkdir()
    slope = rng.uniform(-3, 3)
    rows = [{"x": i / 40, "y": slope * i / 40 + 1} for i in range(rng.randrange(20, 60))]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "data/train.jsonl").write_text(text, "utf-8")
    config = {"steps": rng.randrange(20, 200), "rate": 0.5}
    (root / "config.json").write_text(json.dumps(config), "utf-8")
    (root / "train.py").write_text(TRAIN, "utf-8")
    manifest = {
        "schema": "audit-flow/release/v1",
        "release": {"name": "line"},
        "weights": "model",
        "evidence": {
            "datasets": ["data/train.jsonl"],
            "training_configs": ["config.json"],
            "records": ["train.record.json"],
        },
    }
    (root / "release.yaml").write_text(yaml.safe_dump(manifest), "utf-8")
    key = ec.generate_private_key(ec.SECP256R1())
    place = root.parent / "key.pem"
    place.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Made(root, place, public_pem(key.public_key()))


def of(verdict: Verdict, rule: str) -> list[Finding]:
    """Return the findings of a rule."""
    return [f for f in verdict.findings if f.rule == rule]
