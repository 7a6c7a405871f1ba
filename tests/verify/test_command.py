"""The command: exits, formats, what the verifier brings, and what he wrote wrongly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audit_flow.cli.main import cli
from tests.hub.server import HubServer
from tests.verify.served import EXAMPLE, REPO, good_files, root_of, serve

RESULTS = str(EXAMPLE / "results/results.json")


def run(*words: str, hub: str = "http://127.0.0.1:1") -> Result:
    return CliRunner(env={"HF_ENDPOINT": hub, "HF_TOKEN": ""}).invoke(
        cli, ["verify", *words], standalone_mode=False
    )


def in_process(*words: str, hub: str) -> subprocess.CompletedProcess[str]:
    code = "from audit_flow.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "verify", *words], check=False, capture_output=True, text=True,
        env={"HF_ENDPOINT": hub, "PATH": "", "HOME": "/nonexistent",
             "PYTHONPATH": str(EXAMPLE.parents[1])},
    )  # fmt: skip


def written(folder: Path) -> Path:
    for name, data in good_files().items():
        (folder / name).write_bytes(data)
    return folder


def test_exits_follow_the_evidence(hub_server: HubServer, tmp_path: Path) -> None:
    serve(hub_server)
    own = ("--reproduction", RESULTS, "--measured", root_of(good_files()))
    assert run(REPO, hub=hub_server.url).return_value == 3
    passed = run(REPO, "--full", *own, "--format", "json", hub=hub_server.url)
    assert passed.return_value == 0, passed.output
    report = json.loads(passed.output)
    assert report["verdict"]["policy_name"] == "third-party"
    assert report["record"]["subject"]["revision"] == hub_server.head(REPO)
    out = tmp_path / "report.html"
    assert run(f"{hub_server.url}/{REPO}", "--format", "html", "--output", str(out),
               hub=hub_server.url).return_value == 3  # fmt: skip
    assert "<html" in out.read_text()


def test_a_folder_is_judged_as_the_repository_is(hub_server: HubServer, tmp_path: Path) -> None:
    serve(hub_server)
    folder = written(tmp_path)
    done = run(str(folder), "--reproduction", RESULTS, "--measured", str(folder))
    assert done.return_value == 0, done.output
    assert root_of(good_files()) in done.output
    (folder / "model.safetensors").write_bytes(b"x" * 100)
    assert run(str(folder)).return_value == 1


def test_checksums_that_the_verifier_brings(hub_server: HubServer, tmp_path: Path) -> None:
    serve(hub_server)
    sums = tmp_path / "SUMS"
    sums.write_text(f"{'0' * 64}  model.safetensors\n")
    hub_server.commit(REPO, {"SUMS": sums.read_bytes()})
    done = run(REPO, "--checksums", str(sums), hub=hub_server.url)
    assert done.return_value == 1
    assert "checksums.match" in done.output


@pytest.mark.parametrize("base", ["same", "other"])
def test_a_base_that_the_weights_are_bit_for_bit(
    hub_server: HubServer, tmp_path: Path, base: str
) -> None:
    files = good_files()
    files["README.md"] = files["README.md"].replace(
        b"license: apache-2.0", b"license: apache-2.0\nbase_model: acme/base"
    )
    serve(hub_server, files)
    hub_server.add_repo("acme/base", {"model.safetensors": files["model.safetensors"]}
                        if base == "same" else
                        {p.name: p for p in (EXAMPLE / "base").iterdir()})  # fmt: skip
    twin = tmp_path / "twin"
    twin.mkdir()
    (twin / "model.safetensors").write_bytes(files["model.safetensors"])
    done = run(REPO, "--base", "acme/base", "--base", str(twin), "--format", "json",
               hub=hub_server.url)  # fmt: skip
    found = {f["about"]: f for f in json.loads(done.output)["verdict"]["findings"]
             if f["rule"] == "base-model.candidates"}  # fmt: skip
    expected = {"same": "PASSED", "other": "FAILED"}[base]
    assert found["base-model:acme/base"]["outcome"] == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [("no such thing!",), ("./nothing",), (REPO, "--policy", "nothing"),
     (REPO, "--announced", "soon"), (REPO, "--reproduction", "/nothing.json"),
     (REPO, "--measured", "nothing", "--reproduction", RESULTS), (REPO, "--base", "a/b/c"),
     (REPO, "--checksums", "/nothing"), (".", "--history"), (REPO, "--commits", "0"),
     (REPO, "--folder", "/nothing"), (REPO, "--hub", "nothing"), ("datasets/a/b",)],
    ids=str,
)  # fmt: skip
def test_what_the_verifier_wrote_wrongly_is_exit_2(
    hub_server: HubServer, words: tuple[str, ...]
) -> None:
    serve(hub_server)
    done = in_process(*words, hub=hub_server.url)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_repository_that_is_not_there_could_not_be_judged(hub_server: HubServer) -> None:
    done = in_process("acme/nothing", hub=hub_server.url)
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no repository acme/nothing, or it is private" in done.stderr


def test_a_token_is_not_for_a_hub_that_an_address_names(hub_server: HubServer) -> None:
    serve(hub_server)
    runner = CliRunner(env={"HF_TOKEN": hub_server.read_token})
    assert (
        runner.invoke(
            cli, ["verify", f"{hub_server.url}/{REPO}"], standalone_mode=False
        ).return_value
        == 3
    )
    assert not any(r.authorization for r in hub_server.requests)
    own = CliRunner(env={"HF_TOKEN": hub_server.read_token, "HF_ENDPOINT": hub_server.url})
    assert own.invoke(cli, ["verify", REPO], standalone_mode=False).return_value == 3
    assert any(r.authorization for r in hub_server.requests)
    assert not hub_server.leaks()
