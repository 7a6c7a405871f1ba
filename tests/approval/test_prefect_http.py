"""Prefect over plain HTTP: which runs wait, and how one is resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit_flow.approval import History, NobodyWaits, PrefectHttp
from audit_flow.errors import ApprovalError, InputError
from tests.approval.cases import kept, verdict
from tests.approval.prefect_server import RUN, FakePrefect, serving


def test_runs_under_way_are_told(tmp_path: Path) -> None:
    del tmp_path
    prefect = FakePrefect("a" * 64)
    with serving(prefect) as api:
        waiting, running = PrefectHttp(api, "Bearer x").runs()
    assert (waiting.waits, waiting.record_sha256, waiting.name) == (True, "a" * 64, "wise-owl")
    assert (running.waits, running.record_sha256) == (False, None)
    path, body, auth = prefect.asked[0]
    assert path == "/api/flow_runs/filter"
    assert auth == "Bearer x"
    assert "PAUSED" in body["flow_runs"]["state"]["type"]["any_"]


def test_a_run_is_resumed_with_the_decision(tmp_path: Path) -> None:
    entry = kept(History(tmp_path), verdict())
    prefect = FakePrefect()
    with serving(prefect) as api:
        PrefectHttp(api).resume(RUN, entry.review, entry.sha256)
    path, body, _ = prefect.asked[0]
    assert path == f"/api/flow_runs/{RUN}/resume"
    assert body["run_input"]["decision"] == "approve"
    assert body["run_input"]["review_sha256"] == entry.sha256
    assert body["run_input"]["record_sha256"] == entry.review.decided.record_sha256


@pytest.mark.parametrize(
    ("status", "raw", "answer"),
    [(500, None, "ACCEPT"), (200, b"<html>", "ACCEPT"), (200, None, "REJECT"),
     (302, None, "ACCEPT"), (200, b"[]", "ACCEPT"), (200, b"", "ACCEPT")],
)  # fmt: skip
def test_an_answer_that_is_no_yes_is_an_error(
    tmp_path: Path, status: int, raw: bytes | None, answer: str
) -> None:
    entry = kept(History(tmp_path), verdict())
    prefect = FakePrefect()
    prefect.status, prefect.raw, prefect.answer = status, raw, answer
    with serving(prefect) as api, pytest.raises(ApprovalError):
        PrefectHttp(api).resume(RUN, entry.review, entry.sha256)


@pytest.mark.parametrize("run", ["", "../admin", RUN + "/x", "x" * 36])
def test_a_run_that_is_no_id_is_not_asked_for(tmp_path: Path, run: str) -> None:
    entry = kept(History(tmp_path), verdict())
    with pytest.raises(ApprovalError):
        PrefectHttp("http://127.0.0.1:9/api").resume(run, entry.review, entry.sha256)


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ApprovalError):
        PrefectHttp("http://127.0.0.1:9/api").runs()


@pytest.mark.parametrize("api", ["ftp://x/api", "nonsense", "http://", "http://x/api?y=1"])
def test_an_address_must_be_one(api: str) -> None:
    with pytest.raises(InputError):
        PrefectHttp(api)


def test_nobody_waits(tmp_path: Path) -> None:
    entry = kept(History(tmp_path), verdict())
    assert NobodyWaits().runs() == ()
    NobodyWaits().resume(RUN, entry.review, entry.sha256)
