"""Honest releases made of real repeated runs: one run is the claim, others the reproduction."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np

from audit_flow.analysis.estimators import measure_runs
from audit_flow.linking import link
from audit_flow.model import (
    CardClaims,
    EvalRun,
    Evidence,
    LineageRecord,
    ScoreClaim,
    Trust,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCORES = HERE.parent / "scores" / "data"
GOOD = ROOT / "policies" / "cases" / "default" / "good.record.json"


@dataclass(frozen=True)
class Measured:
    """One task of a release: right answers of the claimed run, and of the runs that repeat it.

    ``items`` is how many there are; ``within`` the sum over items of the variance between the
    repeated runs, where scores by item are at hand.
    """

    task: str
    items: int
    claimed: int
    repeated: tuple[int, ...]
    within: float | None = None


@dataclass(frozen=True)
class Honest:
    """One honest release: its tasks, and where they ran."""

    tasks: tuple[Measured, ...]
    host: str


def hosted(runs: int) -> Iterator[Honest]:
    """Yield releases of hosted models: each run in turn is the claim, those after it repeat it."""
    groups: dict[tuple[str, str], list[tuple[str, int, list[int]]]] = defaultdict(list)
    for row in _rows(SCORES / "hosted_counts.csv"):
        counts = [int(c) for c in row["right_in_each_run"].split()]
        groups[row["model"], row["shots"]].append((row["task"], int(row["items"]), counts))
    for tasks in groups.values():
        yield from _rotated(tasks, runs, "hosted")


def self_hosted() -> Iterator[Honest]:
    """Yield releases of models on the evaluator's own machines, repeated once."""
    groups: dict[tuple[str, str], list[tuple[str, int, list[int]]]] = defaultdict(list)
    for row in _rows(HERE / "data" / "self_hosted_counts.csv"):
        counts = [int(c) for c in row["right_in_each_run"].split()]
        groups[row["model"], row["what"]].append((row["task"], int(row["items"]), counts))
    for tasks in groups.values():
        yield from _rotated(tasks, 1, "self-hosted")


def by_item() -> Iterator[Honest]:
    """Yield releases with scores by item: five runs of two tasks, each in turn the claim."""
    tables: dict[str, list[list[int]]] = defaultdict(list)
    for row in _rows(SCORES / "gpt4o_items.csv"):
        tables[row["task"]].append([int(row[f"run{k}"]) for k in range(5)])
    for run in range(5):
        tasks = []
        for task, rows in tables.items():
            scores = np.array(rows).T
            others = np.delete(scores, run, axis=0)
            within = measure_runs(others).within_variance_sum
            right = tuple(int(r.sum()) for r in others)
            tasks.append(Measured(task, len(rows), int(scores[run].sum()), right, within))
        yield Honest(tuple(tasks), "hosted")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        yield from csv.DictReader(stream)


def _rotated(tasks: Sequence[tuple[str, int, list[int]]], runs: int, host: str) -> Iterator[Honest]:
    most = min(len(counts) for _, _, counts in tasks)
    for run in range(most):
        for shift in range(1, most if runs == 1 else 2):
            picked = [(run + shift + k) % most for k in range(runs)]
            yield Honest(
                tuple(
                    Measured(task, items, counts[run], tuple(counts[k] for k in picked))
                    for task, items, counts in tasks
                ),
                host,
            )


@cache
def _good() -> LineageRecord:
    return LineageRecord.model_validate(json.loads(GOOD.read_text("utf-8")))


def record(release: Honest, over: float = 0.0) -> LineageRecord:
    """Return the record of a release whose scores alone were replaced by real ones.

    Everything else is that of the example that passes; ``over`` is added to each claim, in points.
    """
    good = _good()
    claim = next(good.of(ScoreClaim))
    run = next(r for r in good.of(EvalRun) if r.trust is Trust.RECOMPUTED)
    claims = tuple(_claim(claim, m, release.host, over) for m in release.tasks)
    rest = tuple(c for c in good.claims if not isinstance(c, ScoreClaim))
    evidence = [_without_scores(e) for e in good.evidence if not isinstance(e, EvalRun)]
    evidence += [_run(run, c, m) for c, m in zip(claims, release.tasks, strict=True)]
    return link(good.subject, (*claims, *rest), tuple(evidence))


def _without_scores(item: Evidence) -> Evidence:
    if isinstance(item, CardClaims):
        return item.model_copy(update={"scores": (), "table_scores": ()})
    return item


def _claim(claim: ScoreClaim, task: Measured, host: str, over: float) -> ScoreClaim:
    percent = min(100.0, 100.0 * task.claimed / task.items + over)
    return claim.model_copy(
        update={
            "id": f"score:{task.task}/{claim.metric}",
            "benchmark": task.task,
            "value": Decimal(f"{percent:.1f}"),
            "n_items": task.items,
            "protocol": claim.protocol.model_copy(update={"task": task.task, "host": host}),
        }
    )


def _run(run: EvalRun, claim: ScoreClaim, task: Measured) -> EvalRun:
    mean = Decimal(sum(task.repeated)) / (task.items * len(task.repeated))
    # The rows' file is that of the example, whose tables were validated.
    rows = run.samples and run.samples.model_copy(
        update={"rows": task.items, "items": task.items, "mean": mean}
    )
    return run.model_copy(
        update={
            "id": f"eval-run:reproduced#{task.task}",
            "task": task.task,
            "value": mean,
            "unit": "fraction",
            "n_items": task.items,
            "n_original": task.items,
            "stderr": None,
            "runs": len(task.repeated),
            "within_variance_sum": task.within,
            "samples": rows,
            "protocol": claim.protocol,
        }
    )
