"""What made-up cases are made of: names, figures, claims and findings."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

_LABS = (
    "Northwind AI", "Quill Labs", "Tessera", "Ardent Research", "Lumen Forge", "Koala Works",
    "Brightfield", "Obsidian ML", "Verdant AI", "Polaris Computing",
)  # fmt: skip
_STRANGERS = (
    "evalwatch", "Hannah Okoye, March 2026", "Leiden NLP group", "discussion 7", "ModelCheck",
    "anon-audit", "a university group", "Open Evals, 2026-02-11", "issue 31", "J. Perez",
)  # fmt: skip
_BENCHMARKS = (
    ("MMLU", 14042), ("GSM8K", 1319), ("MATH", 5000), ("IFEval", 541), ("HellaSwag", 10042),
    ("ARC-Challenge", 1172), ("MMLU-Pro", 12032), ("BBH", 6511),
)  # fmt: skip


@dataclass
class Names:
    """One made-up release: who claims, what it is called, and a source of chance."""

    chance: random.Random
    claimant: str = ""
    model: str = ""
    repo: str = ""
    _strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the names."""
        self.claimant = self.pick(*_LABS)
        self.model = (
            f"{self.pick('Heron', 'Sable', 'Onyx', 'Marlin')}-{self.chance.choice((7, 34))}B"
        )
        self.repo = f"{self.claimant.split()[0].lower()}/{self.model}"
        self._strangers = self.chance.sample(_STRANGERS, len(_STRANGERS))

    def pick(self, *texts: str) -> str:
        """Return one of several wordings."""
        return self.chance.choice(texts)

    def stranger(self) -> str:
        """Return somebody who is not the claimant, another one each time."""
        return self._strangers.pop()

    def owner(self) -> str:
        """Return the claimant, by role or by name."""
        return self.pick("owner", "the authors", f"{self.claimant}, a week later", "developers")

    def url(self) -> str:
        """Return a place where something was published."""
        return f"https://example.org/{self.chance.randrange(10**9)}"

    def benchmark(self) -> tuple[str, int]:
        """Return a benchmark and its number of items."""
        return self.chance.choice(_BENCHMARKS)


@dataclass(frozen=True)
class Made:
    """A made-up case and the verdict that it should get."""

    names: Names
    claims: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    expected: str
    status: str = ""


def score(names: Names, value: float | None = None, **more: Any) -> dict[str, Any]:
    """Return a claimed score."""
    benchmark, items = names.benchmark()
    claimed = round(names.chance.uniform(60, 85), 1) if value is None else value
    metric = {"benchmark": benchmark, "value": claimed, "unit": "percent", "n_items": items}
    return {"id": "score", "kind": "score", "metric": metric | more, "source": names.url()}


def claim(names: Names, kind: str, value: str) -> dict[str, Any]:
    """Return a claim in words."""
    name = kind.partition("_")[0]
    return {"id": name, "kind": kind, "value": value, "source": names.url()}


def finding(
    names: Names, about: dict[str, Any], by: str, value: Any, verdict: str, **more: Any
) -> dict[str, Any]:
    """Return a finding about a claim."""
    return {
        "id": f"finding-{names.chance.randrange(10**6)}", "bears_on": [about["id"]], "by": by,
        "value": value, "verdict": verdict, "source": names.url(), **more,
    }  # fmt: skip


def measured(
    names: Names, about: dict[str, Any], by: str, points: float, verdict: str, **more: Any
) -> dict[str, Any]:
    """Return a finding with a score so many points from the claimed one."""
    claimed = about["metric"]["value"]
    value = round(claimed + points, 2)
    given = {"claimed": claimed, "delta_pp": round(points, 2)}
    return finding(names, about, by, value, verdict, **given | more)
