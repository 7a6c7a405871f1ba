"""The pipeline ledger against the working tree: every file that is not what it was has a name."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from audit_flow.linking.facts import Facts, FileDigest, inside
from audit_flow.model import FolderChange, Gap, GapTopic, PipelineStage, StageFile, TrainingConfig

# role -> (topic, what it is called when changed, what it is called when missing)
_ROLES: dict[str, tuple[GapTopic, str, str]] = {
    "weights": ("weights", "weights-not-as-generated", "weights-missing"),
    "base": ("base-model", "base-model-changed", "base-model-missing"),
    "dataset": ("datasets", "dataset-changed-since-training", "dataset-missing"),
    "config": ("training", "training-config-changed", "training-config-missing"),
    "log": ("training", "job-log-changed", "job-log-missing"),
    "evaluation": ("evaluations", "evaluation-changed", "evaluation-missing"),
    "other": ("pipeline", "pipeline-file-changed", "pipeline-file-missing"),
}
_CODE = (".py", ".sh", ".ipynb", ".toml", ".cfg", ".jinja", ".j2", ".md", ".lock")


def role(path: str, facts: Facts) -> str:
    """Return what a file of the ledger is for, by what the manifest declares."""
    declared = facts.declared
    if inside(path, declared.weights):
        return "weights"
    if inside(path, declared.base):
        return "base"
    for name, paths in (
        ("dataset", declared.datasets),
        ("config", declared.training_configs),
        ("log", (*declared.job_logs, *declared.records)),
    ):
        if any(inside(path, p) or inside(p, path) for p in paths):
            return name
    return "evaluation" if _beside_evaluation(path, declared.evaluations) else "other"


def _beside_evaluation(path: str, evaluations: tuple[str, ...]) -> bool:
    folders = {e.rsplit("/", 1)[0] for e in evaluations if "/" in e}
    return any(path == e or inside(path, f) for e in evaluations for f in (e, *folders))


def looks_like_data(path: str, facts: Facts) -> bool:
    """Say whether an input of a training stage is data: no code, configuration, weights or log."""
    return role(path, facts) in {"dataset", "other"} and not path.endswith(
        (*_CODE, ".yaml", ".yml")
    )


def ledger_gaps(facts: Facts) -> Iterator[Gap]:
    """Yield a gap for each stage or file that the working tree contradicts or does not hold."""
    for stage in facts.stages:
        if stage.stale:
            yield _stale(stage)
        if stage.problem:
            yield _failed(stage)
        for file in stage.outs:
            yield from _file_gap(stage, file, facts)
        for file in stage.deps:
            yield from _dep_gap(stage, file, facts)
        yield from _parameter_gaps(stage, facts)


def _stale(stage: PipelineStage) -> Gap:
    never = "never run" in (stage.stale or "")
    return Gap(
        name="stage-never-run" if never else "stage-changed-since-run",
        topic="pipeline",
        about=f"stage {stage.name}",
        contradicted=not never,
        expected="the stage as it was run",
        actual=stage.stale or "",
        evidence=(stage.id,),
    )


def _failed(stage: PipelineStage) -> Gap:
    return Gap(
        name="recorded-command-failed",
        topic="pipeline",
        about=f"stage {stage.name}",
        contradicted=True,
        expected="a command that succeeded, on inputs that stayed as they were",
        actual=stage.problem or "",
        evidence=(stage.id,),
    )


def _dep_gap(stage: PipelineStage, file: StageFile, facts: Facts) -> Iterator[Gap]:
    maker = facts.makers.get(file.path)
    made = next((o for o in maker.outs if o.path == file.path), None) if maker else None
    if made is None or _digests_differ(made, file) is not True:
        yield from _file_gap(stage, file, facts)
        return
    evaluates = role(file.path, facts) == "weights"
    topic, _, _ = _ROLES[role(file.path, facts)]
    yield Gap(
        name="evaluation-of-older-checkpoint" if evaluates else "stage-used-older-input",
        topic="evaluations" if evaluates else topic,
        about=file.path,
        contradicted=True,
        expected=f"{_digest(made)} as stage {maker.name if maker else ''} generated it",
        actual=f"{_digest(file)} as stage {stage.name} used it",
        evidence=(stage.id, *([maker.id] if maker else [])),
    )


def _file_gap(stage: PipelineStage, file: StageFile, facts: Facts) -> Iterator[Gap]:
    matches = facts.matches(file)
    if matches:
        return
    topic, changed, absent = _ROLES[role(file.path, facts)]
    fact = facts.files.get(file.path)
    yield Gap(
        name=absent if matches is None else changed,
        topic=topic,
        about=file.path,
        contradicted=matches is not None,
        expected=_expected(stage, file) + _other_size(file.size, fact),
        actual="not there" if fact is None else f"{_seen(fact, file)}{_what_changed(file, facts)}",
        evidence=(stage.id, *([fact.evidence] if fact else [])),
    )


def _other_size(stated: int | None, fact: FileDigest | None) -> str:
    if fact is None or None in {stated, fact.size} or stated == fact.size:
        return ""
    return f", {stated} bytes; there are {fact.size}"


def _what_changed(file: StageFile, facts: Facts) -> str:
    for change in facts.evidence:
        if isinstance(change, FolderChange) and (change.source, change.md5) == (
            file.path,
            file.md5,
        ):
            return f": {change.words()}"
    return ""


def _expected(stage: PipelineStage, file: StageFile) -> str:
    verb = "generated" if file in stage.outs else "used"
    return f"{_digest(file)}, as stage {stage.name} {verb} it"


def _digest(file: StageFile) -> str:
    return f"md5:{file.md5}" if file.md5 else f"sha256:{file.sha256}"


def _seen(fact: FileDigest, file: StageFile) -> str:
    return f"md5:{fact.md5}" if file.md5 else f"sha256:{fact.sha256}"


def _digests_differ(one: StageFile, other: StageFile) -> bool | None:
    """Say whether two ledgers speak of different bytes; None where they share no algorithm."""
    if one.md5 and other.md5:
        return one.md5 != other.md5
    return one.sha256 != other.sha256 if one.sha256 and other.sha256 else None


def _parameter_gaps(stage: PipelineStage, facts: Facts) -> Iterator[Gap]:
    configs = {c.source: c for c in facts.evidence if isinstance(c, TrainingConfig)}
    for param in stage.params:
        path, _, name = param.name.partition(":")
        now = {v.name: v.value for v in configs[path].values} if path in configs else None
        if now is not None and same_value(now.get(name), param.value):
            continue
        yield Gap(
            name="training-parameter-missing" if now is None else "training-parameter-changed",
            topic="training",
            about=param.name,
            contradicted=now is not None,
            expected=f"{param.value}, as stage {stage.name} was run with",
            actual="the file is not there" if now is None else str(now.get(name)),
            evidence=(stage.id, *([configs[path].id] if path in configs else [])),
        )


def same_value(one: str | None, other: str | None) -> bool:
    """Say whether two settings are equal as text or as numbers (1e-3 is 0.001)."""
    if one is None or other is None:
        return one is other
    if one == other:
        return True
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False
