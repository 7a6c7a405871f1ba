"""The written form of ``release.yaml``: its keys, their types, and the claims they make."""

from __future__ import annotations

import hashlib
import posixpath
import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from audit_flow.analysis.moments import moment
from audit_flow.model.claim import (
    EMPTY_TEXT_SHA256,
    BaseModelClaim,
    ChecksumClaim,
    Claim,
    Protocol,
    Relation,
    Sampling,
    ScoreClaim,
    StatementClaim,
    TrainingClaim,
    Unit,
)
from audit_flow.model.digest import Digest
from audit_flow.model.evidence import Baseline
from audit_flow.model.evidence_base import Trust
from audit_flow.sources.wire import Text, Wire

SCHEMA = "audit-flow/release/v1"


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ValueError("expected a number")
    try:
        return Decimal(value)
    except ArithmeticError:
        raise ValueError("expected a number, with its digits as announced") from None


def _prompt(value: Any) -> Any:
    """Hold a prompt by its digest: text, ``none`` for no prompt, or ``sha256:<hex>``."""
    if not isinstance(value, str):
        raise ValueError("expected text, 'none', or sha256:<64 hex digits>")
    if value == "none":
        return EMPTY_TEXT_SHA256
    if value.startswith("sha256:"):
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
            raise ValueError("expected sha256: and 64 lower-case hex digits")
        return value.removeprefix("sha256:")
    return hashlib.sha256(value.encode()).hexdigest()


def _digest_text(value: str) -> str:
    algorithm, _, digits = value.partition(":")
    Digest.model_validate({"algorithm": algorithm, "hex": digits})
    return value


def _announced(value: Any) -> Any:
    """Return a date, or a date and time, as RFC 3339; a date alone is its last second."""
    text = str(value)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        text += " 23:59:59"
    found = moment(text)
    if found is None:
        raise ValueError("expected a date such as 2026-03-31, or a date and time of RFC 3339")
    return found


Announced = Annotated[str, BeforeValidator(_announced)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Prompt = Annotated[str, BeforeValidator(_prompt)]
DigestText = Annotated[str, AfterValidator(_digest_text)]
AdapterName = Literal["reference", "lm-eval", "inspect"]
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]


def _plain_path(value: str) -> str:
    """Return a path as the ledger names it: ``./model/`` is ``model``."""
    return posixpath.normpath(value)


PathText = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_plain_path)]


class SamplingEntry(Wire):
    """How tokens were drawn."""

    temperature: Number | None = None
    top_p: Number | None = None
    max_tokens: int | None = None


class ProtocolEntry(Wire):
    """The conditions of a score, as announced; what is left out is unknown."""

    harness: Text | None = None
    harness_version: Text | None = None
    task: Text | None = None
    task_version: Text | None = None
    shots: int | None = Field(default=None, ge=0)
    system_prompt: Prompt | None = None
    chat_template: Prompt | None = None
    extraction: Text | None = None
    sampling: SamplingEntry | None = None
    pass_at_k: int | None = Field(default=None, gt=0)
    maj_at_k: int | None = Field(default=None, gt=0)
    inference_budget: Text | None = None
    dataset_revision: Text | None = None
    host: Literal["self-hosted", "hosted"] | None = None

    def noun(self) -> Protocol:
        """Return the protocol as the record holds it."""
        given = self.model_dump(
            exclude_none=True, exclude={"system_prompt", "chat_template", "sampling"}
        )
        return Protocol(
            **given,
            system_prompt_sha256=self.system_prompt,
            chat_template_sha256=self.chat_template,
            sampling=Sampling(**self.sampling.model_dump()) if self.sampling else None,
        )


class ScoreEntry(Wire):
    """One score as announced."""

    benchmark: Text
    metric: Text
    value: Number
    unit: Unit
    n_items: int | None = Field(default=None, gt=0)
    runs: int = Field(default=1, gt=0, le=100_000)
    average_of: list[Text] = []
    averaging: Literal["macro", "micro"] | None = None
    protocol: ProtocolEntry = ProtocolEntry()

    @model_validator(mode="after")
    def _whole_aggregate(self) -> ScoreEntry:
        if bool(self.average_of) != bool(self.averaging):
            raise ValueError("an average names both average_of and averaging (macro or micro)")
        return self

    @model_validator(mode="after")
    def _in_range(self) -> ScoreEntry:
        top = 100 if self.unit == "percent" else 1
        if not self.value.is_finite() or not 0 <= self.value <= top:
            raise ValueError(f"value {self.value}: expected 0 to {top} for the unit {self.unit!r}")
        return self

    def noun(self) -> ScoreClaim:
        """Return the claim as the record holds it."""
        task = self.protocol.task
        about = f"{self.benchmark}/{task}" if task and task != self.benchmark else self.benchmark
        return ScoreClaim(
            id=f"score:{about}/{self.metric}",
            benchmark=self.benchmark,
            metric=self.metric,
            value=self.value,
            unit=self.unit,
            n_items=self.n_items,
            runs=self.runs,
            average_of=tuple(self.average_of),
            averaging=self.averaging,
            protocol=self.protocol.noun(),
            source="release.yaml",
        )


class BaselineEntry(Wire):
    """Another model's score as the release shows it, and as that model's publisher states it."""

    model: Text
    benchmark: Text
    metric: Text
    value: Number
    unit: Unit
    published: Number | None = None
    published_source: Text | None = None


class BaseEntry(Wire):
    """The base model as announced; ``path`` is a local copy of its weights.

    ``fingerprint`` is a file that stands for them where there is no copy.
    """

    id: Text
    revision: Text | None = None
    relation: Relation | None = None
    license: Text | None = None
    path: PathText | None = None
    fingerprint: PathText | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class TrainingEntry(Wire):
    """A statement about training."""

    name: Text
    value: Text


