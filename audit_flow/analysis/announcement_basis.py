"""Which claim each statement of an announcement rests on, if any."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from audit_flow.analysis.announcement_subject import counts, unclaimed_benchmark
from audit_flow.analysis.names import benchmark_key
from audit_flow.model import (
    Baseline,
    BaseModelClaim,
    GpuJob,
    LineageRecord,
    ScoreClaim,
    TrainingClaim,
)
from audit_flow.model.announcement_facts import Statement

Status = Literal["backed", "contradicted", "unbacked"]

_WORD = re.compile(r"[\w@+#]+(?:[-_.][\w@+#]+)*")
# A word behind a benchmark's name that makes another benchmark of it.
_VARIANT = frozenset({"pro", "plus", "redux", "hard", "diamond", "verified", "lite", "xl", "mini"})
# Models that announcements compare themselves with; only used to see that a number is another's.
_FAMILIES = re.compile(
    r"\b(?:meta[- ])?(?:llama|gpt|chatgpt|claude|gemini|gemma|qwen|mistral|mixtral|phi|deepseek"
    r"|olmo|yi|falcon|command|grok|nemotron|granite|smollm|pythia|kimi|glm|minicpm|dbrx|palm)"
    r"(?:[- ]?v?\d[\w.]*)?(?:[- ](?:\d+(?:\.\d+)?[BMK]?|instruct|chat|base|preview|mini|pro|turbo"
    r"|sonnet|opus|haiku|flash|ultra|large|medium|small|nano|r\+?)\b)*|\bo\d(?:-\w+)?\b",
    re.IGNORECASE,
)
_OURS = frozenset({"ours", "our", "this", "model", "claimed", "value", "%"}) | frozenset(
    {"score", "scores", "accuracy", "result", "results", "metric"}
)
_SCALE = {None: 0, "%": 0, "points": 0, "x": 0, "K": 3, "M": 6, "B": 9, "T": 12}
_MAGNITUDE = re.compile(r"^\s*([\d,]+(?:\.\d+)?(?:[eE]\+?\d{1,2})?)\s*([KMBT])?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Basis:
    """What one statement rests on: the claim, or why there is none."""

    statement: Statement
    status: Status
    why: str
    claim: str | None = None


@dataclass(frozen=True)
class _Mention:
    start: int
    end: int
    key: str


class _Known:
    """What the record claims, by the names that an announcement may use."""

    def __init__(self, record: LineageRecord) -> None:
        self.scores: dict[str, list[ScoreClaim]] = {}
        for claim in record.of(ScoreClaim):
            for name in {claim.benchmark, claim.protocol.task or claim.benchmark}:
                self.scores.setdefault(benchmark_key(name), []).append(claim)
        self.baselines = tuple(record.of(Baseline))
        self.training = tuple(record.of(TrainingClaim))
        self.chips = frozenset(j.gpu_model for j in record.of(GpuJob) if j.gpu_model)
        subject = record.subject
        bases = [c.base for c in record.of(BaseModelClaim)]
        self.own = _names([subject.name, subject.hub_id or "", *bases])
        self.others = _names(b.model for b in self.baselines)
        self.keys = {*self.scores, *(benchmark_key(b.benchmark) for b in self.baselines)}


def bases(statements: Iterable[Statement], record: LineageRecord) -> tuple[Basis, ...]:
    """Hold each statement against the claims of a record, in order.

    A number is backed by a claim of the same thing that it equals, or that it is a rounding of;
    contradicted when it is about a claimed benchmark and equals none of its claims. Statements
    that only repeat the name of the release or of a named model are left out.
    """
    known = _Known(record)
    kept = [s for s in statements if not _is_name(s, known)]
    return tuple(_basis(s, kept, known) for s in kept)


def _names(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names as people may write them, longest first: whole, and without owner."""
    found = {part for t in texts if t for part in (t, t.rsplit("/", 1)[-1])}
    return tuple(sorted({n.casefold() for n in found if len(n) > 2}, key=len, reverse=True))


def _loose(name: str) -> str:
    """Return a pattern that takes any of space, hyphen and underscore for each other."""
    return r"[\s\-_]+".join(re.escape(p) for p in re.split(r"[\s\-_]+", name) if p)


