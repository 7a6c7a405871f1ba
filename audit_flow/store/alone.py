"""One audit at a time goes into a store, as far as one machine can see; doubles give way.

On one machine a lock keeps two processes from writing the same audit. Two machines that write it to
one server at the same moment find each other afterwards, and one of them takes its run back.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from audit_flow.errors import RecordError
from audit_flow.store import reader

LOCK_FILE = "recording.lock"
# Longer than anybody records. Who waits in vain goes on: a double is better than no record.
_PATIENCE, _PAUSE = 120.0, 0.05
# As long as another machine takes from its last word on a run to looking who else has one.
_LOOKS, _BETWEEN = 4, 0.5


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Hold a folder's store; yields whether it is: one that can't be written to is not."""
    handle = _opened(folder)
    try:
        yield handle is not None and _locked(handle)
    finally:
        if handle is not None:
            os.close(handle)


def _opened(folder: Path) -> int | None:
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return None


def _locked(handle: int) -> bool:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:
            return False
        else:
            return True
    return False


def clear_abandoned(client: Any, experiment: str, tags: Mapping[str, str], complete: str) -> None:
    """Delete unfinished runs of this very audit; for whoever holds the store alone."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return
    clauses = [f"tags.`{name}` = '{value}'" for name, value in tags.items()]
    for run in client.search_runs([found.experiment_id], " and ".join(clauses)):
        if run.data.tags.get(complete) != "true":
            _delete(client, run)


def first_of(client: Any, experiment: str, tags: Mapping[str, str], own: str) -> str:
    """Return the run that stands for an audit that was just written as ``own``.

    That is ``own``, unless somebody has written the same meanwhile: the older run stays, or the one
    that was there before this one was complete, and ``own`` is taken back.
    """
    for look in range(_LOOKS):
        runs = [r for r in reader.complete_runs(client, experiment, tags) if _proven(client, r)]
        others = [r for r in runs if r.info.run_id != own]
        if not others:
            return own
        older = runs[0].info.run_id != own
        if older or look == _LOOKS - 1:
            with suppress(StopIteration):
                _delete(client, next(r for r in runs if r.info.run_id == own))
            return str(others[0].info.run_id)
        time.sleep(_BETWEEN)
    return own


def _proven(client: Any, run: Any) -> bool:
    try:
        reader.read_run(client, run.info.run_id)
    except RecordError:
        return False
    return True


def _delete(client: Any, run: Any) -> None:
    for model in run.outputs.model_outputs if run.outputs else []:
        with suppress(Exception):
            client.delete_logged_model(model.model_id)
    with suppress(Exception):
        client.delete_run(run.info.run_id)
