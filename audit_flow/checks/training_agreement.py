"""Whether logs, configurations, data and weights say the same of a training job."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.compute import close
from audit_flow.analysis.quantities import real
from audit_flow.analysis.training_names import facts_of
from audit_flow.checks.interface import NoParams, Result, failed, passed, unproven
from audit_flow.linking import JobGroup, given_gpus, job_groups
from audit_flow.linking import planned as plan
from audit_flow.model import (
    BaseModelClaim,
    ClaimKind,
    Frozen,
    LineageRecord,
    WeightsDigest,
)

_FIELDS = {
    "batch_size": "batch size of a process",
    "global_batch_size": "batch size of a step",
    "gradient_accumulation": "gradient accumulation",
    "world_size": "number of processes",
    "sequence_length": "sequence length",
    "max_steps": "steps",
    "planned_epochs": "epochs",
    "seed": "seed",
}
_OF_THE_BATCH = {"batch_size", "gradient_accumulation", "world_size"}
# Filters drop some rows.
_ROWS = 0.05
Compared = tuple[str, str, str, bool]


class NumbersAgree:
    """Compares what is said of a job in different places, and warns where it differs."""

    id = "training.numbers-agree"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each job and one for the weights; UNPROVEN without a comparison."""
        del params
        groups = job_groups(record)
        if not groups:
            yield unproven("training", "there is no job log", "a log of the training job", "none")
        for group in groups:
            found = [*_settings(group), *_resources(group), *_base_model(group, record),
                     *_rows(group)]  # fmt: skip
            yield from _results(group.about, found, *group.evidence)
        weights = [w for w in record.of(WeightsDigest) if w.role == "released"]
        if compared := list(_parameters(record)):
            yield from _results("parameters", compared, *(w.id for w in weights))


def _results(about: str, found: list[Compared], *evidence: str) -> Iterator[Result]:
    for what, expected, actual, same in found:
        if not same:
            words = "two records differ"
            yield failed(f"{about}: {what}", words, expected, actual, *evidence)
    if not found:
        yield unproven(about, "nothing to compare", "two records of one number", "none", *evidence)
    elif all(same for *_, same in found):
        names = ", ".join(dict.fromkeys(what for what, *_ in found))
        yield passed(about, f"{names}: records agree", "the same in each", "the same", *evidence)


def _settings(group: JobGroup) -> Iterator[Compared]:
    """Compare what the log says of itself with the configuration that it ran with."""
    for config in group.configs:
        planned = facts_of([(v.name, v.value) for v in config.values])
        batch = _product(planned)
        for field, name in _FIELDS.items():
            for job, value in group.said(lambda j, f=field: getattr(j, f)):  # type: ignore[misc]
                if field not in planned or job in group.accounts:
                    continue
                note = ""
                if field in _OF_THE_BATCH and batch and batch == group.global_batch:
                    note = ", the batch size of a step is the same"
                yield (
                    name, f"{planned[field]} ({config.source})", f"{value} ({job.source}){note}",
                    _equal(planned[field], value),
                )  # fmt: skip


def _resources(group: JobGroup) -> Iterator[Compared]:
    """Hold what is configured against the GPUs: processes that share a model see fewer examples."""
    gpus, where = given_gpus(group.accounts), ", ".join(c.source for c in group.configs)
    for count in plan.stated(group, "world_size") if gpus else ():
        wanted = f"at most {gpus} GPUs ({group.accounts[0].source})"
        yield "number of processes", wanted, f"{count} ({where})", count <= (gpus or 0)
    most = plan.most_product(group)
    lengths = plan.stated(group, "sequence_length")
    for batch in plan.stated(group, "global_batch_size") if most else ():
        # Some trainers call the tokens of a step its batch.
        wanted = f"at most {most}, batch of a process × accumulation × processes"
        yield (
            "batch size of a step",
            wanted,
            f"{batch} ({where})",
            batch <= (most or 0) or most in [batch / n for n in lengths],
        )


def _product(planned: dict[str, object]) -> float | None:
    parts = [real(planned.get(name)) for name in sorted(_OF_THE_BATCH)]
    known = [p for p in parts if p]
    return known[0] * known[1] * known[2] if len(known) == len(_OF_THE_BATCH) else None


def _equal(one: object, other: object) -> bool:
    first, second = real(one), real(other)
    if first is None or second is None:
        return str(one).casefold() == str(other).casefold()
    return first == second


def _base_model(group: JobGroup, record: LineageRecord) -> Iterator[Compared]:
    for job in group.jobs:
        named = {v.name: v.value for v in job.config}
        base, revision = named.get("base_model"), named.get("base_model_revision")
        for claim in record.of(BaseModelClaim) if base and group.final else ():
            same = base == claim.base or (revision is not None and revision == claim.revision)
            at = f"{base}@{revision}" if revision else str(base)
            wanted = f"{claim.base}@{claim.revision}" if claim.revision else claim.base
            yield "base model", wanted, f"{at} ({job.source})", same


def _rows(group: JobGroup) -> Iterator[Compared]:
    rows = [d.rows for d in group.datasets if d.rows is not None]
    if not rows or len(rows) != len(group.datasets):
        return
    for job, examples in group.said(lambda j: j.examples):
        if job.format == "mlperf-log":
            continue
        yield (
            "examples", f"{sum(rows)} rows in {', '.join(d.source for d in group.datasets)}",
            f"{examples} ({job.source})", close(float(examples), float(sum(rows)), _ROWS),
        )  # fmt: skip


def _parameters(record: LineageRecord) -> Iterator[Compared]:
    for weights in record.of(WeightsDigest):
        count = weights.parameters
        if weights.role != "released" or count is None or count.adapter:
            continue
        counted = f"{count.total} in {weights.source}"
        if count.implied:
            wanted = f"{count.implied}, as config.json implies"
            yield "parameters", wanted, counted, close(count.implied, count.total)
        for group in job_groups(record):
            for job, stated in group.said(lambda j: j.parameters) if group.final else ():
                yield "parameters", f"{stated} ({job.source})", counted, close(stated, count.total)
