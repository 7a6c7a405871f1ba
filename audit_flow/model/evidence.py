"""What was seen: one observed fact each, with its source, its digest and how far to trust it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from audit_flow.model.announcement_facts import Announcement
from audit_flow.model.attestation import AttestedVerdict
from audit_flow.model.base import Count, Frozen, Md5Hex, RelativePath, Sha256Hex, ShortText, Words
from audit_flow.model.claim import BaseModelClaim, Protocol, ScoreClaim, Unit
from audit_flow.model.endpoint_facts import DeclaredEndpoint, EndpointComparison
from audit_flow.model.evidence_base import EvidenceBase, Finite
from audit_flow.model.expectations import TableValidation
from audit_flow.model.hub_facts import BaseCandidate, HubHistory, HubListing
from audit_flow.model.lineage_facts import WeightComparison
from audit_flow.model.openness_facts import OpenComponent, ReleaseTerms
from audit_flow.model.overlap_facts import Decontamination, Overlap
from audit_flow.model.published_facts import PublishedFinding, ServedRow
from audit_flow.model.signature_facts import Signature
from audit_flow.model.training_facts import (
    CheckpointIndex,
    ConfigValue,
    DatasetDigest,
    FolderChange,
    GpuJob,
    Moment,
    PipelineStage,
    StageFile,
    TrainingConfig,
)
from audit_flow.model.weights_facts import WeightsDigest


class FileFact(EvidenceBase):
    """A file of the working tree and the digests of its bytes, read once.

    ``role`` says what the manifest or the pipeline uses it for.
    """

    kind: Literal["file"] = "file"
    role: Literal["dataset", "pipeline", "checksum"] = "pipeline"
    size: Count
    md5: Md5Hex | None = None


class SampleSummary(Frozen):
    """What the per-sample rows of a run say, counted again from the rows.

    ``mean`` is the recounted metric as a fraction over distinct items; ``items_sha256`` is the
    digest of the items themselves (documents, prompts and targets), so that two runs can be shown
    to have been asked the same. ``duplicates`` are rows of an item that had one already,
    ``conflicts`` those of them that say something else: then there is no mean. Where items come
    in ``clusters``, told apart by ``cluster_field``, ``clustered_stderr`` is the standard error of
    the mean that holds for them (a fraction).
    """

    source: RelativePath
    sha256: Sha256Hex
    rows: int = Field(ge=0)
    items: int = Field(ge=0)
    duplicates: int = Field(default=0, ge=0)
    conflicts: int = Field(default=0, ge=0)
    mean: Decimal | None = None
    clusters: Count | None = None
    cluster_field: ShortText | None = None
    clustered_stderr: Decimal | None = None
    items_sha256: Sha256Hex | None = None
    scores_sha256: Sha256Hex | None = None


class PartsSummary(Frozen):
    """What an aggregate comes to, counted again from the tasks that stand in the same file.

    ``counted`` of its ``tasks`` have the metric. ``micro`` weighs every item the same, ``macro``
    every task, ``macro_of_groups`` every direct part; ``clustered_stderr`` is the standard error
    of ``micro`` with the tasks as clusters. All are fractions.
    """

    tasks: int = Field(gt=0)
    counted: int = Field(ge=0)
    items: Count | None = None
    micro: Decimal | None = None
    macro: Decimal | None = None
    macro_of_groups: Decimal | None = None
    clustered_stderr: Decimal | None = None


class EvalRun(EvidenceBase):
    """One metric of one task of one evaluation run.

    ``value`` is in ``unit``; ``weights_sha256`` the root digest of the weights it is tied to,
    ``weights_stated`` the name the file gives, ``inputs`` the files it read, by digest.
    ``within_variance_sum`` is the sum over items of the variance between this group's ``runs``,
    where there are several, ``design_effect`` how many times more their mean varies because items
    come in groups; ``seeds`` are those that the file names. A run that re-used earlier answers is
    not ``independent``. An aggregate of other tasks has ``parts`` in place of rows.
    where there are several; ``seeds`` are those that the file names;
    ``measured_at`` is when the evaluation was made. A run that re-used earlier
    answers is not ``independent``.
    come in groups; ``seeds`` are those that the file names; ``measured_at`` is when the evaluation
    was made. A run that re-used earlier answers is not ``independent``. An aggregate of other
    tasks has ``parts`` in place of rows.
    """

    kind: Literal["eval-run"] = "eval-run"
    format: str
    task: ShortText
    metric: ShortText
    value: Decimal
    unit: Unit | None = None
    stderr: Decimal | None = None
    n_items: Count | None = None
    n_original: Count | None = None
    runs: int = Field(default=1, gt=0, lt=2**53)
    within_variance_sum: Finite | None = None
    design_effect: Finite | None = None
    seeds: tuple[ConfigValue, ...] = ()
    protocol: Protocol = Protocol()
    measured_by: Literal["auditor", "claimant", "third-party", "unknown"]
    by: ShortText | None = None
    status: Literal["success", "incomplete", "error", "unknown"] = "unknown"
    weights_sha256: Sha256Hex | None = None
    weights_stated: ShortText | None = None
    inputs: tuple[StageFile, ...] = ()
    samples: SampleSummary | None = None
    parts: PartsSummary | None = None
    independent: bool = True
    measured_at: Moment | None = None
    note: ShortText | None = None

    @property
    def fraction(self) -> float:
        """The measured value as a fraction of one."""
        return float(self.value) / 100 if self.unit == "percent" else float(self.value)


class CardClaims(EvidenceBase):
    """What the model card and ``.eval_results`` say, for comparison with the manifest.

    ``table_scores`` were read from tables in the card's text: what a row and a column mean was
    guessed from their words.
    """

    kind: Literal["card"] = "card"
    scores: tuple[ScoreClaim, ...] = ()
    table_scores: tuple[ScoreClaim, ...] = ()
    bases: tuple[BaseModelClaim, ...] = ()
    unread: tuple[ShortText, ...] = ()


class Declared(EvidenceBase):
    """What the manifest names as evidence: the list that nothing may be missing from."""

    kind: Literal["declared"] = "declared"
    datasets: tuple[RelativePath, ...] = ()
    training_configs: tuple[RelativePath, ...] = ()
    job_logs: tuple[RelativePath, ...] = ()
    records: tuple[RelativePath, ...] = ()
    evaluations: tuple[RelativePath, ...] = ()
    weights: RelativePath | None = None
    base: RelativePath | None = None
    card: RelativePath | None = None
    pipeline: RelativePath | None = None
    announcement: RelativePath | None = None
    endpoints: tuple[DeclaredEndpoint, ...] = ()
    announced: Moment | None = None


class Baseline(EvidenceBase):
    """Another model's score beside the release's: as reported there, and as its publisher has it.

    Values are in ``unit``.
    """

    kind: Literal["baseline"] = "baseline"
    model: ShortText
    benchmark: ShortText
    metric: ShortText
    reported: Decimal
    published: Decimal | None = None
    unit: Unit
    published_source: ShortText | None = None


class Unread(EvidenceBase):
    """Evidence that is named and is missing, or is there and can't be read."""

    kind: Literal["unread"] = "unread"
    of: ShortText
    reason: Literal["missing", "unreadable"]
    detail: Words
    remedy: Words = ""


Evidence = Annotated[
    FileFact
    | DatasetDigest
    | WeightsDigest
    | TrainingConfig
    | GpuJob
    | CheckpointIndex
    | FolderChange
    | EvalRun
    | PipelineStage
    | CardClaims
    | EndpointComparison
    | HubListing
    | HubHistory
    | BaseCandidate
    | WeightComparison
    | Announcement
    | AttestedVerdict
    | TableValidation
    | Overlap
    | Decontamination
    | OpenComponent
    | ReleaseTerms
    | Declared
    | Baseline
    | PublishedFinding
    | ServedRow
    | Signature
    | Unread,
    Field(discriminator="kind"),
]
