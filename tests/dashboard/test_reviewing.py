"""Decisions by page and API: on exact digests, by somebody known, never over another's."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from audit_flow.approval import PrefectHttp
from tests.approval.prefect_server import RUN, FakePrefect
from tests.approval.prefect_server import serving as prefect_serving
from tests.dashboard.served import ANA, EVA, Browser, Served, record, serving, tokens
from tests.dashboard.story import good

_HIDDEN = re.compile(r'type="hidden" name="(\w+)" value="([^"]*)"')


def key_of(desk: Served, name: str = "digit-adder") -> str:
    return next(r.run_id for r in desk.site.library.rows() if r.name == name)


def form_of(visitor: Browser, key: str, decision: str = "approve") -> dict[str, str]:
    """The form as the page shows it, filled in."""
    page = visitor.get(f"/audits/{key}/review").text
    form = page[page.index('class="decision"') :]
    return {**dict(_HIDDEN.findall(form)), "decision": decision, "reason": "looked at everything"}


def body_of(program: Browser, key: str, decision: str = "approve", **changes: Any) -> str:
    import json

    told = program.get(f"/api/v1/audits/{key}/reviews").json
    given = {"decision": decision, "reason": "looked at it", "decided": told["decided"],
             "seen": told["seen"]}  # fmt: skip
    return json.dumps({**given, **changes})


def send(program: Browser, key: str, body: str) -> Any:
    kind = {"Content-Type": "application/json"}
    return program.ask("POST", f"/api/v1/audits/{key}/reviews", body, kind)


def test_a_release_is_approved_and_the_history_tells_it(desk: Served) -> None:
    visitor, key = desk.browser(ANA), key_of(desk)
    answer = visitor.post(f"/audits/{key}/review", form_of(visitor, key))
    assert answer.status == 303
    page = visitor.get(answer.headers["location"]).text
    assert "Your decision is kept" in page
    assert "approved" in visitor.get(f"/audits/{key}").text
    history = visitor.get("/reviews").text
    assert "ana@example.org" in history
    assert "looked at everything" in history
    # The index knows as well.
    assert "reviewed" in visitor.get("/?search=digit").text


def test_a_failed_release_can_be_refused_and_not_approved(desk: Served) -> None:
    visitor, key = desk.browser(ANA), key_of(desk, "reflection")
    answer = visitor.post(f"/audits/{key}/review", form_of(visitor, key, "approve"))
    assert answer.status == 409
    assert "Nothing was decided" in answer.text
    answer = visitor.post(f"/audits/{key}/review", form_of(visitor, key, "refuse"))
    assert answer.status == 303
    assert "refused" in visitor.get(f"/audits/{key}").text


@pytest.mark.parametrize(
    "field", ["record_sha256", "verdict_sha256", "policy_sha256", "subject_sha256"]
)
def test_a_stale_form_is_refused(desk: Served, field: str) -> None:
    visitor, key = desk.browser(ANA), key_of(desk)
    form = {**form_of(visitor, key), field: "e" * 64}
    answer = visitor.post(f"/audits/{key}/review", form)
    assert answer.status == 409
    assert "has changed since" in answer.text
    assert desk.site.library.reviews() == []


def test_a_newer_audit_makes_page_and_api_stale(desk: Served, root: Path) -> None:
    visitor, program, key = desk.browser(ANA), desk.program(EVA), key_of(desk)
    form, body = form_of(visitor, key), body_of(program, key)
    record(root, good(weights_sha256="c" * 64))
    assert visitor.post(f"/audits/{key}/review", form).status == 409
    answer = send(program, key, body)
    assert answer.status == 409
    assert "changed since" in answer.json["error"]
    assert desk.site.library.reviews() == []


def test_a_run_that_was_tampered_with_is_not_decided_on(desk: Served, root: Path) -> None:
    visitor, key = desk.browser(ANA), key_of(desk)
    form = form_of(visitor, key)
    (path,) = root.glob(f"artifacts/**/{key}/artifacts/record.json")
    path.write_bytes(path.read_bytes().replace(b"digit-adder", b"digit-adding"))
    assert visitor.post(f"/audits/{key}/review", form).status == 503
    assert "altered or unreadable" in visitor.get("/").text
    assert desk.site.library.reviews() == []


def test_a_tampered_run_is_marked_in_the_list_without_being_opened(root: Path) -> None:
    run_id = record(root, good())
    (path,) = root.glob(f"artifacts/**/{run_id}/artifacts/verdict.json")
    path.write_bytes(path.read_bytes().replace(b"digit-adder", b"digit-adding"))
    with serving(root) as running:
        end = time.monotonic() + 60
        while "altered or unreadable" not in running.browser().get("/").text:
            assert time.monotonic() < end
            time.sleep(0.1)


def test_two_reviewers_at_once_do_not_overwrite_each_other(desk: Served) -> None:
    key = key_of(desk)
    visitors = [desk.browser(ANA), desk.browser(EVA)]
    forms = [form_of(v, key, d) for v, d in zip(visitors, ("approve", "refuse"), strict=True)]
    answers: list[int] = []

    def decide(visitor: Browser, form: dict[str, str]) -> None:
        answers.append(visitor.post(f"/audits/{key}/review", form).status)

    threads = [
        threading.Thread(target=decide, args=pair) for pair in zip(visitors, forms, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 409]
    # Whoever was overtaken sees the other's review and decides again.
    late = next(v for v in visitors if desk.site.library.reviews()[0][1].review.reviewer
                not in v.get("/").text)  # fmt: skip
    assert late.post(f"/audits/{key}/review", form_of(late, key, "refuse")).status == 303
    assert len(desk.site.library.reviews()) == 2


def test_programs_decide_with_the_same_care(desk: Served) -> None:
    program, key = desk.program(ANA), key_of(desk)
    body = body_of(program, key)
    assert send(program, key, body).status == 201
    assert send(program, key, body).status == 409
    assert program.get(f"/api/v1/audits/{key}/reviews").json["state"] == "approved"
    failed = key_of(desk, "reflection")
    assert send(program, failed, body_of(program, failed)).status == 409


def test_a_browser_needs_its_form_token_for_the_api(desk: Served) -> None:
    visitor, key = desk.browser(ANA), key_of(desk)
    body = body_of(desk.program(ANA), key)
    kind = {"Content-Type": "application/json", "Origin": desk.url}
    path = f"/api/v1/audits/{key}/reviews"
    assert visitor.ask("POST", path, body, kind).status == 403
    token = {"X-CSRF-Token": visitor.form_token("/verify")}
    assert visitor.ask("POST", path, body, {**kind, **token}).status == 201


def test_nobody_unknown_decides(served: Served) -> None:
    key = key_of(served)
    page = served.browser().get(f"/audits/{key}/review").text
    assert "needs to know who decides" in page
    assert 'class="decision"' not in page
    visitor = served.browser()
    form = {"decision": "refuse", "reason": "no reason", "seen": "none",
            **served.site.audit(key).decided.plain()}  # fmt: skip
    form["form_token"] = visitor.form_token("/verify")
    assert visitor.post(f"/audits/{key}/review", form).status == 409
    assert served.site.library.reviews() == []


@pytest.mark.parametrize("change", [{"decision": "maybe"}, {"reason": ""}, {"decision": ""}])
def test_half_a_decision_is_none(desk: Served, change: dict[str, str]) -> None:
    visitor, key = desk.browser(ANA), key_of(desk)
    answer = visitor.post(f"/audits/{key}/review", {**form_of(visitor, key), **change})
    assert answer.status in {409, 422}
    assert "Nothing was decided" in answer.text
    assert desk.site.library.reviews() == []


def test_an_edited_history_is_told_everywhere_and_takes_nothing(desk: Served, root: Path) -> None:
    visitor, key = desk.browser(ANA), key_of(desk)
    assert visitor.post(f"/audits/{key}/review", form_of(visitor, key)).status == 303
    lines = root / "reviews" / "reviews.jsonl"
    lines.write_bytes(lines.read_bytes().replace(b"looked at everything", b"looked at nothing!!!"))
    assert "can't be trusted" in visitor.get(f"/audits/{key}").text
    assert "The history was altered" in visitor.get("/reviews").text
    assert 'class="decision"' not in visitor.get(f"/audits/{key}/review").text
    assert desk.program().get("/api/v1/reviews").status == 409


def test_a_history_that_was_thrown_away_is_missed(desk: Served, root: Path) -> None:
    visitor, key = desk.browser(ANA), key_of(desk)
    assert visitor.post(f"/audits/{key}/review", form_of(visitor, key)).status == 303
    for path in (root / "reviews").iterdir():
        path.unlink()
    assert "names a review that the history does not hold" in visitor.get(f"/audits/{key}").text


def test_a_waiting_run_is_resumed(root: Path) -> None:
    run_id = record(root, good())
    prefect = FakePrefect()
    with prefect_serving(prefect) as api:
        port = PrefectHttp(api)
        with serving(root, tokens=tokens(), waiting=port, resumer=port) as desk:
            visitor = desk.browser(ANA)
            sha = desk.site.audit(run_id).result.record.sha256
            prefect.rows[0]["tags"] = [f"audit-flow.record_sha256={sha}"]
            assert "wise-owl" in visitor.get("/").text
            answer = visitor.post(f"/audits/{run_id}/review", form_of(visitor, run_id))
            assert "wise-owl was told" in visitor.get(answer.headers["location"]).text
    resumed = [b for p, b, _ in prefect.asked if p.endswith(f"{RUN}/resume")]
    assert [b["run_input"]["record_sha256"] for b in resumed] == [sha]
