"""A reviewer's way through the dashboard in a real browser, and no barrier on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit_flow.approval import PrefectHttp
from tests.approval.prefect_server import FakePrefect
from tests.approval.prefect_server import serving as prefect_serving
from tests.dashboard.served import ANA, Served, record, serving, tokens
from tests.dashboard.story import bad, good
from tests.report.hostile import audit_named

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

CHROMIUM = Path("/usr/bin/chromium")
WIDE, NARROW = (1280, 900), (390, 800)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        where = str(CHROMIUM) if CHROMIUM.exists() else None
        opened = play.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield opened
        opened.close()


def signed_in(
    browser: Browser, desk: Served, size: tuple[int, int] = WIDE, dark: bool = False
) -> Page:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        # Only so that the checker of accessibility can be put into the page.
        bypass_csp=size == NARROW or dark,
    )
    page = context.new_page()
    page.goto(desk.url + "/login")
    page.get_by_label("Your token").fill(ANA)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Releases").wait_for()
    return page


def test_a_reviewer_refuses_one_release_and_approves_another(browser: Browser, root: Path) -> None:
    record(root, bad())
    run_id = record(root, good())
    prefect = FakePrefect()
    with prefect_serving(prefect) as api:
        port = PrefectHttp(api)
        with serving(root, tokens=tokens(), waiting=port, resumer=port) as desk:
            sha = desk.site.audit(run_id).result.record.sha256
            prefect.rows[0]["tags"] = [f"audit-flow.record_sha256={sha}"]
            page = signed_in(browser, desk)
            troubles: list[str] = []
            page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
            # Find the release, see what is contradicted, open what that rests on.
            page.get_by_label("Name or digest").fill("reflection")
            page.keyboard.press("Enter")
            page.get_by_role("link", name="reflection").first.click()
            page.get_by_role("heading", name="FAILED").wait_for()
            page.locator("#denied").get_by_role("link", name="score:addition").click()
            page.get_by_text("the score is not reproduced").wait_for()
            page.get_by_role("link", name="results/addition.json").click()
            page.get_by_text("computed here, from the bytes themselves").wait_for()
            # Refuse it: it can't be approved.
            page.get_by_role("link", name="Review", exact=True).click()
            assert page.get_by_label("Approve").is_disabled()
            page.get_by_label("Refuse").check()
            page.get_by_label("Reason").fill("The score is not reproduced.")
            page.get_by_role("button", name="Decide").click()
            page.get_by_text("Your decision is kept").wait_for()
            # Approve the other; the flow that waits for it is told.
            page.goto(desk.url + "/")
            page.get_by_role("link", name="digit-adder").first.click()
            page.get_by_role("link", name="Review", exact=True).click()
            page.get_by_label("Approve").check()
            page.get_by_label("Reason").fill("Every claim holds.")
            page.get_by_role("button", name="Decide").click()
            page.get_by_text("The waiting run wise-owl was told").wait_for()
            decisions = [e.review.decision for _, e in desk.site.library.reviews()]
            assert decisions == ["approve", "refuse"]
            assert troubles == []
    resumed = [body for path, body, _ in prefect.asked if path.endswith("/resume")]
    assert [body["run_input"]["decision"] for body in resumed] == ["approve"]


def test_no_page_has_a_barrier(browser: Browser, desk: Served) -> None:
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    keys = {r.name: r.run_id for r in desk.site.library.rows()}
    one, two = f"/audits/{keys['reflection']}", f"/audits/{keys['digit-adder']}"
    paths = ("/", one, two, f"{one}/lineage", f"{one}/review", f"{one}/announcement",
             f"{one}/findings/0", f"{one}/evidence/0", f"{one}/claims/0", "/reviews", "/verify",
             f"/compare?before={keys['reflection']}&after={keys['digit-adder']}")  # fmt: skip
    found = []
    for size, dark in ((NARROW, False), (WIDE, True), (NARROW, True)):
        page = signed_in(browser, desk, size, dark)
        for path in paths:
            page.goto(desk.url + path)
            page.evaluate(axe)
            result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            found += [
                (path, size, dark, v["id"], v["nodes"][0]["html"]) for v in result["violations"]
            ]
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > size[0]:
                found.append((path, size, dark, "wider than the screen", str(wide)))
        page.context.close()
    assert found == [], json.dumps(found, indent=1)


def test_the_keyboard_reaches_everything_in_order(browser: Browser, desk: Served) -> None:
    page = signed_in(browser, desk)
    page.goto(desk.url + "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("reflection")
    page.keyboard.press("Enter")
    page.get_by_text("1 release found").wait_for()


def test_paper_and_phone_hold_what_they_show(browser: Browser, root: Path) -> None:
    record(root, good(name="W" * 70, hub_id="w" * 40 + "/" + "W" * 90))
    run_id = record(root, bad())
    with serving(root, tokens=tokens()) as desk:
        page = signed_in(browser, desk)
        page.set_viewport_size({"width": 718, "height": 900})
        page.emulate_media(media="print")
        assert page.evaluate("document.documentElement.scrollWidth") <= 718
        page.goto(f"{desk.url}/audits/{run_id}/review")
        assert not page.get_by_role("heading", name="Your decision").is_visible()
        page.emulate_media(media="screen")
        page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        for key in (r.run_id for r in desk.site.library.rows()):
            page.goto(f"{desk.url}/audits/{key}/lineage")
            drawn = page.locator("svg.graph").evaluate(
                "s => s.getBoundingClientRect().width / s.viewBox.baseVal.width"
            )
            assert drawn * 10.5 >= 10
            boxes = page.locator("svg.graph a.node")
            assert boxes.count() > 0
            over = boxes.evaluate_all(
                "all => all.flatMap(a => [...a.querySelectorAll('text')].filter(t =>"
                " t.getBBox().x + t.getBBox().width > 196).map(t => t.textContent))"
            )
            assert over == []


def test_a_list_renews_itself_till_it_is_proven(browser: Browser, desk: Served) -> None:
    page = signed_in(browser, desk)
    page.goto(desk.url + "/")
    page.locator("#listed:not([data-reload])").wait_for()
    assert page.locator("#listed .badge.pass").count() == 1


def test_hostile_text_runs_nothing_in_a_browser(browser: Browser, root: Path) -> None:
    result = audit_named("<script>document.title='taken'</script><img src=x onerror=alert(1)>")
    run_id = record(root, (result.record, result.verdict))
    with serving(root, tokens=tokens()) as desk:
        page = signed_in(browser, desk)
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        for path in (
            "/",
            f"/audits/{run_id}",
            f"/audits/{run_id}/lineage",
            f"/audits/{run_id}/review",
        ):
            page.goto(desk.url + path)
            assert page.title() != "taken"
            assert page.locator("main img, main script").count() == 0
