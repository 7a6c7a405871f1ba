"""The evaluations of one release, run again on the released weights: what a GPU pool is for."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

from prefect import State, flow, task

from audit_flow.model import EvalRun
from audit_flow.reproduce.adapters import HarnessOptions
from audit_flow.reproduce.evidence_store import operator_store
from audit_flow.reproduce.session import Choice, plan_all, run_all
from flows import opening
from flows.caching import FRESH
from flows.judging import measured
from flows.runner import task_runner
from flows.states import passed, shut, tell
from flows.values import Job, Text


@task(name="reproduce", **FRESH)
def reproduce_task(job: Job) -> tuple[str, ...]:
    """Run what is not kept yet by the adapters that the manifest names; return what went wrong."""
    release = opening.release_of(job)
    store = operator_store(release.folder, writing=True)
    entries = [e for e in release.manifest.reproduce if e.adapter != "reference"]
    if not entries:
        return ()
    alone = release.manifest.model_copy(update={"reproduce": entries})
    one = replace(release, manifest=alone)
    planned = plan_all(one, Choice(_harness()), store)
    results = run_all(one, planned, store, False, _silent)
    return tuple(
        f"{r.task}: {r.error or f'{r.missing} runs missing'}" for r in results if not r.complete
    )


def _harness() -> HarnessOptions:
    """Say how the worker's own harness is called: none of it comes from a release."""
    python = os.environ.get("AUDIT_FLOW_EVAL_PYTHON") or sys.executable
    return HarnessOptions(python=python, device=os.environ.get("AUDIT_FLOW_EVAL_DEVICE"))


def _silent(label: str, done: int, of: int) -> None:
    del label, done, of


@flow(name="reproduce-release", persist_result=False, task_runner=task_runner())
def reproduce_release(manifest: Text) -> State[Any]:
    """Run every evaluation that the manifest names, where none is kept for these very weights.

    Ends Completed when each has a run on the released weights, else Failed and named Held.
    """
    job = Job(manifest=manifest)
    problems = reproduce_task(job)
    _, found = measured(job)
    facts = [e for m in found for e in m.evidence]
    runs = [e for e in facts if isinstance(e, EvalRun)]
    said = f"{len(runs)} runs on the released weights"
    if problems or len(runs) != len(facts) or not runs:
        silent = [f.source for f in facts if not isinstance(f, EvalRun)]
        name = opening.release_of(job).manifest.release.name
        tell("reproduction.held", name, problems=[*problems, *silent][:50])
        return shut("Held", f"{said}; not run: {'; '.join([*problems, *silent]) or 'anything'}")
    return passed(said)
