"""The API tells what the pages tell, and its description is true."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from audit_flow.model import LineageRecord, Verdict, content_digest
from tests.dashboard.served import ANA, Browser, Served

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def key(served: Served) -> str:
    return next(r.run_id for r in served.site.library.rows() if r.name == "reflection")


def paths(served: Served) -> dict[str, Any]:
    document = served.browser().get("/api/v1/openapi.json").json
    assert document["openapi"] == "3.1.0"
    return dict(document["paths"])


def test_the_description_is_valid_and_every_path_is_served(served: Served, key: str) -> None:
    import jsonschema

    document = served.browser().get("/api/v1/openapi.json").json
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for path, item in paths(served).items():
        filled = path.format(key=key, table="scores", number=0, job="0" * 16)
        if "get" in item and "job" not in path and "compare" not in path:
            assert served.browser().get(filled).status == 200, path


def test_every_served_path_is_described(served: Served) -> None:
    routes = [r.path for r in _routes(served)]
    told = set(paths(served))
    plain = {re.sub(r"\{(\w+):\w+\}", r"{\1}", path) for path in routes}
    assert {p for p in plain if p.startswith("/api/")} - {"/api/v1/openapi.json"} == told


def _routes(served: Served) -> list[Any]:
    from audit_flow.dashboard.app import make_app

    return list(make_app(served.site).routes)


def test_an_audit_is_given_with_its_digests(served: Served, key: str) -> None:
    data = served.browser().get(f"/api/v1/audits/{key}").json
    record = LineageRecord.model_validate(data["record"])
    assert record.sha256 == data["record_sha256"]
    words = {"in_words", "counts"}
    plain = {k: v for k, v in data["verdict"].items() if k not in words}
    assert content_digest(Verdict.model_validate(plain)) == data["verdict_sha256"]
    assert data["review"]["state"] == "open"
    assert data["review"]["decided"]["record_sha256"] == data["record_sha256"]


def test_audits_are_found_as_on_the_page(served: Served) -> None:
    data = served.browser().get("/api/v1/audits?search=reflection").json
    assert (data["found"], data["known"]) == (1, 2)
    assert data["audits"][0]["outcome"] == "FAILED"
    assert data["audits"][0]["open_questions"] == 1


def test_a_draft_is_marked(desk: Served) -> None:
    key = next(r.run_id for r in desk.site.library.rows() if r.name == "reflection")
    body = json.dumps({"text": "93.4 % on addition"})
    answer = desk.program(ANA).ask("POST", f"/api/v1/audits/{key}/announcement", body, JSON)
    assert answer.json["outcome"] == "FAILED"
    assert answer.json["statements"][0]["mark"] == "contradicted"


@pytest.mark.parametrize(
    ("body", "headers"),
    [("{", JSON), ("[]", JSON), ('{"text": ""}', JSON), ('{"text": "x", "more": 1}', JSON),
     ('{"text": "x"}', {"Content-Type": "text/plain"}), ("\xff", JSON), ("[" * 5000, JSON),
     (json.dumps({"text": "\ud800"}), JSON)],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_told(
    desk: Served, body: str, headers: dict[str, str]
) -> None:
    key = desk.site.library.rows()[0].run_id
    answer = desk.program(ANA).ask("POST", f"/api/v1/audits/{key}/announcement", body, headers)
    assert answer.status == 422
    assert "error" in answer.json


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nope", "/api/v1/audits/xyz", f"/api/v1/audits/{'0' * 32}",
     f"/api/v1/compare?before={'0' * 32}&after=x", "/api/v1/compare"],
)  # fmt: skip
def test_what_is_not_there_is_told_as_json(served: Served, path: str) -> None:
    answer = Browser(served.url).get(path)
    assert answer.status == 404
    assert "error" in answer.json
