"""What lies beside a release: others' findings, items of benchmarks, GGUF files, publications."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from audit_flow.collectors.published import read_published
from audit_flow.dashboard.publications import Publications
from audit_flow.errors import EvidenceError
from audit_flow.model import TrustFile, canonical_json
from audit_flow.sources.gguf_model import gguf_model
from audit_flow.sources.item_rows import item_rows
from audit_flow.sources.ranges import LocalRanges
from audit_flow.sources.weight_samples import read_sample
from benchmarks.lineage.gguf_files import as_gguf
from tests.dashboard.test_publications import decided, published
from tests.fuzz.facts import held
from tests.fuzz.interface import Place, Seed, Target
from tests.fuzz.spoil_bytes import spoil_bytes
from tests.fuzz.spoil_trees import spoil_json
from tests.fuzz.targets.documents import spoil_yaml
from tests.lineage_models import drawn, llama

FINDINGS = {
    "schema": "audit-flow/published-findings/v1",
    "findings": [
        {"id": "lower", "claims": ["math"], "by": "somebody", "says": "contradicts",
         "relation": "third-party", "basis": "measured", "standing": "open",
         "statement": "a lower score was measured", "source": "https://example.org/post",
         "score": {"value": 70.8, "unit": "percent", "n_items": 5000}},
    ],
}  # fmt: skip
HELM = {
    "adapter_spec": {"model": "org/m"},
    "request_states": [{"instance": {"id": "id1", "input": {"text": "2+2="}, "references": [
        {"output": {"text": "4"}, "tags": ["correct"]}]}}],
}  # fmt: skip
INSPECT = {
    "eval": {"task": "t"},
    "samples": [{"id": 1, "input": [{"role": "user", "content": "2+2="}], "target": "4"}],
}


def _findings(data: bytes, place: Place) -> None:
    held(read_published(place.source))


def _items(data: bytes, place: Place) -> None:
    for _ in item_rows(place.source):
        pass


def _gguf(data: bytes, place: Place) -> None:
    reader = LocalRanges(place.folder, [place.seed.read])
    if gguf_model(reader) is None:
        raise EvidenceError("no GGUF file", expected="one")
    read_sample(reader, {})


def _publication(data: bytes, place: Place) -> None:
    Publications([place.root], [], TrustFile()).of(decided())


@cache
def _packed() -> tuple[Seed, ...]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("Q8_0", "F16"):
            path = Path(folder) / f"{kind}.gguf"
            as_gguf(path, drawn(llama(32, 64, 40, 1, 16), 1), kind, words=3)
            found.append(Seed(path.read_bytes(), "model.gguf"))
    return tuple(found)


def _item_seeds() -> Iterable[Seed]:
    yield Seed(json.dumps(HELM).encode(), "scenario_state.json")
    yield Seed(json.dumps([HELM["request_states"][0]["instance"]]).encode(), "instances.json")  # type: ignore[index]
    yield Seed(json.dumps(INSPECT).encode(), "log.json")
    yield Seed(b'{"question": "2+2=", "answer": "4"}\n{"question": "1+1="}\n', "rows.jsonl")


BESIDE: tuple[Target, ...] = (
    Target("published findings", ("audit_flow.collectors.published",), _findings,
           lambda: [Seed(yaml.safe_dump(FINDINGS).encode(), "findings.yaml")], spoil_yaml,
           files=True),
    Target("items", ("audit_flow.sources.item_rows",), _items, _item_seeds, spoil_json, files=True),
    Target("gguf", ("audit_flow.sources.gguf_model",), _gguf, _packed, spoil_bytes, files=True),
    Target("dashboard publications", ("audit_flow.dashboard.publications",), _publication,
           lambda: [Seed(canonical_json(published()), "publication.json")], spoil_json, files=True),
)  # fmt: skip
