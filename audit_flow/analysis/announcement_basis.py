"""Which claim each statement of an announcement rests on, if any."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from audit_flow.analysis.announcement_names import (
    FAMILIES,
    Known,
    mentions_in,
    names_of,
    spans,
    spans_any,
    strangers_in,
)
from audit_flow.analysis.announcement_scores import denied, of_a_change, said_as_score
from audit_flow.analysis.announcement_subject import counts, unclaimed_benchmark
from audit_flow.analysis.announcement_words import FACTOR
from audit_flow.analysis.names import benchmark_key
from audit_flow.model import LineageRecord, ScoreClaim
from audit_flow.model.announcement_facts import Statement

Status = Literal["backed", "contradicted", "unbacked"]

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


def bases(statements: Iterable[Statement], record: LineageRecord) -> tuple[Basis, ...]:
    """Hold each statement against the claims of a record, in order.

    A number is backed by a claim of the same thing that it equals, or that it is a rounding of;
    contradicted when it is about a claimed benchmark and equals none of its claims. Statements
    that only repeat the name of the release or of a named model are left out.
    """
    known = Known(record)
    kept = [s for s in statements if not _is_name(s, known)]
    return tuple(_basis(s, kept, known) for s in kept)


def _is_name(statement: Statement, known: Known) -> bool:
    """Say whether a number is a part of a name: "Llama 3.1 70B" states no score."""
    if statement.kind != "number" or statement.unit == "%":
        return False
    named = [(s, e) for s, e, _ in spans(statement.context, (*known.own, *known.others))]
    named += [m.span() for m in FAMILIES.finditer(statement.context)]
    named += [
        (m.start, m.end) for m in mentions_in(statement.context, known) if m.end > statement.at + 1
    ]
    return any(s <= statement.at < e for s, e in named)


def _basis(statement: Statement, all_of_them: list[Statement], known: Known) -> Basis:
    if statement.kind in {"superlative", "comparison"}:
        return _comparison(statement, known)
    if statement.kind == "difference":
        return _difference(statement, known)
    if denied(statement):
        return Basis(statement, "unbacked", "the sentence denies this number")
    benchmark = _benchmark(statement, known)
    other = _other_model(statement, known)
    if other is not None:
        return _of_another(statement, other, benchmark, known)
    if benchmark is not None:
        return _of_benchmark(statement, benchmark, all_of_them, known)
    return _of_anything(statement, known)


def _benchmark(statement: Statement, known: Known) -> str | None:
    """Return the benchmark that a number is about: by its labels, else by its sentence."""
    for label in statement.labels:
        named = mentions_in(label, known)
        if named:
            return named[0].key
    mentions = [] if statement.labels else mentions_in(statement.context, known)
    claimed = any(m.key in known.keys for m in mentions)
    unclaimed: str | None = None
    if statement.unit == "%" or statement.labels:
        unclaimed = unclaimed_benchmark(statement, [m.start for m in mentions])
    if unclaimed is not None and benchmark_key(unclaimed) not in known.keys:
        return benchmark_key(unclaimed)
    if statement.unit == "%":
        strange = [
            m for t in (statement.labels or [statement.context]) for m in strangers_in(t, known)
        ]
        if strange and not claimed:
            return strange[0].key
        taken = {at for m in mentions for at in range(m.start, m.end)}
        mentions = sorted(
            [*mentions, *(m for m in strange if m.start not in taken)], key=lambda m: m.start
        )
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


def _other_model(statement: Statement, known: Known) -> str | None:
    """Return the name of the other model that a number belongs to."""
    for label in statement.labels:
        words = {w.casefold() for w in re.findall(r"[\w%]+", label)}
        if spans_any(label, known.own) or words <= _OURS or mentions_in(label, known):
            continue
        named = next((n for _, _, n in spans(label, known.others)), None)
        family = FAMILIES.search(label)
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


def _named_in(text: str, known: Known) -> Iterator[tuple[str, tuple[int, int, str]]]:
    side = "before" if text and not text[:1].isspace() and text[-1:].isspace() else "behind"
    for start, end, name in spans(text, known.others):
        yield name, (start, end, side)
    for match in FAMILIES.finditer(text):
        if not any(s <= match.start() < e for s, e, _ in spans(text, known.own)):
            yield match[0], (match.start(), match.end(), side)


def _of_benchmark(
    statement: Statement, key: str, all_of_them: list[Statement], known: Known
) -> Basis:
    claims = known.scores.get(key, [])
    if statement.unit == "%" and of_a_change(statement):
        return Basis(statement, "unbacked", "no score, but a change or a share of something")
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


def _of_another(statement: Statement, model: str, key: str | None, known: Known) -> Basis:
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


def _of_anything(statement: Statement, known: Known) -> Basis:
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
        metrics = [c.metric for c in scored]
        if len(scored) == 1 and said_as_score(statement, known.own, metrics):
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


def _difference(statement: Statement, known: Known) -> Basis:
    """Back "3 points better than X on Y" by the claim and the baseline that it is between."""
    keys = {m.key for m in mentions_in(statement.context, known)}
    for line in known.baselines:
        key = benchmark_key(line.benchmark)
        if not spans_any(statement.context, names_of([line.model])) or (keys and key not in keys):
            continue
        for claim in known.scores.get(key, []):
            shown = _points(claim.value, claim.unit) - _points(line.reported, line.unit)
            if statement.value is not None and _rounds_to(abs(shown), statement.value):
                return Basis(statement, "backed", f"against the baseline of {line.model}", claim.id)
    return Basis(statement, "unbacked", "no claim and baseline are this far apart")


def _points(value: Decimal, unit: str | None) -> Decimal:
    return value * 100 if unit == "fraction" else value


def _comparison(statement: Statement, known: Known) -> Basis:
    """Back a comparison with a named model on named benchmarks; nothing backs "the best"."""
    if statement.kind == "superlative":
        return Basis(statement, "unbacked", "no claim is about being first")
    if FACTOR.fullmatch(statement.text):
        return Basis(statement, "unbacked", "no claim is about being so many times better")
    keys = {m.key for m in mentions_in(statement.context, known)}
    named = [b for b in known.baselines if spans_any(statement.context, names_of([b.model]))]
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
