"""The whole way through a real server, worker and Hub: published, blocked, refused."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_flow.approval import History
from audit_flow.approval.prefect_http import PrefectHttp
from audit_flow.model import Publication
from audit_flow.publish import read_publication
from audit_flow.sources.manifest import load
from tests.attestation.desk import NOW, SIGNER, trust_in
from tests.flows.pipeline import Pipeline
from tests.flows.releases import (
    REVIEWER,
    approve,
    chosen,
    copied_adder,
    published,
    waiting_record,
)
from tests.hub.server import HubServer
from tests.publish.releases import ATTRIBUTES, Small, served
from tests.release_parts import safetensors

pytestmark = pytest.mark.slow
# The repository that the example's manifest names: no other is taken.
ADDER = "audit-flow/digit-adder"


def test_approved_it_is_published_once_and_stated(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    run = pipeline.run("release/release", **chosen(release, hub))
    pipeline.wait(run, waiting=True)
    assert hub.writes() == []
    record = waiting_record(pipeline, run)

    # An empty answer is no answer.
    for given in ({}, None, {"decision": "approve", **REVIEWER}):
        said = pipeline.resume(run, given)
        assert said["status"] == "REJECT"
        assert "required" in said["details"]["reason"]
    answer = {"decision": "approve", "record_sha256": record, **REVIEWER}
    assert pipeline.resume(run, answer)["status"] == "ACCEPT"
    state = pipeline.wait(run)
    assert (state["type"], state["name"]) == ("COMPLETED", "Completed"), pipeline.told(run)

    assert published(hub) == 1
    assert {k: v for k, v in served(hub).items() if k in release.files()} == release.files()
    (entry,) = History(release.root / ".audit-flow" / "reviews").read()
    assert entry.review.reviewer == "Ada"
    assert entry.review.decided.record_sha256 == record
    assert entry.bundle is not None, "signed with the key of the run"
    statement = (release.root / "publication" / "publication.sigstore.json").read_bytes()
    stated = read_publication(statement, trust_in(SIGNER), NOW.replace(year=2030))
    assert isinstance(stated, Publication)
    assert stated.commit == hub.head("acme/small")
    assert stated.record_sha256 == record
    kinds = {a["type"] for a in pipeline.artifacts(run)}
    assert {"markdown", "table"} <= kinds


def flipped(release: Small) -> None:
    release.flip("model/model-00001-of-00002.safetensors")


def another_shard(release: Small) -> None:
    release.write("model/model-00002-of-00002.safetensors", safetensors({"w2": bytes(4_000)}))


def a_shard_cut_short(release: Small) -> None:
    name = "model/model-00002-of-00002.safetensors"
    release.write(name, release.path(name).read_bytes()[:-7])


def a_pickle(release: Small) -> None:
    release.write("model/pytorch_model.bin", pickle.dumps({"w1": print}))


def a_claimed_checksum(release: Small) -> None:
    text = release.path("release.yaml").read_text()
    first = re.search("sha256:([0-9a-f]{64})", text)
    assert first
    release.write("release.yaml", text.replace(first[1], "0" * 64))


@pytest.mark.parametrize(
    ("tamper", "rule"),
    [
        (flipped, "checksums.match"),
        (another_shard, "checksums.match"),
        (a_shard_cut_short, "structure.safetensors"),
        (a_pickle, "structure.no-pickle"),
        (a_claimed_checksum, "checksums.match"),
    ],
    ids=lambda given: getattr(given, "__name__", None),
)
def test_a_tampered_release_is_blocked_and_the_hub_hears_nothing(
    pipeline: Pipeline,
    hub: HubServer,
    release: Small,
    tamper: Callable[[Small], None],
    rule: str,
) -> None:
    tamper(release)
    run = pipeline.run("release/release", **chosen(release, hub))
    state = pipeline.wait(run)
    assert (state["type"], state["name"]) == ("FAILED", "Blocked"), pipeline.told(run)
    assert rule in state["message"]
    assert hub.requests == []
    assert not {"publish", "attest"} & {t["name"].partition("-")[0] for t in pipeline.tasks(run)}
    pipeline.until(
        lambda: bool(pipeline.events("audit-flow.gate.blocked")), 30, "the event is there"
    )


def test_a_refused_release_is_not_published(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    run = pipeline.run("release/release", **chosen(release, hub))
    pipeline.wait(run, waiting=True)
    approve(pipeline, run, "refuse")
    state = pipeline.wait(run)
    assert (state["type"], state["name"]) == ("FAILED", "Refused"), pipeline.told(run)
    assert "Ada" in state["message"]
    assert hub.writes() == []
    # Asked anew, the refusal stands.
    second = pipeline.run("release/release", **chosen(release, hub))
    assert pipeline.wait(second)["name"] == "Refused"
    assert hub.writes() == []


@pytest.mark.parametrize(
    ("named", "told"),
    [(None, "Create the repository first"), ("acme/small", "expected the repository acme/small")],
)
def test_nobody_reviews_what_can_t_be_published(
    pipeline: Pipeline, hub: HubServer, release: Small, named: str | None, told: str
) -> None:
    if named:
        release.manifest(hub_id=named)
    given = {**chosen(release, hub), "repo": "acme/not-there"}
    run = pipeline.run("release/release", **given)
    state = pipeline.wait(run)
    assert (state["type"], state["name"]) == ("FAILED", "Failed"), pipeline.told(run)
    assert told in state["message"]
    assert hub.writes() == []


def test_silence_is_no_approval(pipeline: Pipeline, hub: HubServer, release: Small) -> None:
    run = pipeline.run("release/release", **chosen(release, hub, review_seconds=10))
    pipeline.wait(run, waiting=True)
    assert pipeline.wait(run)["type"] == "FAILED"
    assert hub.writes() == []


def test_a_state_that_is_set_by_hand_publishes_nothing(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    run = pipeline.run("release/release", **chosen(release, hub))
    pipeline.wait(run, waiting=True)
    # Scheduled again without an answer, it asks again, or breaks down: it never goes on.
    pipeline.again(run)
    pipeline.until(lambda: settled(pipeline, run), 240, "the run waits or has ended", run)
    assert hub.writes() == []


def settled(pipeline: Pipeline, run: str) -> bool:
    state = pipeline.flow_run(run)["state"]
    assert state["type"] != "COMPLETED"
    return state["type"] == "FAILED" or (state["type"], state["name"]) == ("PAUSED", "Suspended")


def test_an_approval_of_another_record_opens_nothing(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    run = pipeline.run("release/release", **chosen(release, hub))
    pipeline.wait(run, waiting=True)
    old = waiting_record(pipeline, run)
    # The card is edited while the reviewer reads.
    release.write("README.md", "---\nlicense: mit\n---\n# Other\n")
    pipeline.resume(run, {"decision": "approve", "record_sha256": old, **REVIEWER})
    # The record of now is another one: it waits for an answer of its own.
    pipeline.until(lambda: waits_for_another(pipeline, run, old), 240, "the run waits again", run)
    pipeline.resume(run, {"decision": "approve", "record_sha256": old, **REVIEWER})
    state = pipeline.wait(run)
    assert (state["type"], state["name"]) == ("FAILED", "Refused"), pipeline.told(run)
    assert old in state["message"]
    assert hub.writes() == []


def waits_for_another(pipeline: Pipeline, run: str, old: str) -> bool:
    found = [r for r in PrefectHttp(pipeline.api).runs() if r.id == run]
    assert found, pipeline.told(run)
    return found[0].waits and found[0].record_sha256 != old


def test_digit_adder_goes_the_whole_way(
    pipeline: Pipeline, hub_server: HubServer, tmp_path: Path
) -> None:
    hub_server.add_token("audit-flow", "write", token="hf_pipeline")
    hub_server.add_repo(ADDER, {".gitattributes": ATTRIBUTES})
    manifest, before = copied_adder(tmp_path), measurements(pipeline)
    run = pipeline.run(
        "release/release", manifest=str(manifest), repo=ADDER, endpoint=hub_server.url
    )
    pipeline.wait(run, waiting=True)
    approve(pipeline, run)
    state = pipeline.wait(run)
    assert state["type"] == "COMPLETED", pipeline.told(run)
    assert published(hub_server, ADDER) == 1
    assert load(manifest).manifest.release.name == "digit-adder"
    # Resumed, it evaluated nothing again; nor does an audit after the card was edited.
    first = measurements(pipeline)
    assert (first[0] - before[0] <= 2, sum(first) - sum(before)) == (True, 4)
    card = manifest.parent / "model" / "README.md"
    card.write_text(card.read_text() + "\nMore words.\n")
    again = pipeline.run("audit-release/audit-release", manifest=str(manifest))
    pipeline.wait(again)
    assert measurements(pipeline) == (first[0], first[1] + 2)


def measurements(pipeline: Pipeline) -> tuple[int, int]:
    """Count the evaluations that the worker has made, and those that were answered from before.

    Its own log tells: the server hears of tasks only some time later.
    """
    lines = [x for x in pipeline.said().splitlines() if "Task run 'measure-" in x]
    ended = [x.partition("Finished in state ")[2].partition("(")[0] for x in lines]
    return ended.count("Completed"), ended.count("Cached")
