"""Fields of the release's own files: manifest, ledger, card, configuration, headers, evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.tamper import formats
from tests.tamper.bench import Bench
from tests.tamper.case import Attempt, Must, Places, TamperClass, every, rules
from tests.tamper.fields import FieldChange, field_changes

LEDGER = rules(
    "evidence.present", "lineage.pipeline", "lineage.training", "lineage.weights",
    "lineage.datasets", "lineage.evaluations", "base-model.lineage",
)  # fmt: skip
MANIFEST = Places(
    (
        ("scores.*.value", rules("scores.reproduced", "manifest")),
        ("scores.*.benchmark", rules("manifest", "scores.reproduced", "card.agrees")),
        ("scores*", rules("manifest", "scores.reproduced", "card.agrees")),
        ("base_model*", rules("manifest", "base-model.lineage", "card.agrees")),
        ("training*", rules("manifest", "training.claims")),
        ("checksums*", rules("manifest", "checksums.match")),
        ("evidence.evaluations*", rules("manifest", "evidence.present", "lineage.evaluations",
                                        "signatures.evidence")),
        ("evidence*", rules("manifest", "evidence.present", "lineage.datasets",
                            "lineage.training", "signatures.evidence", "lineage.weights")),
        ("weights", rules("manifest", "evidence.present", "lineage.weights", "signatures.valid")),
        ("card", rules("manifest", "evidence.present", "card.agrees")),
        ("*", rules("manifest", "checksums.match", "lineage.weights", "card.agrees",
                    "scores.reproduced", "evidence.present", "base-model.lineage")),
    )
)  # fmt: skip
# Whoever publishes can sign his own files again: then what they say must contradict.
CARD = Places(
    (
        ("model-index*", rules("card.agrees", "scores.reproduced")),
        ("base_model*", rules("card.agrees", "base-model.method")),
        ("*", rules("card.agrees", "evidence.present", "scores.reproduced")),
    )
)
MEASURED = Places((("*", every("lineage.evaluations")),))
STRUCTURE = Places((("*", every("lineage.evaluations")),))
SIGNED = Places((("*", every("signatures.valid")),))
RECORD = Places((("*", rules("signatures.valid", "signatures.evidence", "evidence.present")),))
IN_LEDGER = Places((("*", LEDGER),))


@dataclass(frozen=True)
class Document:
    """A file as fields; ``covered`` where the publisher fits all that is his to the change."""

    name: str
    file: str
    read: Callable[[bytes], Any]
    write: Callable[[Any, bytes], bytes]
    places: Places
    covered: bool = False

    def attempts(self, bench: Bench) -> Iterator[Attempt]:
        raw = bench.originals[self.file]
        for change in field_changes(self.read(raw)):
            data = self.write(change.document, raw)
            if data != raw:
                yield self._attempt(bench, change, data)

    def _attempt(self, bench: Bench, change: FieldChange, data: bytes) -> Attempt:
        must: Must = self.places.of(change.place)
        return Attempt(
            f"{self.file}:{'.'.join(map(str, change.path)) or '(whole)'}",
            change.kind,
            lambda: bench.audited({self.file: data}, covered=self.covered),
            must,
        )


YAML = (formats.read_yaml, formats.write_yaml)
JSON = (formats.read_json, formats.write_json)
ROWS = (formats.read_rows, formats.write_rows)
HEADER = (formats.read_header, formats.write_header)
PAYLOAD = (formats.read_payload, formats.write_payload)
SHARDS = tuple(f"model/model-0000{i}-of-00002.safetensors" for i in (1, 2))
INDEX = "model/model.safetensors.index.json"


def documents(tasks: tuple[str, ...]) -> tuple[Document, ...]:
    """Return every document of the release; ``tasks`` are the names of its evaluations."""
    own = (
        Document("manifest", "release.yaml", *YAML, MANIFEST),
        Document("ledger", "dvc.lock", *YAML, IN_LEDGER),
        Document("pipeline", "dvc.yaml", *YAML, IN_LEDGER),
        Document("card, signed again", "model/README.md", formats.read_card, formats.write_card,
                 CARD, covered=True),
        Document("index, all covered up", INDEX, *JSON, STRUCTURE, covered=True),
    )  # fmt: skip
    settings = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json")
    measured = (
        Document(f"{n}, all covered up", f"model/{n}", *JSON, MEASURED, covered=True)
        for n in settings
    )
    headers = (
        Document(f"header of {s[6:17]}, all covered up", s, *HEADER, STRUCTURE, covered=True)
        for s in SHARDS
    )
    evidence = (
        Document("evaluation", "results/results.json", *JSON, SIGNED),
        Document("evaluation, ledger fitted", "results/results.json", *JSON, SIGNED, covered=True),
        *(
            Document(f"rows of {t}", f"results/samples_{t}.jsonl", *ROWS, LEDGER_ROWS)
            for t in tasks
        ),
        Document("training log", "logs/trainer_state.json", *JSON, SIGNED, covered=True),
        Document("training configuration", "configs/train.yaml", *YAML, SIGNED, covered=True),
        Document("dataset", "data/train.jsonl", *ROWS, SIGNED, covered=True),
    )
    return (*own, *measured, *headers, *evidence)


LEDGER_ROWS = Places((("*", every("lineage.evaluations")),))
SIGNATURES = (
    "model/model.sig", "model/model.tensors.sig", "results/results.json.sig",
    "logs/trainer_state.json.sig", "configs/train.yaml.sig", "data/train.jsonl.sig",
)  # fmt: skip
UNSIGNED = Places((("*", rules("signatures.valid", "signatures.evidence", "evidence.present")),))


def signatures() -> Iterator[Document]:
    """Yield every signature: its bundle, and its payload under the signature of before."""
    for file in (*SIGNATURES, "prepare.record.json"):
        yield Document(f"bundle {file}", file, *JSON, UNSIGNED)
        yield Document(f"payload {file}", file, *PAYLOAD, UNSIGNED)


def classes(tasks: tuple[str, ...]) -> tuple[TamperClass, ...]:
    """Return a class for each document."""
    found = (*documents(tasks), *signatures())
    return tuple(TamperClass(f"fields: {d.name}", "audit", d.attempts) for d in found)
