"""The drawing, the list and the comparison of files, each by itself."""

from __future__ import annotations

import time
from unicodedata import east_asian_width

from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.dashboard.graph import Node, draw
from audit_flow.dashboard.searching import Query, parse_query, select
from audit_flow.dashboard.summary import file_rows
from audit_flow.model import (
    ChecksumClaim,
    HubFile,
    HubListing,
    LineageRecord,
    Trust,
    WeightFile,
    WeightsDigest,
    sha256,
)
from audit_flow.store.listing import AuditRow
from tests.dashboard.story import bad, good
from tests.store.releases import digest, eval_run, record_of


def row(number: int, **changes: str) -> AuditRow:
    parts = {"run_id": f"{number:032x}", "name": f"model {number}", "outcome": "PASSED"}
    return AuditRow(**{**parts, **changes}, recorded=number, record_sha256=digest(str(number)))


def test_a_link_is_a_line_with_its_digest() -> None:
    record, _ = good()
    drawing = draw(record, "/audits/x")
    (edge,) = drawing.edges
    assert not edge.broken
    assert edge.label == digest("weights")[:10] + "…"
    assert digest("weights") in edge.words


def test_what_is_missing_is_amber_and_only_what_is_contradicted_is_red() -> None:
    record, verdict = bad()
    drawing = draw(record, "/audits/x")
    assert {n.kind for n in drawing.nodes if n.tone == "open"} == {"gap", "score"}
    assert all(n.tone != "fail" for n in drawing.nodes)
    assert drawing.edges == () or all(e.broken and e.tone == "open" for e in drawing.edges)
    judged = draw(record, "/audits/x", verdict)
    assert {n.kind for n in judged.nodes if n.tone == "fail"} == {"score"}


def test_a_claim_of_any_kind_that_nothing_joins_is_a_gap() -> None:
    drawing = draw(checked("x", "y"), "/audits/x")
    assert {n.kind: n.tone for n in drawing.nodes}["checksum"] == "open"


@given(st.text(max_size=80))
def test_no_name_runs_out_of_its_box(text: str) -> None:
    node = Node("k", "score", text, text, "#", 0, "seen")
    for shown, px in ((node.shown, 12.0), (node.shown_detail, 10.5)):
        letters = sum(1.0 if east_asian_width(c) in "WF" or c in "WMmw@%…—" else 0.0 for c in shown)
        assert letters * px <= 196
    wide = Node("k", "score", "W" * 60, "W" * 60, "#", 0, "seen")
    assert len(wide.shown) <= 16


def test_every_box_opens_something() -> None:
    record, _ = good()
    for node in draw(record, "/audits/x").nodes:
        assert node.href.startswith(("/audits/x/claims/", "/audits/x/evidence/", "#gap-"))


@given(st.integers(0, 120))
@settings(max_examples=10, deadline=None)
def test_a_large_lineage_is_drawn_in_part_and_says_so(count: int) -> None:
    runs = tuple(eval_run(f"task{n}").model_copy(update={"id": f"run-{n}"}) for n in range(count))
    drawing = draw(record_of(evidence=runs), "/x")
    assert len(drawing.nodes) == min(count, 30)
    assert drawing.left_out == max(count - 30, 0)
    places = {(n.x, n.y) for n in drawing.nodes}
    assert len(places) == len(drawing.nodes)


def test_the_newest_audit_of_a_release_stands_for_it() -> None:
    rows = [row(3, name="a"), row(2, name="a"), row(1, name="b")]
    page = select(rows, Query())
    assert [r.recorded for r in page.rows] == [3, 1]
    assert page.audits["a", ""] == 2
    assert len(select(rows, Query(every=True)).rows) == 3


@given(st.dictionaries(st.sampled_from(["search", "outcome", "page", "size", "every"]), st.text()))
def test_any_query_is_a_query(params: dict[str, str]) -> None:
    query = parse_query(params)
    page = select([row(n) for n in range(7)], query)
    assert 0 <= page.found <= page.known == 7
    assert len(page.rows) <= query.size


def test_five_thousand_rows_are_searched_at_once() -> None:
    rows = [row(n) for n in range(5_000)]
    start = time.process_time()
    assert select(rows, Query(search="model 4321")).found == 1
    assert select(rows, Query(search=digest("77")[:12])).rows[0].name == "model 77"
    assert time.process_time() - start < 0.3


def released(files: dict[str, str]) -> WeightsDigest:
    found = tuple(WeightFile(path=p, size=1, sha256=h) for p, h in files.items())
    return WeightsDigest(
        id="weights:model", source="model", trust=Trust.RECOMPUTED, role="released",
        root_sha256=digest("root"), files=found,
    )  # fmt: skip


def listing(files: dict[str, tuple[str, str]]) -> HubListing:
    found = tuple(
        HubFile(path=p, size=1, blob_sha1="0" * 40, sha256=h, read=r) for p, (h, r) in files.items()
    )
    return HubListing(
        id="hub", source="hub", trust=Trust.FETCHED, endpoint="https://hub", repo="a/b",
        commit="0" * 40, anonymous=True, files=found, size=1, bytes_read=1,
    )  # fmt: skip


def checked(claimed: str, audited: str, listed: tuple[str, str] | None = None) -> LineageRecord:
    claim = ChecksumClaim(
        id="checksum:m", path="model/m.safetensors", digest=sha256(digest(claimed)), source="r"
    )
    hub = (listing({"m.safetensors": (digest(listed[0]), listed[1])}),) if listed else ()
    weights = released({"m.safetensors": digest(audited)})
    return record_of(claims=(claim,), evidence=(weights, *hub))


def test_digests_of_a_file_stand_side_by_side() -> None:
    (same,) = file_rows(checked("x", "x", ("x", "whole")))
    assert same.state == "agree"
    assert same.claimed == same.audited == same.uploaded == same.fetched == digest("x")
    (listed_only,) = file_rows(checked("x", "x", ("x", "none")))
    assert listed_only.fetched is None


def test_any_digest_that_differs_is_told() -> None:
    for record in (checked("x", "y"), checked("x", "x", ("y", "none"))):
        (row_,) = file_rows(record)
        assert row_.state == "differ"


def test_one_digest_alone_is_not_the_same() -> None:
    (row_,) = file_rows(record_of(evidence=(released({"m": digest("x")}),)))
    assert row_.state == "alone"
