from __future__ import annotations

import pytest

from audit_flow.model import Digest, GapTopic, Link
from audit_flow.report.chain import stations
from tests.report import builders

PLACE: dict[GapTopic, str] = {
    "datasets": "Datasets",
    "training": "Training",
    "pipeline": "Training",
    "weights": "Weights",
    "base-model": "Weights",
    "evaluations": "Evaluations",
}


def words(audit: str) -> dict[str, str]:
    found = stations(builders.ALL[audit]().record)
    return {station.title: station.status.word for station in found}


def test_a_closed_lineage_is_joined_throughout() -> None:
    assert set(words("passed").values()) == {"joined"}


def test_gaps_and_absences_are_told_apart() -> None:
    assert words("failed") == {
        "Datasets": "none seen",
        "Training": "gap",
        "Weights": "joined",
        "Evaluations": "broken",
        "Claimed scores": "not joined",
    }


@pytest.mark.parametrize("topic", PLACE)
@pytest.mark.parametrize("contradicted", [True, False])
def test_every_gap_opens_the_station_of_its_topic(topic: GapTopic, contradicted: bool) -> None:
    gap = builders.failed().record.gaps[0]
    gap = gap.model_copy(update={"topic": topic, "contradicted": contradicted})
    record = builders.passed().record.model_copy(update={"gaps": (gap,)})
    found = {station.title: station.status.word for station in stations(record)}
    assert found.pop(PLACE[topic]) == ("broken" if contradicted else "gap")
    assert set(found.values()) == {"joined"}


def test_without_links_nothing_is_joined() -> None:
    record = builders.passed().record.model_copy(update={"links": ()})
    assert {station.status.word for station in stations(record)} == {"not joined"}


def test_a_dataset_is_joined_by_the_md5_that_a_pipeline_knows_it_by() -> None:
    record = builders.passed().record
    md5 = "0123456789abcdef" * 2
    link = Link(
        source="file:data/train.jsonl",
        target="stage:finetune",
        relation="used",
        digest=Digest(algorithm="md5", hex=md5),
        via="dvc.lock",
    )
    evidence = tuple(
        item.model_copy(update={"md5": md5}) if item.kind == "dataset" else item
        for item in record.evidence
    )
    alone = record.model_copy(update={"links": (link,), "evidence": evidence})
    assert stations(alone)[0].status.word == "joined"
