"""One server with one worker for all tests of a session: it takes half a minute to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.pipeline import Pipeline
from tests.hub.server import OWNER, HubServer
from tests.publish.releases import ATTRIBUTES, Small, small

TOKEN = "hf_pipeline"


@pytest.fixture(scope="session")
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


@pytest.fixture
def hub(hub_server: HubServer) -> HubServer:
    hub_server.add_token(OWNER, "write", token=TOKEN)
    hub_server.add_repo("acme/small", {".gitattributes": ATTRIBUTES})
    hub_server.journal.clear()
    return hub_server


@pytest.fixture
def release(tmp_path: Path) -> Small:
    return small(tmp_path)
