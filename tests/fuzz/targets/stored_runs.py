"""A run of an evaluation as the store of the account keeps it."""

from __future__ import annotations

from audit_flow.model import ConfigValue
from audit_flow.reproduce.plan import RunKey
from audit_flow.reproduce.stored_run import ItemTable, Measured, StoredRun
from tests.report.parts import eval_run


def stored_run() -> StoredRun:
    """Return a run of three items."""
    table = ItemTable(ids=("0", "1", "2"), items=("a" * 64,) * 3, scores=(1.0, 0.0, 1.0))
    key = RunKey(
        root_sha256="b" * 64,
        task="task.yaml",
        files=(),
        adapter="reference",
        settings=(ConfigValue(name="dtype", value="float32"),),
    )
    return StoredRun(
        key=key, index=1, seed=1, measured=(Measured(run=eval_run("sums", "66.7", 3), items=table),)
    )
