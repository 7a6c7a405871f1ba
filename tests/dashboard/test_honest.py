"""What a page must not let anybody believe: ticks over nothing, old verdicts, decided forms."""

from __future__ import annotations

import csv
import io
import re
import time
from pathlib import Path

import pytest

from audit_flow.approval import Standing
from audit_flow.dashboard.comparing import Change, compare
from audit_flow.dashboard.guard import local, sign_in_at
from audit_flow.dashboard.rendering import sentence
from audit_flow.dashboard.story import Story, permission
from audit_flow.dashboard.tables import of_audit
from audit_flow.model import NOTHING_TO_JUDGE, Outcome, Protocol, Sampling
from audit_flow.report.html import brief
from audit_flow.report.interface import AuditResult
from tests.dashboard.served import ANA, EVA, Browser, Served, record, serving
from tests.dashboard.story import CLAIM, Audit, bad, good
from tests.dashboard.test_pages import key_of
from tests.dashboard.test_reviewing import form_of
from tests.store.releases import finding, verdict_on

LOCAL = ["/", "/reviews", "/audits/0123456789abcdef/review", "/?search=a&every=1", "/a//b"]
FOREIGN = [
    "//evil.example", "/\\evil.example", "\\/evil.example", "https://evil.example", "https:",
    "javascript:alert(1)", "", "evil", "/\t/evil", "/a\nb", "/\x00", "/é", "///evil", "/ /evil",
    "/login", "/logout", "/" + "a" * 5_000,
]  # fmt: skip


def idle(audit: Audit) -> Audit:
    """The audit with a rule more that had nothing to look at."""
    recorded, verdict = audit
    none = finding(about="hub", message="no Hub was asked", actual=NOTHING_TO_JUDGE,
                   title="The Hub serves what it lists")  # fmt: skip
    return recorded, verdict.model_copy(update={"findings": (*verdict.findings, none)})


def part(page: str, name: str, end: str) -> str:
    return page.partition(f'id="{name}"')[2].partition(end)[0]


def test_a_rule_over_nothing_has_no_tick(root: Path) -> None:
    key = record(root, idle(good()))
    with serving(root) as running:
        page = running.browser().get(f"/audits/{key}").text
        banner = part(page, "verdict", "</section>")
        assert re.search(r"<strong>2</strong> passed", banner)
        assert re.search(r'class="idle"><strong>1</strong> did not apply', banner)
        passed = part(page, "passed", 'id="idle"')
        assert "The Hub serves" not in passed
        assert "no Hub was asked" in part(page, "idle", "</section>")
        rows = csv.DictReader(io.StringIO(running.browser().get(
            f"/audits/{key}/tables/findings.csv").text))  # fmt: skip
        assert [r["applied"] for r in rows] == ["True", "True", "False"]


def test_an_open_question_says_why(root: Path) -> None:
    recorded, verdict = bad()
    why = finding(about="weights", outcome=Outcome.UNPROVEN, message="no signature is there",
                  actual="none", title="Signed by its publisher")  # fmt: skip
    key = record(root, (recorded, verdict.model_copy(update={"findings": (why,)})))
    with serving(root) as running:
        page = running.browser().get(f"/audits/{key}").text
        found = part(page, "open", "</section>")
        assert found.index("no signature is there") < found.index("Got: none")
        assert "no evidence either way" not in page


def test_a_claim_page_heads_each_card_with_its_rule(served: Served) -> None:
    page = served.browser().get(f"/audits/{key_of(served, 'reflection')}/claims/0").text
    (head,) = re.findall(r'<article class="finding fail">\s*<h3>(.*?)</h3>', page, re.S)
    assert CLAIM.id not in head
    assert re.search(r'<p class="where"><span class="badge fail">.*?contradicted', page, re.S)


