"""Print how often audit-flow's comparison of weights is right on a zoo of small trained models.

    python -m benchmarks.lineage.training ZOO --first-seed 52000      (torch, 1 hour)
    python benchmarks/lineage/run.py ZOO --json results.json
    python benchmarks/lineage/run.py BASES --train-bases 46 --bases-only    (numpy, 1,035 pairs)

Without a folder a smaller zoo is trained with numpy, in about a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.lineage.evaluate import Row, Zoo, evaluate, plain
from benchmarks.lineage.numpy_training import train_bases, train_zoo
from benchmarks.lineage.tables import summary

FRESH_SEED = 61_000
BASES_SEED = 92_000
BASES = 6


def rows_of(folder: Path, layouts: Collection[str] = (), *, bases_only: bool = False) -> list[Row]:
    rows = []
    for row in evaluate(Zoo(folder), layouts, bases_only=bases_only):
        rows.append(row)
        if len(rows) % 20 == 0:
            print(f"{len(rows)} models", file=sys.stderr)
    return rows


def quick() -> list[Row]:
    """Train the small zoo and judge it."""
    with tempfile.TemporaryDirectory() as scratch:
        train_zoo(Path(scratch), FRESH_SEED, BASES)
        return rows_of(Path(scratch))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("zoo", nargs="?", type=Path, help="a folder of trained models")
    parser.add_argument("--layout", action="append", default=[], help="only this; may be repeated")
    parser.add_argument("--bases-only", action="store_true", help="only those from scratch")
    parser.add_argument(
        "--train-bases",
        type=int,
        metavar="N",
        help="first train as many from scratch into the folder, with numpy",
    )
    parser.add_argument("--first-seed", type=int, default=BASES_SEED, help="the first one's")
    parser.add_argument("--rows", nargs="+", type=Path, help="tables of rows written earlier")
    parser.add_argument("--json", type=Path, help="also write every row")
    arguments = parser.parse_args()
    if arguments.rows:
        rows = [Row(**r) for file in arguments.rows for r in json.loads(file.read_text())]
    else:
        only = arguments.bases_only
        if arguments.zoo and arguments.train_bases:
            train_bases(arguments.zoo, arguments.first_seed, arguments.train_bases)
        rows = (
            rows_of(arguments.zoo, arguments.layout, bases_only=only) if arguments.zoo else quick()
        )
    print(summary(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([plain(r) for r in rows], indent=0) + "\n")


if __name__ == "__main__":
    main()
