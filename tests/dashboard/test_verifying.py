"""Verifications that a visitor asks for: on allowed Hubs, bounded, with progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audit_flow.dashboard.verifying import Job, Verifier
from audit_flow.errors import EvidenceError, InputError
from audit_flow.report.interface import AuditResult
from audit_flow.sources.hub import HubName
from tests.dashboard.served import serving
from tests.dashboard.story import good
from tests.hub.server import HubServer
from tests.verify.served import REPO, serve

HUB = "https://hub.example"


def result() -> AuditResult:
    record, verdict = good()
    return AuditResult(record=record, verdict=verdict)


def waited(job: Job, seconds: float = 60) -> Job:
    end = time.monotonic() + seconds
    while not job.is_over and time.monotonic() < end:
        time.sleep(0.02)
    assert job.is_over
    return job


@pytest.mark.parametrize(
    "text",
    ["", " ", "no such name", "/etc/passwd", "./folder", "file:///etc/passwd", "a/b/c/d", "x" * 400,
     "http://127.0.0.1:22/a/b", "https://hub.example.evil.example/a/b", "a/b@../../x", "a/b\x00",
     "http://hub.example/a/b", "https://user@hub.example/a/b"],
)  # fmt: skip
def test_only_repositories_of_allowed_hubs_are_asked_for(text: str) -> None:
    verifier = Verifier((HUB,), lambda _n, _p: result(), 5)
    with pytest.raises(InputError):
        verifier.ask(text)
    assert verifier.jobs == ()


def test_a_verification_is_followed_to_its_end() -> None:
    go = threading.Event()

    def verify(name: HubName, progress: Callable[[int], None]) -> AuditResult:
        progress(1234)
        go.wait(30)
        assert name.endpoint == HUB
        return result()

    verifier = Verifier((HUB,), verify, 60)
    job = verifier.ask("acme/model@main")
    while job.read == 0:
        time.sleep(0.01)
    assert (job.state, job.read) == ("running", 1234)
    go.set()
    assert waited(job).state == "done"
    assert job.result is not None


def test_no_more_than_a_few_wait() -> None:
    go = threading.Event()

    def verify(name: HubName, progress: Callable[[int], None]) -> AuditResult:
        del name, progress
        go.wait(30)
        return result()

    verifier = Verifier((HUB,), verify, 60)
    jobs = [verifier.ask("a/b") for _ in range(8)]
    with pytest.raises(InputError, match="wait already"):
        verifier.ask("a/b")
    go.set()
    assert all(waited(job).state == "done" for job in jobs)


@pytest.mark.parametrize("error", [EvidenceError("no such repository"), ValueError("boom")])
def test_what_goes_wrong_is_told_and_is_no_verdict(error: Exception) -> None:
    def verify(name: HubName, progress: Callable[[int], None]) -> AuditResult:
        raise error

    job = waited(Verifier((HUB,), verify, 5).ask("a/b"))
    assert (job.state, job.result) == ("failed", None)
    assert "boom" not in job.problem


def test_time_is_bounded() -> None:
    def verify(name: HubName, progress: Callable[[int], None]) -> AuditResult:
        for n in range(10_000):
            progress(n)
            time.sleep(0.01)
        return result()

    job = waited(Verifier((HUB,), verify, 0.1).ask("a/b"))
    assert job.state == "failed"
    assert "stopped after" in job.problem


def test_a_stranger_verifies_a_served_repository(root: Path, hub_server: HubServer) -> None:
    serve(hub_server)
    root.mkdir(parents=True)
    with serving(root, hubs=(hub_server.url,)) as desk:
        visitor = desk.browser()
        answer = visitor.send("/verify", {"repository": REPO})
        assert answer.status == 303
        page = answer.headers["location"]
        job = waited(desk.site.verifier.jobs[0])
        assert job.problem == ""
        assert "Open the whole verification" in visitor.get(page).text
        assert visitor.get(f"/audits/{job.key}").status == 200
        told = visitor.get(f"/api/v1/verifications/{job.id}").json
        assert told["outcome"] in {"PASSED", "FAILED", "INCONCLUSIVE"}
        # It stands in no store: nothing can be decided on it.
        assert "kept nowhere" in visitor.get(f"/audits/{job.key}").text
        assert visitor.send("/verify", {"repository": "https://evil.example/a/b"}).status == 422
