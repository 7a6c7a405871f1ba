"""The threat model names rules and tests that are there."""

from __future__ import annotations

import ast
import re

from tests.house.tree import ROOT, sources

PAGE = (ROOT / "docs/threat-model.md").read_text("utf-8")
ACTORS = (
    "publisher", "write access", "insider", "Hub", "CDN", "proxy", "evaluator", "log operator",
    "reviewer", "worker machine", "policy's author", "on the network",
)  # fmt: skip


def _rows() -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("|")]
    return [[c.strip() for c in r] for r in rows if not set("".join(r)) <= set("- ")]


def _tests() -> set[str]:
    found: set[str] = set()
    for path in sources("tests"):
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        found |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    return found


def test_every_row_names_what_shows_it() -> None:
    rows = [r for r in _rows() if r[-1] != "shown by"]
    assert len(rows) > 30
    assert [r for r in rows if len(r) != 3 or "`" not in r[2]] == []


def test_what_is_named_is_there() -> None:
    rules = set(re.findall(r"^## (\S+)$", (ROOT / "docs/rules.md").read_text("utf-8"), re.M))
    known = rules | _tests()
    named = {name for row in _rows() for name in re.findall(r"`([^`]+)`", row[-1])}
    missing = {n for n in named if n not in known and not ("/" in n and (ROOT / n).is_file())}
    assert missing == set()


def test_every_actor_has_a_heading() -> None:
    headings = " ".join(re.findall(r"^## (.*)$", PAGE, re.M))
    assert [a for a in ACTORS if a not in headings] == []
