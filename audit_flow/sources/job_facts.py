"""Putting together what a log says of a training job: the same for every format."""

from __future__ import annotations

import re
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

    def add(self, step: Any = None, loss: Any = None, rate: Any = None) -> None:
        """Take one logged row; a step that falls back is a restart."""
        self.rows += 1
        number, value, speed = whole(step), real(loss), real(rate)
        if number is not None:
            self.restarts += self.step is not None and number < self.step
            self.step = number
        if value is not None:
            self.first = value if self.first is None else self.first
            self.last = value
        bad = value is None and is_bad_loss(loss)
        self.bad += bad
        self.losses += bad or value is not None
        if speed is not None:
            self.rate = speed if self.rate is None else max(self.rate, speed)

    def facts(self) -> dict[str, Any]:
        """Return the fields of a job that the curve gives."""
        return {
            "steps": self.step,
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
