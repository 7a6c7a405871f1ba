"""Run the fuzzer and print its table: ``python -m tests.fuzz --seconds 120``.

Exit code 1 where a case broke a reader; ``--keep`` writes such cases to tests/data/fuzz.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.corpus import keep
from tests.fuzz.engine import Tally, fuzz
from tests.fuzz.targets import TARGETS

MOST = 10**9


def main(arguments: list[str] | None = None) -> int:
    """Fuzz every target for its share of the time."""
    given = _parser().parse_args(arguments)
    targets = [t for t in TARGETS if not given.target or t.name in given.target]
    run = _engine(given.engine)
    share, began = given.seconds / max(len(targets), 1), time.monotonic()
    tallies = []
    for target in targets:
        tally = run(target, share, given.cases or MOST, given.seed)
        tallies.append(tally)
        if given.progress:
            told = [row(tally), *(f"- {c.target}: {c.kind}: {c.detail}" for c in tally.crashes)]
            print("\n".join(told), file=sys.stderr, flush=True)
        for crash in tally.crashes if given.keep else ():
            keep(crash)
    print(table(tallies, time.monotonic() - began))
    return 1 if any(t.crashes for t in tallies) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="for all targets together")
    parser.add_argument("--cases", type=int, default=0, help="at most, for each target")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same cases")
    parser.add_argument("--target", action="append", help="only this one; may be repeated")
    parser.add_argument("--engine", choices=("own", "atheris"), default="own")
    parser.add_argument("--keep", action="store_true", help="write what broke to tests/data/fuzz")
    parser.add_argument("--progress", action="store_true", help="print each target as it ends")
    return parser


def _engine(name: str):  # type: ignore[no-untyped-def]
    if name == "own":
        return fuzz
    from tests.fuzz.guided import fuzz_guided

    return fuzz_guided


def row(tally: Tally) -> str:
    """Return a target's line of the table."""
    return (
        f"| {tally.target} | {tally.cases:,} | {tally.accepted:,} | {tally.refused:,} | "
        f"{tally.slowest * 1000:,.0f} | {len(tally.crashes)} |"
    )


def table(tallies: list[Tally], seconds: float) -> str:
    """Return the table in Markdown, with the sum at its end and each crash below."""
    lines = [
        "| target | cases | read | refused | slowest, ms of processor | crashes |",
        "|---|---:|---:|---:|---:|---:|",
        *map(row, tallies),
    ]
    cases, crashes = sum(t.cases for t in tallies), [c for t in tallies for c in t.crashes]
    lines += [
        "",
        f"{len(tallies)} targets, {cases:,} cases in {seconds:,.0f} s, {len(crashes)} crashes.",
    ]
    lines += [f"- {c.target}: {c.kind}: {c.detail}" for c in crashes]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
