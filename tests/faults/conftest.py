"""These strike every command at every place in turn: `make test-long`, before a release."""

from __future__ import annotations

from pathlib import Path

import pytest

# Quick enough for CI.
QUICK = {"test_sigstore.py", "test_reproductions.py", "test_at_once.py"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        quick = item.path.name in QUICK
        if here in item.path.parents and not quick and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.long)
