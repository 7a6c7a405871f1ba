"""A Hub that fails, lies or is used by others: nothing half, nothing twice, nothing unnoticed."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from audit_flow.errors import AuditFlowError, PublishError, RecordError
from audit_flow.model import PublishTerms
from audit_flow.publish import Outcome, publish
from tests.attestation.desk import MALLORY
from tests.hub.server import HubServer
from tests.publish.releases import REPO, Small, commits, released, served, small

COMMIT = f"/api/models/{REPO}/commit/main"
SHARD = "model-00001-of-00002.safetensors"


def own(hub: HubServer) -> list[str]:
    return [c for c in commits(hub) if c.startswith("audit-flow publication")]


ONE_FAULT: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("unavailable", COMMIT, {}),
    ("lost_answer", COMMIT, {}),
    ("reset_before", COMMIT, {}),
    ("status", COMMIT, {"code": 504}),
    ("rate_limit", COMMIT, {}),
    ("lost_answer", "/uploads/*", {}),
    ("unavailable", "/uploads/*", {}),
    ("reset_before", "*/preupload/*", {}),
    ("unavailable", "*/info/lfs/objects/batch", {}),
    ("lost_answer", "*/info/lfs/verify", {}),
    ("unavailable", "*/tree/*", {}),
    ("reset_before", "*/resolve/*", {}),
    ("truncate", "*/resolve/*", {"size": 3}),
)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "path", "options"), ONE_FAULT)
def test_one_fault_is_got_over(
    hub: HubServer, release: Small, fault: str, path: str, options: dict[str, Any]
) -> None:
    method = "*" if "resolve" in path or "tree" in path else "P*"
    armed = hub.faults.add(fault, path, method=method, **options)
    assert release.publish(hub).word == "PUBLISHED"
    assert armed.hits == 1
    assert len(own(hub)) == 1
    assert released(served(hub)) == release.files()


@pytest.mark.slow
def test_a_hub_that_never_commits_leaves_the_repository_untouched(
    hub: HubServer, release: Small
) -> None:
    before = hub.head(REPO)
    hub.faults.add("unavailable", COMMIT, count=None)
    with pytest.raises(PublishError):
        release.publish(hub)
    assert hub.head(REPO) == before
    hub.faults.clear()
    assert release.publish(hub).word == "PUBLISHED"
    assert len(own(hub)) == 1


def test_answers_that_are_always_lost_make_one_commit(hub: HubServer, release: Small) -> None:
    hub.faults.add("lost_answer", COMMIT, count=None)
    assert release.publish(hub).word == "PUBLISHED"
    assert len(own(hub)) == 1


def test_a_refusal_is_told(hub: HubServer, release: Small) -> None:
    hub.faults.add("status", COMMIT, code=403, message="You may not")
    with pytest.raises(PublishError, match="You may not"):
        release.publish(hub)


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_a_corrupted_upload_is_taken_back(hub: HubServer, tmp_path: Path, mode: str) -> None:
    release = small(tmp_path, big=17 << 20 if mode == "sampled" else 4_000)
    before = served(hub)
    hub.faults.add("corrupt_upload", "/uploads/*", method="PUT", offset=90)
    terms = PublishTerms.model_validate({"check": mode})
    found = release.publish(hub, terms=terms)
    assert found.word == "RETRACTED"
    assert found.publication is not None
    assert found.publication.check.mode == mode
    assert any(SHARD in p or "00002" in p for p in found.problems)
    assert served(hub) == before
    kept = list(release.home.rglob("stranger/record.json"))
    assert len(kept) == 1


def test_an_older_release_comes_back_when_the_newer_is_taken_back(
    hub: HubServer, release: Small
) -> None:
    release.publish(hub)
    before = served(hub)
    release.write("model/config.json", '{"hidden_size": 1}')
    release.flip(f"model/{SHARD}")
    release.manifest(version="2")
    hub.faults.add("corrupt_upload", "/uploads/*", method="PUT", offset=90)
    assert release.publish(hub).word == "RETRACTED"
    assert served(hub) == before


def test_a_marked_release_is_gone_and_says_why(hub: HubServer, release: Small) -> None:
    hub.faults.add("corrupt_upload", "/uploads/*", method="PUT", offset=90)
    found = release.publish(hub, terms=PublishTerms(on_mismatch="mark"))
    assert found.word == "RETRACTED"
    assert found.publication is not None
    there = served(hub)
    assert set(there) == {".gitattributes", "README.md", "RETRACTED.json"}
    notice = json.loads(there["RETRACTED.json"])
    assert notice["commit"] == found.publication.commit
    assert notice["problems"]
    assert b"Do not use" in there["README.md"]


LIES: tuple[dict[str, Any], ...] = (
    {"listing": {"size": 7}},
    {"hide": True},
    {"flip": 10},
    {"length": 9},
    {"content": b"something else"},
)


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES, ids=str)
@pytest.mark.parametrize("path", [SHARD, "config.json", "README.md"])
def test_what_is_served_otherwise_is_never_accepted(
    hub: HubServer, release: Small, path: str, lie: dict[str, Any]
) -> None:
    told: list[bool] = []

    def lying(record: object) -> None:
        if own(hub) and not told:
            told.append(True)
            hub.tamper(REPO, path, **lie)

    hub.faults.add("before", "*/revision/*", count=None, action=lying)
    try:
        word: str = release.publish(hub).word
    except AuditFlowError:
        word = "could not look"
    assert told
    assert word != "PUBLISHED"
    accepted = [
        p for p in release.home.rglob("publication.json") if b'"PUBLISHED"' in p.read_bytes()
    ]
    assert accepted == []


def test_a_stale_parent_is_refused(hub: HubServer, release: Small) -> None:
    hub.faults.add("stale_parent", COMMIT, method="POST")
    with pytest.raises(PublishError, match="somebody has committed"):
        release.publish(hub)
    assert own(hub) == []


def test_of_two_publishers_at_once_one_wins(hub: HubServer, tmp_path: Path) -> None:
    both = [small(tmp_path / str(n), seed=n) for n in (1, 2)]
    gate = threading.Barrier(2, timeout=60)
    found: list[Outcome | AuditFlowError] = []

    def meet(made: Small) -> Any:
        result = made.judged()
        gate.wait()
        return result

    def run(made: Small) -> None:
        try:
            order = made.order(hub, signer=MALLORY)
            found.append(publish(order, lambda: meet(made), made.home))
        except AuditFlowError as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(m,)) for m in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(own(hub)) == 1
    assert sorted(isinstance(f, Outcome) for f in found) == [False, True]
    assert released(served(hub)) in [m.files() for m in both]


def test_one_machine_publishes_once_at_a_time(hub: HubServer, release: Small) -> None:
    from audit_flow.publish.journal import State

    with (
        State.of(release.home, release.order(hub).target).alone(),
        pytest.raises(RecordError, match="under way"),
    ):
        release.publish(hub)
    assert hub.requests == []


@pytest.mark.slow
def test_a_look_that_fails_is_gone_on_with(hub: HubServer, release: Small) -> None:
    """Nothing is taken back because a Hub is down; the next run looks again, and writes nothing."""
    armed = hub.faults.add("unavailable", "*/resolve/*", count=None)
    with pytest.raises(PublishError, match="could not be looked at"):
        release.publish(hub)
    assert armed.hits
    hub.faults.clear()
    hub.journal.clear()
    assert release.publish(hub).word == "PUBLISHED"
    assert hub.writes() == []


@pytest.mark.slow
def test_what_could_not_be_taken_back_is_tried_again(hub: HubServer, release: Small) -> None:
    before = served(hub)
    hub.faults.add("corrupt_upload", "/uploads/*", method="PUT", offset=90)
    hub.faults.add("unavailable", COMMIT, after=1, count=None)
    first = release.publish(hub)
    assert first.word == "NOT RETRACTED"
    hub.faults.clear()
    assert release.publish(hub).word == "RETRACTED"
    assert served(hub) == before


def test_a_commit_on_top_is_not_taken_back_with_it(hub: HubServer, release: Small) -> None:
    hub.faults.add("corrupt_upload", "/uploads/*", method="PUT", offset=90)
    hub.faults.add("stale_parent", COMMIT, method="POST", after=1)
    found = release.publish(hub)
    assert found.word == "NOT RETRACTED"
    assert "moved.txt" in served(hub)


@pytest.mark.slow
def test_what_an_older_run_left_open_is_ended_before_a_newer_release(
    hub: HubServer, release: Small
) -> None:
    hub.faults.add("unavailable", "*/resolve/*", count=None)
    with pytest.raises(PublishError, match="could not be looked at"):
        release.publish(hub)
    hub.faults.clear()
    release.write("model/config.json", '{"hidden_size": 1}')
    release.manifest(version="2")
    assert release.publish(hub).word == "PUBLISHED"
    assert len(own(hub)) == 2
    assert released(served(hub)) == release.files()
    assert len(list(release.home.rglob("publication.json"))) == 2


@pytest.mark.parametrize("text", ["", "{}", "null", "[" * 5000])
def test_a_journal_that_cannot_be_read_stops_it(hub: HubServer, release: Small, text: str) -> None:
    release.publish(hub)
    [journal] = release.home.rglob("journal.json")
    journal.write_text(text)
    hub.journal.clear()
    with pytest.raises(RecordError, match="can't read"):
        release.publish(hub)
    assert hub.writes() == []


def test_a_state_folder_that_is_gone_does_not_make_a_second_release(
    hub: HubServer, release: Small
) -> None:
    release.publish(hub)
    shutil.rmtree(release.home)
    hub.journal.clear()
    with pytest.raises(PublishError, match="was not published here"):
        release.publish(hub)
    assert hub.writes() == []
