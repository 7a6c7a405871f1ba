"""One try at tampering, what the gate answered, and what it had to answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.tamper.bench import Bench

# Of each group at least one rule or step must fire.
Must = Sequence[frozenset[str]]


@dataclass(frozen=True)
class Answer:
    """What a gate said: whether it opened, and the rules or steps that kept it shut.

    ``proof`` says why an open gate is none: ``same record`` where the changed files mean the same
    to the last digit, ``record`` where the older signed verdict opens nothing for them any more.
    """

    opened: bool
    fired: frozenset[str] = frozenset()
    proof: str = ""


@dataclass(frozen=True)
class Attempt:
    """One mutation: where it is, of what kind, how it is tried, and what must fire."""

    place: str
    kind: str
    run: Callable[[], Answer]
    must: Must

    @property
    def name(self) -> str:
        return f"{self.kind} {self.place}"


@dataclass(frozen=True)
class TamperClass:
    """A class of mutations, all of one thing and at one gate."""

    name: str
    gate: str
    attempts: Callable[[Bench], Iterator[Attempt]]


@dataclass
class Row:
    """A line of the table: what was tried of a class, and what came of it."""

    name: str
    gate: str
    tried: int = 0
    equivalent: int = 0
    fired: dict[str, int] = field(default_factory=dict)
    undetected: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def add(self, other: Row) -> None:
        """Take in what another worker tried of the same class."""
        self.tried += other.tried
        self.equivalent += other.equivalent
        self.undetected += other.undetected
        self.elsewhere += other.elsewhere
        for rule, count in other.fired.items():
            self.fired[rule] = self.fired.get(rule, 0) + count

    @property
    def good(self) -> bool:
        return self.tried > 0 and not self.undetected and not self.elsewhere


def rules(*names: str) -> Must:
    """Return that one of these must fire."""
    return (frozenset(names),)


def every(*names: str) -> Must:
    """Return that each of these must fire."""
    return tuple(frozenset({n}) for n in names)


def lacking(answer: Answer, must: Must) -> bool:
    """Say whether a rule that had to fire did not."""
    return not all(group & answer.fired for group in must)


@dataclass(frozen=True)
class Places:
    """Which rules must fire for a field, by patterns of its place; the first that fits counts."""

    known: tuple[tuple[str, Must], ...]

    def of(self, place: str) -> Must:
        for pattern, must in self.known:
            if fnmatchcase(place, pattern):
                return must
        raise KeyError(f"no rule is named for {place}")