@pytest.mark.parametrize("tab", ["", "/lineage", "/announcement", "/review"])
def test_a_superseded_audit_names_the_newer_verdict(root: Path, tab: str) -> None:
    subject = {"name": "digit-adder", "hub_id": "acme/digit-adder"}
    first = record(root, good(**subject))
    second = record(root, bad(**subject))
    with serving(root) as running:
        old = running.browser().get(f"/audits/{first}{tab}").text
        assert "There is a newer audit of this release: FAILED." in old
        to = f"/audits/{second}{'/review' if tab == '/review' else ''}"
        assert f'href="{to}"' in old
        assert "it may be announced." not in old
        assert "newer audit" not in running.browser().get(f"/audits/{second}{tab}").text


def test_a_refused_release_must_not_be_announced(desk: Served) -> None:
    visitor, key = desk.browser(ANA), key_of(desk, "digit-adder")
    assert "Not yet approved by a reviewer." in visitor.get(f"/audits/{key}").text
    visitor.post(f"/audits/{key}/review", form_of(visitor, key, "approve"))
    assert "Approved by ana@example.org: it may be" in visitor.get(f"/audits/{key}").text
    visitor.post(f"/audits/{key}/review", form_of(visitor, key, "refuse"))
    for path in ("", "/review"):
        page = visitor.get(f"/audits/{key}{path}").text
        assert "Refused by ana@example.org: it must not be announced." in page
        assert "may be announced." not in page


@pytest.mark.parametrize("outcome", ["PASSED", "FAILED", "INCONCLUSIVE"])
def test_only_a_pass_that_was_approved_may_be_announced(outcome: str) -> None:
    open_, yes, no = (Standing(state=s) for s in ("open", "approved", "refused"))
    for standing in (None, open_, yes, no):
        for superseded in (False, True):
            said = permission(outcome, standing, superseded)
            allowed = outcome == "PASSED" and standing is yes and not superseded
            assert (said.tone == "pass") is allowed
            assert ("may be announced." in said.words) is allowed


def test_the_sentence_of_a_verdict_permits_nothing() -> None:
    for recorded, verdict in (good(), bad()):
        told = Story(AuditResult(record=recorded, verdict=verdict)).sentence
        assert "announce" not in told


@pytest.mark.parametrize("address", LOCAL)
def test_a_page_of_the_dashboard_is_led_back_to(address: str) -> None:
    assert local(address) == address


@pytest.mark.slow
@pytest.mark.parametrize("address", FOREIGN)
def test_nobody_is_led_away_after_signing_in(desk: Served, address: str) -> None:
    assert local(address) == "/"
    assert sign_in_at(address) == "/login"
    visitor = desk.browser()
    answer = visitor.send("/login", {"token": ANA, "next": address})
    assert (answer.status, answer.headers["location"]) == (303, "/")


def test_signing_in_leads_on_to_what_was_asked_for(desk: Served) -> None:
    visitor = desk.browser()
    to = visitor.get("/?search=digit&every=1").headers["location"]
    assert to == "/login?next=%2F%3Fsearch%3Ddigit%26every%3D1"
    assert 'name="next" value="/?search=digit&amp;every=1"' in visitor.get(to).text
    form = {"token": ANA, "next": "/?search=digit&every=1"}
    assert visitor.send("/login", form).headers["location"] == "/?search=digit&every=1"
    foreign = visitor.get("/login?next=//evil.example").text
    assert "evil" not in foreign


def test_a_decision_after_the_session_is_told_in_words(desk: Served) -> None:
    visitor, key = desk.browser(ANA), key_of(desk, "digit-adder")
    form = form_of(visitor, key)
    visitor.cookies.clear()
    answer = visitor.post(f"/audits/{key}/review", form)
    assert answer.status == 401
    assert "Nothing was decided" in answer.text
    assert f'href="/login?next=%2Faudits%2F{key}%2Freview"' in answer.text
    assert desk.site.library.reviews() == []
    assert Browser(desk.url).ask("POST", "/api/v1/verifications", "{}").json["error"]


