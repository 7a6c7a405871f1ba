"""A fresh SQLite database for MLflow, made once for each MLflow version and then copied.

MLflow makes its tables by replaying every migration since its first version, which takes
seconds. The empty result is kept in the user's cache folder; a new state folder gets a copy.
A database appears under its name only when it is whole, so two audits may start at once.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from audit_flow import durable
from audit_flow.store import library


def ensure(path: Path) -> None:
    """Create MLflow's SQLite database at ``path`` if nothing is there yet."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with library.LOCK:
        template = _template()
        fill = _migrate if template is None else _copy_of(template)
        _appear(path, fill)


def _template() -> Path | None:
    """Return the kept empty database, making it first; None where it can't be kept."""
    version = str(library.load().__version__)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "audit-flow"
    path = cache / f"mlflow-{version}-empty.db"
    with suppress(OSError, sqlite3.Error):
        cache.mkdir(parents=True, exist_ok=True)
        if not _usable(path):
            path.unlink(missing_ok=True)
            _appear(path, _migrate)
        return path
    return None


def _usable(path: Path) -> bool:
    if not path.is_file():
        return False
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        return all(
            db.execute(question).fetchone() == (answer,)
            for question, answer in (
                ("PRAGMA quick_check", "ok"),
                ("SELECT count(*) FROM runs", 0),
                ("SELECT count(*) FROM alembic_version", 1),
            )
        )
    return False


def _appear(path: Path, fill: Callable[[Path], None]) -> None:
    """Fill a temporary file and link it to ``path``; the first of several writers wins."""
    with durable.folder_being_made(path) as folder:
        blank = folder / "blank.db"
        fill(blank)
        try:
            with suppress(FileExistsError):
                path.hardlink_to(blank)
        except OSError:
            # A file system without hard links.
            blank.rename(path)


def _copy_of(template: Path) -> Callable[[Path], None]:
    return lambda blank: Path(shutil.copyfile(template, blank)).chmod(0o600)


def _migrate(blank: Path) -> None:
    mlflow = library.load()
    made = blank.with_name("made.db")
    uri = f"sqlite:///{made}"
    mlflow.tracking.MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments()
    with closing(sqlite3.connect(made)) as db:
        # MLflow's default experiment names the folder that this process runs in.
        db.execute("DELETE FROM experiments")
        db.commit()
        db.execute("VACUUM INTO ?", (str(blank),))
    blank.chmod(0o600)