def _spans(context: str, names: Iterable[str]) -> Iterator[tuple[int, int, str]]:
    for name in names:
        pattern = _loose(name)
        for match in re.finditer(rf"(?<![\w]){pattern}(?!\w)", context, re.IGNORECASE):
            yield match.start(), match.end(), name


def _is_name(statement: Statement, known: _Known) -> bool:
    """Say whether a number is a part of a name: "Llama 3.1 70B" states no score."""
    if statement.kind != "number" or statement.unit == "%":
        return False
    named = [(s, e) for s, e, _ in _spans(statement.context, (*known.own, *known.others))]
    named += [m.span() for m in _FAMILIES.finditer(statement.context)]
    named += [
        (m.start, m.end) for m in _mentions(statement.context, known) if m.end > statement.at + 1
    ]
    return any(s <= statement.at < e for s, e in named)


def _mentions(text: str, known: _Known) -> list[_Mention]:
    """Return the claimed benchmarks that a text names, the longest name at each place."""
    words = list(_WORD.finditer(text))
    found: list[_Mention] = []
    at = 0
    while at < len(words):
        for count in range(min(4, len(words) - at), 0, -1):
            last = words[at + count - 1]
            key = benchmark_key(text[words[at].start() : last.end()])
            after = words[at + count][0].casefold() if at + count < len(words) else ""
            if key in known.keys and after not in _VARIANT:
                found.append(_Mention(words[at].start(), last.end(), key))
                at += count - 1
                break
        at += 1
    return found


def _basis(statement: Statement, all_of_them: list[Statement], known: _Known) -> Basis:
    if statement.kind in {"superlative", "comparison"}:
        return _comparison(statement, known)
    if statement.kind == "difference":
        return _difference(statement, known)
    benchmark = _benchmark(statement, known)
    other = _other_model(statement, known)
    if other is not None:
        return _of_another(statement, other, benchmark, known)
    if benchmark is not None:
        return _of_benchmark(statement, benchmark, all_of_them, known)
    return _of_anything(statement, known)


def _benchmark(statement: Statement, known: _Known) -> str | None:
    """Return the benchmark that a number is about: by its labels, else by its sentence."""
    for label in statement.labels:
        named = _mentions(label, known)
        if named:
            return named[0].key
    mentions = [] if statement.labels else _mentions(statement.context, known)
    unclaimed: str | None = None
    if statement.unit == "%" or statement.labels:
        unclaimed = unclaimed_benchmark(statement, [m.start for m in mentions])
    if unclaimed is not None and benchmark_key(unclaimed) not in known.keys:
        return benchmark_key(unclaimed)
    if statement.labels:
        return None
    before = [m for m in mentions if m.end <= statement.at]
    after = [m for m in mentions if m.start > statement.at]
    first = re.search(r"\d+(?:\.\d+)?\s*%?", statement.context)
    number_first = first is not None and (not mentions or first.start() < mentions[0].start)
    between = (
        statement.context[statement.at + len(statement.text) : after[0].start] if after else ""
    )
    # "93.4 % on MMLU": the name follows, with no other number in between.
    follows = bool(after) and not re.search(r"\d", between)
    if follows and (number_first or not before or re.match(r"\s*(?:on|in|at|for)\b", between)):
        return after[0].key
    return before[-1].key if before else (after[0].key if follows else None)


def _other_model(statement: Statement, known: _Known) -> str | None:
    """Return the name of the other model that a number belongs to."""
    for label in statement.labels:
        words = {w.casefold() for w in re.findall(r"[\w%]+", label)}
        if _spans_any(label, known.own) or words <= _OURS or _mentions(label, known):
            continue
        named = next((n for _, _, n in _spans(label, known.others)), None)
        family = _FAMILIES.search(label)
        if named or family:
            return named or (family[0] if family else None)
    if statement.labels:
        return None
    # "versus 88.7 % for GPT-4o", "GPT-4o's 88.7 %": right before or right behind the number.
    before = statement.context[max(0, statement.at - 40) : statement.at]
    behind = statement.context[statement.at + len(statement.text) :][:40]
    for name, match in (*_named_in(before, known), *_named_in(behind, known)):
        gap = before[match[1] :] if match[2] == "before" else behind[: match[0]]
        close = r"(?:'s|’s|:|\s|=|\(|at|with|scores?|gets?|reaches)*" if match[2] == "before" else (
            r"[\s(]*(?:for|by|of|from)\s+(?:the\s+)?"
        )  # fmt: skip
        if re.fullmatch(close, gap, re.IGNORECASE):
            return name
    return None


