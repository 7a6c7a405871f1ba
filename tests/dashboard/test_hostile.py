"""Whatever a repository writes is shown as text, on every page, and breaks none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from audit_flow.dashboard.library import Audit
from audit_flow.dashboard.verifying import Job
from audit_flow.report.interface import AuditResult
from audit_flow.sources.hub import HubName
from tests.dashboard.served import Served, record, serving
from tests.report.hostile import SAMPLES, UNSAFE, audit_named

PAGES = ("", "/lineage", "/announcement", "/review", "/claims/0", "/evidence/0", "/findings/0",
         "/findings/1", "/findings/2")  # fmt: skip
FILES = ("findings", "scores", "claims", "evidence", "waivers", "checksums")
LONG = ("a" * 1_000_000, "\u202e" * 1_000_000, "<b>" * 300_000, "\u05d0\u05d1 " * 200_000)


@pytest.fixture(scope="module")
def running(read_root: Path) -> Iterator[Served]:
    with serving(read_root) as desk:
        yield desk


def shown(desk: Served, result: AuditResult) -> str:
    """Show an audit as a verification of this session, which is how strangers' text comes in."""
    job = Job("0123456789abcdef", HubName("a/b", None, "https://x"), "done", result=result)
    desk.site.verifier._jobs[job.id] = job
    assert isinstance(desk.site.audit(job.key), Audit)
    return job.key


class _Live(HTMLParser):
    """Collects whatever of a page would run, or load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            text = (value or "").strip().lower()
            outside = name in {"src", "href", "action"} and not text.startswith(
                ("/", "#", "https:")
            )
            if name.startswith("on") or name == "style" or outside:
                self.found.append(f"<{tag} {name}={value}>")
        named = dict(attrs)
        if tag in {"style", "iframe", "object", "base", "b"} or (
            tag in {"script", "img"} and not str(named.get("src")).startswith("/static/")
        ):
            self.found.append(f"<{tag}>")


def harmless(text: str) -> None:
    assert UNSAFE.search(text) is None
    live = _Live()
    live.feed(text)
    assert live.found == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_hostile_text_is_text_on_every_page(running: Served, sample: str) -> None:
    key = shown(running, audit_named(sample))
    visitor = running.browser()
    for page in PAGES:
        answer = visitor.get(f"/audits/{key}{page}")
        assert answer.status == 200, page
        harmless(answer.text)
    for table in FILES:
        for form in ("csv", "json"):
            assert visitor.get(f"/audits/{key}/tables/{table}.{form}").status == 200


def endless(text: str) -> AuditResult:
    """An audit whose unbounded texts are all a megabyte long, as far as no noun forbids it."""
    plain = audit_named("name")
    everywhere = dict.fromkeys(("about", "title", "message", "expected", "actual", "docs"), text)
    findings = tuple(f.model_copy(update=everywhere) for f in plain.verdict.findings)
    subject = plain.record.subject.model_copy(update={"name": text, "version": text})
    record = plain.record.model_copy(update={"subject": subject})
    verdict = plain.verdict.model_copy(
        update={"findings": findings, "subject": subject, "record_sha256": record.sha256}
    )
    return AuditResult(record=record, verdict=verdict)


@pytest.mark.parametrize("text", LONG, ids=["letters", "overrides", "markup", "right-to-left"])
def test_a_megabyte_of_text_is_cut(running: Served, text: str) -> None:
    key = shown(running, endless(text))
    for page in PAGES:
        answer = running.browser().get(f"/audits/{key}{page}")
        assert answer.status == 200, page
        assert len(answer.text) < 300_000
        harmless(answer.text)


@pytest.mark.parametrize("sample", SAMPLES)
def test_hostile_drafts_and_searches_are_text(running: Served, sample: str) -> None:
    visitor = running.browser()
    key = running.site.library.rows()[0].run_id
    answer = visitor.send(f"/audits/{key}/announcement", {"text": sample + " 99.9 % on addition"})
    assert answer.status == 200
    # A visitor's own text stands in the field that he wrote it in; marks are made harmless.
    harmless(re.sub(r"<textarea.*?</textarea>", "", answer.text, flags=re.S))
    assert "<script>alert" not in answer.text
    harmless(visitor.get(f"/?search={quote(sample)}").text)


def test_a_hostile_name_in_the_store_is_text_in_the_list(tmp_path: Path) -> None:
    root = tmp_path / ".audit-flow"
    result = audit_named("<script>alert(1)</script>\u202e=cmd()")
    record(root, (result.record, result.verdict))
    with serving(root) as desk:
        for path in ("/", "/?search=script", "/compare"):
            answer = desk.browser().get(path)
            assert answer.status == 200
            harmless(answer.text)
        assert "&lt;script&gt;" in desk.browser().get("/").text


def test_a_spreadsheet_runs_nothing(running: Served) -> None:
    key = shown(running, audit_named("=HYPERLINK(1)"))
    text = running.browser().get(f"/audits/{key}/tables/findings.csv").text
    assert "'=HYPERLINK(1)" in text
    assert not re.search(r'(?:^|,)"?=HYPERLINK', text, re.M)
