"""A published repository is looked at again: as it was, moved, accepted; judged by strangers."""

from __future__ import annotations

import pytest

from tests.flows.pipeline import Pipeline
from tests.hub.server import HubServer
from tests.publish.releases import Small

pytestmark = pytest.mark.slow
REPO = "acme/small"


def test_an_alarm_when_card_or_weights_moved_until_somebody_accepts(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    def look(**more: str) -> tuple[str, str]:
        run = pipeline.run("watch-release/watch-release", repo=REPO, endpoint=hub.url, **more)
        state = pipeline.wait(run)
        return state["name"], state["message"]

    first = hub.commit(REPO, dict(release.files()))
    assert look()[0] == "Completed"
    hub.commit(REPO, {"README.md": "---\nlicense: mit\n---\n# Other\n"})
    name, message = look()
    assert name == "Moved"
    assert first in message
    assert "card README.md" in message
    name = "model-00001-of-00002.safetensors"
    changed = bytearray(release.files()[name])
    changed[-1] ^= 1
    second = hub.commit(REPO, {name: bytes(changed)})
    assert name in look()[1], "the alarm stays, and names everything since the first look"
    assert look(accept=second)[0] == "Completed"
    assert look()[0] == "Completed"
    pipeline.until(lambda: bool(pipeline.events("audit-flow.watch.moved")), 30, "an event")


def test_a_stranger_s_flow_holds_what_is_not_proven(
    pipeline: Pipeline, hub: HubServer, release: Small
) -> None:
    hub.commit(REPO, dict(release.files()))
    hub.journal.clear()
    run = pipeline.run("verify-release/verify-release", repo=REPO, endpoint=hub.url)
    assert pipeline.wait(run)["name"] in {"Held", "Completed"}
    assert hub.writes() == []
    assert all(r.authorization is None for r in hub.requests)


ATTEMPTS = """
from prefect import flow, task
from audit_flow.errors import InputError, PublishError
from flows.caching import FRESH, RETRIES, only

counts = {}
options = {**RETRIES, "retries": 2, "retry_delay_seconds": 0, "retry_jitter_factor": None}


@task(**options, retry_condition_fn=only(PublishError), **FRESH)
def attempt(kind):
    counts[kind] = counts.get(kind, 0) + 1
    raise {"busy": PublishError, "wrong": InputError}[kind]("no")


@flow
def both():
    for kind in ("busy", "wrong"):
        attempt(kind, return_state=True)
    return "done"


both()
print("COUNTS", counts["busy"], counts["wrong"])
"""


def test_a_busy_hub_is_asked_again_and_a_wrong_parameter_is_not(pipeline: Pipeline) -> None:
    assert "COUNTS 3 1" in pipeline.python(ATTEMPTS)
