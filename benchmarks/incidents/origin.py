"""Likeness: what equals another model speaks against a claim of origin, and for one of identity."""

from __future__ import annotations

import re
from collections.abc import Iterable

from audit_flow.model.published_facts import Says
from benchmarks.incidents.wording import says_of

# Claims that nothing else was the source: what equals another model speaks against them.
_ORIGIN = re.compile(
    r"from scratch|from the ground up|from random|\b(?:own|in-?house|original) (?:model|weights|"
    r"architecture|pre-?training)|(?:no|without an?) (?:base|parent|upstream)"
    r"|not (?:derived|based on|fine-?tuned)"
)
# What is public may be used by anybody.
_ARCHITECTURE = re.compile(
    r"^(?:the )?(?:same|identical|equal|matching|shared|common|similar) (?:public |open |model )?"
    r"(?:architectures?|shapes?|layouts?|dimensions|sizes|layer (?:counts?|names)|tensor (?:names"
    r"|shapes)|tokeni[sz]ers?|vocabular(?:y|ies)|config(?:uration)?s?|hyper-?parameters?|class(?:es"
    r")?|code base|names)(?: (?:only|alone|and (?:names|shapes|layout|tokeni[sz]er|sizes)))*$"
)
_BYTES = (
    r"(?:files?|shards?|weights?|tensors?|bytes?|digests?|hash(?:es)?|sha-?\d+|checksums?"
    r"|embeddings?)"
)
_IS_SAME = re.compile(
    rf"\b(?:identical|equal|same) (?:\w+ )?{_BYTES}\b"
    r"|^(?:bit|byte)-?(?:for-?(?:bit|byte)-?)?(?:wise )?(?:identical|equal)\b(?! (?:re-?run"
    r"|reproduc|result|output|log))"
    r"|identical to (?:an?|another) (?:\w+ )?(?:model|upload|checkpoint|release)"
    rf"|cop(?:y|ies) of (?:\w+ )?{_BYTES}"
)
_OF_ITSELF = re.compile(
    r"as (?:evaluated|claimed|declared|released|stated|announced|before)"
    r"|the (?:claim|card|released)|\bin two|\bon both|across|mirror"
)
_NOT_SAME = re.compile(
    r"\b(?:no|not|never|none|nothing|cannot|hardly|barely|without|zero|nearly|almost|far from|0 of|"
    r"non)\b|n't\b"
)


def says_of_origin(verdict: str, claims: Iterable[str]) -> Says | None:
    """Return what a verdict on likeness says of claims of origin; None where it is about neither.

    Of other claims the same word may mean the contrary: weights identical to those evaluated.
    """
    text = " ".join(verdict.casefold().split())
    told = list(claims)
    if not told or not all(map(is_of_origin, told)):
        return None
    if _ARCHITECTURE.search(text):
        return "informs"
    alike = _IS_SAME.search(text) and not _OF_ITSELF.search(text) and not _NOT_SAME.search(text)
    # Whatever else it says is read as ever: a dispute, a suspicion, an architecture alone.
    return "contradicts" if alike and says_of(text) in {"unclear", "supports"} else None


def is_of_origin(claim: str) -> bool:
    """Say whether a claim is that nothing else was the source of a model."""
    return bool(_ORIGIN.search(claim.casefold()))
