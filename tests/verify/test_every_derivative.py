"""Each kind of derivative of a trained zoo, published on a Hub: its parent is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_flow.cli.verify import verify
from benchmarks.lineage.derivatives import Derivative, derivatives
from benchmarks.lineage.evaluate import Zoo, written_model
from benchmarks.lineage.numpy_training import train_zoo
from tests.hub.server import HubServer

pytestmark = pytest.mark.slow

SEED = 84_000
FIRST, SECOND = f"mlp-{SEED}", f"mlp-{SEED}+v2"
REPOS = {FIRST: "acme/base-a", SECOND: "acme/base-b"}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    folder = tmp_path_factory.mktemp("zoo")
    train_zoo(folder, SEED, 1)
    return Zoo(folder)


def made(zoo: Zoo) -> Iterator[Derivative]:
    for number, parent in enumerate((FIRST, SECOND)):
        base = zoo.load(parent)
        tuned = {k: zoo.load(f"{parent}+{k}") for k in ("light", "heavy")}
        yield Derivative(f"{parent}~light", "light fine-tune", "found", tuned["light"], parent)
        yield Derivative(f"{parent}~heavy", "heavy fine-tune", "found", tuned["heavy"], parent)
        everything = derivatives("mlp", parent, base, tuned)
        found = [d for d in everything if d.expectation == "found" or d.gguf]
        # Half of them are made of each parent.
        yield from found[number::2]


def published(server: HubServer, repo: str, file: Path, base: str = "") -> None:
    files = {file.name: file.read_bytes(), "config.json": b"{}"}
    if base:
        card = f"---\nbase_model: {base}\nbase_model_relation: finetune\n---\n# It\n"
        files["README.md"] = card.encode()
    server.add_repo(repo, files)


def judged(server: HubServer, repo: str) -> tuple[str, str]:
    """Return what the command finds of the claimed base, and what it says."""
    result = CliRunner().invoke(
        verify, [repo, "--hub", server.url, "--anonymous", "--format", "json",
                 "--base", REPOS[FIRST], "--base", REPOS[SECOND]], standalone_mode=False,
    )  # fmt: skip
    report = json.loads(result.output)
    (found,) = (f for f in report["verdict"]["findings"] if f["rule"] == "base-model.candidates")
    assert (result.return_value == 1) == (report["verdict"]["outcome"] == "FAILED")
    return found["outcome"], found["actual"]


def test_each_derivative_names_its_parent_and_refuses_the_rival(
    zoo: Zoo, hub_server: HubServer, tmp_path: Path
) -> None:
    for name, repo in REPOS.items():
        published(hub_server, repo, zoo.folder / f"{name}.safetensors")
    wrong, asked = [], 0
    for number, derivative in enumerate(made(zoo)):
        assert derivative.parent
        (rival,) = set(REPOS) - {derivative.parent}
        (tmp_path / str(number)).mkdir()
        file = written_model(tmp_path / str(number) / "model.safetensors", derivative)
        for claimed, expected in ((derivative.parent, "PASSED"), (rival, "FAILED")):
            repo = f"acme/child-{number}-{expected.lower()}"
            published(hub_server, repo, file, REPOS[claimed])
            outcome, actual = judged(hub_server, repo)
            asked += 1
            named = expected == "PASSED" or actual.startswith(REPOS[derivative.parent])
            if outcome != expected or not named:
                wrong.append(f"{derivative.name} ({derivative.kind}), {REPOS[claimed]}: {outcome}")
    assert wrong == []
    assert asked > 50
