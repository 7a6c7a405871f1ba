"""Putting together what a log says of a training job: the same for every format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pydantic import ValidationError

from audit_flow.analysis.moments import clocks_changed, seconds_between
from audit_flow.analysis.quantities import is_bad_loss, real, whole
from audit_flow.errors import EvidenceError
from audit_flow.model import ConfigValue, GpuJob, Trust
from audit_flow.sources.fields import writable
from audit_flow.sources.source_file import SourceFile

MAX_JOBS = 5_000
MAX_HOSTS = 4_096
MAX_SETTINGS = 2_000
_MAX_LIST_CHARS = 4_096
_MAX_BRACKETS = 4
_SECRET = re.compile(
    r"(?:api|access|secret|auth|private|wandb|hf).?(?:key|token)|passw|secret", re.I
)
# Schedulers round to whole seconds, and count suspended time in either of two ways.
_ELAPSED_SLACK = 2.0
# Processes write their rows as they come, by clocks of their own.
_JITTER, _HOUR_SLACK = 5.0, 900.0
_MAX_GAPS = 1_000


def _is_back(before: str, after: str) -> bool:
    """Say whether a moment lies before that of the row above, by more than clocks may differ."""
    between = seconds_between(before, after)
    if between is None or between >= -_JITTER:
        return False
    return not _is_twice(before, between)


def _is_twice(before: str, between: float) -> bool:
    """Say whether summer time ended: where no zone is named, that hour comes twice."""
    return not before.endswith("Z") and -3600 <= between <= -3600 + _HOUR_SLACK


def _later(before: str | None, after: str) -> str:
    """Return the time to hold the next row against: the latest so far."""
    between = seconds_between(before, after) if before else None
    if before is None or between is None or between >= 0 or _is_twice(before, between):
        return after
    return before


@dataclass
class Curve:
    """Losses and steps as a log writes them one after the other."""

    first: float | None = None
    last: float | None = None
    losses: int = 0
    bad: int = 0
    step: int | None = None
    rate: float | None = None
    restarts: int = 0
    rows: int = 0
    gaps: Counter[int] = field(default_factory=Counter)
    when: str | None = None
    back: int = 0

    def add(
        self, step: Any = None, loss: Any = None, rate: Any = None, when: str | None = None
    ) -> None:
        """Take one logged row; a step that falls back is a restart."""
        self.rows += 1
        number, value, speed = whole(step), real(loss), real(rate)
        if number is not None:
            self._go_on(number, when)
        if value is not None:
            self.first = value if self.first is None else self.first
            self.last = value
        bad = value is None and is_bad_loss(loss)
        self.bad += bad
        self.losses += bad or value is not None
        if speed is not None:
            self.rate = speed if self.rate is None else max(self.rate, speed)

    def _go_on(self, step: int, when: str | None) -> None:
        between = step - self.step if self.step is not None else 0
        self.restarts += between < 0
        if between > 0 and (between in self.gaps or len(self.gaps) < _MAX_GAPS):
            self.gaps[between] += 1
        self.step = step
        if between < 0:
            self.when = when
        elif when is not None and (between == 0 or not self.when or not _is_back(self.when, when)):
            self.when = _later(self.when, when)
        elif when is not None:
            self.back += 1

    def forget_steps(self) -> None:
        """Leave out the steps so far: they were a count of something else."""
        self.step, self.when, self.restarts, self.back = None, None, 0, 0
        self.gaps.clear()

    @property
    def interval(self) -> int:
        """Steps between two logged rows, as usual."""
        return max(self.gaps, key=lambda g: (self.gaps[g], g), default=0)

    @property
    def disorder(self) -> str | None:
        """Say how many rows of a later step are of an earlier time; None if none are."""
        words = "rows of a later step are of a time before the row above them"
        return f"{self.back} {words}" if self.back else None

    def facts(self) -> dict[str, Any]:
        """Return the fields of a job that the curve gives."""
        return {
            "steps": self.step,
            "step_interval": self.interval if self.step is not None else None,
            "first_loss": self.first,
            "last_loss": self.last,
            "losses": self.losses,
            "bad_losses": self.bad,
            "learning_rate": self.rate,
            "restarts": self.restarts or None,
            "logged": self.rows,
        }


@dataclass
class Peak:
    """Readings of one quantity: the highest, and the mean."""

    highest: float | None = None
    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> None:
        """Take a reading."""
        if value is not None:
            self.highest = value if self.highest is None else max(self.highest, value)
            self.total += value
            self.count += 1

    @property
    def mean(self) -> float | None:
        """The mean of the readings."""
        return self.total / self.count if self.count else None


@dataclass
class Span:
    """The first and the last moment of a log."""

    first: str | None = None
    last: str | None = None
    seen: set[str] = field(default_factory=set)

    def add(self, moment: str | None) -> None:
        """Take a moment; those without a zone and those with one are not mixed."""
        if moment is None:
            return
        if self.first is None:
            self.first = self.last = moment
        elif moment.endswith("Z") == self.first.endswith("Z"):
            self.first, self.last = min(self.first, moment), max(self.last or moment, moment)


def gpu_job(source: SourceFile, form: str, sha256: str, part: str = "", **facts: Any) -> GpuJob:
    """Return a job; facts that are None are left out, GPU-hours follow from GPUs and elapsed time.

    ``part`` tells the jobs of one file apart. Raises EvidenceError for a value that no job has.
    """
    given = {k: v for k, v in facts.items() if v is not None}
    given = {k: v[:1000] if isinstance(v, str) else v for k, v in given.items()}
    _times(given)
    if "gpu_hours" not in given and "gpus" in given and "elapsed" in given:
        given["gpu_hours"] = given["gpus"] * given["elapsed"] / 3600
    name = f"{source.path}#{part}" if part else source.path
    try:
        return GpuJob(
            id=f"gpu-job:{name}", source=source.path, sha256=sha256, trust=Trust.SELF_REPORTED,
            format=form, **given,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise EvidenceError(
            f"{place} is {str(first.get('input'))[:80]!r}", expected=first["msg"], where=name
        ) from error


def _times(given: dict[str, Any]) -> None:
    """Work out the elapsed time, and say where the times of a log contradict each other."""
    start, end = given.get("started"), given.get("ended")
    wrong = [
        f"{second} {given[second]} is before {first} {given[first]}"
        for first, second in (("submitted", "started"), ("started", "ended"))
        if first in given
        and second in given
        and (seconds_between(given[first], given[second]) or 0) < 0
    ]
    span = seconds_between(start, end) if start and end else None
    if span is not None and span >= 0:
        stated = given.setdefault("elapsed", span)
        if stated > span + _ELAPSED_SLACK and not clocks_changed(str(start), stated - span):
            wrong.append(f"{stated:g} s elapsed between times that are {span:g} s apart")
    if wrong:
        given["disordered"] = "; ".join([*wrong, *filter(None, [given.get("disordered")])])[:1000]


def settings(pairs: dict[str, Any]) -> tuple[ConfigValue, ...]:
    """Return settings that a log names, bounded in number and length; no keys and passwords."""
    kept = [(k, "withheld" if _SECRET.search(str(k)) else v) for k, v in pairs.items()]
    return tuple(
        ConfigValue(
            name=writable(str(k))[:300], value=writable("null" if v is None else str(v))[:1000]
        )
        for k, v in kept[:MAX_SETTINGS]
    )


def hosts(text: str) -> tuple[str, ...]:
    """Return the names in a SLURM node list: ``gpu[01-03,07],login1``; at most 4096."""
    parts = re.findall(r"[^,\[\]]+(?:\[[^\]]*\][^,\[\]]*)*", text[:_MAX_LIST_CHARS])
    names = (h for p in parts for h in _expanded(p.strip()) if h)
    return tuple(dict.fromkeys(islice(names, MAX_HOSTS)))


def _expanded(part: str) -> Iterator[str]:
    before, bracket, rest = part.partition("[")
    if not bracket or part.count("[") > _MAX_BRACKETS:
        if part.casefold() not in {"none assigned", "(null)", "none", "unknown"}:
            yield part
        return
    inner, _, after = rest.partition("]")
    for piece in inner.split(","):
        for number in _numbers(piece.strip()):
            yield from _expanded(f"{before}{number}{after}")


def _numbers(piece: str) -> Iterator[str]:
    low, dash, high = piece.partition("-")
    if dash and low.isdecimal() and high.isdecimal() and len(high) < 10:
        for number in range(int(low), int(high) + 1):
            yield str(number).zfill(len(low))
    else:
        yield low
