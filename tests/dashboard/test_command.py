"""Which stores `audit-flow dashboard` shows, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from audit_flow.cli.dashboard import dashboard, find_roots
from audit_flow.errors import InputError


def store(folder: Path) -> Path:
    root = folder / ".audit-flow"
    root.mkdir(parents=True)
    (root / "mlflow.db").touch()
    return root


def test_stores_here_and_below_are_found(tmp_path: Path) -> None:
    one, two = store(tmp_path / "examples" / "a"), store(tmp_path / "examples" / "b")
    assert find_roots((), tmp_path) == (one, two)
    assert find_roots((), tmp_path / "examples") == (one, two)
    assert find_roots((), tmp_path / "examples" / "a") == (one,)


@pytest.mark.parametrize("name", [".", "release.yaml", ".audit-flow"])
def test_a_release_is_named_in_three_ways(tmp_path: Path, name: str) -> None:
    root = store(tmp_path)
    (tmp_path / "release.yaml").touch()
    assert find_roots((tmp_path / name,), Path("/")) == (root.resolve(),)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_release_without_audits_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        find_roots((tmp_path / name,), tmp_path)
    with pytest.raises(InputError):
        find_roots((), tmp_path / "empty")


@pytest.mark.parametrize(
    "options",
    [
        ["--host", "0.0.0.0"],
        ["--proxy-header", "X-User"],
        ["--new-token", "ana"],
        ["--tokens", "missing"],
        ["--hub", "ftp://x"],
        ["--prefect-api", "nonsense"],
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_served(
    tmp_path: Path, options: list[str]
) -> None:
    root = store(tmp_path)
    done = CliRunner().invoke(dashboard, [str(root), *options])
    assert isinstance(done.exception, InputError)


def test_a_new_token_is_printed_once(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    done = CliRunner().invoke(dashboard, ["--new-token", "ana@example.org", "--tokens", str(path)])
    assert done.exit_code == 0
    assert done.stdout.split("\n")[0] not in path.read_text()
    assert "ana@example.org sha256:" in path.read_text()
