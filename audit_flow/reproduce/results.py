"""What a harness left in its folder, read as evidence of the released weights."""

from __future__ import annotations

from pathlib import Path

from audit_flow.analysis.names import benchmark_key
from audit_flow.collectors import SourceFile, detect, read
from audit_flow.errors import AuditFlowError, EvidenceError
from audit_flow.model import ConfigValue, EvalRun, Evidence, Trust, content_digest, sha256_hex
from audit_flow.reproduce.adapters import Adapter
from audit_flow.reproduce.plan import Plan
from audit_flow.reproduce.stored_run import ItemTable, Measured
from audit_flow.sources.folder import Folder
from audit_flow.sources.item_scores import keeping_item_scores

_MAX_FILES = 10_000
UNBOUND = "an endpoint answered, and nothing ties what it serves to the released weights"


def measured_by(
    adapter: Adapter, plan: Plan, left: Path | tuple[Evidence, ...], seed: int
) -> tuple[Measured, ...]:
    """Return the runs of the task that was asked for, tied to the weights that were hashed.

    Raises EvidenceError when there is no results file, more than one, or none of this task.
    """
    runs = [e for e in left if isinstance(e, EvalRun)] if isinstance(left, tuple) else None
    if runs is None:
        assert isinstance(left, Path)
        return _read(adapter, plan, left, seed)
    return tuple(Measured(run=run) for run in runs)


def _read(adapter: Adapter, plan: Plan, left: Path, seed: int) -> tuple[Measured, ...]:
    source = results_file(left)
    with keeping_item_scores() as kept:
        evidence = read(source, "evaluation")
    runs = [e for e in evidence if isinstance(e, EvalRun)]
    wanted = {benchmark_key(name) for name in plan.names}
    chosen = [r for r in runs if wanted & {benchmark_key(r.task)}]
    if not chosen:
        raise EvidenceError(
            f"results of {', '.join(sorted({r.task for r in runs}))[:200] or 'nothing'}",
            expected=f"results of {plan.task_name}",
        )
    found = []
    for run in chosen:
        _require_whole(plan, run)
        rows = kept.get((run.samples.scores_sha256 or "") if run.samples else "")
        tied = _tied(adapter, plan, run, seed)
        found.append(Measured(run=tied, items=ItemTable.of(rows) if rows else None))
    return tuple(found)


def _require_whole(plan: Plan, run: EvalRun) -> None:
    """Raise EvidenceError for a run that was cut short: it measured something else."""
    asked = plan.declared.items if plan.declared else None
    if run.status in {"incomplete", "error"} or (asked and run.n_items not in {None, asked}):
        raise EvidenceError(
            f"a run of {run.task} over {run.n_items or '?'} items, status {run.status}",
            expected=f"a whole run over {asked} items" if asked else "a whole run",
            remedy="Run without a limit",
        )


def results_file(left: Path) -> SourceFile:
    """Return the one file of results in a folder, or the file itself."""
    folder = Folder.at(left if left.is_dir() else left.parent)
    names = folder.walk(limit=_MAX_FILES) if left.is_dir() else (left.name,)
    found = [s for s in (SourceFile(folder, name) for name in names) if _is_results(s)]
    if len(found) != 1:
        raise EvidenceError(
            f"{len(found)} files of results: {', '.join(s.path for s in found[:5])}"
            if found else "no file of results",
            expected="one, in a known format",
        )  # fmt: skip
    return found[0]


def _is_results(source: SourceFile) -> bool:
    try:
        detect(source, "evaluation")
    except AuditFlowError:
        return False
    return True


def _tied(adapter: Adapter, plan: Plan, run: EvalRun, seed: int) -> EvalRun:
    """Return a run as one measured here; what depends on time or machine is left out."""
    part = run.id.rsplit("#", 1)[-1]
    samples = run.samples
    said = content_digest(
        {"run": part, "value": str(run.value), "protocol": run.protocol.plain(), "seed": seed,
         "scores": samples.scores_sha256 if samples else run.sha256}
    )  # fmt: skip
    task = plan.key.task
    bound = adapter.bound
    return run.model_copy(
        update={
            "id": f"eval-run:reproduced:{adapter.name}:{task}#{part}",
            "source": task,
            "sha256": said,
            # What an endpoint answered was fetched, not computed here: it can't prove a score.
            "trust": Trust.RECOMPUTED if bound else Trust.FETCHED,
            "measured_by": "auditor",
            "by": f"audit-flow reproduce by {adapter.name} ({_shown(adapter)})",
            "seeds": (ConfigValue(name="seed", value=str(seed)),),
            "weights_sha256": plan.key.root_sha256 if bound else None,
            "weights_stated": plan.weights if bound else run.weights_stated,
            "inputs": plan.inputs if bound else plan.key.files,
            "note": run.note if bound else UNBOUND,
            "samples": samples.model_copy(update={"source": task, "sha256": said})
            if samples else None,
        }
    )  # fmt: skip


def _shown(adapter: Adapter) -> str:
    """Return the settings for people; a command line, with its paths, only by digest."""
    hidden = {"command"}
    pairs = (
        (s.name, sha256_hex(s.value.encode())[:16] if s.name in hidden else s.value)
        for s in adapter.settings()
    )
    return ", ".join(f"{name} {value}" for name, value in pairs)[:400]
