"""Made-up incidents and false alarms in the form of a case: other names, figures and wordings.

    python benchmarks/incidents/synthetic.py [--cases N] [--seed S]

Each kind states in one line why a gate should say what it should; nothing here looks at how cases
are read. Cases are written as files and go through the same run as the real ones.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402

from audit_flow.policy_file import load_policy  # noqa: E402
from benchmarks.incidents.kinds_against import AGAINST  # noqa: E402
from benchmarks.incidents.kinds_open import IN_FAVOUR, OPEN  # noqa: E402
from benchmarks.incidents.run import POLICY, judge_folder  # noqa: E402
from benchmarks.incidents.synthetic_parts import Made, Names  # noqa: E402

KINDS: dict[str, Callable[[Names], Made]] = {**AGAINST, **OPEN, **IN_FAVOUR}


@dataclass(frozen=True)
class Outcome:
    """How the made-up cases of one kind came out."""

    kind: str
    expected: str
    right: int
    total: int
    wrong: tuple[str, ...]


def write_case(made: Made, folder: Path) -> Path:
    """Write a made-up case as the two files of the form."""
    folder.mkdir(parents=True, exist_ok=True)
    head = {"case_id": folder.name}
    claims: dict[str, Any] = {"schema": "audit-case/claims/v1", "title": made.names.model, **head}
    claims |= {"release": {"hub_repo": made.names.repo, "claimant": made.names.claimant}}
    claims["claims"] = made.claims
    found: dict[str, Any] = {"schema": "audit-case/reproduction/v1", **head}
    if made.status:
        found["status"] = made.status
    found |= {"findings": made.findings, "expected_gate": {"verdict": made.expected}}
    for name, document in (("claims.yaml", claims), ("reproduction.yaml", found)):
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def measure(kind: str, cases: int, seed: int, folder: Path) -> Outcome:
    """Judge made-up cases of one kind and count those that came out as they should."""
    policy, wrong, expected = load_policy(POLICY), [], Counter[str]()
    for number in range(cases):
        made = KINDS[kind](Names(random.Random(f"{seed}/{kind}/{number}")))
        expected[made.expected] += 1
        judged = judge_folder(write_case(made, folder / f"{kind}-{number}"), policy)
        if not judged.ok:
            told = [f"[{f['verdict']}] {f['value']}" for f in made.findings]
            wrong.append(f"{judged.got} ({judged.because}) for {made.status!r} {told}")
    name = " or ".join(expected)
    return Outcome(kind, name, cases - len(wrong), cases, tuple(wrong))


def main(arguments: list[str] | None = None) -> int:
    """Print one line a kind; exit 1 if any case came out otherwise than it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=10, help="made of each kind (10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    options = parser.parse_args(arguments)
    print("| kind | expected | as expected |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        kinds = options.kind or list(KINDS)
        outcomes = [measure(k, options.cases, options.seed, Path(name)) for k in kinds]
    for each in outcomes:
        print(f"| {each.kind} | {each.expected} | {each.right} of {each.total} |")
        for line in sorted(set(each.wrong))[:4]:
            print(f"| | | {line} |")
    right, total = sum(o.right for o in outcomes), sum(o.total for o in outcomes)
    print(f"\n{right} of {total} made-up cases as expected.")
    return 0 if right == total else 1


if __name__ == "__main__":
    sys.exit(main())
