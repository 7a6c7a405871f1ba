"""Every page is there, says what it must, and every table can be taken away."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from importlib.resources import files

import pytest

from audit_flow.dashboard.tables import AUDIT_TABLES
from tests.dashboard.served import Served


def key_of(served: Served, name: str) -> str:
    return next(r.run_id for r in served.site.library.rows() if r.name == name)


@pytest.fixture
def failed(served: Served) -> str:
    return key_of(served, "reflection")


@pytest.fixture
def passed(served: Served) -> str:
    return key_of(served, "digit-adder")


def test_the_list_shows_verdicts(served: Served) -> None:
    text = served.browser().get("/").text
    assert "2 releases found" in text
    assert re.search(r"reflection.*?FAILED", text, re.S)
    assert re.search(r"digit-adder.*?PASSED", text, re.S)


def test_rows_that_are_seen_are_proven(served: Served) -> None:
    visitor, end = served.browser(), time.monotonic() + 60
    while "being proven" in visitor.get("/").text.partition("<footer")[0]:
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=REFLECT", {"reflection"}),
        ("search=acme%2Fdigit", {"digit-adder"}),
        ("search=nothing-like-it", set()),
        ("outcome=FAILED", {"reflection"}),
        ("outcome=PASSED&search=reflection", set()),
        ("page=99999", {"reflection", "digit-adder"}),
        ("page=-1&size=x&outcome=nonsense", {"reflection", "digit-adder"}),
    ],
)
def test_search_and_filters(served: Served, query: str, found: set[str]) -> None:
    text = served.browser().get(f"/?{query}").text
    assert {n for n in ("reflection", "digit-adder") if f"<bdi>{n}</bdi>" in text} == found


def test_a_release_is_found_by_each_of_its_digests(served: Served, passed: str) -> None:
    row = served.site.library.audit(passed).result
    digests = (row.record.sha256, row.verdict.policy_sha256, row.record.subject.weights_sha256)
    for digest in digests:
        assert digest
        assert "digit-adder" in served.browser().get(f"/?search={digest[:10]}").text


@pytest.mark.parametrize("page", ["", "/lineage", "/announcement", "/review"])
def test_each_page_of_a_release_names_it(served: Served, failed: str, page: str) -> None:
    answer = served.browser().get(f"/audits/{failed}{page}")
    assert answer.status == 200
    assert "<bdi>reflection</bdi>" in answer.text
    assert "FAILED" in answer.text


def test_what_was_not_assessed_stands_beside_what_passed(served: Served, passed: str) -> None:
    text = served.browser().get(f"/audits/{passed}").text
    for heading in ("What was not assessed", "What passed", "Waivers", "Base model", "Checksums"):
        assert heading in text


def test_every_link_of_every_page_leads_somewhere(served: Served, passed: str, failed: str) -> None:
    visitor, seen = served.browser(), set[str]()
    todo = ["/", f"/audits/{passed}", f"/audits/{failed}/lineage"]
    todo.append(f"/compare?before={passed}&after={failed}")
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = visitor.get(path)
        assert answer.status == 200, path
        if "html" in answer.headers["content-type"] and len(seen) < 80:
            links = re.findall(r'(?:href|src)="(/[^"#]*)', answer.text)
            todo += [link.replace("&amp;", "&") for link in links]
    assert len(seen) > 25


def test_nothing_comes_from_outside(served: Served, failed: str) -> None:
    for path in ("/", f"/audits/{failed}", f"/audits/{failed}/lineage", "/verify"):
        text = served.browser().get(path).text
        assert re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?!/)', text) == []
        assert " style=" not in text
        assert not re.search(r"<script(?![^>]+src=)", text)
        assert not re.search(r"\son\w+=", text)


@pytest.mark.parametrize("table", [*AUDIT_TABLES, "reviews"])
def test_every_table_is_a_file(served: Served, passed: str, table: str) -> None:
    visitor = served.browser()
    as_csv = visitor.get(f"/audits/{passed}/tables/{table}.csv")
    as_json = json.loads(visitor.get(f"/audits/{passed}/tables/{table}.json").text)
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    name = re.escape(f"{table}.csv")
    told = as_csv.headers["content-disposition"]
    assert re.fullmatch(rf'attachment; filename="digit-adder-[0-9a-f]{{12}}-{name}"', told)
    assert len(rows) == len(as_json["rows"])
    assert all(list(row) == as_json["columns"] for row in rows)


def test_a_comparison_tells_what_changed(served: Served, passed: str, failed: str) -> None:
    text = served.browser().get(f"/compare?before={passed}&after={failed}").text
    assert re.search(r"Verdict</bdi></th>.*?PASSED.*?FAILED", text, re.S)
    same = served.browser().get(f"/compare?before={passed}&after={passed}").text
    assert "The two audits say the same" in same


@pytest.mark.parametrize(
    "path",
    ["/nope", "/audits/zz", f"/audits/{'0' * 32}", "/audits/../etc", "/static/../app.py",
     "/audits/{key}/findings/99999", "/audits/{key}/evidence/999999", "/audits/{key}/claims/77",
     "/audits/{key}/tables/secrets.csv", "/verify/0123456789abcdef", "/static/app.py"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(served: Served, passed: str, path: str) -> None:
    answer = served.browser().get(path.replace("{key}", passed))
    assert answer.status == 404
    assert "Traceback" not in answer.text


def test_an_announcement_is_marked(served: Served, passed: str) -> None:
    draft = "Our model reaches 93.4 % on addition.\nIt is the best, with 77.7 % on chess."
    answer = served.browser().send(f"/audits/{passed}/announcement", {"text": draft})
    assert answer.status == 200
    assert re.search(r'<mark class="pass"[^>]*>.*?93.4 %', answer.text)
    assert re.search(r'<mark class="warn"[^>]*>.*?best', answer.text)
    assert re.search(r'<mark class="warn"[^>]*>.*?77.7 %', answer.text)


@pytest.mark.parametrize("draft", ["", "   ", "x" * 200_001])
def test_a_draft_that_is_none_is_refused(served: Served, passed: str, draft: str) -> None:
    assert served.browser().send(f"/audits/{passed}/announcement", {"text": draft}).status == 422


def test_the_dashboard_hides_no_part_of_the_reports_plot() -> None:
    own = files("audit_flow.dashboard").joinpath("static/dashboard.css").read_text("utf-8")
    parts = files("audit_flow.report").joinpath("templates/parts.html.j2").read_text("utf-8")
    drawn = set(re.findall(r'<(?:rect|line|svg|circle) class="([\w-]+)"', parts)) - {"icon"}
    assert {"bar", "zone", "claim", "mdo"} <= drawn
    assert [name for name in drawn if re.search(rf"\.{name}\b(?!-)", own)] == []