def _named_in(text: str, known: _Known) -> Iterator[tuple[str, tuple[int, int, str]]]:
    side = "before" if text and not text[:1].isspace() and text[-1:].isspace() else "behind"
    for start, end, name in _spans(text, known.others):
        yield name, (start, end, side)
    for match in _FAMILIES.finditer(text):
        if not any(s <= match.start() < e for s, e, _ in _spans(text, known.own)):
            yield match[0], (match.start(), match.end(), side)


def _spans_any(text: str, names: Iterable[str]) -> bool:
    return next(_spans(text, names), None) is not None


def _of_benchmark(
    statement: Statement, key: str, all_of_them: list[Statement], known: _Known
) -> Basis:
    claims = known.scores.get(key, [])
    for claim in claims:
        if _equals_score(statement, claim):
            return Basis(statement, "backed", f"claims {claim.written()}", claim.id)
    counted = [c for c in claims if _is_count(statement, c)]
    if counted:
        return Basis(
            statement, "backed", "the claim's own item count, shots or runs", counted[0].id
        )
    if not claims:
        return Basis(statement, "unbacked", "no claim about this benchmark")
    if statement.unit not in {None, "%"} or not _like_a_score(statement, claims):
        return _of_anything(statement, known)
    told = [s for s in all_of_them if s is not statement and s.context == statement.context]
    if any(_equals_score(s, c) for s in told for c in claims):
        return Basis(statement, "unbacked", "a second number beside the claimed one")
    stated = ", ".join(sorted({c.written() for c in claims}))
    return Basis(statement, "contradicted", f"the claim is {stated}", claims[0].id)


def _like_a_score(statement: Statement, claims: list[ScoreClaim]) -> bool:
    """Say whether a number is written as a score is: with a sign, decimals, or in a cell."""
    if statement.unit == "%" or statement.labels:
        return True
    value = statement.value or Decimal(0)
    top = 1 if all(c.unit == "fraction" for c in claims) else 100
    return value != value.to_integral_value() and value <= top


def _of_another(statement: Statement, model: str, key: str | None, known: _Known) -> Basis:
    for line in known.baselines:
        if not _same_name(line.model, model) or key not in {None, benchmark_key(line.benchmark)}:
            continue
        for value in (line.reported, line.published):
            if value is not None and _equals(statement, value, line.unit):
                return Basis(statement, "backed", f"the baseline of {line.model}", line.id)
        if key is not None:
            why = f"the baseline of {line.model} is {line.reported}"
            return Basis(statement, "contradicted", why, line.id)
    return Basis(statement, "unbacked", f"a number of {model}, for which no baseline is stated")


def _same_name(one: str, other: str) -> bool:
    names = [re.sub(r"[\s\-_]+", "", n.rsplit("/", 1)[-1].casefold()) for n in (one, other)]
    return names[0] == names[1]


def _of_anything(statement: Statement, known: _Known) -> Basis:
    """Look for the one claim that a number without a benchmark can be."""
    for claim in known.training:
        words = {w[:5] for w in re.findall(r"[a-z]{3,}", claim.name.casefold())}
        near = {w[:5] for w in re.findall(r"[a-z]{3,}", _around(statement).casefold())}
        fits = words & near and counts(statement, claim.name, known.chips)
        if fits and _equals_text(statement, claim.value):
            return Basis(statement, "backed", f"claims {claim.name} = {claim.value}", claim.id)
    if statement.unit == "%":
        equal = {c.id: c for group in known.scores.values() for c in group}
        scored = [c for c in equal.values() if _equals_score(statement, c)]
        if len(scored) == 1:
            return Basis(statement, "backed", f"claims {scored[0].written()}", scored[0].id)
    return Basis(statement, "unbacked", "no claim states this number")