class StatementEntry(Wire):
    """A claim in words, under an id of its own."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    topic: Text
    text: Text


class DecontaminationEntry(Wire):
    """A tool that took items of ``benchmarks`` (all, where none is named) out of the data.

    ``output`` is what the tool wrote about it: JSON, JSON Lines or CSV.
    """

    tool: Text
    benchmarks: list[Text] = []
    output: PathText | None = None


ComponentName = Literal[
    "model-architecture", "model-parameters-final", "evaluation-results", "model-card",
    "data-card", "technical-report", "training-code", "inference-code", "evaluation-code",
    "evaluation-data", "datasets", "data-preprocessing-code", "model-parameters-intermediate",
    "research-paper", "model-metadata", "supporting-libraries", "sample-outputs",
]  # fmt: skip


class OpennessEntry(Wire):
    """The class of the Model Openness Framework that is claimed, and where its components lie."""

    class_: Literal["I", "II", "III"] | None = Field(default=None, alias="class")
    components: dict[ComponentName, list[PathText]] = {}


class DvcEntry(Wire):
    """The DVC project that holds the ledger: this folder or one around it."""

    project: PathText = "."


class EvaluationEntry(Wire):
    """An evaluation result, and the weights that the publisher says it was measured on.

    ``cluster`` is the field of its rows that names the group of an item: a passage, a subject.
    """

    path: PathText
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    cluster: Text | None = None


def as_evaluation(value: Any) -> Any:
    """Return a bare path as an entry; anything else unchanged."""
    return {"path": value} if isinstance(value, str) else value


class EvidenceEntry(Wire):
    """Where the evidence lies."""

    dvc: DvcEntry | None = None
    datasets: list[PathText] = []
    training_configs: list[PathText] = []
    job_logs: list[PathText] = []
    records: list[PathText] = []
    evaluations: list[Annotated[EvaluationEntry, BeforeValidator(as_evaluation)]] = []
    findings: list[PathText] = []


class ReproduceEntry(Wire):
    """An evaluation that is to be run again: a task, and the adapter that runs it.

    ``task`` is a task file of the release (``*.yaml``), or the name of a task that the operator's
    own harness brings. Without ``runs`` as many are planned as an honest release needs.
    """

    task: PathText
    benchmark: Text | None = None
    adapter: AdapterName = "reference"
    runs: int | None = Field(default=None, gt=0, le=64)
    seeds: list[Seed] = Field(default=[], max_length=64)

    @model_validator(mode="after")
    def _one_seed_a_run(self) -> ReproduceEntry:
        if self.seeds and self.runs not in {None, len(self.seeds)}:
            raise ValueError(f"{len(self.seeds)} seeds for {self.runs} runs: expected as many")
        return self


class EndpointEntry(Wire):
    """A hosted API that is said to serve the released weights; no credentials in its address."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=400)]
    model: Text | None = None
    api: Literal["completions", "chat"] = "completions"


class ReleaseEntry(Wire):
    """What is released."""

    name: Text
    version: Text | None = None
    hub_id: Text | None = None
    revision: Text | None = None
    announced: Announced | None = None
    license: Text | None = None


class ReleaseManifest(Wire):
    """The whole of ``release.yaml``."""

    schema_: Literal["audit-flow/release/v1"] = Field(alias="schema")
    release: ReleaseEntry
    weights: PathText | None = None
    card: PathText | None = None
    announcement: PathText | None = None
    base_model: BaseEntry | None = None
    scores: list[ScoreEntry] = []
    baselines: list[BaselineEntry] = []
    training: list[TrainingEntry] = []
    statements: list[StatementEntry] = []
    decontamination: list[DecontaminationEntry] = []
    openness: OpennessEntry | None = None
    disclosures: dict[Text, Text] = {}
    checksums: dict[PathText, DigestText] = {}
    evidence: EvidenceEntry = EvidenceEntry()
    reproduce: list[ReproduceEntry] = []
    endpoints: list[EndpointEntry] = []

    def claims(self) -> tuple[Claim, ...]:
        """Return every claim of the manifest in a stable order."""
        claims: list[Claim] = [score.noun() for score in self.scores]
        if self.base_model:
            base = self.base_model
            claims.append(
                BaseModelClaim(
                    id=f"base-model:{base.id}",
                    base=base.id,
                    source="release.yaml",
                    **base.model_dump(exclude={"id", "license", "fingerprint"}),
                )
            )
        claims += [
            TrainingClaim(
                id=f"training:{t.name}", name=t.name, value=t.value, source="release.yaml"
            )
            for t in self.training
        ]
        claims += [
            StatementClaim(
                id=f"statement:{s.id}", topic=s.topic, text=s.text, source="release.yaml"
            )
            for s in self.statements
        ]
        claims += [_checksum(path, text) for path, text in sorted(self.checksums.items())]
        return tuple(claims)


def baselines(manifest: ReleaseManifest) -> tuple[Baseline, ...]:
    """Return the scores of other models that the release shows."""
    return tuple(
        Baseline(
            id=f"baseline:{b.model}/{b.benchmark}/{b.metric}",
            source="release.yaml",
            trust=Trust.SELF_REPORTED,
            model=b.model,
            benchmark=b.benchmark,
            metric=b.metric,
            reported=b.value,
            published=b.published,
            unit=b.unit,
            published_source=b.published_source,
        )
        for b in manifest.baselines
    )


def _checksum(path: str, text: str) -> ChecksumClaim:
    algorithm, _, digits = text.partition(":")
    digest = Digest.model_validate({"algorithm": algorithm, "hex": digits})
    return ChecksumClaim(id=f"checksum:{path}", path=path, digest=digest, source="release.yaml")
