"""The tamper table: a part of every class, another part for each seed of the day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tamper.bench import bench
from tests.tamper.case import Answer, Attempt, Row, TamperClass, rules
from tests.tamper.classes import all_classes
from tests.tamper.equivalent import EQUIVALENT, reason
from tests.tamper.fields import field_changes
from tests.tamper.good import Good, good
from tests.tamper.served import _serving, published, signed_files
from tests.tamper.statements import verified
from tests.tamper.table import judge, problems, try_class

NAMES = (
    "fields: manifest", "fields: ledger", "fields: pipeline", "fields: card, signed again",
    "fields: evaluation", "fields: bundle model/model.sig", "fields: payload prepare.record.json",
    "bytes of every file", "every file gone, renamed, replaced, linked", "each tensor",
    "each tensor, all covered up", "another signer", "removals from a good release",
    "removals from failed releases", "removals of runs", "fields: record.json",
    "fields: verdict.json", "fields: policy.json", "attestation: envelope and payload",
    "attestation: signed anew by the judge", "attestation: whole, and its subject",
    "policy: weakened, strengthened, waived", "review: an answer about something else",
    "time: keys", "time: verdict and waivers", "time: records", "time: log and timestamps",
    "upload: bytes of every file", "upload: fields of card and manifest", "transport", "publishing",
)  # fmt: skip
# How many mutations of a class are tried here; make tamper tries all.
TRIED = 12


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Good:
    return good(tmp_path_factory.mktemp("tamper") / "release")


def of(release: Good, name: str) -> TamperClass:
    return next(c for c in all_classes(release) if c.name == name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_mutation_goes_undetected(release: Good, name: str, tmp_path: Path) -> None:
    made = of(release, name)
    total = sum(1 for _ in made.attempts(bench(release, tmp_path)))
    row = try_class(release, made, max(1, total // TRIED))
    assert list(problems(row)) == []


@pytest.mark.slow
def test_without_a_mutation_every_gate_opens(release: Good, tmp_path: Path) -> None:
    """What refuses everything would detect everything, too."""
    from tests.hub.server import HubServer
    from tests.tamper.served import ATTRIBUTES

    here = bench(release, tmp_path)
    assert release.result.verdict.outcome == "PASSED"
    assert here.audited({}) == Answer(True, proof="same record")
    assert verified(here).opened
    assert _serving(signed_files()).opened
    with HubServer() as server:
        server.add_repo("acme/good", {".gitattributes": ATTRIBUTES})
        assert published(here, server).word == "PUBLISHED"


def test_a_gate_that_opens_is_told() -> None:
    """The table itself: an open gate, a wrong rule and nothing tried are each a problem."""
    for answer, words in (
        (Answer(True), "UNDETECTED"),
        (Answer(True, proof="record"), "UNDETECTED"),
        (Answer(False, frozenset({"other.rule"})), "stopped elsewhere"),
    ):
        row = Row("a class", "audit")
        judge(row, Attempt("place", "kind", lambda a=answer: a, rules("the.rule")))  # type: ignore[misc]
        assert [words in p for p in problems(row)] == [True]
    assert list(problems(Row("a class", "audit"))) == ["a class: nothing was tried"]
    row = Row("a class", "audit")
    judge(row, Attempt("place", "kind", lambda: Answer(False, frozenset({"the.rule"})),
                       rules("the.rule")))  # fmt: skip
    assert list(problems(row)) == []
    assert row.good


def test_equivalents_are_few_and_each_has_a_reason() -> None:
    assert len(EQUIVALENT) <= 24
    assert all(
        len(e.reason) > 20 and e.proof in {"same record", "record", "same payload"}
        for e in EQUIVALENT
    )
    assert reason("release.yaml:scores.0.value", "raise", "record") is None
    assert reason("model/config.json", "flip", "") is None


def documents() -> Iterator[object]:
    yield {"a": 1, "b": [1.5, "x", None], "c": {"d": True}}
    yield [{"e": "2026-01-01"}, {"e": ""}]


@pytest.mark.parametrize("document", documents())
def test_every_change_changes_and_every_field_is_changed(document: object) -> None:
    changes = list(field_changes(document))
    assert all(c.document != document or c.kind == "swap" for c in changes)
    assert len({c.name for c in changes}) == len(changes)
    kinds = {c.kind for c in changes}
    assert {"remove", "null", "add to", "as list", "as mapping", "other text"} <= kinds
