"""Two looks at one repository: every file, claim and verdict that differs is named, once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from audit_flow.model import HubFile, HubListing, LineageRecord, Subject, Trust
from audit_flow.verify.watching import CARD, changes
from tests.report import builders

names = st.sampled_from([CARD, "config.json", "model.safetensors", "a/b.txt"])
listings = st.dictionaries(names, st.integers(0, 3))


def looked(files: dict[str, int], commit: str = "0") -> LineageRecord:
    listed = tuple(HubFile(path=p, size=n, blob_sha1=f"{n:040x}") for p, n in sorted(files.items()))
    listing = HubListing(
        id="hub-listing", source="acme/small", trust=Trust.FETCHED, endpoint="http://hub",
        repo="acme/small", commit=commit * 40, anonymous=True, files=listed, size=1, bytes_read=0,
    )  # fmt: skip
    return LineageRecord(subject=Subject(name="small"), claims=(), evidence=(listing,))


@given(listings, listings)
def test_exactly_what_differs_is_named(old: dict[str, int], new: dict[str, int]) -> None:
    found = changes(looked(old), looked(new, "1"))
    differing = {p for p in old.keys() | new.keys() if old.get(p) != new.get(p)}
    assert {c.about for c in found} == differing
    assert len(found) == len(differing)
    assert all((c.what == "card") == (c.about == CARD) for c in found)
    assert all(c.in_words for c in found)


@given(listings)
def test_a_listing_that_is_gone_is_a_change(files: dict[str, int]) -> None:
    bare = LineageRecord(subject=Subject(name="small"), claims=(), evidence=())
    assert bool(changes(looked(files), bare)) == bool(files)


def test_claims_and_verdicts_are_compared() -> None:
    passed, failed = builders.passed(), builders.failed()
    found = changes(passed.record, failed.record, (passed.verdict, failed.verdict))
    assert {c.what for c in found} >= {"claim", "verdict"}
    assert changes(failed.record, failed.record, (failed.verdict, failed.verdict)) == ()
