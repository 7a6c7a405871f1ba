"""Print the tamper table: ``python -m tests.tamper [--every N] [--workers N] [--only WORDS]``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.tamper.classes import all_classes
from tests.tamper.equivalent import EQUIVALENT
from tests.tamper.good import good
from tests.tamper.table import HEAD, line, problems, try_all


def main() -> int:
    """Try every class; return 1 where a mutation was not detected."""
    options = argparse.ArgumentParser(prog="tests.tamper", description=__doc__)
    options.add_argument("--every", type=int, default=1, help="try each N-th mutation")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--only", default="", help="classes whose name holds these words")
    asked = options.parse_args()
    began, wrong, tried, equivalent = time.monotonic(), [], 0, 0
    with tempfile.TemporaryDirectory(prefix="tamper-") as folder:
        made = good(Path(folder) / "release")
        classes = [c for c in all_classes(made) if asked.only in c.name]
        print(HEAD, flush=True)
        for row in try_all(made, classes, workers=asked.workers, every=asked.every):
            print(line(row), flush=True)
            wrong += list(problems(row))
            tried, equivalent = tried + row.tried, equivalent + row.equivalent
    print(f"\n{tried} mutations in {time.monotonic() - began:.0f} s; {equivalent} equivalent:")
    for each in EQUIVALENT:
        print(f"  {', '.join(each.places)} ({', '.join(each.kinds)}): {each.reason}")
    print("\n".join(wrong) or "0 undetected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
