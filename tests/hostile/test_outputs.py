"""A marker in every text of a record: no format lets it be anything but text."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from enum import Enum
from functools import cache
from html.parser import HTMLParser
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from audit_flow.dashboard.tables import AUDIT_TABLES, of_audit
from audit_flow.gate import judge
from audit_flow.linking import link
from audit_flow.model import LineageRecord
from audit_flow.policy_file import load_policy
from audit_flow.report import FORMATS, AuditResult, render
from audit_flow.store.note import summary
from tests.fuzz.interface import ROOT
from tests.report.hostile import UNSAFE

MARKERS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "x\n::error title=t::m",
    "x%0A::error::y",
    "\x1b[2J\x1b[1;32mPASSED\x1b[0m",
    "\u202egnp\u2069",
    "]]></failure><x/>",
    "\ufffe\uffff\x0b",
    "=cmd|'/C calc'!A0",
    "+1",
    "@SUM(1)",
    "[x](javascript:alert(1))",
    "![x](http://x.example/p.png)",
    "`` ` ``",
    "</style><script>",
    "{{7*7}}",
    "a\r\nSet-Cookie: x",
    "# PASSED",
    "| a | b |",
    "<!-- -->",
    "&lt;b&gt;",
    "\\",
    "tag\U000e0041",
)
# What one part of a record names another by: replaced as well in every second case.
NAMES = {"id", "about", "evidence", "source", "target", "rule", "path", "name", "role", "of"}


@cache
def good(name: str) -> AuditResult:
    raw = (ROOT / "policies" / "cases" / name / "good.record.json").read_bytes()
    given = LineageRecord.model_validate_json(raw)
    claims = given.claims[:-1] or given.claims
    record = link(given.subject, claims, given.evidence[: len(given.evidence) * 2 // 3])
    return AuditResult(record=record, verdict=judge(record, load_policy("default")))


def _is_fixed(annotation: Any) -> bool:
    """Say whether a field takes one of a few words: those are ours."""
    if get_origin(annotation) is Literal or (
        isinstance(annotation, type) and issubclass(annotation, Enum)
    ):
        return True
    return any(_is_fixed(a) for a in get_args(annotation) if a is not type(None))


def marked(value: Any, marker: str, kept: set[str]) -> Any:
    """Return a value with the marker for every text in it, whatever the text's own rules."""
    if isinstance(value, BaseModel):
        changes = {
            name: marked(getattr(value, name), marker, kept)
            for name, field in type(value).model_fields.items()
            if name not in kept
            and (not _is_fixed(field.annotation) or _holds_models(getattr(value, name)))
        }
        return value.model_copy(update=changes)
    if isinstance(value, tuple):
        return tuple(marked(v, marker, kept) for v in value)
    if isinstance(value, dict):
        return {k: marked(v, marker, kept) for k, v in value.items()}
    free = isinstance(value, str) and not isinstance(value, Enum) and not _DIGEST.fullmatch(value)
    return marker if free else value


def _holds_models(value: Any) -> bool:
    return isinstance(value, BaseModel) or (
        isinstance(value, tuple) and any(map(_holds_models, value))
    )


# A field that takes hex digits alone holds no marker.
_DIGEST = re.compile(r"[0-9a-f]{32,128}")
CASES = [(m, keep) for m in MARKERS for keep in (True, False)]


@pytest.fixture(params=CASES, ids=lambda c: f"{c[0].encode('unicode_escape').decode()}-{c[1]}")
def result(request: pytest.FixtureRequest) -> AuditResult:
    marker, keep = request.param
    kept = NAMES if keep else {"kind"}
    name = ("default", "third-party")[MARKERS.index(marker) % 2]
    found: AuditResult = marked(good(name), marker, kept)
    return found


class _Live(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        bad = [
            n
            for n, v in attrs
            if n.startswith("on")
            or (
                n in {"href", "src", "action", "xlink:href", "style"}
                and "script:" in (v or "").lower()
            )
        ]
        if tag in {"script", "img", "iframe", "object", "embed", "base", "x"} or bad:
            self.found.append(f"<{tag} {bad}>")


def _no_live(text: str) -> None:
    live = _Live()
    live.feed(text)
    assert live.found == []


def test_every_format_is_checked() -> None:
    assert {f.name for f in FORMATS} == {"text", "json", "html", "github", "junit", "sarif"}


def test_text(result: AuditResult) -> None:
    for color in (False, True):
        shown = render("text", result, color=color, width=80, verbose=True)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", shown) if color else shown
        assert UNSAFE.search(plain.replace("\n", "")) is None
    assert "\x1b[2J" not in shown


def test_html(result: AuditResult) -> None:
    shown = render("html", result, verbose=True)
    assert UNSAFE.search(shown.replace("\n", "")) is None
    _no_live(shown)


def test_github(result: AuditResult) -> None:
    for line in render("github", result).splitlines():
        assert re.match(r"::(error|warning|notice) ", line), line


def test_junit_is_xml(result: AuditResult) -> None:
    tree = ET.fromstring(render("junit", result))
    assert {e.tag for e in tree.iter()} <= {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "system-out",
        "properties",
        "property",
    }


def test_json_and_sarif(result: AuditResult) -> None:
    for name in ("json", "sarif"):
        raw = render(name, result)
        assert json.loads(raw)
        assert UNSAFE.search(raw.replace("\n", "")) is None or name == "json"


def test_tables_hold_no_formula(result: AuditResult) -> None:
    import csv
    import io

    for name in AUDIT_TABLES:
        for row in csv.reader(io.StringIO(of_audit(name, result).csv())):
            assert not [c for c in row if c[:1] in {"=", "+", "@", "\t", "\r"}], row


def test_notes_in_markdown(result: AuditResult) -> None:
    text = summary(result.record, result.verdict)
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search(r"(?<!\\)\]\((javascript|http://x)", text)
    assert UNSAFE.search(text.replace("\n", "")) is None
