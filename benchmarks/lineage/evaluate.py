"""Judge the models of a zoo, and what is made of them, as audit-flow judges a release."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from audit_flow.collectors.weight_comparison import Known, Weights, compare_weights
from audit_flow.model import WeightComparison
from audit_flow.sources.fingerprint import read_fingerprint, write_fingerprint
from audit_flow.sources.folder import Folder
from audit_flow.sources.ranges import LocalRanges, read_headers
from audit_flow.sources.weight_samples import read_sample
from benchmarks.lineage import tensors
from benchmarks.lineage.derivatives import Derivative, between_rivals, derivatives
from benchmarks.lineage.gguf_files import as_gguf
from benchmarks.lineage.plan import Layout

OTHERS_OF_DERIVATIVES = 3
"""Unrelated bases that each derivative is held against; bases are held against all of theirs."""

TRAINED = {
    "light": "light fine-tune", "heavy": "heavy fine-tune", "lora4": "LoRA", "lora8": "LoRA",
    "v2": "continued pretraining", "v3": "continued pretraining",
    "sameseed": "same initialisation, other data",
}  # fmt: skip
MUST_FIND = {"light fine-tune", "heavy fine-tune", "LoRA", "continued pretraining"}


@dataclass(frozen=True)
class Row:
    """What was found of one model: against its family, and against bases of other families.

    ``true_parent`` is None where there is none to name; ``related`` counts the candidates of the
    family found related, ``false_related`` unrelated ones, ``independent`` says that both sides of
    the unrelated pairs are trained from scratch.
    """

    name: str
    layout: str
    kind: str
    expectation: str
    family: int
    related: int
    undecided: int
    true_parent: str | None
    parent: str | None
    unrelated: int
    false_related: int
    not_related: int
    independent: bool
    change: str
    seconds: float
    least_unrelated_log10_p: float


@dataclass(frozen=True)
class Zoo:
    """A folder of trained models, told apart by their names: ``layout-seed+what+was+done``."""

    folder: Path

    def names(self) -> list[str]:
        return sorted(p.stem for p in self.folder.glob("*.safetensors"))

    def layouts(self) -> list[Layout]:
        return sorted({layout_of(n) for n in self.names()})

    def bases(self, layout: Layout) -> list[str]:
        """Return the models trained from scratch, none twice from one seed."""
        return [n for n in self.names() if layout_of(n) == layout and "+" not in n]

    def family(self, base: str) -> list[str]:
        return [n for n in self.names() if n == base or n.startswith(f"{base}+")]

    def weights(self, name: str) -> Weights:
        return opened(self.folder / f"{name}.safetensors", name)

    def known(self, name: str) -> Known:
        """Return a model by its fingerprint: read once, compared with many."""
        return fingerprinted(self.folder / f"{name}.safetensors", name)

    def load(self, name: str) -> tensors.Weights:
        return tensors.load(self.folder / f"{name}.safetensors")


def layout_of(name: str) -> Layout:
    return name.partition("+")[0].rpartition("-")[0]  # type: ignore[return-value]


@cache
def opened(path: Path, name: str) -> Weights:
    return reopened(path, name)


@cache
def fingerprinted(path: Path, name: str) -> Known:
    weights = opened(path, name)
    raw = write_fingerprint(read_sample(weights.reader, weights.headers), name)
    return Known(name, read_fingerprint(raw, name), path.name)


def reopened(path: Path, name: str) -> Weights:
    reader = LocalRanges(Folder.at(path.parent), [path.name])
    return Weights(name, reader, read_headers(reader, [path.name]))


def evaluate(zoo: Zoo, layouts: Collection[str] = (), *, bases_only: bool = False) -> Iterator[Row]:
    """Yield a row for each trained model and each derivative, of all layouts or of some."""
    for layout in zoo.layouts():
        if layouts and layout not in layouts:
            continue
        bases = zoo.bases(layout)
        for place, base in enumerate(bases):
            family = [base] if bases_only else zoo.family(base)
            rivals = [n for n in (base, f"{base}+v2") if n in family]
            others = [*bases[place + 1 :], *bases[:place]]
            yield from _trained(zoo, family, rivals, others, bases[place + 1 :])
            if len(rivals) == 2:
                yield from _derived(zoo, layout, rivals, others[:OTHERS_OF_DERIVATIVES])


def _trained(
    zoo: Zoo, family: Sequence[str], rivals: Sequence[str], others: Sequence[str],
    later: Sequence[str],
) -> Iterator[Row]:  # fmt: skip
    for name in family:
        _, _, done = name.partition("+")
        kind = TRAINED[done.rpartition("+")[2]] if done else "trained from scratch"
        parent = name.rpartition("+")[0] or None
        if kind in {"continued pretraining", "same initialisation, other data"}:
            parent = None  # of two models, neither of which is the parent of all others
        candidates = [r for r in rivals if r != name]
        # A pair of bases is judged once.
        unrelated = list(later) if not done else list(others[:OTHERS_OF_DERIVATIVES])
        if candidates or unrelated:
            yield judged(
                zoo, zoo.weights(name), layout_of(name), kind,
                "found" if kind in MUST_FIND else "reported", parent if done else None,
                candidates, unrelated, independent=not done,
            )  # fmt: skip


def _derived(
    zoo: Zoo, layout: Layout, rivals: Sequence[str], others: Sequence[str]
) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "model.safetensors"
        for made in _made(zoo, layout, rivals):
            yield judged(
                zoo, _written(place, made), layout, made.kind, made.expectation, made.parent,
                rivals, others, independent=False,
            )  # fmt: skip


def written_model(place: Path, made: Derivative) -> Path:
    """Write a derivative, as GGUF under that ending if it is to be; return the file."""
    if made.gguf:
        as_gguf(file := place.with_suffix(".gguf"), made.weights, made.gguf)
        return file
    special = {n.replace(".", "__"): kind for n, kind in made.dtypes.items()}
    tensors.save(place, made.weights, made.dtype, **special)
    return place


def _written(place: Path, made: Derivative) -> Weights:
    file = written_model(place, made)
    if file == place:
        return reopened(place, made.name)
    return Weights(made.name, LocalRanges(Folder.at(file.parent), [file.name]), {})


def _made(zoo: Zoo, layout: Layout, rivals: Sequence[str]) -> Iterator[Derivative]:
    for parent in rivals:
        names = zoo.names()
        tuned = {
            k: zoo.load(f"{parent}+{k}") for k in ("light", "heavy") if f"{parent}+{k}" in names
        }
        yield from derivatives(layout, parent, zoo.load(parent), tuned)
    yield from between_rivals(layout, rivals[0], rivals[1], *map(zoo.load, rivals))


def judged(  # noqa: PLR0917 - each line of the table's row
    zoo: Zoo, suspect: Weights, layout: Layout, kind: str, expectation: str,
    true_parent: str | None, family: Sequence[str], others: Sequence[str], *, independent: bool,
) -> Row:  # fmt: skip
    """Hold one model against its family and against others, all at once."""
    began = time.process_time()
    found = compare_weights(suspect, [zoo.known(n) for n in (*family, *others)])
    seconds = time.process_time() - began
    mine: Mapping[str, WeightComparison] = {c.candidate: c for c in found}
    inside, outside = [mine[n] for n in family], [mine[n] for n in others]
    parents = [c.candidate for c in found if c.parent == "this"]
    changes = {c.candidate: c.change for c in inside if c.change}
    change = changes.get(true_parent or "")
    return Row(
        name=suspect.name, layout=layout, kind=kind, expectation=expectation, family=len(inside),
        related=sum(c.decision == "related" for c in inside),
        undecided=sum(c.decision == "not decided" for c in inside),
        true_parent=true_parent, parent=parents[0] if parents else None,
        unrelated=len(outside),
        false_related=sum(c.decision == "related" for c in outside),
        not_related=sum(c.decision == "not related" for c in outside),
        independent=independent,
        change=f"{change.kind} {change.rank or ''}".strip() if change else "",
        seconds=round(seconds / max(1, len(found)), 3),
        least_unrelated_log10_p=min((c.log10_p for c in outside), default=0.0),
    )  # fmt: skip


def plain(row: Row) -> dict[str, Any]:
    return asdict(row)
