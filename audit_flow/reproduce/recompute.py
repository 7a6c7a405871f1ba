"""The evaluations that a manifest names, as measured here: kept runs, else run again now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from audit_flow import __version__
from audit_flow.errors import AuditFlowError, InputError, MissingEvidence
from audit_flow.model import Evidence, Unread, content_digest
from audit_flow.reproduce.combine import combine
from audit_flow.reproduce.confined import Folder
from audit_flow.reproduce.evidence_store import Entry, EvidenceStore, operator_store
from audit_flow.reproduce.plan import not_run, read_key, released_weights
from audit_flow.reproduce.reference import evaluate
from audit_flow.reproduce.reference_evidence import eval_run
from audit_flow.reproduce.task_file import read_task
from audit_flow.sources.manifest import Release, ReproduceEntry

Progress = Callable[[int], None]


def reproductions(
    release: Release, progress: Progress | None = None, root: str | None = None
) -> tuple[Evidence, ...]:
    """Return the runs that the operator keeps of this release; what none is kept of is run now.

    ``root`` is the root digest of the released weights, where they were hashed already.
    """
    return recompute(release, progress, operator_store(release.folder), root)


def recompute(
    release: Release,
    progress: Progress | None = None,
    store: EvidenceStore | None = None,
    root: str | None = None,
) -> tuple[Evidence, ...]:
    """Return the runs of every evaluation under ``reproduce`` on the released weights.

    Runs come from ``store``, each verified; where it has none, the reference adapter runs the
    evaluation now. It executes nothing from the folder. An evaluation that was not run, and a
    kept run that can't be believed, become ``Unread`` facts: told, and proving nothing.
    """
    found: list[Evidence] = []
    done = 0
    root = (root or _root(release)) if store and store.exists() else None
    for entry in release.manifest.reproduce:
        before = done

        def step(now: int, of: int, before: int = before) -> None:
            nonlocal done
            del of
            done = before + now
            if progress:
                progress(done)

        kept = _kept(release, entry, store, root) if store and root else ()
        found += _unbelieved(entry, kept)
        runs = combine(e.run for e in kept if e.run)
        found += runs or (_now(release, entry, step),)
    return tuple(found)


def measurement_key(release: Release, entry: ReproduceEntry, root: str) -> str | None:
    """Return what the runs of one entry depend on, as one SHA-256; None where it can't be told.

    That are the weights (``root``), the task and its data by digest, the entry as it is written,
    the runs that are kept of it, and the version of this program.
    """
    try:
        key, _ = read_key(release, entry, root, entry.adapter)
        store = operator_store(release.folder)
        kept = store.entries(key, every_adapter=True) if store.exists() else ()
        names = ["/".join(e.path.parts[-2:]) for e in kept]
    except AuditFlowError:
        return None
    parts = {"key": key.plain(), "entry": entry.model_dump(mode="json"), "kept": names}
    return content_digest({**parts, "version": __version__})


def _root(release: Release) -> str | None:
    try:
        return released_weights(release).root_sha256
    except AuditFlowError:
        # The collectors read the weights as well: what is wrong with them is told there.
        return None


def _kept(
    release: Release, entry: ReproduceEntry, store: EvidenceStore, root: str
) -> tuple[Entry, ...]:
    try:
        key, _ = read_key(release, entry, root, entry.adapter)
    except AuditFlowError:
        # No run can have been kept of it; running it now says what is wrong.
        return ()
    return store.entries(key, every_adapter=True)


def _unbelieved(entry: ReproduceEntry, kept: tuple[Entry, ...]) -> Iterator[Unread]:
    for number, each in enumerate((e for e in kept if e.error), 1):
        if each.error:
            fact = not_run(entry, each.error)
            yield fact.model_copy(update={"id": f"{fact.id}/kept-{number}"})


def _now(release: Release, entry: ReproduceEntry, step: Callable[[int, int], None]) -> Evidence:
    folder, weights = release.folder, release.manifest.weights
    try:
        if entry.adapter != "reference":
            raise MissingEvidence(
                f"no run by {entry.adapter} is kept here for these weights and this task",
                remedy="Run it with: audit-flow reproduce",
            )
        if weights is None:
            raise MissingEvidence("no weights are named", where=entry.task)
        task = read_task(Folder(folder.root), Path(entry.task))
        run = evaluate(
            folder.locate(weights), folder.locate(entry.task), folder.root, progress=step
        )
        return eval_run(run, task, entry.task)
    except InputError:
        raise
    except AuditFlowError as error:
        return not_run(entry, error)
