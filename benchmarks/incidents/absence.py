"""Looked for and not found: a finding of nothing confirms a claim that there is nothing.

Of any other claim it says neither: that no leak was found reproduces no score.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from audit_flow.model.published_facts import Says
from benchmarks.incidents.origin import is_of_origin
from benchmarks.incidents.wording import is_doubtful, says_of

_NONE = r"(?:no|none|not|never|nothing|without|free (?:of|from)|zero|0)\b"
_FOUND = (
    r"(?: (?:was |were |is |are )?(?:found|seen|detected|visible|present|in (?:it|them|any|the \w+)"
    r"|at all|whatsoever|anywhere))*"
)
# What was looked for, and the claims that say it is not there.
_TOPICS: tuple[tuple[str, str | None], ...] = (
    (
        r"contaminat\w*|overlaps?|leak(?:s|ed|age|ing)?|memori[sz]\w*|test (?:items?|set|questions?"
        r"|data)|duplicates?|future commits?|answers?|solutions?",
        r"contaminat|overlap|leak|memori[sz]|test[- ](?:set|items?|data|questions?)|benchmark"
        r"|held[- ]out|unseen|problems?\b|items?\b|questions?\b|answers?\b|solutions?\b|commits?\b",
    ),
    (
        r"(?:deriv\w*|cop(?:y|ying|ied)|plagiari\w*|(?:shared )?(?:lineage|ancestry)|relation|"
        r"relationship|kinship)(?: (?:from|of|to|with) [^,;]{1,60})?",
        None,
    ),
    (
        r"corrupt\w*|tamper\w*|alter\w*|changes?|damage\w*|modif\w*|difference\w*|"
        r"missing (?:files?|shards?)|(?:files? |shards? )?missing",
        r"integrity|digest|checksum|sha-?\d|hash|bytes|unchanged|unmodified|unaltered|identical"
        r"|equal|immutab|files? (?:of|are|is|as)|shards?",
    ),
    (
        r"malware|malicious (?:code|payload|files?)|backdoors?|trojans?|payloads?|poison\w*"
        r"|executable code|unsafe pickles?",
        r"malware|malicious|backdoor|trojan|payload|poison|code execution|executable|pickle|secur"
        r"|safe to load",
    ),
)  # fmt: skip
_DENIES = re.compile(
    rf"\b(?:{_NONE}|neither|clean|decontaminat|excluded|removed|filtered out|held[- ]out|unseen"
    r"|disjoint|separate|unchanged|unmodified|unaltered|intact|identical|equal|as signed|safe)"
)


def says_of_absence(verdict: str, claims: Iterable[tuple[str, str]]) -> Says | None:
    """Return ``supports`` where a verdict finds nothing, and that is what is claimed.

    ``claims`` are kinds and texts of the claims that it bears on; all of them have to claim it.
    """
    text = " ".join(verdict.casefold().split())
    told = [(kind, text.casefold()) for kind, text in claims]
    for looked_for, claimed in _TOPICS:
        sought = rf"(?:(?:any|such|other|sign of|signs of|trace of|traces of) )?(?:{looked_for})"
        found = re.match(rf"{_NONE} {sought}{_FOUND}(?P<rest>[,;:(].*)?$", text)
        if found is None or not told or _is_contrary(found.group("rest") or ""):
            continue
        if all(_claims(claimed, kind, words) for kind, words in told):
            return "supports"
    return None


def _claims(topic: str | None, kind: str, words: str) -> bool:
    if topic is None:
        return is_of_origin(f"{kind}: {words}")
    return bool(re.search(topic, f"{kind} {words}") and _DENIES.search(words))


def _is_contrary(rest: str) -> bool:
    """Say whether what follows is anything but more of the same."""
    return bool(rest) and (
        is_doubtful(rest) or says_of(rest.lstrip(",;:( ")) not in {"supports", "informs", "unclear"}
    )