def _around(statement: Statement) -> str:
    return " ".join((*statement.labels, statement.context[max(0, statement.at - 120) :][:260]))


def _is_count(statement: Statement, claim: ScoreClaim) -> bool:
    if statement.unit is not None or statement.value is None:
        return False
    return statement.value in {claim.n_items, claim.protocol.shots, claim.runs} - {None, 1}


def _equals_score(statement: Statement, claim: ScoreClaim) -> bool:
    return _equals(statement, claim.value, claim.unit)


def _equals(statement: Statement, value: Decimal, unit: str | None) -> bool:
    """Say whether a number is the value, or a rounding of it; "over 90 %" holds for 93.4 %."""
    written = statement.value
    if written is None or statement.unit not in {None, "%"}:
        return False
    percent = value * 100 if unit == "fraction" else value
    targets = [percent] if statement.unit == "%" else [percent, percent / 100]
    if statement.bound == "at-least":
        return any(t >= written and t < written * 2 for t in targets)
    if statement.bound == "at-most":
        return any(written / 2 < t <= written for t in targets)
    return any(_rounds_to(t, written) for t in targets)


def _rounds_to(value: Decimal, written: Decimal) -> bool:
    exponent = written.as_tuple().exponent
    unit = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
    if value.normalize() == written.normalize():
        return True
    # To a whole point at the coarsest, or cut off there; never a fraction to 0 or 1.
    coarse = value <= 1 and unit > Decimal("0.01")
    return not coarse and -unit / 2 <= value - written < unit


def _equals_text(statement: Statement, text: str) -> bool:
    match = _MAGNITUDE.match(text)
    if not match or statement.value is None:
        return False
    claimed = Decimal(match[1].replace(",", "")).scaleb(_SCALE[(match[2] or "").upper() or None])
    exponent = statement.value.as_tuple().exponent
    power = _SCALE[statement.unit]
    places = exponent if isinstance(exponent, int) else 0
    unit = Decimal(1).scaleb(places + power) if power or places else Decimal(0)
    return abs(claimed - statement.value.scaleb(power)) <= unit / 2


def _difference(statement: Statement, known: _Known) -> Basis:
    """Back "3 points better than X on Y" by the claim and the baseline that it is between."""
    keys = {m.key for m in _mentions(statement.context, known)}
    for line in known.baselines:
        key = benchmark_key(line.benchmark)
        if not _spans_any(statement.context, _names([line.model])) or (keys and key not in keys):
            continue
        for claim in known.scores.get(key, []):
            shown = _points(claim.value, claim.unit) - _points(line.reported, line.unit)
            if statement.value is not None and _rounds_to(abs(shown), statement.value):
                return Basis(statement, "backed", f"against the baseline of {line.model}", claim.id)
    return Basis(statement, "unbacked", "no claim and baseline are this far apart")


def _points(value: Decimal, unit: str | None) -> Decimal:
    return value * 100 if unit == "fraction" else value


def _comparison(statement: Statement, known: _Known) -> Basis:
    """Back a comparison with a named model on named benchmarks; nothing backs "the best"."""
    if statement.kind == "superlative":
        return Basis(statement, "unbacked", "no claim is about being first")
    keys = {m.key for m in _mentions(statement.context, known)}
    named = [b for b in known.baselines if _spans_any(statement.context, _names([b.model]))]
    rows = [b for b in named if benchmark_key(b.benchmark) in keys]
    if not keys or {benchmark_key(b.benchmark) for b in rows} != keys:
        return Basis(statement, "unbacked", "no claim and baseline for everything it compares")
    last: str | None = None
    for line in rows:
        theirs = max(
            _points(v, line.unit) for v in (line.reported, line.published) if v is not None
        )
        claims = known.scores.get(benchmark_key(line.benchmark), [])
        ours = [c for c in claims if _points(c.value, c.unit) > theirs]
        if not ours:
            why = f"{line.model} is at {theirs} points on {line.benchmark}"
            return Basis(statement, "contradicted", why, claims[0].id if claims else None)
        last = ours[0].id
    return Basis(statement, "backed", "claims and baselines are in this order", last)
