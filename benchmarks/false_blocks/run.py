"""How often the gate is wrong about honest releases: ``python benchmarks/false_blocks/run.py``.

Honest releases are made of real repeated runs (data/README.md) and judged under the default policy,
all of its rules; with 1, 2 and 5 points added to every claim, every tenth of them shows its power.
``--quick`` judges a part, for tests. Exit 1 if more than 1 % of honest releases are FAILED.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from audit_flow.gate import judge  # noqa: E402
from audit_flow.model import Policy  # noqa: E402
from audit_flow.policy_file import load_policy  # noqa: E402
from benchmarks.false_blocks.releases import (  # noqa: E402
    Honest,
    by_item,
    hosted,
    record,
    self_hosted,
)

GOAL = 0.01
OVERCLAIMS = (1.0, 2.0, 5.0)
# Power is known well enough from every so manyth release of a large set.
EVERY = 10
SETS: dict[str, Callable[[], Iterable[Honest]]] = {
    "hosted, repeated once": partial(hosted, 1),
    "hosted, mean of 4": partial(hosted, 4),
    "hosted, mean of 9": partial(hosted, 9),
    "hosted, 4 runs by item": by_item,
    "own machines, repeated once": self_hosted,
}


@dataclass(frozen=True)
class Tally:
    """Verdicts over releases, and outcomes of the score rule over their claims."""

    releases: Counter[str]
    claims: Counter[str]
    rules: Counter[str]

    @property
    def total(self) -> int:
        """How many releases were judged."""
        return sum(self.releases.values())

    def share(self, verdict: str) -> float:
        """The share of releases with one verdict, in percent."""
        return 100.0 * self.releases[verdict] / self.total

    def claim_share(self, outcome: str) -> float:
        """The share of claims with one outcome, in percent."""
        return 100.0 * self.claims[outcome] / sum(self.claims.values())


def judged(releases: Iterable[Honest], policy: Policy, over: float = 0.0) -> Tally:
    """Judge releases by the whole gate, with ``over`` points added to each claim."""
    tally = Tally(Counter(), Counter(), Counter())
    for release in releases:
        verdict = judge(record(release, over), policy)
        tally.releases[verdict.outcome] += 1
        for finding in verdict.findings:
            if finding.rule == "scores.reproduced":
                tally.claims[finding.outcome.value] += 1
            elif finding.blocks:
                tally.rules[f"{finding.rule} {finding.outcome.value}"] += 1
    return tally


def exact_interval(hits: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a share (Clopper and Pearson 1934), as fractions."""
    tail = (1.0 - level) / 2.0
    low = 0.0 if hits == 0 else _bisect(lambda p: 1.0 - _at_most(hits - 1, total, p), tail)
    high = 1.0 if hits == total else _bisect(lambda p: -_at_most(hits, total, p), -tail)
    return low, high


def _at_most(hits: int, total: int, p: float) -> float:
    if p in {0.0, 1.0}:
        return 1.0 if p == 0.0 or hits >= total else 0.0
    terms = (
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
        + k * math.log(p) + (total - k) * math.log1p(-p)
        for k in range(hits + 1)
    )  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, terms)))


def _bisect(rising: Callable[[float], float], target: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2.0


def print_row(name: str, honest: Tally, claimed_more: Sequence[Tally]) -> None:
    """Print one line of the table."""
    false = honest.releases["FAILED"]
    low, high = exact_interval(false, honest.total)
    cells = [
        name, str(honest.total), str(sum(honest.claims.values())),
        f"{false} = {honest.share('FAILED'):.2f} % ({100 * low:.2f} to {100 * high:.2f})",
        f"{honest.share('INCONCLUSIVE'):.1f} %", f"{honest.claim_share('UNPROVEN'):.1f} %",
        *(f"{t.share('FAILED'):.1f} % / {t.claim_share('FAILED'):.1f} %" for t in claimed_more),
    ]  # fmt: skip
    print("| " + " | ".join(cells) + " |")


def main(arguments: list[str] | None = None) -> int:
    """Judge every set, print the table, and hold the whole against the goal."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the releases")
    options = parser.parse_args(arguments)
    policy, start = load_policy("default"), time.perf_counter()
    added = " | ".join(f"+{over:g}: FAILED" for over in OVERCLAIMS)
    print(f"Policy {policy.name}, {len(policy.rules)} rules; power as releases / claims.\n")
    print("| runs | releases | claims | falsely FAILED (95 %, exact) | held | claims UNPROVEN "
          f"| {added} |\n|---|---|---|---|---|---|{'---|' * len(OVERCLAIMS)}")  # fmt: skip
    total: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for name, make in SETS.items():
        releases = list(make())[:: 20 if options.quick else 1]
        honest = judged(releases, policy)
        some = releases[:: 1 if len(releases) < EVERY else EVERY]
        print_row(name, honest, [judged(some, policy, over) for over in OVERCLAIMS])
        total += honest.releases
        rules += honest.rules
    return _conclude(total, rules, time.perf_counter() - start)


def _conclude(total: Counter[str], rules: Counter[str], seconds: float) -> int:
    count, false = sum(total.values()), total["FAILED"]
    low, high = exact_interval(false, count)
    print(f"\n{false} of {count} honest releases falsely FAILED: {100 * false / count:.2f} % "
          f"({100 * low:.2f} to {100 * high:.2f}); goal at most {100 * GOAL:g} %. "
          f"Held back: {100 * total['INCONCLUSIVE'] / count:.1f} %.")  # fmt: skip
    told = ", ".join(f"{name}: {n}" for name, n in rules.most_common()) or "none"
    print(
        f"Honest releases kept shut by other rules than scores.reproduced: {told}. {seconds:.0f} s"
    )
    return 0 if false <= GOAL * count else 1


if __name__ == "__main__":
    sys.exit(main())
