"""Files that change between two readings: what is published is what was judged, or nothing is."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.attestation.desk import key_from
from tests.hub.server import HubServer
from tests.publish.cli_process import run_while_changing
from tests.publish.releases import ATTRIBUTES, Small, commits, released, served, small

pytestmark = pytest.mark.slow
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.publish.cli_process"])
NAMES = (
    "model/model-00001-of-00002.safetensors",
    "model/config.json",
    "README.md",
    "release.yaml",
)


def published_while_changing(
    hub: HubServer, folder: Path, made: Small, repo: str, name: str, at: int
) -> tuple[int, int]:
    """Publish; before the ``at``-th opening of a file of the release, one file is another.

    Returns the exit code and how many openings there were.
    """
    words = [
        "publish", str(made.path("release.yaml")), "--repo", repo, "--endpoint", hub.url,
        "--policy", str(made.policy), "--key", str(folder / "key.pem"),
    ]  # fmt: skip
    counted = folder / "opened.txt"
    arguments = (
        words, (str(folder / "state"), hub.write_token, str(folder / "log.txt")),
        str(made.path(name)), at, str(counted),
    )  # fmt: skip
    process = CONTEXT.Process(target=run_while_changing, args=arguments)
    process.start()
    process.join(240)
    assert process.exitcode is not None
    return process.exitcode, int(counted.read_text())


def laid_out(hub: HubServer, folder: Path, repo: str) -> Small:
    folder.mkdir()
    made = small(folder, seed=len(repo))
    key = key_from(7).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "key.pem").write_bytes(key)
    hub.add_repo(repo, {".gitattributes": ATTRIBUTES})
    return made


def judged_bytes(hub: HubServer, folder: Path, made: Small, repo: str) -> bool:
    """Say whether the bytes served are those whose record the publication names."""
    files = served(hub, repo=repo)
    other = Small(folder / "served", folder / "other", made.policy)
    shutil.copytree(made.root, other.root, ignore=shutil.ignore_patterns(".audit-flow", "public*"))
    shutil.rmtree(other.path("model"))
    for name, data in released(files).items():
        other.write(name if name == "README.md" else f"model/{name}", data)
    other.write("release.yaml", files["attestation/release.yaml"])
    stated = json.loads(made.path("publication/publication.json").read_bytes())
    return bool(other.judged().record.sha256 == stated["record_sha256"])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_published_is_what_was_judged(
    hub_server: HubServer, tmp_path: Path, name: str
) -> None:
    good = laid_out(hub_server, tmp_path / "good", "acme/good")
    code, total = published_while_changing(
        hub_server, tmp_path / "good", good, "acme/good", name, 0
    )
    assert code == 0, (tmp_path / "good" / "log.txt").read_text()
    assert judged_bytes(hub_server, tmp_path / "good", good, "acme/good")
    assert total > len(NAMES)
    refused = 0
    for at in range(1, total + 1, max(1, total // 24)):
        folder, repo = tmp_path / str(at), f"acme/changing-{at}"
        made = laid_out(hub_server, folder, repo)
        code, _ = published_while_changing(hub_server, folder, made, repo, name, at)
        told = (folder / "log.txt").read_text()
        assert "Traceback" not in told
        titles = commits(hub_server, repo=repo)
        there = sum(t.startswith("audit-flow publication") for t in titles)
        if code == 0:
            assert there == 1
            assert judged_bytes(hub_server, folder, made, repo), f"before opening {at}: {told}"
        else:
            refused += 1
            assert released(served(hub_server, repo=repo)) == {}, f"before opening {at}: {told}"
    assert refused
