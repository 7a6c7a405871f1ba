"""Files that a job's own log names by digest: data it read, where no ledger says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from audit_flow.linking.facts import Facts, FileDigest, inside
from audit_flow.model import Gap, GapTopic, GpuJob, Link, StageFile, sha256

DATA = (".jsonl", ".ndjson", ".parquet", ".csv", ".tsv", ".arrow", ".npy", ".zst")


def new_gap(
    name: str,
    topic: GapTopic,
    about: str,
    expected: str,
    actual: str,
    *evidence: str,
    contradicted: bool = False,
) -> Gap:
    """Return a break of the lineage."""
    return Gap(
        name=name,
        topic=topic,
        about=about,
        expected=expected,
        actual=actual,
        evidence=evidence,
        contradicted=contradicted,
    )


def is_declared(path: str, datasets: tuple[str, ...]) -> bool:
    """Say whether a path is a declared dataset, a part of one, or a folder around one."""
    return any(inside(path, d) or inside(d, path) for d in datasets)


def is_input(entry: StageFile, path: str, facts: Facts) -> bool:
    """Say whether a log's input is a file here: by digest, or by its path under another digest."""
    return facts.matches(entry.model_copy(update={"path": path})) or entry.path == path


def read_by_job(
    facts: Facts, job: GpuJob, path: str, relation: Literal["used", "configured"]
) -> Iterator[Link | Gap]:
    """Yield a link where a log names a file as it lies here, a gap where it names another."""
    fact = facts.files.get(path)
    for entry in job.inputs:
        if not fact or not fact.sha256 or not is_input(entry, path, facts):
            continue
        if facts.matches(entry.model_copy(update={"path": path})):
            yield Link(
                source=fact.evidence,
                target=job.id,
                relation=relation,
                digest=sha256(fact.sha256),
                via=job.id,
            )
        else:
            used = relation == "used"
            yield new_gap(
                "dataset-changed-since-training" if used else "training-config-changed",
                "datasets" if used else "training",
                path,
                f"sha256:{entry.sha256 or '?'} md5:{entry.md5 or '?'}, as {job.source} names it",
                f"sha256:{fact.sha256} md5:{fact.md5 or '?'}",
                job.id,
                fact.evidence,
                contradicted=True,
            )


def undeclared_inputs(facts: Facts) -> Iterator[Gap]:
    """Yield a gap for data that a job's log names by digest and the manifest does not name."""
    known = list(facts.files.values())
    for job in facts.jobs:
        for entry in job.inputs:
            held = any(_same(entry, f) for f in known)
            data = entry.path.casefold().endswith(DATA)
            if data and not held and not is_declared(entry.path, facts.declared.datasets):
                yield new_gap(
                    "dataset-undeclared",
                    "datasets",
                    entry.path,
                    "every dataset that the job used, declared",
                    f"{job.source} names it as input and the manifest does not name it",
                    job.id,
                )


def _same(entry: StageFile, fact: FileDigest) -> bool:
    return (entry.sha256 is not None and entry.sha256 == fact.sha256) or (
        entry.md5 is not None and entry.md5 == fact.md5
    )
