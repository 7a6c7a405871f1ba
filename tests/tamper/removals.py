"""Taking away: what is named and gone is missed, and no loss makes a failed release pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from audit_flow.errors import InputError
from tests.tamper import formats
from tests.tamper.bench import Bench, Changes
from tests.tamper.case import Answer, Attempt, TamperClass, rules
from tests.tamper.fields import changed, places

# Files that the manifest or the ledger names; the manifest itself is what is judged.
LEFT = "release.yaml"


@dataclass(frozen=True)
class Fault:
    """A way to make the good release FAIL: one file in other bytes, all else as it was."""

    path: str
    at: int = -1

    def changes(self, bench: Bench) -> dict[str, bytes]:
        data = bytearray(bench.originals[self.path])
        data[self.at] ^= 1
        return {self.path: bytes(data)}


FAULTS = (
    Fault("model/model-00001-of-00002.safetensors"),
    Fault("data/raw.txt", 3),
    Fault("data/train.jsonl", 12),
    Fault("configs/train.yaml", 30),
    Fault("logs/trainer_state.json", 40),
    Fault("base/model.safetensors"),
    Fault("src/train.py", 0),
    Fault("results/results.json", 60),
)


def losses(bench: Bench) -> Iterator[tuple[str, Changes]]:
    """Yield each file, entry of the ledger and entry of the manifest's evidence gone."""
    for path in bench.originals:
        if path != LEFT:
            yield f"file {path}", {path: None}
    yield from _entries(bench, "dvc.lock", "stages")
    yield from _entries(bench, LEFT, "evidence")


def _entries(bench: Bench, file: str, below: str) -> Iterator[tuple[str, Changes]]:
    raw = bench.originals[file]
    document = formats.read_yaml(raw)
    for path in places(document):
        # What a ledger's file entry says of itself is tried with its fields.
        if path[:1] == (below,) and 1 < len(path) < 5:
            less = changed(document, path[:-1], partial(_less, path[-1]))
            name = ".".join(map(str, path))
            yield f"{file} {name}", {file: formats.write_yaml(less, raw)}


def _less(key: str | int, holder: object) -> object:
    if isinstance(holder, dict):
        return {k: v for k, v in holder.items() if k != key}
    assert isinstance(holder, list)
    return [v for i, v in enumerate(holder) if i != key]


def failed_attempts(bench: Bench) -> Iterator[Attempt]:
    """Start from FAILED, take one thing away: it may become INCONCLUSIVE, never PASSED."""
    for fault in FAULTS:
        broken = fault.changes(bench)
        for name, loss in losses(bench):
            both: Changes = {**broken, **loss}
            yield Attempt(f"FAILED by {fault.path}", f"without {name}",
                          lambda b=both: _never_passes(bench, b), rules("not PASSED"))  # type: ignore[misc]  # fmt: skip


def _never_passes(bench: Bench, changes: Changes) -> Answer:
    with bench.changed(changes):
        try:
            outcome = bench.good.audit().verdict.outcome
        except InputError:
            outcome = "FAILED"
    return Answer(outcome == "PASSED", frozenset({"not PASSED"}))


def passed_attempts(bench: Bench) -> Iterator[Attempt]:
    """Start from PASSED, take one thing away: the strict policy misses each of them."""
    for name, loss in losses(bench):
        yield Attempt(name, "remove", lambda c=loss: _missed(bench, c), rules("not PASSED"))  # type: ignore[misc]


def _missed(bench: Bench, changes: Changes) -> Answer:
    answer = bench.audited(changes)
    return answer if answer.opened else Answer(False, frozenset({"not PASSED"}))


def run_attempts(bench: Bench) -> Iterator[Attempt]:
    """Without a run that was recomputed here, a claimed score is not proven."""
    for index, run in enumerate(bench.good.built.runs):
        kept = tuple(r for i, r in enumerate(bench.good.built.runs) if i != index)
        yield Attempt(run.id, "remove", lambda k=kept: _with_runs(bench, k),  # type: ignore[misc]
                      rules("scores.reproduced"))  # fmt: skip


def _with_runs(bench: Bench, runs: tuple[object, ...]) -> Answer:
    verdict = bench.good.audit(runs=runs).verdict
    fired = frozenset(f.rule for f in verdict.findings if f.blocks)
    return Answer(verdict.outcome == "PASSED", fired)


def classes() -> tuple[TamperClass, ...]:
    """Return the classes of removals."""
    return (
        TamperClass("removals from a good release", "audit", passed_attempts),
        TamperClass("removals from failed releases", "audit", failed_attempts),
        TamperClass("removals of runs", "audit", run_attempts),
    )
