"""Steps and times as logs write them: the last that is logged need not be the last there was."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit_flow.collectors.interface import SourceFile
from audit_flow.collectors.readers import detect
from audit_flow.model import GpuJob
from audit_flow.sources.folder import Folder

START = datetime(2025, 9, 3, 22, 10, tzinfo=UTC)
Rows = list[tuple[int, datetime]]


def read(root: Path, text: str, name: str = "train.log") -> GpuJob:
    (root / name).write_text(text)
    source = SourceFile(Folder.at(root), name)
    (job,) = detect(source, "job-log").read(source)
    assert isinstance(job, GpuJob)
    return job


def rows(seed: int, count: int = 30, every: int | None = None) -> Rows:
    rng = random.Random(seed)
    step, when, found = every or rng.choice([1, 10, 250]), START, []
    for number in range(1, count + 1):
        when += timedelta(seconds=rng.uniform(1, 90))
        found.append((number * step, when))
    return found


def text(found: Rows) -> str:
    return "".join(
        f"{when:%Y-%m-%d %H:%M:%S},{when.microsecond // 1000:03d} INFO step: {step} loss: 2.5\n"
        for step, when in found
    )


def lines(found: Rows) -> str:
    return "".join(
        json.dumps({"step": step, "loss": 2.5, "timestamp": when.isoformat()}) + "\n"
        for step, when in found
    )


FORMS: dict[str, Callable[[Rows], str]] = {"train.log": text, "train.jsonl": lines}


def jittered(found: Rows) -> Rows:
    """Ranks write the same step one after the other, each by a clock of its own."""
    offsets = (0.0, -2.0, 1.5)
    return [(step, when + timedelta(seconds=s)) for step, when in found for s in offsets]


def resumed(found: Rows) -> Rows:
    again = [(s, w + timedelta(hours=2)) for s, w in found[len(found) // 2 :]]
    return [*found[: -len(found) // 4], *again]


def both_parts(found: Rows) -> Rows:
    """Two nodes' logs, one below the other: steps and times both begin anew."""
    return [*found, *found]


@pytest.mark.parametrize("kind", [list, jittered, resumed, both_parts])
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_logs_as_they_are_written_go_forward(
    kind: Callable[[Rows], Rows], name: str, seed: int, tmp_path: Path
) -> None:
    assert read(tmp_path, FORMS[name](kind(rows(seed))), name).disordered is None


def backwards(found: Rows) -> Rows:
    times = [when for _, when in reversed(found)]
    return list(zip((s for s, _ in found), times, strict=True))


def first_and_last(found: Rows) -> Rows:
    (first, early), (last, late) = found[0], found[-1]
    return [(first, late), *found[1:-1], (last, early)]


def one_earlier(found: Rows) -> Rows:
    step, when = found[20]
    return [*found[:20], (step, when - timedelta(minutes=20)), *found[21:]]


@pytest.mark.parametrize("kind", [backwards, first_and_last, one_earlier])
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_times_that_go_back_while_steps_go_on_are_told(
    kind: Callable[[Rows], Rows], name: str, seed: int, tmp_path: Path
) -> None:
    assert read(tmp_path, FORMS[name](kind(rows(seed))), name).disordered


def test_the_end_of_summer_time_is_no_contradiction(tmp_path: Path) -> None:
    found = rows(1)
    later = [(s, w - timedelta(hours=1)) for s, w in found[15:]]
    assert read(tmp_path, text([*found[:15], *later])).disordered is None
    # With a zone there is no such hour.
    assert read(tmp_path, lines([*found[:15], *later]), "train.jsonl").disordered


@pytest.mark.parametrize("every", [1, 50, 250])
def test_the_last_logged_step_is_told_from_the_steps_done(every: int, tmp_path: Path) -> None:
    job = read(tmp_path, text(rows(1, every=every)))
    assert (job.steps, job.step_interval) == (30 * every, every)


def test_a_progress_bar_counts_what_was_done(tmp_path: Path) -> None:
    bar = "100%|##########| 1000/1000 [10:00<00:00, 1.7it/s]\n"
    job = read(tmp_path, text(rows(1, count=19, every=50)) + bar)
    assert (job.steps, job.step_interval, job.max_steps) == (1000, None, 1000)


BANNER = "[2025-09-03 22:09:58,100] torch.distributed.run: [WARNING] one thread\n" * 3
UNSTAMPED = "".join(f"iter {s}: loss 2.5, time 81.2ms\n" for s in range(0, 1001, 50))
STAMP = "2025-09-03 23:41:00,000 INFO saved\n"


@pytest.mark.parametrize(
    ("log", "elapsed"),
    [(BANNER + UNSTAMPED, None), (UNSTAMPED + STAMP, None), (UNSTAMPED, None),
     (BANNER + UNSTAMPED + STAMP, 5461.9), (BANNER + STAMP + UNSTAMPED, None)],
)  # fmt: skip
def test_times_that_do_not_span_the_steps_are_no_length(
    log: str, elapsed: float | None, tmp_path: Path
) -> None:
    job = read(tmp_path, log)
    assert job.steps == 1000
    assert job.elapsed == (pytest.approx(elapsed) if elapsed else None)


def bars(epochs: int, of_epoch: int, *, going_on: bool) -> str:
    found = []
    for epoch in range(epochs):
        for done in range(0, of_epoch + 1, of_epoch // 4):
            n = done + epoch * of_epoch * going_on
            total = of_epoch * (epochs if going_on else 1)
            share = 100 * n // total
            found.append(f"Epoch {epoch}: {share:3d}%|##  | {n}/{total} [00:50<00:50, 19.9it/s]")
    return "Seed set to 7\n" + "\r".join(found) + "\nTraining loss: 0.5\n"


@pytest.mark.parametrize("going_on", [True, False])
@pytest.mark.parametrize(("epochs", "of_epoch"), [(1, 400), (3, 1000), (7, 48)])
def test_bars_of_epochs_add_up(epochs: int, of_epoch: int, going_on: bool, tmp_path: Path) -> None:
    job = read(tmp_path, bars(epochs, of_epoch, going_on=going_on))
    assert job.steps == epochs * of_epoch


@pytest.mark.parametrize("batches_first", [True, False])
def test_optimizer_steps_count_beside_those_of_batches(batches_first: bool, tmp_path: Path) -> None:
    found = []
    for step in range(5, 101, 5):
        pair = [f"Epoch: 0, Step: {4 * step}, Rank: 0, loss = 1.5", f"epoch=0/global_step={step}"]
        found += pair if batches_first else pair[::-1]
    job = read(tmp_path, "\n".join(found) + "\n")
    assert (job.steps, job.step_interval, job.restarts) == (100, 5, None)
