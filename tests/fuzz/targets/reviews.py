"""What reviewers, their browsers and an orchestrator send: histories, forms, cookies, answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qsl

from audit_flow.approval import History
from audit_flow.approval.entry import START, parse_entry, parse_head
from audit_flow.approval.prefect_http import flow_runs, parse_answer
from audit_flow.dashboard.forms import asked_in
from audit_flow.dashboard.identity import Sessions, read_tokens
from audit_flow.dashboard.searching import parse_query
from tests.approval.cases import kept, verdict
from tests.fuzz.facts import held
from tests.fuzz.interface import Place, Seed, Target, seeds_of
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_trees import spoil_json, spoil_lines

KEY = b"k" * 32
RUNS = [
    {
        "id": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
        "name": "calm-fox",
        "state_type": "PAUSED",
        "tags": ["audit-flow:record:" + "a" * 64, "x"],
        "state_name": "Suspended",
        "start_time": "2026-01-01T00:00:00Z",
        "expected_start_time": None,
    }
]


@cache
def _history() -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        history = History(Path(folder))
        for name in ("one", "two"):
            kept(history, verdict(name=name), reason=f"reason {name}")
        return {p.name: p.read_bytes() for p in (history.lines, history.head)}


def _read(data: bytes, place: Place) -> None:
    history = History(place.root)
    # As History.read, without the lock: a reader in the sandbox opens nothing for writing.
    held(history._proven())


def _entry(data: bytes, place: Place) -> None:
    held([parse_entry(data, 1, START, "case")])


def _runs_of(data: bytes, place: Place) -> None:
    flow_runs(parse_answer(data))


def _cookie(data: bytes, place: Place) -> None:
    """Read a cookie as it came, and one that our own key signed."""
    sessions = Sessions(KEY)
    sessions.visitor(data.decode("latin-1"))
    body = base64.urlsafe_b64encode(data).decode()
    mac = hmac.new(KEY, f"visit:{body}".encode(), hashlib.sha256).hexdigest()
    assert sessions.visitor(f"{body}.{mac[:-1]}{'0' if mac[-1] != '0' else '1'}") is None
    sessions.is_form_token(sessions.fresh(), data.decode("latin-1"))


def _tokens(data: bytes, place: Place) -> None:
    read_tokens(place.path)


def _query(data: bytes, place: Place) -> None:
    query = parse_query(dict(parse_qsl(data.decode("utf-8", "replace"))))
    assert parse_query(dict(parse_qsl(query.address()))).page == query.page


def _form(data: bytes, place: Place) -> None:
    asked_in(dict(parse_qsl(data.decode("utf-8", "replace"))))


def _histories() -> Iterable[Seed]:
    for name, data in _history().items():
        yield Seed(data, name, beside={n: d for n, d in _history().items() if n != name})


FORM = "decision=approve&reason=every+claim+holds&seen=none&" + "&".join(
    f"{n}_sha256={'a' * 64}" for n in ("record", "verdict", "policy", "subject")
)

REVIEWS = (
    Target(
        "history of reviews",
        ("audit_flow.approval.history", "audit_flow.approval.entry"),
        _read,
        _histories,
        spoil_lines,
        files=True,
    ),
    Target(
        "entry of a review",
        ("audit_flow.approval.entry",),
        _entry,
        lambda: [Seed(_history()["reviews.jsonl"].split(b"\n")[0])],
        spoil_json,
    ),
    Target(
        "head of reviews",
        ("audit_flow.approval.entry",),
        lambda data, place: parse_head(data),
        lambda: [Seed(_history()["reviews.head.json"])],
        spoil_json,
        also=(ValueError, KeyError, TypeError),
    ),
    Target(
        "answers of Prefect",
        ("audit_flow.approval.prefect_http",),
        _runs_of,
        seeds_of(json.dumps(RUNS)),
        spoil_json,
    ),
    Target(
        "cookies",
        ("audit_flow.dashboard.identity",),
        _cookie,
        lambda: [Seed(Sessions(KEY).cookie(Sessions(KEY).fresh("ana")).encode())],
        spoil_bytes,
    ),
    Target(
        "tokens",
        ("audit_flow.dashboard.identity",),
        _tokens,
        seeds_of(f"ana sha256:{'a' * 64}\n# more\n", name="tokens"),
        spoil_bytes,
        files=True,
    ),
    Target(
        "searches",
        ("audit_flow.dashboard.searching",),
        _query,
        seeds_of("search=adder+7b&outcome=PASSED&page=2&size=50&every=1"),
        spoil_bytes,
    ),
    Target(
        "decisions in forms", ("audit_flow.dashboard.forms",), _form, seeds_of(FORM), spoil_bytes
    ),
)
