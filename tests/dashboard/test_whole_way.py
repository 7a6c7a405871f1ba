"""A reviewer's day in a real browser, beside a real Prefect, worker and Hub.

He finds a release, sees the contradicted claim, opens its evidence and refuses; then he approves
another and watches the suspended run resume and publish it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit_flow.approval import History
from audit_flow.model import Publication
from tests.dashboard.chromium import chromium, looked_at
from tests.dashboard.desk import Keys, command, copied, keys, running, token_file
from tests.dashboard.served import ANA
from tests.flows.pipeline import Pipeline
from tests.hub.server import HubServer
from tests.publish.releases import ATTRIBUTES, commits

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
TOKEN, REPO = "hf_reviewed", "audit-flow/digit-adder"
PATIENCE, SECONDS = 120_000, 900


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path_factory.mktemp("pipeline"))
    try:
        made.serve()
        made.deploy()
        made.settings["HF_TOKEN"] = TOKEN
        made.work()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def test_one_release_is_refused_and_another_approved_resumed_and_published(
    browser: Browser, pipeline: Pipeline, hub_server: HubServer, tmp_path: Path
) -> None:
    hub_server.add_token(REPO.partition("/")[0], "write", token=TOKEN)
    hub_server.add_repo(REPO, {".gitattributes": ATTRIBUTES})
    examples, who = copied(tmp_path), keys(tmp_path)
    command("audit", "examples/reflection-70b/release.yaml", env=pipeline.env, cwd=tmp_path,
            exit_code=1)  # fmt: skip
    run = pipeline.run(
        "release/release", manifest=str(examples / "digit-adder" / "release.yaml"), repo=REPO,
        endpoint=hub_server.url, signing={"key": str(who.gate)},
    )  # fmt: skip
    pipeline.wait(run, waiting=True, seconds=SECONDS)
    # No store is named: both examples are found below the folder.
    words = options(pipeline, who, token_file(tmp_path), hub_server)
    with running(*words, env=pipeline.env, cwd=tmp_path) as url:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        troubles = looked_at(page)
        signs_in(page, url)
        refuses_reflection(page)
        assert pipeline.flow_run(run)["state"]["type"] == "PAUSED"
        assert hub_server.writes() == []
        approves_digit_adder(page, url, pipeline.flow_run(run)["name"])
        assert pipeline.wait(run, seconds=SECONDS)["type"] == "COMPLETED", pipeline.told(run)
        made = stated(examples)
        sees_it_published(page, made)
        verifies_as_a_stranger(page, url)
        assert troubles == []
    assert made.commit == hub_server.head(REPO)
    assert sum(t.startswith("audit-flow publication") for t in commits(hub_server, repo=REPO)) == 1
    assert "a stranger judges" in pipeline.flow_run(run)["state"]["message"]
    history = History(examples / "digit-adder" / ".audit-flow" / "reviews").read()
    assert [e.review.decision for e in history] == ["approve"]
    assert history[0].review.decided.record_sha256 == made.record_sha256


def options(pipeline: Pipeline, who: Keys, tokens: Path, hub: HubServer) -> tuple[str, ...]:
    return ("--tokens", str(tokens), "--prefect-api", pipeline.api, "--sign-key",
            str(who.reviews), "--trust", str(who.trust), "--hub", hub.url)  # fmt: skip


def signs_in(page: Page, url: str) -> None:
    page.goto(url + "/login")
    page.get_by_label("Your token").fill(ANA)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Releases").wait_for()


def refuses_reflection(page: Page) -> None:
    page.get_by_label("Name or digest").fill("reflection")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=re.compile("Reflection", re.I)).first.click()
    page.get_by_role("heading", name="FAILED").wait_for()
    # The contradicted claim, and what it rests on.
    page.locator("#denied article.fail h3 a").first.click()
    page.get_by_text("contradicted", exact=True).first.wait_for()
    page.get_by_role("heading", name="Evidence that it rests on").wait_for()
    page.locator("section[aria-labelledby=e-h] table a").first.click()
    page.get_by_role("heading", name="What was read").wait_for()
    page.get_by_role("link", name="Review", exact=True).click()
    assert page.get_by_label("Approve").is_disabled()
    page.get_by_label("Refuse").check()
    page.get_by_label("Reason").fill("Its own later table contradicts two claims.")
    page.get_by_role("button", name="Decide").click()
    page.get_by_text("Your decision is kept").wait_for()
    page.get_by_text("signed by").first.wait_for()


def approves_digit_adder(page: Page, url: str, run_name: str) -> None:
    page.goto(url + "/")
    row = page.locator("section.runs tr", has_text=run_name)
    row.get_by_text("Suspended").wait_for()
    row.get_by_role("link").click()
    page.get_by_text("1 release found").wait_for()
    page.get_by_role("link", name="digit-adder").first.click()
    page.get_by_role("heading", name="PASSED", exact=True).wait_for()
    page.locator("#files").get_by_text("No upload from here is known").first.wait_for()
    page.get_by_role("link", name="Review", exact=True).click()
    page.get_by_label("Approve").check()
    page.get_by_label("Reason").fill("Every claim holds on these bytes.")
    page.get_by_role("button", name="Decide").click()
    page.get_by_text(f"The waiting run {run_name} was told and goes on.").wait_for()
    page.get_by_text(re.compile("reviews of acme .*verified")).first.wait_for()


def stated(examples: Path) -> Publication:
    path = examples / "digit-adder" / "publication" / "publication.json"
    return Publication.model_validate_json(path.read_bytes())


def sees_it_published(page: Page, made: Publication) -> None:
    page.get_by_role("link", name="Release", exact=True).click()
    files = page.locator("#files")
    files.get_by_text("Uploaded and fetched back").first.wait_for()
    files.get_by_text(re.compile("gate of acme .*verified")).first.wait_for()
    assert made.commit in files.inner_html()
    row = files.locator("tr", has_text="model.safetensors").first
    (weights,) = [f for f in made.files if f.path == "model.safetensors"]
    for party in ("Claimed", "Audited", "Signed", "Uploaded", "Fetched back"):
        cell = row.locator(f"td[data-label='{party}'] code")
        assert cell.get_attribute("title") == weights.sha256, party


def verifies_as_a_stranger(page: Page, url: str) -> None:
    page.goto(url + "/verify")
    page.get_by_label("Repository").fill(REPO)
    page.get_by_role("button", name="Verify").click()
    page.get_by_role("link", name="Open the whole verification").wait_for()
    assert page.get_by_role("heading", name="FAILED").count() == 0
