"""Whether a trainer's state fits the history of logged rows that it holds.

Source: ``transformers.Trainer``: a row each ``logging_steps`` or each epoch, and a summary at the
end, whose rate is that of all planned steps, also where the run stopped early or was resumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from audit_flow.analysis.quantities import real, whole

Row = dict[str, Any]
# Rates have three decimals, epochs at least two; a run may be resumed with another batch.
_RATE, _EPOCH, _RELATIVE = 0.0005, 0.02, 0.05


@dataclass(frozen=True)
class State:
    """What the state says of the whole run."""

    steps: int | None
    max_steps: int | None
    logging_steps: int | None
    epoch: float | None
    flops: float | None


def contradictions(state: State, history: list[Row]) -> str | None:
    """Return which numbers of a state its history contradicts; None if none are."""
    rows = [(s, real(r.get("epoch"))) for r in history if (s := whole(r.get("step"))) is not None]
    logged = [s for r in history if "loss" in r and (s := whole(r.get("step"))) is not None]
    last = history[-1] if history else {}
    found = [
        *_steps(state, logged, max((s for s, _ in rows), default=0)),
        *_epochs(state, [(s, e) for s, e in rows if e is not None and s > 0]),
        *(_summary(state, last) if "train_runtime" in last else ()),
    ]
    return "; ".join(found[:5]) or None


def _steps(state: State, logged: list[int], highest: int) -> Iterator[str]:
    """The last logged step is at most one interval of logging before the last one done."""
    if state.steps is None or not logged:
        return
    if highest > state.steps:
        yield f"step {highest} is logged, and {state.steps} were done"
    gaps = [b - a for a, b in pairwise([0, *sorted(set(logged))])]
    # Rows of epochs are further apart than logging_steps says.
    every = max(_usual(gaps), state.logging_steps or 0)
    if state.steps - max(logged) > every:
        yield f"{state.steps} steps were done, and none is logged after step {max(logged)}"


def _usual(gaps: list[int]) -> int:
    return max(set(gaps), key=lambda g: (gaps.count(g), g))


def _epochs(state: State, rows: list[tuple[int, float]]) -> Iterator[str]:
    """Steps and epochs go on together from the last logged row to the end."""
    if not rows or rows[-1][1] <= 0:
        return
    step, epoch = rows[-1]
    each = epoch / step
    if state.steps is not None and state.epoch is not None and state.steps >= step:
        expected = epoch + (state.steps - step) * each
        if abs(state.epoch - expected) > _EPOCH + _RELATIVE * expected:
            yield f"epoch {state.epoch:g} at step {state.steps}, and {epoch:g} at step {step}"


def _summary(state: State, row: Row) -> Iterator[str]:
    rate, runtime = real(row.get("train_steps_per_second")), real(row.get("train_runtime"))
    planned = [n for n in (state.max_steps, state.steps) if n]
    if rate and runtime and planned:
        counted, slack = rate * runtime, 1 + _RATE * runtime
        if all(abs(counted - n) > slack + 0.01 * n for n in planned):
            yield f"{rate:g} steps a second for {runtime:g} s, and {planned[0]} steps"
    flops = real(row.get("total_flos"))
    if flops and state.flops and abs(flops - state.flops) > 0.001 * state.flops:
        yield f"{state.flops:.4g} operations, and {flops:.4g} in the summary"
