"""The reports of three audits, held in readable golden files (UPDATE_GOLDEN=1 writes them)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from audit_flow.report import render
from tests.report import builders

GOLDEN = Path(__file__).parent / "golden"
NARROW = 60


def without_record_digest(text: str, digest: str) -> str:
    """Any new field of a noun changes the digest and nothing else that people see."""
    assert digest[:32] in text
    return text.replace(digest[:32], "0" * 32).replace(digest[32:], "0" * 32)


@pytest.mark.parametrize("audit", builders.ALL)
@pytest.mark.parametrize(
    ("suffix", "name", "width", "verbose"),
    [
        ("txt", "text", 100, False),
        ("narrow.txt", "text", NARROW, True),
        ("json", "json", 100, False),
        ("github.txt", "github", 100, False),
        ("junit.xml", "junit", 100, False),
        ("sarif.json", "sarif", 100, False),
    ],
)
def test_report_is_as_in_the_golden_file(
    audit: str, suffix: str, name: str, width: int, verbose: bool
) -> None:
    result = builders.ALL[audit]()
    got = render(name, result, width=width, verbose=verbose)
    if name not in {"json", "github"}:
        got = without_record_digest(got, result.record.sha256)
    path = GOLDEN / f"{audit}.{suffix}"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(got, "utf-8")
    assert got == path.read_text("utf-8")
