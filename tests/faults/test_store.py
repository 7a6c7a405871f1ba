"""Records in MLflow: writers killed, servers that go down, several at once; one run, and whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow.entities
import mlflow.models
import mlflow.tracking
import pytest

from audit_flow.errors import RecordError
from audit_flow.store import find_audit, read_audit, record_audit
from audit_flow.store.location import client_for, locate
from tests.faults.forked import forked
from tests.faults.proxy import Proxy, before
from tests.store.releases import release
from tests.store.test_servers import mlflow_server, postgresql

pytestmark = pytest.mark.slow
assert mlflow.tracking
MOMENTS = 8


def record(root: Path, version: str = "1.0", uri: str | None = None) -> str:
    made, verdict = release(version=version)
    files = {"report.html": b"<p>"}
    return record_audit(made, verdict, files, tracking_uri=uri, default_root=root).run_id


def runs(root: Path, uri: str | None = None) -> list[Any]:
    """Return every run that is not deleted, complete or not."""
    client = client_for(locate(uri, root))
    found = client.get_experiment_by_name("audit-flow")
    return list(client.search_runs([found.experiment_id])) if found else []


def one_whole_run(root: Path, version: str = "1.0", uri: str | None = None) -> None:
    made, verdict = release(version=version)
    (stored,) = find_audit(made.sha256, tracking_uri=uri, default_root=root)
    kept = read_audit(stored.run_id, tracking_uri=uri, default_root=root)
    assert kept == (made, verdict)
    client = client_for(locate(uri, root))
    versions = client.search_model_versions("name = 'acme=2Fdigit-adder'")
    assert [v.run_id for v in versions].count(stored.run_id) == 1


@pytest.mark.parametrize("at", [1, 2, 3, 5, 8, 11, 14])
def test_killed_before_a_change_of_a_file(tmp_path: Path, at: int) -> None:
    root = tmp_path / "state"
    assert forked(lambda: record(root), tmp_path, at) == -signal.SIGKILL
    assert forked(lambda: _again(root), tmp_path) == 0


def _again(root: Path, version: str = "1.0", uri: str | None = None) -> None:
    record(root, version, uri)
    one_whole_run(root, version, uri)
    if uri is None:
        _alone(root)


def _alone(root: Path) -> None:
    assert len(runs(root)) == 1, "a run that was half-written is left"


@pytest.mark.parametrize("number", [2, 5])
def test_the_same_audit_at_once_is_one_run(tmp_path: Path, number: int) -> None:
    assert at_once([lambda: record(tmp_path)] * number) == [0] * number
    assert forked(lambda: _again(tmp_path), tmp_path) == 0


def test_five_audits_at_once_are_five_runs(tmp_path: Path) -> None:
    versions = [f"{n}.0" for n in range(5)]
    assert at_once([partial(record, tmp_path, v) for v in versions]) == [0] * 5
    for version in versions:
        assert forked(partial(one_whole_run, tmp_path, version), tmp_path) == 0


def at_once(work: Sequence[Callable[[], object]]) -> list[int]:
    """Do each in a process of its own, all at the same time; their exit codes."""
    children = []
    for each in work:
        child = os.fork()
        if not child:
            os._exit(forked(each, Path(os.devnull)))
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children]


@pytest.mark.parametrize("start", [mlflow_server, postgresql])
@pytest.mark.parametrize("answer_lost", [False, True])
def test_a_server_that_goes_down_at_any_message(
    tmp_path: Path, start: Any, answer_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with start(tmp_path) as address:
        port = urlsplit(address).port
        with before(port) as (proxy, there):
            uri = address.replace(f":{port}", f":{there}")
            assert forked(lambda: record(tmp_path, "first", uri), tmp_path) == 0
            proxy.up_again()
            assert forked(lambda: record(tmp_path, "counted", uri), tmp_path) == 0
            total = proxy.seen
            assert total > MOMENTS
            for left in range(1, total, max(1, total // MOMENTS)):
                _down_and_up(proxy, left, answer_lost, tmp_path, uri)


def _down_and_up(proxy: Proxy, left: int, answer_lost: bool, root: Path, uri: str) -> None:
    version = f"{left}"
    proxy.fail_after(left, answer_lost=answer_lost)
    refused = forked(lambda: _refused(root, version, uri), root) == 0
    # Messages may come in fewer pieces than were counted: then it had ended before.
    assert refused or proxy.left
    proxy.up_again()
    assert forked(lambda: _again(root, version, uri), root) == 0


def _refused(root: Path, version: str, uri: str) -> None:
    with pytest.raises(RecordError) as told:
        record(root, version, uri)
    assert "Traceback" not in str(told.value)
    assert "hunter2" not in str(told.value)
