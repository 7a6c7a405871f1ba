"""A store with many earlier records: ``many_records.py FOLDER fill|record|find|list|search N``.

Recording one audit after another would take hours, so a recorded one is copied, row by row, in
MLflow's own tables: every copy has its own run, digests, model and version, and shares the files.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import uuid
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.store.releases import release

# table -> the columns that name the run or the logged model
_COPIED = {
    "runs": ("run_uuid",),
    "tags": ("run_uuid",),
    "params": ("run_uuid",),
    "metrics": ("run_uuid", "model_id"),
    "latest_metrics": ("run_uuid",),
    "logged_models": ("model_id", "source_run_id"),
    "logged_model_tags": ("model_id",),
    "logged_model_metrics": ("model_id", "run_id"),
    "inputs": ("input_uuid", "source_id", "destination_id"),
    "model_versions": ("run_id",),
    "model_version_tags": (),
}


def record(folder: Path, version: str) -> str:
    """Record one audit; return its record's digest."""
    from audit_flow.store import record_audit

    made, verdict = release(version=version)
    files = {"report.html": b"<p>" * 5_000}
    kept = record_audit(made, verdict, files, tracking_uri=None, default_root=folder)
    assert kept.created
    return kept.record_sha256


def fill(folder: Path, count: int) -> None:
    """Record an audit and copy it until there are ``count``."""
    digest = record(folder, "first")
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        database.execute("PRAGMA foreign_keys = OFF")
        rows = {t: _rows(database, t) for t in _COPIED}
        for number in range(2, count + 1):
            _copy(database, rows, number, digest)


def _rows(database: sqlite3.Connection, table: str) -> list[dict[str, object]]:
    found = database.execute(f"SELECT * FROM {table}")
    names = [d[0] for d in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]


def _copy(
    database: sqlite3.Connection, rows: dict[str, list[dict[str, object]]], number: int, digest: str
) -> None:
    fresh: dict[object, object] = {}
    other = hashlib.sha256(str(number).encode()).hexdigest()
    for table, columns in _COPIED.items():
        for row in rows[table]:
            changed = dict(row)
            for name in filter(changed.__contains__, columns):
                changed[name] = fresh.setdefault(row[name], _name_like(row[name]))
            if "start_time" in changed:
                changed["start_time"] = int(str(row["start_time"])) + number
            if changed.get("value") == digest:
                changed["value"] = other
            if "version" in changed and table.startswith("model_version"):
                changed["version"] = number
            marks = ",".join("?" * len(changed))
            database.execute(
                f"INSERT OR IGNORE INTO {table} ({','.join(changed)}) VALUES ({marks})",
                tuple(changed.values()),
            )


def _name_like(name: object) -> object:
    if not isinstance(name, str) or len(name) < 20:
        return name
    fresh = uuid.uuid4().hex
    return f"m-{fresh}" if name.startswith("m-") else fresh[: len(name)]


def main(words: list[str]) -> None:
    """Do one thing to a store."""
    folder, doing, count = Path(words[0]), words[1], int(words[2])
    from audit_flow.store import find_audit
    from audit_flow.store.location import client_for, locate
    from audit_flow.store.shelf import Shelf

    if doing == "fill":
        fill(folder, count)
    elif doing == "record":
        record(folder, f"new {uuid.uuid4()}")
    elif doing == "find":
        made, _ = release(version="first")
        assert len(find_audit(made.sha256, tracking_uri=None, default_root=folder)) == 1
    elif doing == "list":
        shelf = Shelf(None, folder)
        shelf.refresh()
        assert len(shelf.rows) >= count, len(shelf.rows)
    else:
        made, _ = release(version="first")
        client = client_for(locate(None, folder))
        found = client.get_experiment_by_name("audit-flow")
        tag = f"tags.`audit.record_sha256` = '{made.sha256}'"
        assert len(client.search_runs([found.experiment_id], tag)) == 1


if __name__ == "__main__":
    main(sys.argv[1:])
