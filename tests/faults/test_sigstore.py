"""Sigstore goes down at each request of each command that asks it: nothing half, then finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hub.server import OWNER, HubServer
from tests.publish.releases import ATTRIBUTES, Small, commits, released, served, small
from tests.signing.commands import run
from tests.signing.conftest import running_sigstore, sigstore
from tests.signing.sigstore_server import PrivateSigstore
from tests.signing.trusting import EMAIL

__all__ = ["running_sigstore", "sigstore"]
pytestmark = pytest.mark.slow
# What `sign` and the others exit with when they could not do it (docs: exit codes).
REFUSED = {2, 3}

TRUST = """schema: audit-flow/trust/v1
identities: [{{name: lab, issuer: "{issuer}", identity: {who}, roles: [any]}}]
sigstore: [{{name: private, file: root.json, sha256: "sha256:{root}"}}]
"""


@dataclass
class Desk:
    """A release, its repository, and how a command is called that signs by identity."""

    sigstore: PrivateSigstore
    hub: HubServer
    folder: Path
    release: Small

    @property
    def repo(self) -> str:
        return f"acme/{self.folder.name}"

    def keyless(self) -> list[str]:
        token = self.sigstore.issuer.token(EMAIL)
        return ["--identity-token", token, "--trust-config", str(self.folder / "config.json")]

    def trusted(self) -> list[str]:
        root = str(self.folder / "root.json")
        return ["--issuer", self.sigstore.issuer.url, "--trusted-root", root, "--identity", EMAIL]


def _sign(desk: Desk) -> int:
    return run("sign", str(desk.release.path("model")), *desk.keyless())


def _signed(desk: Desk) -> bool:
    return run("verify-signature", str(desk.release.path("model")), *desk.trusted()) == 0


def _attest(desk: Desk) -> int:
    manifest, policy = desk.release.path("release.yaml"), str(desk.release.policy)
    return run("attest", str(manifest), "--policy", policy, *desk.keyless())


def _attested(desk: Desk) -> bool:
    return run("verify-attestation", str(desk.release.path("attestation")), *desk.trusted()) == 0


def _publish(desk: Desk) -> int:
    return run(
        "publish", str(desk.release.path("release.yaml")), "--repo", desk.repo,
        "--endpoint", desk.hub.url, "--policy", str(desk.release.policy), *desk.keyless(),
        "--trust", str(desk.folder / "trust.yaml"),
    )  # fmt: skip


def _published(desk: Desk) -> bool:
    titles = commits(desk.hub, repo=desk.repo)
    once = sum(t.startswith("audit-flow publication") for t in titles) == 1
    return once and released(served(desk.hub, repo=desk.repo)) == desk.release.files()


COMMANDS: dict[str, tuple[Callable[[Desk], int], Callable[[Desk], bool], str]] = {
    "sign": (_sign, _signed, "model/model.sig"),
    "attest": (_attest, _attested, "attestation"),
    "publish": (_publish, _published, "publication"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("answer_lost", [False, True])
def test_down_at_each_request(
    name: str,
    answer_lost: bool,
    sigstore: PrivateSigstore,
    hub_server: HubServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hub_server.add_token(OWNER, "write", token="hf_faults")
    monkeypatch.setenv("HF_TOKEN", "hf_faults")
    command, whole, written = COMMANDS[name]

    def desk_of(number: int) -> Desk:
        folder = tmp_path / f"{name}-{number}"
        folder.mkdir()
        for kind in ("STATE", "DATA", "CACHE"):
            monkeypatch.setenv(f"XDG_{kind}_HOME", str(folder / kind))
        desk = Desk(sigstore, hub_server, folder, small(folder, seed=number))
        (folder / "config.json").write_text(sigstore.trust_config())
        root = json.dumps(sigstore.trusted_root()).encode()
        (folder / "root.json").write_bytes(root)
        trust = TRUST.format(
            issuer=sigstore.issuer.url, who=EMAIL, root=hashlib.sha256(root).hexdigest()
        )
        (folder / "trust.yaml").write_text(trust)
        hub_server.add_repo(desk.repo, {".gitattributes": ATTRIBUTES})
        return desk

    good = desk_of(0)
    sigstore.requests.clear()
    assert command(good) == 0
    total = len(sigstore.requests)
    assert total >= 2
    assert whole(good)
    for left in range(total):
        desk = desk_of(left + 1)
        first = hub_server.head(desk.repo)
        sigstore.faults.go_down(left, answer_lost=answer_lost)
        capfd.readouterr()
        code = command(desk)
        told = "".join(capfd.readouterr())
        sigstore.faults.clear()
        assert code in REFUSED, told
        assert "Traceback" not in told
        assert "broke down" not in told
        assert hub_server.head(desk.repo) == first or whole(desk), "half published"
        assert not desk.release.path(written).exists() or whole(desk)
        assert command(desk) == 0
        assert whole(desk)
