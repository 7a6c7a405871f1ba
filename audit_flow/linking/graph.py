"""dataset → job → weights → evaluations → claims, joined by digest; every break is a named gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from audit_flow.analysis.matching import matching_runs
from audit_flow.analysis.weight_names import is_weight_file
from audit_flow.linking.data_asked import undeclared_data
from audit_flow.linking.facts import (
    Facts,
    around,
    inside,
    is_job,
    named_as,
)
from audit_flow.linking.job_files import (
    is_input,
    new_gap,
    read_by_job,
    undeclared_inputs,
)
from audit_flow.linking.ledger import ledger_gaps
from audit_flow.model import (
    Claim,
    DatasetDigest,
    Digest,
    EvalRun,
    Evidence,
    Gap,
    GapTopic,
    GpuJob,
    LineageRecord,
    Link,
    PipelineStage,
    ScoreClaim,
    StageFile,
    Subject,
    TrainingConfig,
    WeightFile,
    sha256,
)


def link(
    subject: Subject, claims: tuple[Claim, ...], evidence: tuple[Evidence, ...]
) -> LineageRecord:
    """Join claims and evidence into one record; pure, and independent of the order given."""
    ordered = tuple(sorted(evidence, key=lambda e: (e.kind, e.id)))
    facts = Facts(claims, ordered)
    found = [*_weights(facts), *_training(facts), *_base(facts), *_evaluations(facts, subject)]
    links = {(x.source, x.target, x.relation): x for x in found if isinstance(x, Link)}
    gaps = [*ledger_gaps(facts), *(x for x in found if isinstance(x, Gap))]
    return LineageRecord(
        subject=subject,
        claims=claims,
        evidence=ordered,
        links=tuple(links[key] for key in sorted(links)),
        gaps=_merged(gaps),
    )


def _weights(facts: Facts) -> Iterator[Link | Gap]:
    released = facts.released
    if released is None:
        where = facts.declared.weights
        actual = f"no weights in {where}" if where else "no weights are named"
        yield new_gap("no-weights", "weights", "weights", "the released weights", actual)
        return
    for file in released.files:
        makers = [
            s for s in facts.stages if is_job(s) and any(around(file.path, o) for o in s.outs)
        ]
        for stage in makers:
            if facts.holds(stage.outs, file):
                yield Link(
                    source=stage.id,
                    target=released.id,
                    relation="generated",
                    digest=sha256(file.sha256),
                    via=stage.id,
                )
        writers = [j for j in facts.jobs if any(named_as(o, file) for o in j.outputs)]
        for job in writers:
            yield Link(
                source=job.id,
                target=released.id,
                relation="generated",
                digest=sha256(file.sha256),
                via=job.id,
            )
        if is_weight_file(file.path) and not makers and not writers:
            yield new_gap(
                "weights-without-job",
                "weights",
                file.path,
                "a job whose outputs hold these weights by digest",
                "no job of the ledger generated this file",
                released.id,
            )


def _training(facts: Facts) -> Iterator[Link | Gap]:
    declared = facts.declared
    wanted: tuple[tuple[tuple[str, ...], GapTopic, str], ...] = (
        (declared.datasets, "datasets", "dataset"),
        (declared.training_configs, "training", "training-config"),
        ((*declared.job_logs, *declared.records), "training", "job-log"),
    )
    for paths, topic, name in wanted:
        if not paths:
            yield new_gap(f"no-{name}", topic, name, f"a {name} by digest", "none is named")
    yield from _inputs(facts, declared.datasets, "datasets", "dataset")
    yield from _inputs(facts, declared.training_configs, "training", "training-config")
    yield from _logs(facts)
    yield from undeclared_inputs(facts)
    for data in (e for e in facts.evidence if isinstance(e, DatasetDigest) and e.differing):
        yield new_gap(
            "dataset-changed-since-download",
            "datasets",
            data.source,
            f"the files of commit {data.revision or 'as downloaded'}",
            f"changed {', '.join(data.differing[:10])}",
            data.id,
            contradicted=True,
        )
    yield from undeclared_data(facts)


def _inputs(
    facts: Facts, paths: tuple[str, ...], topic: GapTopic, name: str
) -> Iterator[Link | Gap]:
    relation: Literal["used", "configured"] = "used" if topic == "datasets" else "configured"
    for path in paths:
        users = [s for s in facts.ancestors if _uses(s, path)]
        jobs = [j for j in facts.jobs if any(is_input(i, path, facts) for i in j.inputs)]
        for job in jobs:
            yield from read_by_job(facts, job, path, relation)
        if not users and not jobs:
            yield new_gap(
                f"{name}-unused",
                topic,
                path,
                "a training job that used it",
                "no job that led to the weights names it as input",
            )
        if users and topic == "training":
            yield from _partly_tracked(facts, users, path)
        for stage in users:
            fact = facts.files.get(path)
            matching = any(d.path == path and facts.matches(d) for d in stage.deps)
            if fact and fact.sha256 and matching:
                yield Link(
                    source=fact.evidence,
                    target=stage.id,
                    relation=relation,
                    digest=sha256(fact.sha256),
                    via=stage.id,
                )


def _partly_tracked(facts: Facts, users: list[PipelineStage], path: str) -> Iterator[Link | Gap]:
    """Yield a gap for a configuration that the ledger holds only some settings of."""
    if any(inside(path, d.path) for s in users for d in s.deps):
        return
    held = {p.name for s in users for p in s.params}
    configs = (e for e in facts.evidence if isinstance(e, TrainingConfig) and e.source == path)
    loose = sorted(v.name for c in configs for v in c.values if f"{path}:{v.name}" not in held)
    if loose:
        yield new_gap(
            "training-config-partly-tracked",
            "training",
            path,
            "the whole configuration among the inputs of the job, or each of its settings",
            f"the ledger does not hold {', '.join(loose[:10])}",
            *(s.id for s in users),
        )


def _uses(stage: PipelineStage, path: str) -> bool:
    by_parameter = any(p.name.partition(":")[0] == path for p in stage.params)
    return by_parameter or any(inside(d.path, path) or inside(path, d.path) for d in stage.deps)


def _recorded(facts: Facts) -> Iterator[Link]:
    """Yield a link from each recorded command to the job that the same record tells of."""
    for job in facts.jobs:
        for stage in facts.stages:
            if stage.source == job.source and job.sha256 and stage.sha256 == job.sha256:
                yield Link(
                    source=stage.id,
                    target=job.id,
                    relation="logged",
                    digest=sha256(job.sha256),
                    via=stage.id,
                )


def _logs(facts: Facts) -> Iterator[Link | Gap]:
    yield from _recorded(facts)
    records = {s.source for s in facts.stages}
    for path in facts.declared.job_logs:
        if path in records:
            continue
        stage = facts.maker(path)
        if _names_release(facts, path):
            continue
        if stage is None or stage not in facts.ancestors:
            yield new_gap(
                "job-log-unlinked",
                "training",
                path,
                "an output of the job that made the weights",
                "no job that led to the weights names this log as output",
            )
            continue
        yield from _logged(facts, stage, path)


def _names_release(facts: Facts, path: str) -> bool:
    """Say whether a log that no ledger holds names the released weights by digest itself."""
    files = facts.released.files if facts.released else ()
    outs = [o for j in facts.jobs if j.source == path for o in j.outputs]
    return facts.maker(path) is None and any(named_as(o, f) for o in outs for f in files)


def _logged(facts: Facts, stage: PipelineStage, path: str) -> Iterator[Link]:
    """Yield a link to each job that a log which the stage wrote tells of."""
    jobs = [e.id for e in facts.evidence if isinstance(e, GpuJob) and e.source == path]
    for out in stage.outs:
        fact = facts.files.get(path) or facts.files.get(out.path)
        if not inside(path, out.path) or not fact or not fact.sha256 or not facts.matches(out):
            continue
        for job in jobs or [f"gpu-job:{path}"]:
            yield Link(
                source=stage.id,
                target=job,
                relation="logged",
                digest=sha256(fact.sha256),
                via=stage.id,
            )


def _base(facts: Facts) -> Iterator[Link | Gap]:
    base = facts.base
    if base is None:
        return
    weight_files = [f for f in base.files if is_weight_file(f.path)]
    for stage in facts.training_stages:
        used = [f for f in weight_files if facts.holds(stage.deps, f)]
        if used and len(used) == len(weight_files):
            yield Link(
                source=base.id,
                target=stage.id,
                relation="used",
                digest=sha256(base.root_sha256),
                via=stage.id,
            )
            return
    yield new_gap(
        "base-model-unlinked",
        "base-model",
        base.source,
        "the base model's weights among the inputs of the training job, by digest",
        "no job that made the weights used all of them",
        base.id,
    )


def _evaluations(facts: Facts, subject: Subject) -> Iterator[Link | Gap]:
    if not facts.declared.evaluations:
        yield new_gap(
            "no-evaluation", "evaluations", "evaluations", "an evaluation run", "none is named"
        )
    for run in (e for e in facts.evidence if isinstance(e, EvalRun)):
        digest = measured_digest(run, facts, subject)
        if digest is None:
            yield _unknown_weights(run)
            continue
        if subject.weights_sha256 != digest.hex:
            yield _other_weights(run, facts, subject, digest)
            continue
        if facts.released:
            yield Link(
                source=facts.released.id,
                target=run.id,
                relation="measured",
                digest=digest,
                via=run.id,
            )
        for claim in facts.claims:
            if isinstance(claim, ScoreClaim) and any(matching_runs(claim, [run])):
                yield Link(
                    source=run.id, target=claim.id, relation="supports", digest=digest, via=run.id
                )


def measured_digest(run: EvalRun, facts: Facts, subject: Subject) -> Digest | None:
    """Return the root digest of the weights that a run measured, or None when it can't be known.

    A run is tied by the digests of the files it read, by a job of the ledger that read them, or by
    the digest that it states itself.
    """
    released = facts.released
    stage = facts.maker(run.source)
    for inputs in (run.inputs, stage.deps if stage else ()):
        tied = _covers(inputs, facts, released.files) if released else None
        if tied is not None and subject.weights_sha256:
            return sha256(subject.weights_sha256) if tied else _digest_of(inputs, facts)
    return sha256(run.weights_sha256) if run.weights_sha256 else None


def _covers(
    inputs: tuple[StageFile, ...], facts: Facts, files: tuple[WeightFile, ...]
) -> bool | None:
    """Say whether inputs are these weights; None when they do not name all weight files of them.

    Whatever else of the folder was read (configuration, tokenizer) must be the same as well.
    """
    said = {f.path: facts.holds(inputs, f) for f in files}
    weights = [said[f.path] for f in files if is_weight_file(f.path)]
    if not weights or None in weights:
        return None
    return all(answer is not False for answer in said.values())


def _digest_of(inputs: tuple[StageFile, ...], facts: Facts) -> Digest | None:
    """Return a digest that stands for other weights: that of the first file that differs."""
    for file in facts.released.files if facts.released else ():
        entries = tuple(e for e in inputs if around(file.path, e))
        if facts.holds(entries, file) is not False:
            continue
        for entry in entries:
            if entry.sha256:
                return sha256(entry.sha256)
            if entry.md5:
                return Digest(algorithm="md5", hex=entry.md5)
    return None


def _unknown_weights(run: EvalRun) -> Gap:
    stated = f"it names {run.weights_stated!r}" if run.weights_stated else "it names none"
    return new_gap(
        "evaluation-weights-unknown",
        "evaluations",
        run.source,
        "the digest of the weights that were measured",
        f"no digest ties this evaluation to the released weights; {stated}",
        run.id,
    )


def _other_weights(run: EvalRun, facts: Facts, subject: Subject, digest: Digest) -> Gap:
    whole = subject.weights_sha256 is not None and not facts.missing_weights
    here = f"sha256:{subject.weights_sha256}" if subject.weights_sha256 else "which are not here"
    missing = f"; missing here: {', '.join(facts.missing_weights[:5])}"
    return new_gap(
        "score-measured-on-other-weights",
        "evaluations",
        run.source,
        f"the released weights, {here}",
        f"measured on {digest}{missing if facts.missing_weights else ''}",
        run.id,
        # What is left of a release is no other release: files that are missing contradict nothing.
        contradicted=whole and run.measured_by != "third-party",
    )


def _merged(gaps: list[Gap]) -> tuple[Gap, ...]:
    """Return one gap for each break, resting on all the evidence that shows it."""
    found: dict[tuple[str, str, str], Gap] = {}
    for gap in gaps:
        key = (gap.topic, gap.name, gap.about)
        first = found.setdefault(key, gap)
        evidence = dict.fromkeys((*first.evidence, *gap.evidence))
        found[key] = first.model_copy(update={"evidence": tuple(evidence)})
    return tuple(found[key] for key in sorted(found))
