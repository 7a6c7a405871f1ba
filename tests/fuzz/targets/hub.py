"""What a Hub answers, and what repositories are called."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from audit_flow.sources import json_text
from audit_flow.sources.hub.http import HubHttp, Reply, _retry_after
from audit_flow.sources.hub.listing import history, list_files, refs, resolve
from audit_flow.sources.hub.names import local_or_hub, parse_name
from tests.fuzz.interface import Place, Seed, Target, seeds_of
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_trees import spoil_json

ENDPOINT = "http://127.0.0.1:9"
COMMIT = "c" * 40
TREE: list[dict[str, Any]] = [
    {"type": "file", "path": "config.json", "oid": "a" * 40, "size": 12},
    {"type": "directory", "path": "sub", "oid": "b" * 40, "size": 0},
    {
        "type": "file",
        "path": "sub/model.safetensors",
        "oid": "d" * 40,
        "size": 99,
        "lfs": {"oid": "e" * 64, "size": 99, "pointerSize": 130},
    },
]
COMMITS = [
    {
        "id": COMMIT,
        "title": "Upload",
        "message": "",
        "date": "2026-05-04T10:00:00.000Z",
        "authors": [{"user": "x"}],
    },
    {"id": "f" * 40, "title": "First", "date": "2026-05-03T10:00:00+02:00"},
]
REFS = {
    "branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": COMMIT}],
    "tags": [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": COMMIT}],
    "converts": [],
}
HEADERS = (
    "HTTP/1.1 302 Found\r\nlocation: https://cdn.example/x\r\n"
    f'link: <{ENDPOINT}/api?cursor=1>; rel="next"\r\n'
    "retry-after: 5\r\ncontent-length: 10\r\n\r\n"
)


class Answering(HubHttp):
    """A client whose Hub says the bytes of a case; what it links to is another page of the same."""

    def __init__(self, body: bytes, link: str = "") -> None:
        super().__init__(ENDPOINT)
        self._body, self._link, self._pages = body, link, 0

    def json(self, url: str, headers: Any = None) -> tuple[Any, Reply]:
        self._pages += 1
        hops = ({"link": self._link},) if self._link and self._pages < 3 else ({},)
        return json_text.parse(self._body, self.where(url)), Reply(200, self._body, url, hops)


def _asked(ask: Callable[[HubHttp], object]) -> Callable[[bytes, Place], None]:
    def run(data: bytes, place: Place) -> None:
        ask(Answering(data))

    return run


def _headers(data: bytes, place: Place) -> None:
    """Take a redirect, a next page and a pause from headers that anybody may have written."""
    headers = {}
    for line in data.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        headers[name.decode("latin-1").strip().lower()] = value.decode("latin-1").strip()
    http = Answering(json.dumps([]).encode(), headers.get("link", ""))
    _retry_after(headers.get("retry-after"))
    http.redirected(f"{ENDPOINT}/x", headers.get("location", ""))
    list_files(http, "org/adder", COMMIT)


def _names(data: bytes, place: Place) -> None:
    text = data.decode("utf-8", "replace")
    parse_name(text, ENDPOINT)
    local_or_hub(text, ENDPOINT)


def _seed(value: Any) -> Callable[[], Iterable[Seed]]:
    return seeds_of(json.dumps(value))


HUB = (
    Target(
        "hub tree",
        ("audit_flow.sources.hub.listing", "audit_flow.sources.hub.http"),
        _asked(lambda http: list_files(http, "org/adder", COMMIT)),
        _seed(TREE),
        spoil_json,
    ),
    Target(
        "hub commits",
        ("audit_flow.sources.hub.listing",),
        _asked(lambda http: history(http, "org/adder", COMMIT, 10)),
        _seed(COMMITS),
        spoil_json,
    ),
    Target(
        "hub refs",
        ("audit_flow.sources.hub.listing",),
        _asked(lambda http: refs(http, "org/adder")),
        _seed(REFS),
        spoil_json,
    ),
    Target(
        "hub revision",
        ("audit_flow.sources.hub.listing",),
        _asked(lambda http: resolve(http, "org/adder", "main")),
        _seed({"sha": COMMIT, "id": "org/adder", "siblings": []}),
        spoil_json,
    ),
    Target(
        "hub headers",
        ("audit_flow.sources.hub.http", "audit_flow.sources.hub.listing"),
        _headers,
        seeds_of(HEADERS, HEADERS.replace("next", "last")),
        spoil_bytes,
    ),
    Target(
        "repository names",
        ("audit_flow.sources.hub.names",),
        _names,
        seeds_of("org/adder@v1.0", "https://huggingface.co/org/adder/tree/main", "hf://org/adder"),
        spoil_bytes,
    ),
)
