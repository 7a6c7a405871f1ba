"""Stores of audits for the dashboard, made once where tests only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.served import Served, record, serving, tokens
from tests.dashboard.story import bad, good


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def read_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("read") / ".audit-flow"
    record(root, good())
    record(root, bad())
    return root


@pytest.fixture(scope="session")
def served(read_root: Path) -> Iterator[Served]:
    """A dashboard that anybody on this machine can read."""
    with serving(read_root) as running:
        yield running


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / ".audit-flow"


@pytest.fixture
def desk(root: Path) -> Iterator[Served]:
    """A dashboard with one PASSED and one FAILED release, and reviewers that it knows."""
    record(root, good())
    record(root, bad())
    with serving(root, tokens=tokens()) as running:
        yield running
