"""What the tamper table found: each change that once went through is refused by its rule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from audit_flow.errors import InputError, ManifestError
from audit_flow.publish import publish, publish_staged
from audit_flow.publish.interface import Target
from tests.gate.tampering import SHARD, Tamper, failed_rules, lock_entry
from tests.hub.server import HubServer
from tests.publish.releases import ATTRIBUTES, REPO, small
from tests.release_builder import Built, build


def on_card(old: str, new: str) -> Tamper:
    def change(built: Built) -> None:
        text = built.path("README.md").read_text("utf-8")
        assert re.search(old, text)
        built.write("README.md", re.sub(old, new, text, count=1))

    return change


def in_manifest(**base: str | None) -> Tamper:
    return lambda built: built.edit("release.yaml", lambda m: m["base_model"].update(base))


def untrained(built: Built) -> None:
    """Release the base's own weights; the card alone says that they were tuned."""
    data = {n: built.path(n).read_bytes() for n in ("base/model.safetensors",)}
    built.write(SHARD, data["base/model.safetensors"])
    built.remove(SHARD.replace("00001-of", "00002-of"))
    built.remove("model/model.safetensors.index.json")
    built.edit("release.yaml", lambda m: m["base_model"].pop("relation"))


CASES: tuple[tuple[str, Tamper, str, str], ...] = (
    ("relation on the card", on_card("relation: finetune", "relation: merge"),
     "card.agrees", "FAILED"),
    ("relation that is none", on_card("relation: finetune", "relation: magic"),
     "card.agrees", "UNPROVEN"),
    ("relation in the manifest", in_manifest(relation="adapter"), "card.agrees", "FAILED"),
    ("another benchmark's name", on_card(r"name: (\w+)\n", r"name: MMLU-\1\n"),
     "card.agrees", "UNPROVEN"),
    ("only the card says it was trained", untrained, "base-model.method", "FAILED"),
    ("size in the ledger", lock_entry("train", "deps", "data/train.jsonl", size=1),  # type: ignore[arg-type]
     "lineage.datasets", "FAILED"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "change", "rule", "outcome"), CASES, ids=[c[0] for c in CASES])
def test_it_is_refused(name: str, change: Tamper, rule: str, outcome: str, tmp_path: Path) -> None:
    built = build(tmp_path / name.replace(" ", "-"), seed=len(name))
    assert built.audit().verdict.outcome == "PASSED"
    change(built)
    verdict = built.audit().verdict
    assert verdict.outcome != "PASSED"
    assert outcome in {f.outcome.value for f in verdict.findings if f.rule == rule}
    assert outcome != "FAILED" or rule in failed_rules(verdict)


def test_continued_pretraining_is_a_fine_tune_on_a_card(tmp_path: Path) -> None:
    built = build(tmp_path / "r", seed=4)
    in_manifest(relation="continued-pretraining")(built)
    verdict = built.audit().verdict
    assert "card.agrees" not in {f.rule for f in verdict.findings if f.blocks}


def edits() -> dict[str, Any]:
    def twice(key: str) -> Any:
        return lambda m: m["evidence"][key].append(m["evidence"][key][0])

    keys = ("datasets", "training_configs", "job_logs", "evaluations")
    named = {f"{k} twice": twice(k) for k in keys}
    return {**named, "no name": lambda m: m["release"].update(name="")}


@pytest.mark.parametrize("name", edits())
def test_the_manifest_is_refused(name: str, tmp_path: Path) -> None:
    built = build(tmp_path / "r", seed=4)
    built.edit("release.yaml", edits()[name])
    with pytest.raises(ManifestError, match="line"):
        built.audit()


def test_a_release_of_one_repository_is_not_published_to_another(
    hub_server: HubServer, tmp_path: Path
) -> None:
    made = small(tmp_path)
    made.manifest(hub_id="acme/another")
    with pytest.raises(InputError, match="acme/another"):
        made.publish(hub_server)
    assert hub_server.requests == []
    hub_server.add_repo(REPO, {".gitattributes": ATTRIBUTES})
    hub_server.add_repo("acme/stage", {".gitattributes": ATTRIBUTES})
    made.manifest(hub_id=REPO)
    order = made.order(hub_server)
    found = publish_staged(order, Target(hub_server.url, "acme/stage"), made.judged, made.home)
    assert found.word == "PUBLISHED"
    assert publish(order, made.judged, made.home).repeated