def test_an_old_form_says_that_nothing_was_decided(desk: Served) -> None:
    visitor, key = desk.browser(ANA), key_of(desk, "digit-adder")
    form = {**form_of(visitor, key), "form_token": "0" * 64}
    answer = visitor.post(f"/audits/{key}/review", form)
    assert answer.status == 422
    assert "<title>This form is out of date. Nothing was decided ·" in answer.text
    assert f'<a href="/audits/{key}/review">Back to the page</a>' in answer.text
    missing = visitor.get("/nope").text
    assert "<title>Not found ·" in missing
    assert ".." not in missing


def test_a_blank_reason_marks_its_field_and_keeps_the_choice(desk: Served) -> None:
    visitor, key = desk.browser(ANA), key_of(desk, "digit-adder")
    answer = visitor.post(f"/audits/{key}/review", {**form_of(visitor, key), "reason": "   "})
    assert answer.status == 409
    assert re.search(r'<textarea[^>]+aria-invalid="true" aria-describedby="no-reason"', answer.text)
    assert 'id="no-reason"' in answer.text
    assert re.search(r'value="approve" required checked', answer.text)
    assert "aria-invalid" not in visitor.get(f"/audits/{key}/review").text


def test_a_listed_verdict_has_no_colour_till_it_is_proven(root: Path) -> None:
    key = record(root, good())
    with serving(root) as running:
        running.site.library.prover.told(key, "")
        running.site.library.prover.want = lambda keys: None  # type: ignore[method-assign]
        page = running.browser().get("/").text
        assert '<div id="listed" data-reload="2">' in page
        assert "badge pass" not in page
        rows = list(csv.DictReader(io.StringIO(running.browser().get("/releases.csv").text)))
        assert (rows[0]["proof"], rows[0]["review"]) == ("unread", "none")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", rows[0]["recorded"])
        (listed,) = running.browser().get("/api/v1/audits").json["audits"]
        assert (listed["proof"], listed["review"]) == ("unread", "none")
        running.browser().get(f"/audits/{key}")
        page = running.browser().get("/").text
        assert '<div id="listed">' in page
        assert "badge pass" in page


def test_one_fact_that_differs_is_one_change() -> None:
    recorded, verdict = good()
    claims = [
        CLAIM.model_copy(update={"protocol": Protocol(sampling=Sampling(max_tokens=n))})
        for n in (6, 7)
    ]
    before, after = (
        AuditResult(record=recorded.model_copy(update={"claims": (c,)}), verdict=verdict)
        for c in claims
    )
    (change,) = dict(compare(before, after).topics)["Claims"]
    assert (change.what, change.before, change.after) == (f"{CLAIM.id} · max_tokens", "6", "7")


def test_long_texts_are_shown_from_where_they_differ() -> None:
    change = Change("x", "a" * 500 + "6", "a" * 500 + "7")
    before, after = (brief(text) for text in change.shown)
    assert before != after
    assert Change("x", "", "a").shown == ("", "a")


def test_a_difference_has_the_sign_of_the_page() -> None:
    recorded, verdict = bad()
    result = AuditResult(record=recorded, verdict=verdict)
    (row,) = of_audit("scores", result).rows
    assert row["difference"] == row["reproduced"] - 98.0 < 0


def test_a_list_cuts_nothing_off_for_a_few_characters() -> None:
    assert brief("a" * 290) == "a" * 290
    assert "more characters" in brief("a" * 400)


@pytest.mark.parametrize(
    ("text", "said"), [("a b", "A b."), ("A.", "A."), ("why?", "Why?"), ("", "")]
)
def test_a_reason_is_a_sentence(text: str, said: str) -> None:
    assert sentence(text) == said


