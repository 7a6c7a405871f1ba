"""What kind of number a metric is, and so what the score rule can judge about it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["binary", "bounded", "unbounded", "unknown"]

_LIMITS: dict[Kind, str] = {
    "binary": "a mean of right and wrong items: the rule, GRIM and the standard error all apply",
    "bounded": (
        "a mean of item scores between two bounds: the rule applies, with the assumed noise as "
        "an upper bound; GRIM and the Bernoulli standard error do not"
    ),
    "unbounded": (
        "not a mean of bounded item scores: the rule can't judge it; compare the recomputed "
        "value itself, or ask for a bounded metric"
    ),
    "unknown": "not a known metric: state its bounds before the rule judges it",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """The kind of a metric and, for means, the bounds of one item's score."""

    kind: Kind
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"got bounds {self.low} to {self.high}; expected low < high")

    @property
    def judgeable(self) -> bool:
        """Whether the score rule holds for this metric."""
        return self.kind in ("binary", "bounded")

    @property
    def limits(self) -> str:
        """In words, what the rule can and can't judge about this metric."""
        return _LIMITS[self.kind]

    def fraction(self, value: float) -> float:
        """The value as a fraction of the way from the low bound to the high one.

        Raises ValueError when the metric is not a bounded mean or the value is out of bounds.
        """
        if not self.judgeable:
            raise ValueError(f"got a metric that is {self.limits}")
        if not self.low <= value <= self.high:
            raise ValueError(f"got {value}; expected {self.low} to {self.high}")
        return (value - self.low) / (self.high - self.low)


_BINARY = ("acc", "accuracy", "acc_norm", "exact_match", "em", "pass@1", "strict_match",
           "flexible_extract", "prompt_level_strict_acc", "prompt_level_loose_acc",
           "inst_level_strict_acc", "inst_level_loose_acc", "resolved", "quasi_exact_match",
           "prefix_exact_match", "multi_choice", "maj")  # fmt: skip
_BOUNDED = ("f1", "rouge1", "rouge2", "rougel", "rougelsum", "mc2", "brier_item", "anls",
            "partial_credit", "mc1", "pass@k")  # fmt: skip
# Corpus-level and rank statistics are bounded too, but are no mean of item scores.
_UNBOUNDED = ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "elo", "bleu",
              "chrf", "ter", "mcc", "matthews_correlation", "pearson", "spearman", "loglikelihood",
              "arena_score", "macro_f1", "f1_macro", "auc", "roc_auc")  # fmt: skip


# Shares in which the better model has the lower number: of words, characters, items or answers.
_ERROR_RATES = frozenset(
    {"wer", "cer", "mer", "wil", "eer", "err", "error", "errors", "hallucination",
     "hallucinations", "toxicity", "failure", "failures"}
)  # fmt: skip
# "Error correction accuracy" is no error rate.
_OF_SUCCESS = frozenset(
    {"accuracy", "acc", "correction", "detection", "recovery", "free", "recall", "precision",
     "match", "score"}
)  # fmt: skip
_ERROR_RATE = re.compile(r"\b(?:error rate|attack success)\b")


def _normalised(metric: str) -> str:
    name = metric.strip().lower().split(",")[0]
    return re.sub(r"[\s\-]+", "_", name)


def _known_scales() -> dict[str, Scale]:
    kinds: tuple[tuple[Kind, tuple[str, ...]], ...] = (
        ("binary", _BINARY),
        ("bounded", _BOUNDED),
        ("unbounded", _UNBOUNDED),
    )
    return {name: Scale(kind) for kind, names in kinds for name in names}


_KNOWN = _known_scales()


def scale_of(metric: str) -> Scale:
    """The scale of a metric by its name in the harnesses ("acc,none" and "pass@10" too).

    A name that is not known gives kind "unknown", which the rule must not judge.
    """
    name = _normalised(metric)
    if name not in _KNOWN and re.fullmatch(r"pass@[1-9][0-9]{0,6}", name):
        name = "pass@k"
    if name not in _KNOWN and re.fullmatch(r"maj@[1-9][0-9]{0,6}", name):
        name = "maj"
    return _KNOWN.get(name, Scale("unknown"))


def is_error_rate(metric: str) -> bool:
    """Say whether a metric, by its name, is a share of which less is better."""
    text = re.sub(r"[\s_\-]+", " ", metric.casefold())
    words = set(re.findall(r"[a-z]+", text))
    return bool((_ERROR_RATES & words and not _OF_SUCCESS & words) or _ERROR_RATE.search(text))
