"""What may be answered from before, and what may be tried again.

Collecting, linking and judging are never answered from before: a verdict is about the bytes of now.
They are quick again, because digests of files that were not touched are kept (DigestCache), and so
are measurements, by the digests of everything that they rest on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.context import TaskRunContext

from audit_flow import __version__
from audit_flow.errors import AuditFlowError
from audit_flow.model import Frozen, content_digest
from audit_flow.reproduce import measurement_key
from audit_flow.sources.manifest import load
from flows.kept import SealedJson

# How often, and after how many seconds, what failed for a while is tried again.
RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 30],
    "retry_jitter_factor": 0.5,
}
FRESH: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}


def kept(key: Callable[[TaskRunContext, dict[str, Any]], str | None]) -> dict[str, Any]:
    """Return the options of a task whose result is kept under a key, sealed."""
    return {"cache_key_fn": key, "persist_result": True, "result_serializer": SealedJson()}


def once_a_run(context: TaskRunContext, inputs: dict[str, Any]) -> str:
    """Key what is done once in a flow run, however often the run is interrupted."""
    given = {n: v.plain() if isinstance(v, Frozen) else v for n, v in inputs.items()}
    run = str(context.task_run.flow_run_id)
    return content_digest({"task": context.task.name, "run": run, "inputs": given})


def by_content(context: TaskRunContext, inputs: dict[str, Any]) -> str | None:
    """Key a measurement by the digests of weights, task and data; None: it is made anew."""
    del context
    root = inputs["hashed"].weights_sha256
    if root is None:
        return None
    try:
        release = load(Path(inputs["job"].manifest))
        entry = release.manifest.reproduce[inputs["number"]]
    except (AuditFlowError, IndexError):
        return None
    key = measurement_key(release, entry, root)
    return f"audit-flow-{__version__}-measured-{key}" if key else None


def only(*kinds: type[Exception]) -> Callable[[Any, Any, Any], bool]:
    """Return the condition that an error of one of these kinds may go away by itself."""

    def may_be_retried(task: Any, run: Any, state: Any) -> bool:
        del task, run
        error = state.result(raise_on_failure=False)
        return isinstance(error, kinds)

    return may_be_retried
