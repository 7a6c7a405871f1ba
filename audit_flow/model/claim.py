"""What the publisher says (model-index, ``.eval_results``, release.yaml)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from audit_flow.model.base import Frozen, RelativePath, Sha256Hex, ShortText
from audit_flow.model.digest import Digest

Unit = Literal["percent", "fraction"]
Relation = Literal["finetune", "adapter", "quantized", "merge", "continued-pretraining", "scratch"]
ClaimId = Annotated[str, StringConstraints(min_length=1, max_length=300)]
# NaN and infinity are no scores.
Number = Annotated[Decimal, Field(allow_inf_nan=False, max_digits=40)]

EMPTY_TEXT_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Sampling(Frozen):
    """How tokens were drawn; temperature 0 is greedy decoding."""

    temperature: Number | None = Field(default=None, ge=0)
    top_p: Number | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, gt=0, lt=2**53)


class Protocol(Frozen):
    """The conditions a score was measured under; an absent field is unknown, which is not equal.

    Prompts and templates are held by SHA-256 of their text; the digest of the empty text says
    that there was none.
    """

    harness: ShortText | None = None
    harness_version: ShortText | None = None
    task: ShortText | None = None
    task_version: ShortText | None = None
    shots: int | None = Field(default=None, ge=0, lt=2**53)
    system_prompt_sha256: Sha256Hex | None = None
    chat_template_sha256: Sha256Hex | None = None
    extraction: ShortText | None = None
    sampling: Sampling | None = None
    pass_at_k: int | None = Field(default=None, gt=0, lt=2**53)
    maj_at_k: int | None = Field(default=None, gt=0, lt=2**53)
    inference_budget: ShortText | None = None
    dataset_revision: ShortText | None = None
    host: Literal["self-hosted", "hosted"] | None = None
    prompts_sha256: Sha256Hex | None = None


class ScoreClaim(Frozen):
    """A claimed score, with its digits as written.

    ``value`` is in ``unit``; ``runs`` is the number of runs that the publisher averaged. An
    aggregate names the benchmarks it is the average of: each counting once (macro) or by items
    (micro).
    """

    kind: Literal["score"] = "score"
    id: ClaimId
    benchmark: ShortText
    metric: ShortText
    value: Number
    unit: Unit | None = None
    n_items: int | None = Field(default=None, gt=0, lt=2**53)
    runs: int = Field(default=1, gt=0, le=100_000)
    protocol: Protocol = Protocol()
    average_of: tuple[ShortText, ...] = ()
    averaging: Literal["macro", "micro"] | None = None
    source: str

    @property
    def fraction(self) -> float:
        """The claimed value as a fraction of one."""
        return float(self.value) / 100 if self.unit == "percent" else float(self.value)

    @property
    def half_unit(self) -> float:
        """Half of the last digit's place, as a fraction: what rounding can hide."""
        exponent = self.value.as_tuple().exponent
        places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        half: float = 0.5 * 10.0**-places
        return half / 100 if self.unit == "percent" else half

    def written(self) -> str:
        """The value as people write it: ``93.4 %`` or ``0.934``."""
        return f"{self.value} %" if self.unit == "percent" else str(self.value)


class BaseModelClaim(Frozen):
    """The model that the release says it was made from, and how."""

    kind: Literal["base-model"] = "base-model"
    id: ClaimId
    base: ShortText
    revision: ShortText | None = None
    relation: Relation | None = None
    path: RelativePath | None = None
    sha256: Sha256Hex | None = None
    source: str


class ChecksumClaim(Frozen):
    """A file of the release and the digest that is announced for it."""

    kind: Literal["checksum"] = "checksum"
    id: ClaimId
    path: RelativePath
    digest: Digest
    source: str


class TrainingClaim(Frozen):
    """A statement about training (epochs, steps, learning rate, method), as name and value."""

    kind: Literal["training"] = "training"
    id: ClaimId
    name: ShortText
    value: ShortText
    source: str


class StatementClaim(Frozen):
    """A claim in words that no other kind of claim holds: its topic and what it says."""

    kind: Literal["statement"] = "statement"
    id: ClaimId
    topic: ShortText
    text: ShortText
    source: str


Claim = Annotated[
    ScoreClaim | BaseModelClaim | ChecksumClaim | TrainingClaim | StatementClaim,
    Field(discriminator="kind"),
]
ClaimKind = Literal["score", "base-model", "checksum", "training", "statement"]
