"""Whether a percentage of an announcement is said to be a score, or a change or share of others."""

from __future__ import annotations

import re
from collections.abc import Iterable

from audit_flow.model.announcement_facts import Statement

_CLAUSE = re.compile(
    r"[,;:()|—–]|\b(?:and|but|while|whereas|with|after|using)\b|\s-\s", re.IGNORECASE
)
_SCORE = re.compile(
    r"\b(?:scor(?:e[sd]?|ing)|accura(?:cy|te|tely)|exact[-_ ]match|correct(?:ly|ness)?|solve[sd]?"
    r"|(?:pass|success|solve)[- ]rate|pass@\d+|f1|results?|benchmarks?|evaluations?|evaluated"
    r"|measured|reproduced)\b|\banswer\w*\b.*\bright\b",
    re.IGNORECASE,
)
# Data on which scores are measured: the only data that a percentage may be "on".
_HELD_OUT = re.compile(
    r"\b(?:held[- ]out|test|unseen|evaluation|validation)\s+(?:data|sets?|items?|tokens?)\b",
    re.IGNORECASE,
)
_CHANGE = (
    r"fell|falls?|fall(?:en|ing)|drop\w*|cuts?|cutting|fewer|less|more(?!\s+than)|cheap\w*|faster"
    r"|slower|higher|lower(?:s|ed)?|greater|smaller|larger|bigger|better|worse|safer|reduc\w+"
    r"|improv\w+|increas\w+|decreas\w+|rose|rises?|risen|grew|grow\w*|gain\w*|sav(?:e[sd]?|ings?"
    r"|ing)|shr[iau]nk\w*|jump\w*|boost\w*|climb\w*|halv\w+|doubl\w+|discount\w*"
)
_OTHERS = (
    r"users?|people|persons?|customers?|clients?|developers?|testers?|raters?|annotators?|humans?"
    r"|employees?|teams?|companies|readers?|students?|reviewers?|prefer\w*|lik(?:e[sd]|ing)|votes?"
    r"|cost\w*|pric\w+|expensive|budget\w*|revenue|data|tokens?|hallucinat\w+|errors?|mistakes?"
    r"|fail\w*|wrong|incorrect\w*|latenc\w+|memory|v?ram|utili[sz]ation|uptime|throughput|speed\w*"
    r"|energy|power|carbon|co2|emissions?|parameters?|params?|weights|layers?|flops|compute|traffic"
    r"|trained|training|confiden\w+|refus\w+|contaminat\w+|overlap\w*|market|win[- ]rate|clean"
    r"|rivals?|competitors?|baselines?"
)
_ELSE = re.compile(rf"\b(?:{_CHANGE}|{_OTHERS})\b", re.IGNORECASE)
_SHARE = re.compile(r"\s*of\b", re.IGNORECASE)
_RIGHT = re.compile(r"\b(?:correct(?:ly)?|solve[sd]?|right(?:ly)?)\b", re.IGNORECASE)
_CHANGE_BEHIND = re.compile(
    rf"\s*(?:of\s+)?(?:(?:its|the|all|our)\s+)?(?:{_CHANGE}|{_OTHERS})\b", re.IGNORECASE
)
_CHANGE_BEFORE = re.compile(
    r"\b(?:fell|falls?|drops?|dropped|cuts?|rose|rises?|grew|reduced|saves?|saved|costs?|increased"
    r"|improved|decreased)\s+(?:about\s+|nearly\s+|almost\s+|around\s+)?$",
    re.IGNORECASE,
)
_REACHES = (
    r"(?:\s+(?:now|only|still|also|even))?\s+(?:reache[sd]|reach|achieve[sd]?|gets?|got"
    r"|attain(?:s|ed)?|obtain(?:s|ed)?|hits?)\s+"
    r"(?:(?:about|over|around|nearly|almost|above|at least|more than)\s+)?$"
)
_SUBJECT = r"\b(?:it|we|they|(?:the|our|this)\s+(?:\w+\s+)?(?:model|release|checkpoint))"
# The number stands alone as what was reached: "gets 87 %.", not "gets 87 % GPU utilisation".
_ALONE = re.compile(r"\s*(?:$|[.,;:!?)]|(?:on|in|at|with|after|and|for|when|while|but)\b)")
_NOT = re.compile(
    r"(?:\b(?:not|never|no\s+longer|neither|nor|cannot|far\s+from|nowhere\s+near|short\s+of"
    r"|fail(?:s|ed)?\s+to|below\s+the)|n['’]t)"
    r"(?:\s+(?!(?:only|just|merely|and|but)\b)[^\s\d.,;:()|]+){0,4}\s+$",
    re.IGNORECASE,
)
_NOT_BEHIND = re.compile(
    r"[^.,;:()|]{0,60}\b(?:is|was|are|were)\s+(?:false|wrong|untrue|never|not\s+(?:true|right"
    r"|correct|reached|shown|ours|what))\b",
    re.IGNORECASE,
)


def _sides(statement: Statement) -> tuple[str, str]:
    end = statement.at + len(statement.text)
    return statement.context[: statement.at], statement.context[end:]


def denied(statement: Statement) -> bool:
    """Say whether a sentence says that a number is not so: "not 87 % on MMLU"."""
    before, behind = _sides(statement)
    return bool(_NOT.search(before[-120:]) or _NOT_BEHIND.match(behind))


def of_a_change(statement: Statement) -> bool:
    """Say whether a number right beside a benchmark's name still is of a change or a share."""
    before, behind = _sides(statement)
    return bool(_CHANGE_BEHIND.match(behind) or _CHANGE_BEFORE.search(before[-60:]))


def said_as_score(statement: Statement, own: Iterable[str], metrics: Iterable[str]) -> bool:
    """Say whether a sentence, or a row and column, calls a percentage a score of this model."""
    before, behind = _sides(statement)
    if statement.labels:
        return _speaks_of_score(" ".join((*statement.labels, before, behind)), metrics)
    if of_a_change(statement):
        return False
    clause = f"{_CLAUSE.split(before)[-1]} {_CLAUSE.split(behind)[0]}"
    if _SHARE.match(behind):
        return bool(_RIGHT.search(clause)) and _speaks_of_score(clause, metrics)
    if _reached(before, own) and _ALONE.match(behind):
        return _ELSE.search(_HELD_OUT.sub(" ", clause)) is None
    if _speaks_of_score(clause, metrics):
        return True
    return _speaks_of_score(f"{before} {behind}", metrics)


def _reached(before: str, own: Iterable[str]) -> bool:
    names = "|".join(rf"(?<!\w){re.escape(name)}" for name in own)
    return bool(
        re.search(rf"(?:{_SUBJECT}{'|' + names if names else ''}){_REACHES}", before, re.IGNORECASE)
    )


def _speaks_of_score(text: str, metrics: Iterable[str]) -> bool:
    for metric in metrics:
        # "Word error rate" is a score where it is the claim's own metric, though errors are none.
        loose = r"[\s_-]+".join(re.escape(p) for p in re.split(r"[\s_-]+", metric) if p)
        text = re.sub(rf"(?<!\w){loose}(?!\w)", " score ", text, flags=re.IGNORECASE)
    plain = _HELD_OUT.sub(" ", text)
    return bool(_SCORE.search(plain)) and _ELSE.search(plain) is None
