"""The history of reviews: whatever is done to its files is seen, and nothing is overwritten."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from audit_flow.approval import History
from audit_flow.approval.entry import Entry, statement_of
from audit_flow.errors import ApprovalError
from audit_flow.model import Outcome, TrustedKey, TrustFile
from audit_flow.model.signature_facts import worst
from audit_flow.signing import KeySigner
from tests.approval.cases import kept, verdict


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "reviews")


def three(history: History) -> tuple[Entry, ...]:
    names = ("one", "two", "three")
    return tuple(kept(history, verdict(name=name), reason=f"reason {name}") for name in names)


def test_what_was_decided_is_read_back_in_order(history: History) -> None:
    written = three(history)
    assert history.read() == written
    assert [e.number for e in written] == [1, 2, 3]
    assert written[2].previous == written[1].sha256


def test_no_history_is_no_review(history: History) -> None:
    assert history.read() == ()
    assert not history.folder.exists()


@pytest.mark.parametrize("line", [0, 1, 2])
@pytest.mark.parametrize(
    ("old", "new"), [(b'"approve"', b'"refuse"'), (b"reason", b"treason"), (b"ana", b"eva")]
)
def test_an_edited_line_is_seen(history: History, line: int, old: bytes, new: bytes) -> None:
    three(history)
    lines = history.lines.read_bytes().split(b"\n")
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new)
    history.lines.write_bytes(b"\n".join(lines))
    with pytest.raises(ApprovalError):
        history.read()


@pytest.mark.parametrize("gone", [(0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_a_line_that_was_taken_away_is_seen(history: History, gone: tuple[int, ...]) -> None:
    three(history)
    lines = history.lines.read_bytes().splitlines(keepends=True)
    history.lines.write_bytes(b"".join(x for n, x in enumerate(lines) if n not in gone))
    with pytest.raises(ApprovalError):
        history.read()


def test_swapped_and_doubled_lines_are_seen(history: History) -> None:
    three(history)
    one, two, last = history.lines.read_bytes().splitlines(keepends=True)
    for altered in (two + one + last, one + one + two + last, one + two + last + last):
        history.lines.write_bytes(altered)
        with pytest.raises(ApprovalError):
            history.read()


def test_taking_the_lines_or_the_head_away_is_seen(history: History) -> None:
    three(history)
    head = history.head.read_bytes()
    history.head.unlink()
    with pytest.raises(ApprovalError):
        history.read()
    history.head.write_bytes(b"not json")
    with pytest.raises(ApprovalError):
        history.read()
    history.head.write_bytes(head)
    history.lines.unlink()
    with pytest.raises(ApprovalError):
        history.read()


def test_an_altered_history_takes_no_decision(history: History) -> None:
    three(history)
    data = history.lines.read_bytes()
    history.lines.write_bytes(data.replace(b"reason two", b"reason 222"))
    with pytest.raises(ApprovalError):
        kept(history, verdict(name="four"))
    assert history.lines.read_bytes() == data.replace(b"reason two", b"reason 222")


def test_a_line_that_was_cut_off_by_a_crash_is_no_review(history: History) -> None:
    written = three(history)
    with history.lines.open("ab") as stream:
        stream.write(b'{"half": "a line')
    assert history.read() == written
    fourth = kept(history, verdict(name="four"))
    assert history.read() == (*written, fourth)


def test_a_crash_between_line_and_head_loses_nothing(history: History) -> None:
    one = kept(history, verdict(name="one"))
    head = history.head.read_bytes()
    two = kept(history, verdict(name="two"))
    history.head.write_bytes(head)
    assert history.read() == (one, two)
    assert kept(history, verdict(name="three")).previous == two.sha256


def test_many_at_once_are_all_kept(history: History) -> None:
    verdicts = [verdict(name=f"model {n}") for n in range(12)]
    threads = [threading.Thread(target=kept, args=(history, v)) for v in verdicts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = history.read()
    assert {e.review.subject for e in entries} == {f"model {n}" for n in range(12)}
    assert [e.number for e in entries] == list(range(1, 13))


def test_a_signed_review_is_proven_by_its_signature(history: History) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    from audit_flow.signing import verify_bundle
    from audit_flow.signing.keys import fingerprint, public_pem

    key = ec.generate_private_key(ec.SECP256R1())
    first = kept(history, verdict())
    entry = history.append(lambda _: first.review, KeySigner.of(key))
    assert history.read()[1] == entry
    assert entry.bundle is not None
    public = key.public_key()
    trusted = TrustedKey(
        name="desk", roles=("any",), pem=public_pem(public).decode(), sha256=fingerprint(public)
    )
    envelope = verify_bundle(entry.bundle, TrustFile(keys=(trusted,)))
    assert envelope.payload == statement_of(entry.review)
    assert worst(envelope.steps) is Outcome.PASSED
