"""Where tasks run: threads of one machine, or a cluster, as the worker's environment says.

``AUDIT_FLOW_TASK_RUNNER`` is ``threads`` (the default), ``dask``, ``dask:ADDRESS``, ``ray`` or
``ray:ADDRESS``. What a task gives is the same wherever it ran: digests, counts and verdicts.
"""

from __future__ import annotations

import os
from typing import Any

from audit_flow.errors import InputError

VARIABLE = "AUDIT_FLOW_TASK_RUNNER"
SHARE = "AUDIT_FLOW_SHARE_BYTES"
_WORKERS = 2
# A share takes seconds to read: what a task costs is lost in it.
_SHARE_BYTES = 4 * 1024**3


def task_runner(named: str | None = None) -> Any:
    """Return the task runner of a name; raises InputError for one that is not known or not here."""
    text = named or os.environ.get(VARIABLE) or "threads"
    kind, _, address = text.partition(":")
    if kind == "threads" and not address:
        from prefect.task_runners import ThreadPoolTaskRunner

        return ThreadPoolTaskRunner(max_workers=os.cpu_count() or _WORKERS)
    if kind == "dask":
        return _dask(address)
    if kind == "ray":
        return _ray(address)
    raise InputError(
        f"{VARIABLE}={text}", expected="threads, dask, dask:ADDRESS, ray or ray:ADDRESS"
    )


def share_bytes() -> int:
    """Return how many bytes of files one task hashes; raises InputError for no such number."""
    text = os.environ.get(SHARE) or str(_SHARE_BYTES)
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{SHARE}={text[:100]}", expected="a number of bytes, 1 or more")
    return int(text)


def threads_of_each(tasks: int) -> int | None:
    """Return how many threads one of several tasks takes; None: all that its machine has.

    Threads of one worker share its cores; the tasks of a cluster don't know of each other.
    """
    if (os.environ.get(VARIABLE) or "threads") != "threads":
        return None
    return max(1, (os.cpu_count() or _WORKERS) // max(1, tasks))


def _dask(address: str) -> Any:
    try:
        from prefect_dask import DaskTaskRunner
    except ImportError:
        raise _missing("prefect-dask", "dask") from None
    if address:
        return DaskTaskRunner(address=address)
    # Processes of this machine; nothing listens beyond loopback, and no page is served.
    local = {"n_workers": _WORKERS, "threads_per_worker": 1, "processes": True}
    return DaskTaskRunner(cluster_kwargs={**local, "host": "127.0.0.1", "dashboard_address": None})


def _ray(address: str) -> Any:
    try:
        from prefect_ray import RayTaskRunner
    except ImportError:
        raise _missing("prefect-ray", "ray") from None
    if address:
        return RayTaskRunner(address=address)
    return RayTaskRunner(init_kwargs={"num_cpus": _WORKERS, "include_dashboard": False})


def _missing(package: str, extra: str) -> InputError:
    return InputError(
        f"{VARIABLE} asks for {extra}, and {package} is not installed",
        expected=package,
        remedy=f"pip install 'audit-flow[{extra}]'",
    )
