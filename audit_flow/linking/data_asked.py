"""Data that training jobs read: what must be declared, back to the first of them."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.weight_names import is_weight_file
from audit_flow.linking.facts import Facts, inside, is_job
from audit_flow.linking.job_files import DATA, is_declared, new_gap
from audit_flow.linking.ledger import looks_like_data
from audit_flow.model import Gap, PipelineStage, TrainingConfig

_ALSO_DATA = (".bin", ".pt", ".h5", ".msgpack")
_OF_MODELS = ("model", "adapter", "consolidated", "checkpoint", "weights", "optimizer")


def undeclared_data(facts: Facts) -> Iterator[Gap]:
    """Yield a gap for each file of data that no manifest declares.

    Weights of an earlier stage are no data; what that stage read is asked for in their place.
    """
    waiting = list(facts.training_stages)
    seen = {stage.id for stage in waiting}
    while waiting:
        stage = waiting.pop()
        for dep in stage.deps:
            if not looks_like_data(dep.path, facts):
                continue
            if is_declared(dep.path, facts.declared.datasets):
                continue
            earlier = _trained(dep.path, stage, facts)
            if earlier is None:
                yield _undeclared(dep.path, stage)
            elif earlier.id not in seen:
                seen.add(earlier.id)
                waiting.append(earlier)


def _trained(path: str, reader: PipelineStage, facts: Facts) -> PipelineStage | None:
    """Return the other job that wrote a file as weights, or beside weights."""
    maker = facts.maker(path)
    if maker is None or maker.id == reader.id or not is_job(maker):
        return None
    if _is_checkpoint(path):
        return maker
    if path.casefold().endswith(DATA):
        return None
    written = [o.path for o in maker.outs]
    # A folder that is tracked as one file has no list of what lies in it.
    named = any(
        v.value in {path, f"./{path}", f"{path}/"} and "model" in v.name
        for c in facts.evidence
        if isinstance(c, TrainingConfig)
        for v in c.values
    )
    beside = path.rpartition("/")[0] or path
    return maker if named or any(_weights_in(beside, w) for w in written) else None


def _weights_in(folder: str, path: str) -> bool:
    return _is_checkpoint(path) and inside(path, folder)


def _is_checkpoint(path: str) -> bool:
    """Say whether a file is weights by its name: tokens are kept as ``train.bin`` as well."""
    name = path.rpartition("/")[2].casefold()
    return is_weight_file(path) and (
        not name.endswith(_ALSO_DATA) or any(word in name for word in _OF_MODELS)
    )


def _undeclared(path: str, stage: PipelineStage) -> Gap:
    return new_gap(
        "dataset-undeclared",
        "datasets",
        path,
        "every dataset that the job used, declared",
        f"stage {stage.name} used it and the manifest does not name it",
        stage.id,
    )
