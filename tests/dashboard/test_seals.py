"""Reviews that were signed: who signed is shown, and an edited one is told loudly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit_flow.approval import History
from audit_flow.approval.entry import Entry, head_line
from audit_flow.dashboard.seals import UNSIGNED, seal_of
from audit_flow.model import TrustFile
from audit_flow.policy_file import trusted_key
from audit_flow.signing.keys import public_pem
from tests.attestation.desk import MALLORY, SIGNER
from tests.dashboard.served import ANA, Served, record, serving, tokens
from tests.dashboard.story import good
from tests.dashboard.test_reviewing import form_of, key_of


def trust(*roles: str) -> TrustFile:
    pem = public_pem(SIGNER.public)
    return TrustFile(keys=(trusted_key(pem, "reviews of acme", roles or ("review",)),))


@pytest.fixture
def signing(root: Path) -> Iterator[Served]:
    record(root, good())
    with serving(root, tokens=tokens(), signer=SIGNER, trust=trust()) as desk:
        yield desk


def decide(desk: Served) -> str:
    visitor, key = desk.browser(ANA), key_of(desk)
    assert visitor.post(f"/audits/{key}/review", form_of(visitor, key)).status == 303
    return key


def rewritten(root: Path, change: Any) -> None:
    """Edit the one review and both files that hold it in its place, as one who knows how would."""
    history = History(root / "reviews")
    (entry,) = history.read()
    edited = Entry.model_validate({**entry.plain(), **change(entry)})
    history.lines.write_bytes(edited.line + b"\n")
    history.head.write_bytes(head_line(1, edited.sha256))


def test_who_signed_a_review_is_shown_and_that_it_holds(signing: Served) -> None:
    key = decide(signing)
    for path in (f"/audits/{key}/review", "/reviews"):
        assert "reviews of acme" in signing.browser(ANA).get(path).text, path
    (row,) = signing.program().get("/api/v1/reviews").json["rows"]
    assert "reviews of acme" in row["signed_by"]


def test_another_dashboard_without_trust_says_that_it_knows_nobody(
    signing: Served, root: Path
) -> None:
    key = decide(signing)
    with serving(root, tokens=tokens()) as other:
        page = other.browser(ANA).get(f"/audits/{key}/review").text
        assert "by nobody who is known here" in page


@pytest.mark.parametrize("strict", [True, False])
def test_a_review_that_was_rewritten_with_its_chain_is_loud(
    signing: Served, root: Path, strict: bool
) -> None:
    key = decide(signing)
    rewritten(root, lambda e: {"review": {**e.review.plain(), "reason": "looked at nothing"}})
    with serving(root, tokens=tokens(), trust=trust() if strict else TrustFile()) as desk:
        visitor = desk.browser(ANA)
        page = visitor.get(f"/audits/{key}").text
        assert "can&#39;t be trusted" in page or "can't be trusted" in page
        assert "history altered" in visitor.get("/").text
        assert "signature that does not hold" in visitor.get("/reviews").text
        assert 'class="decision"' not in visitor.get(f"/audits/{key}/review").text


def test_a_review_signed_anew_by_another_is_loud_where_somebody_is_trusted(
    signing: Served, root: Path
) -> None:
    import base64

    from audit_flow.approval.entry import statement_of

    key = decide(signing)
    rewritten(root, lambda e: {"signature": base64.b64encode(
        MALLORY.sign(statement_of(e.review))).decode()})  # fmt: skip
    page = signing.browser(ANA).get(f"/audits/{key}/review").text
    assert "can't be trusted" in page
    assert 'class="decision"' not in page


@pytest.mark.parametrize("text", ["x", "!", "AAAA", "e30="])
def test_a_signature_of_nonsense_is_broken(signing: Served, root: Path, text: str) -> None:
    decide(signing)
    rewritten(root, lambda _: {"signature": text})
    answer = signing.browser(ANA).get("/reviews")
    assert answer.status == 200
    assert "does not hold" in answer.text


def test_a_key_for_other_things_signs_no_review() -> None:
    payload = json.dumps({"a": 1}).encode()
    bundle = SIGNER.sign(payload)
    assert seal_of(bundle, payload, trust(), "review").state == "holds"
    assert seal_of(bundle, payload, trust("verdict"), "review").state == "broken"
    assert seal_of(bundle, payload + b" ", trust(), "review").state == "broken"
    assert seal_of(bundle, payload, TrustFile(), "review").state == "unknown"
    assert seal_of(None, payload, trust(), "review") is UNSIGNED


def test_an_edited_line_is_told_on_the_list_too(signing: Served, root: Path) -> None:
    decide(signing)
    lines = root / "reviews" / "reviews.jsonl"
    lines.write_bytes(lines.read_bytes().replace(b"looked at everything", b"looked at nothing!!!"))
    assert "The history of reviews was altered" in signing.browser(ANA).get("/").text


def test_a_dashboard_knows_its_own_key_without_any_trust(root: Path) -> None:
    record(root, good())
    pem = public_pem(SIGNER.public)
    own = TrustFile(keys=(trusted_key(pem, "this dashboard's key", ("review",)),))
    with serving(root, tokens=tokens(), signer=SIGNER, own=own) as desk:
        key = decide(desk)
        (_, entry) = desk.site.library.reviews()[0]
        assert desk.site.library.seals.of(entry).state == "holds"
        rewritten(root, lambda e: {"review": {**e.review.plain(), "reason": "looked at nothing"}})
        assert "can't be trusted" in desk.browser(ANA).get(f"/audits/{key}").text
