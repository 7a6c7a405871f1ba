"""Every class of mutations."""

from __future__ import annotations

from tests.tamper import contents, documents, removals, served, statements, times
from tests.tamper.case import TamperClass
from tests.tamper.good import Good


def all_classes(good: Good) -> tuple[TamperClass, ...]:
    """Return the classes of the table, in its order."""
    tasks = tuple(t.name for t in good.built.tasks)
    return (
        *documents.classes(tasks),
        *contents.classes(),
        *removals.classes(),
        *statements.classes(),
        *times.classes(),
        *served.classes(),
    )