def test_a_page_of_no_audit_does_not_say_that_it_was_hashed(served: Served) -> None:
    hashed = "read from the store and hashed again"
    for path in ("/", "/compare", "/verify", "/reviews", "/nope"):
        assert hashed not in served.browser().get(path).text
    assert hashed in served.browser().get(f"/audits/{key_of(served, 'reflection')}").text


def test_a_contradicted_number_is_shown_with_the_measured_one(served: Served) -> None:
    key = key_of(served, "reflection")
    draft = {"text": "It reaches 93.4 % on addition."}
    page = served.browser().send(f"/audits/{key}/announcement", draft).text
    assert re.search(r"measured \d+\.\d\d %", page)
    assert "scores.reproduced:" not in page


def test_no_verdict_is_said_to_pass_over_an_old_story() -> None:
    recorded, _ = good()
    verdict = verdict_on(recorded, "INCONCLUSIVE", ())
    assert "no answer" in Story(AuditResult(record=recorded, verdict=verdict)).sentence


def test_an_earlier_audit_is_found_by_its_digest_and_marked(root: Path) -> None:
    subject = {"name": "digit-adder", "hub_id": "acme/digit-adder"}
    first, second = record(root, good(**subject)), record(root, bad(**subject))
    with serving(root) as running:
        program = running.program()
        listed = {a["run_id"]: a for a in program.get("/api/v1/audits?every=1").json["audits"]}
        assert {k: listed[k]["superseded"] for k in (first, second)} == {first: True, second: False}
        old = listed[first]
        for digest in (old["record_sha256"], old["verdict_sha256"][:12], first):
            found = program.get(f"/api/v1/audits?search={digest}").json
            assert [a["run_id"] for a in found["audits"]] == [first]
            assert "superseded by a newer audit" in running.browser().get(f"/?search={digest}").text
        by_name = program.get("/api/v1/audits?search=digit").json["audits"]
        assert [a["run_id"] for a in by_name] == [second]


def test_the_api_says_what_the_page_says_of_a_superseded_approval(desk: Served, root: Path) -> None:
    visitor, key = desk.browser(ANA), key_of(desk, "digit-adder")
    visitor.post(f"/audits/{key}/review", form_of(visitor, key, "approve"))
    before = visitor.get(f"/api/v1/audits/{key}").json
    assert (before["may_be_announced"], before["newer"]) == (True, None)
    assert not before["review"]["superseded"]
    again = record(root, good(weights_sha256="c" * 64))
    end = time.monotonic() + 60
    while (now := visitor.get(f"/api/v1/audits/{key}").json)["newer"] is None:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert now["newer"] == {"key": again, "outcome": "PASSED"}
    assert (now["may_be_announced"], now["review"]["superseded"]) == (False, True)
    assert "the newer audit decides" in now["announcing"]
    page = visitor.get(f"/audits/{key}/review").text
    assert "decide on that one" in page
    assert 'name="decision"' not in page


@pytest.mark.parametrize("decision", ["approve", "refuse"])
def test_a_form_that_is_sent_twice_names_nobody_else(desk: Served, decision: str) -> None:
    visitor, key = desk.browser(ANA), key_of(desk, "digit-adder")
    form = form_of(visitor, key, decision)
    assert visitor.post(f"/audits/{key}/review", form).status == 303
    again = visitor.post(f"/audits/{key}/review", form)
    assert again.status == 409
    assert "you yourself have decided" in again.text.casefold()
    other = desk.browser(EVA)
    stale = {**form_of(other, key, decision), "seen": form["seen"]}
    assert "somebody else has decided" in other.post(f"/audits/{key}/review", stale).text.casefold()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_reason_is_as_long_as_the_form_says(desk: Served, ending: str) -> None:
    visitor, key = desk.browser(ANA), key_of(desk, "digit-adder")
    reason = ending.join(["x" * 99] * 100)
    answer = visitor.post(f"/audits/{key}/review", {**form_of(visitor, key), "reason": reason})
    assert answer.status == 303
