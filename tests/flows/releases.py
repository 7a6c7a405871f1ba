"""A small release, its reviewer, and the parameters of a run that publishes it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization

from audit_flow.approval.prefect_http import PrefectHttp
from tests.attestation.desk import key_from
from tests.flows.pipeline import ROOT, Pipeline
from tests.hub.server import HubServer
from tests.publish.releases import Small, commits

REVIEWER = {"reviewer": "Ada", "reason": "read the findings"}


def chosen(release: Small, hub: HubServer, **more: Any) -> dict[str, Any]:
    """Return the parameters of `release` and `publish-release`; a key signs."""
    pem = key_from(7).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    key = release.root.parent / "key.pem"
    key.write_bytes(pem)
    return {
        "manifest": str(release.path("release.yaml")),
        "repo": "acme/small",
        "policy": str(release.policy),
        "endpoint": hub.url,
        "signing": {"key": str(key)},
        **more,
    }


def waiting_record(pipeline: Pipeline, run: str) -> str:
    """Return the record that a run waits for, as the dashboard finds it."""
    found = next(r for r in PrefectHttp(pipeline.api).runs() if r.id == run)
    assert found.waits
    assert found.record_sha256 is not None
    return found.record_sha256


def approve(pipeline: Pipeline, run: str, decision: str = "approve") -> None:
    answer = {"decision": decision, "record_sha256": waiting_record(pipeline, run), **REVIEWER}
    said = pipeline.resume(run, answer)
    assert said["status"] == "ACCEPT", said


def published(hub: HubServer, repo: str = "acme/small") -> int:
    """Count the commits that publish."""
    return sum(t.startswith("audit-flow publication") for t in commits(hub, repo=repo))


def copied_adder(folder: Path) -> Path:
    """Copy the digit-adder example with its ledger; return its manifest."""
    # Apart from state folders: evidence is never kept inside a release.
    root = folder / "adder"
    root.mkdir()
    for name in ("dvc.yaml", "dvc.lock"):
        shutil.copy(ROOT / name, root / name)
    place = root / "examples" / "digit-adder"
    shutil.copytree(ROOT / "examples" / "digit-adder", place)
    return place / "release.yaml"


def add_large(release: Small, count: int, size: int) -> None:
    """Add files of zeros that take no room on the disk and take seconds to be read."""
    names = [f"data/part-{n}.bin" for n in range(count)]
    for name in names:
        release.write(name, b"")
        with release.path(name).open("r+b") as file:
            file.truncate(size)
    text = yaml.safe_load(release.path("release.yaml").read_text())
    text["evidence"] = {"datasets": names}
    release.write("release.yaml", yaml.safe_dump(text))
