"""The names in an announcement: claimed benchmarks, variants of them, strangers, and models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from audit_flow.analysis.announcement_subject import benchmark_like
from audit_flow.analysis.names import benchmark_key, metric_key
from audit_flow.model import (
    Baseline,
    BaseModelClaim,
    GpuJob,
    LineageRecord,
    ScoreClaim,
    TrainingClaim,
)

_WORD = re.compile(r"[\w@+#]+(?:[-_.][\w@+#]+)*")
# A word behind a benchmark's name that makes another benchmark of it.
_VARIANT = re.compile(
    r"pro|plus|redux|hard|easy|diamond|extended|verified|lite|xl|mini|max|ultra|v\d[\d.]*",
    re.IGNORECASE,
)
# What may be joined to a name without making another of it: how it was asked.
_ASKED = re.compile(r"\d+shots?|zeroshot|fewshot|shots?|cot", re.IGNORECASE)
# Models that announcements compare themselves with; only used to see that a number is another's.
FAMILIES = re.compile(
    r"\b(?:meta[- ])?(?:llama|gpt|chatgpt|claude|gemini|gemma|qwen|mistral|mixtral|phi|deepseek"
    r"|olmo|yi|falcon|command|grok|nemotron|granite|smollm|pythia|kimi|glm|minicpm|dbrx|palm)"
    r"(?:[- ]?v?\d[\w.]*)?(?:[- ](?:\d+(?:\.\d+)?[BMK]?|instruct|chat|base|preview|mini|pro|turbo"
    r"|sonnet|opus|haiku|flash|ultra|large|medium|small|nano|r\+?)\b)*|\bo\d(?:-\w+)?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Mention:
    """A benchmark that a text names, and where."""

    start: int
    end: int
    key: str


class Known:
    """What the record claims, by the names that an announcement may use."""

    def __init__(self, record: LineageRecord) -> None:
        self.scores: dict[str, list[ScoreClaim]] = {}
        for claim in record.of(ScoreClaim):
            for name in {claim.benchmark, claim.protocol.task or claim.benchmark}:
                self.scores.setdefault(benchmark_key(name), []).append(claim)
        self.metrics = frozenset(metric_key(c.metric) for c in record.of(ScoreClaim))
        self.baselines = tuple(record.of(Baseline))
        self.training = tuple(record.of(TrainingClaim))
        self.chips = frozenset(j.gpu_model for j in record.of(GpuJob) if j.gpu_model)
        subject = record.subject
        bases = [c.base for c in record.of(BaseModelClaim)]
        own = names_of([subject.name, subject.hub_id or ""])
        versions = [f"{name} {subject.version}" for name in own if subject.version]
        self.own = names_of([*own, *versions, *bases])
        self.others = names_of(b.model for b in self.baselines)
        self.keys = {*self.scores, *(benchmark_key(b.benchmark) for b in self.baselines)}


def names_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names as people may write them, longest first: whole, and without owner."""
    found = {part for t in texts if t for part in (t, t.rsplit("/", 1)[-1])}
    return tuple(sorted({n.casefold() for n in found if len(n) > 2}, key=len, reverse=True))


def _loose(name: str) -> str:
    """Return a pattern that takes any of space, hyphen and underscore for each other."""
    return r"[\s\-_]+".join(re.escape(p) for p in re.split(r"[\s\-_]+", name) if p)


def spans(context: str, names: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    """Yield where a text has one of the names, however its parts are joined."""
    for name in names:
        pattern = _loose(name)
        for match in re.finditer(rf"(?<![\w]){pattern}(?!\w)", context, re.IGNORECASE):
            yield match.start(), match.end(), name


def mentions_in(text: str, known: Known) -> list[Mention]:
    """Return the claimed benchmarks that a text names, the longest name at each place.

    A variant ("MMLU-Pro", "MMLU Pro" where MMLU is claimed) is told too, by a key of its own.
    """
    words = list(_WORD.finditer(text))
    found: list[Mention] = []
    at = 0
    while at < len(words):
        for count in range(min(4, len(words) - at), 0, -1):
            last = words[at + count - 1]
            key = benchmark_key(text[words[at].start() : last.end()])
            if key in known.keys:
                after = words[at + count] if at + count < len(words) else None
                suffix = _suffix(text, last.end(), after)
                end = after.end() if after and suffix else last.end()
                found.append(Mention(words[at].start(), end, key + suffix))
                at += count - 1
                break
        else:
            if _is_variant(words[at][0], known):
                key = benchmark_key(words[at][0])
                found.append(Mention(words[at].start(), words[at].end(), key))
        at += 1
    return found


def _suffix(text: str, end: int, after: re.Match[str] | None) -> str:
    """Return the word behind a name that makes another benchmark of it, if one does."""
    if after is None or not re.fullmatch(r"[\s()_*-]*", text[end : after.start()]):
        return ""
    return after[0].casefold() if _VARIANT.fullmatch(after[0]) else ""


def _is_variant(word: str, known: Known) -> bool:
    """Say whether a joined word holds a claimed name: "add_2digit-hard" is not add_2digit."""
    parts = re.split(r"[-_.]+", word)
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            rest = [*parts[:start], *parts[end:]]
            if rest and benchmark_key("_".join(parts[start:end])) in known.keys:
                return not all(_ASKED.fullmatch(p) for p in rest if p)
    return False


def strangers_in(text: str, known: Known) -> list[Mention]:
    """Return the names that look like benchmarks of which nothing is claimed."""
    models = [m.span() for m in FAMILIES.finditer(text)]
    models += [(s, e) for s, e, _ in spans(text, (*known.own, *known.others))]
    found: list[Mention] = []
    for word in _WORD.finditer(text):
        if any(s < word.end() and word.start() < e for s, e in models):
            continue
        if benchmark_like(word[0]) and metric_key(word[0]) not in known.metrics:
            found.append(Mention(word.start(), word.end(), "?" + benchmark_key(word[0])))
    return found


def spans_any(text: str, names: Iterable[str]) -> bool:
    """Say whether a text has one of the names."""
    return next(spans(text, names), None) is not None
