"""What was seen of training: datasets, configurations, jobs and the pipeline's ledger."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from audit_flow.model.base import Count, Frozen, Md5Hex, RelativePath, Sha256Hex, ShortText, Words
from audit_flow.model.evidence_base import EvidenceBase, Finite

# RFC 3339. Without the Z the log names no zone: then the time is known to within a day only.
Moment = Annotated[
    str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z?$")
]
NotNegative = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class DatasetDigest(EvidenceBase):
    """A training dataset and the digest of its full content (never of its first rows).

    ``rows`` are the lines of files with one example a line. ``revision`` is the commit of the Hub
    that every file was downloaded at, ``differing`` the files that are not as they were downloaded.
    """

    kind: Literal["dataset"] = "dataset"
    size: Count
    md5: Md5Hex | None = None
    files: int = Field(default=1, ge=1)
    rows: Count | None = None
    revision: ShortText | None = None
    differing: tuple[RelativePath, ...] = ()


class FolderChange(EvidenceBase):
    """How a folder differs from what a ledger recorded under ``md5``: paths within it.

    ``total`` counts all files that differ, of which at most 100 of each kind are named.
    """

    kind: Literal["folder-change"] = "folder-change"
    md5: Md5Hex
    changed: tuple[RelativePath, ...] = ()
    added: tuple[RelativePath, ...] = ()
    removed: tuple[RelativePath, ...] = ()
    total: Count

    def words(self) -> str:
        """Return the files that differ, for people."""
        parts = (("changed", self.changed), ("added", self.added), ("removed", self.removed))
        named = "; ".join(f"{verb} {', '.join(names[:10])}" for verb, names in parts if names)
        shown = sum(len(names[:10]) for _, names in parts)
        return named + (f" and {self.total - shown} more" if self.total > shown else "")


class ConfigValue(Frozen):
    """One setting of a training configuration: dotted name and value as text."""

    name: str
    value: ShortText


class TrainingConfig(EvidenceBase):
    """A training configuration, flattened to dotted names; ``base_model`` is what it names."""

    kind: Literal["training-config"] = "training-config"
    values: tuple[ConfigValue, ...]
    base_model: ShortText | None = None


class StageFile(Frozen):
    """A dependency or an output of a pipeline stage, as the lock file names it."""

    path: RelativePath
    md5: Md5Hex | None = None
    sha256: Sha256Hex | None = None
    size: Count | None = None


class GpuJob(EvidenceBase):
    """A training job as one log tells it: who, when, where, on what, how far, with what.

    Times are RFC 3339 UTC, without the Z where the log names no zone. ``gpu_hours`` are hours
    times GPUs; ``elapsed`` is in seconds, ``max_memory`` in MiB, ``max_power`` in watts,
    ``utilisation`` in percent. ``batch_size`` is that of one process, ``global_batch_size`` that
    of one optimizer step, both in examples; ``tokens`` are those of the whole run, as logged.
    Steps and epochs are as reached; losses are the first and last that were logged, ``losses`` how
    many, ``bad_losses`` how many were NaN or infinite. ``samples`` counts readings of a monitor.
    ``idle`` are GPUs that never did anything while they were watched, ``devices`` the ids of those
    that have one of their own, ``traces`` a digest of what each GPU read. ``history`` is a digest
    of settings and rows up to each row, of a state that is saved while a job runs.
    ``step_interval`` is set where ``steps`` is only the last that was logged: so many more may have
    been done. ``disordered`` says which times of the log contradict each other, ``impossible``
    which numbers.
    """

    kind: Literal["gpu-job"] = "gpu-job"
    format: str
    # Who.
    job_id: ShortText | None = None
    name: ShortText | None = None
    user: ShortText | None = None
    account: ShortText | None = None
    state: ShortText | None = None
    # When.
    submitted: Moment | None = None
    started: Moment | None = None
    ended: Moment | None = None
    elapsed: NotNegative | None = None
    disordered: ShortText | None = None
    impossible: ShortText | None = None
    # Where, and on what.
    cluster: ShortText | None = None
    nodes: Count | None = None
    hosts: tuple[ShortText, ...] = ()
    gpus: Count | None = None
    gpu_model: ShortText | None = None
    gpu_hours: NotNegative | None = None
    world_size: Count | None = None
    utilisation: NotNegative | None = None
    max_utilisation: NotNegative | None = None
    max_memory: NotNegative | None = None
    max_power: NotNegative | None = None
    samples: Count | None = None
    idle: Count | None = None
    devices: tuple[ShortText, ...] = ()
    traces: tuple[ShortText, ...] = ()
    # How far.
    steps: Count | None = None
    step_interval: Count | None = None
    max_steps: Count | None = None
    epochs: Finite | None = None
    planned_epochs: Finite | None = None
    examples: Count | None = None
    tokens: Count | None = None
    tokens_per_second: NotNegative | None = None
    batch_size: Count | None = None
    global_batch_size: Count | None = None
    gradient_accumulation: Count | None = None
    sequence_length: Count | None = None
    learning_rate: Finite | None = None
    first_loss: Finite | None = None
    last_loss: Finite | None = None
    losses: Count = 0
    bad_losses: Count = 0
    history: tuple[ShortText, ...] = ()
    logged: int = 0
    flops: NotNegative | None = None
    parameters: Count | None = None
    precision: ShortText | None = None
    seed: ShortText | None = None
    restarts: Count | None = None
    # With what.
    config: tuple[ConfigValue, ...] = ()
    inputs: tuple[StageFile, ...] = ()
    outputs: tuple[StageFile, ...] = ()
    note: Words | None = None


class CheckpointLabel(Frozen):
    """A checkpoint's name that states its step and tokens; ``unit`` is that of the last digit."""

    name: ShortText
    step: Count
    tokens: NotNegative
    unit: NotNegative


class CheckpointIndex(EvidenceBase):
    """A list of a run's checkpoints: steps, the gaps between them, and what does not fit.

    Gaps are in steps, within each of the ``series`` that the list holds (stages, ingredients);
    ``mislabelled`` are rows whose place names another step.
    """

    kind: Literal["checkpoints"] = "checkpoints"
    rows: Count
    series: Count = 1
    first_step: Count
    last_step: Count
    usual_gap: Count | None = None
    largest_gap: Count | None = None
    duplicates: Count = 0
    mislabelled: tuple[ShortText, ...] = ()
    labels: tuple[CheckpointLabel, ...] = ()


class PipelineStage(EvidenceBase):
    """One stage of a pipeline ledger, or one recorded command: inputs and outputs by digest.

    ``stale`` says how the ledger is behind the pipeline, ``problem`` how a recorded command failed.
    """

    kind: Literal["stage"] = "stage"
    name: str
    command: ShortText
    deps: tuple[StageFile, ...] = ()
    outs: tuple[StageFile, ...] = ()
    params: tuple[ConfigValue, ...] = ()
    stale: Words | None = None
    problem: Words | None = None
