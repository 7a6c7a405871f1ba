"""Trying every mutation of a class, and the table of what came of it."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from tests.tamper.bench import bench
from tests.tamper.case import Attempt, Row, TamperClass, lacking
from tests.tamper.equivalent import reason
from tests.tamper.good import Good


def judge(row: Row, attempt: Attempt) -> None:
    """Try one mutation and note what came of it."""
    answer = attempt.run()
    row.tried += 1
    if answer.opened:
        if reason(attempt.place, attempt.kind, answer.proof) is None:
            row.undetected.append(f"{attempt.name} [{answer.proof or 'nothing refuses it'}]")
        else:
            row.equivalent += 1
        return
    wanted = {rule for group in attempt.must for rule in group}
    for rule in sorted(answer.fired & wanted):
        row.fired[rule] = row.fired.get(rule, 0) + 1
    if lacking(answer, attempt.must):
        row.elsewhere.append(f"{attempt.name}: {', '.join(sorted(answer.fired)) or 'nothing'}")


def chosen(attempts: Iterable[Attempt], every: int, start: int) -> Iterator[Attempt]:
    """Yield each ``every``-th mutation from ``start`` on."""
    yield from islice(attempts, start % every, None, every)


def try_class(good: Good, made: TamperClass, every: int = 1, start: int = 0) -> Row:
    """Try a class, or each ``every``-th mutation of it, on a copy of the release."""
    row = Row(made.name, made.gate)
    with tempfile.TemporaryDirectory(prefix="tamper-") as scratch:
        here = bench(good, Path(scratch))
        for attempt in chosen(made.attempts(here), every, start):
            judge(row, attempt)
    return row


_SHARED: list[tuple[Good, Sequence[TamperClass]]] = []


def _part(number: int, every: int, start: int) -> Row:
    good, classes = _SHARED[0]
    return try_class(good, classes[number], every, start)


def try_all(
    good: Good, classes: Sequence[TamperClass], *, workers: int = 1, every: int = 1
) -> Iterator[Row]:
    """Yield the rows of all classes; work is shared out by mutation, not by class."""
    _SHARED[:] = [(good, classes)]
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        parts = [
            [pool.submit(_part, n, every * workers, every * w) for w in range(workers)]
            for n in range(len(classes))
        ]
        for number, futures in enumerate(parts):
            row = Row(classes[number].name, classes[number].gate)
            for future in futures:
                row.add(future.result())
            yield row


WIDTHS = "{:<52} {:<18} {:>6} {:>6} {:>10}  {}"
HEAD = WIDTHS.format("class", "gate", "tried", "equiv.", "undetected", "what fired")


def line(row: Row) -> str:
    """Return a row as text, the rules that fired most often first."""
    ranked = sorted(row.fired.items(), key=lambda f: (-f[1], f[0]))
    fired = ", ".join(f"{rule} {count}" for rule, count in ranked[:4])
    more = f" and {len(ranked) - 4} more" if len(ranked) > 4 else ""
    return WIDTHS.format(
        row.name[:52], row.gate, row.tried, row.equivalent, len(row.undetected), fired + more
    )


def problems(row: Row) -> Iterator[str]:
    """Yield what is wrong with a row, in words."""
    if not row.tried:
        yield f"{row.name}: nothing was tried"
    yield from (f"{row.name}: UNDETECTED {u}" for u in row.undetected)
    yield from (f"{row.name}: stopped elsewhere than it must be: {e}" for e in row.elsewhere)
