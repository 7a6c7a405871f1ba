"""The lineage in brief: its stations in order, and whether each is joined by digest."""

from __future__ import annotations

from dataclasses import dataclass

from audit_flow.model import (
    DatasetDigest,
    EvalRun,
    Gap,
    GapTopic,
    GpuJob,
    LineageRecord,
    PipelineStage,
    ScoreClaim,
    TrainingConfig,
    WeightsDigest,
)
from audit_flow.report.reading import Status, plural

_Node = (
    DatasetDigest | GpuJob | TrainingConfig | PipelineStage | WeightsDigest | EvalRun | ScoreClaim
)


@dataclass(frozen=True, slots=True)
class Station:
    """One kind of node of the lineage: what was seen of it and whether it is joined."""

    title: str
    status: Status
    detail: str


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    topics: tuple[GapTopic, ...]
    nouns: tuple[type[_Node], ...]


_KINDS = (
    _Kind("Datasets", ("datasets",), (DatasetDigest,)),
    _Kind("Training", ("training", "pipeline"), (GpuJob, TrainingConfig, PipelineStage)),
    _Kind("Weights", ("weights", "base-model"), (WeightsDigest,)),
    _Kind("Evaluations", ("evaluations",), (EvalRun,)),
    _Kind("Claimed scores", (), (ScoreClaim,)),
)


def stations(record: LineageRecord) -> tuple[Station, ...]:
    """Return the stations from datasets to claims.

    A node is joined when a link names it, or carries a digest of it: a pipeline speaks of files,
    and a dataset may be one of them.
    """
    held = {end for link in record.links for end in (link.source, link.target)}
    held |= {link.digest.hex for link in record.links}
    return tuple(_station(record, kind, held) for kind in _KINDS)


def _station(record: LineageRecord, kind: _Kind, held: set[str]) -> Station:
    nodes = [node for noun in kind.nouns for node in record.of(noun)]
    gaps = [gap for gap in record.gaps if gap.topic in kind.topics]
    joined = sum(1 for node in nodes if not held.isdisjoint(_names(node)))
    detail = f"{len(nodes)} seen, {joined} joined by digest"
    if gaps:
        detail += f", {plural(len(gaps), 'gap')}"
    return Station(kind.title, _status(len(nodes), joined, gaps), detail)


def _names(node: _Node) -> set[str]:
    names = {node.id}
    if isinstance(node, DatasetDigest | TrainingConfig | GpuJob) and node.sha256:
        names.add(node.sha256)
    if isinstance(node, DatasetDigest) and node.md5:
        names.add(node.md5)
    return names


def _status(seen: int, joined: int, gaps: list[Gap]) -> Status:
    if any(gap.contradicted for gap in gaps):
        return Status("broken", "✗", "fail")
    if gaps:
        return Status("gap", "?", "open")
    if not joined:
        return Status("not joined" if seen else "none seen", "?", "open")
    return Status("joined", "✓", "pass")
