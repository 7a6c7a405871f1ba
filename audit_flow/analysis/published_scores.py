"""Published scores beside claimed ones: what a number says, whatever word stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audit_flow.analysis.benchmarks_known import known_benchmark
from audit_flow.analysis.scales import is_error_rate
from audit_flow.analysis.score_rule import (
    Claimed,
    Measurement,
    NoiseModel,
    ScoreJudgement,
    holm,
    judge,
)
from audit_flow.model import PublishedFinding, ScoreClaim
from audit_flow.model.published_facts import Says

# Numbers under these words are context, or are not about what was claimed.
_NO_REPRODUCTION: frozenset[Says] = frozenset(
    {"informs", "unclear", "not-comparable", "contests", "refutes", "corrects", "mixed"}
)


@dataclass(frozen=True)
class NumberRead:
    """A published number beside the claim: what it says, why, and the statistics if any."""

    says: Says
    why: str
    judgement: ScoreJudgement | None = None


@dataclass(frozen=True)
class _Pair:
    claim: ScoreClaim
    finding: PublishedFinding
    judgement: ScoreJudgement
    items_known: bool


def read_numbers(
    claims: Sequence[ScoreClaim],
    findings: Sequence[PublishedFinding],
    model: NoiseModel,
    assumed_items: int,
) -> dict[tuple[str, str], NumberRead]:
    """Return what each published number says about each claim, by ids of claim and finding.

    Significance is Holm-corrected over all numbers of the release. A claim that was openly
    corrected is judged as corrected. Where nobody states the item count ``assumed_items`` are
    taken, few enough that chance explains much.
    """
    pairs = [
        _pair(claim, finding, _corrected(claim, findings), model, assumed_items)
        for claim in claims
        for finding in findings
        if claim.id in finding.claims and _is_reproduction(finding)
    ]
    adjusted = holm([p.judgement.p_value for p in pairs])
    read = {
        (p.claim.id, p.finding.id): _read(p, value, model)
        for p, value in zip(pairs, adjusted, strict=True)
    }
    return read | dict(_not_comparable(claims, findings))


def _is_reproduction(finding: PublishedFinding) -> bool:
    comparable = not finding.conditions_differ and finding.weights != "other"
    return finding.score is not None and finding.says not in _NO_REPRODUCTION and comparable


def _corrected(claim: ScoreClaim, findings: Iterable[PublishedFinding]) -> float:
    for finding in findings:
        if finding.says == "corrects" and finding.score and claim.id in finding.claims:
            return _fraction(finding)
    return claim.fraction


def _fraction(finding: PublishedFinding) -> float:
    if finding.score is None:
        raise ValueError("got a finding without a score; expected one with a number")
    value = float(finding.score.value)
    return value / 100 if finding.score.unit == "percent" else value


def _pair(
    claim: ScoreClaim,
    finding: PublishedFinding,
    claimed: float,
    model: NoiseModel,
    assumed_items: int,
) -> _Pair:
    stated = (finding.score.n_items if finding.score else None) or claim.n_items
    known = known_benchmark(claim.benchmark)
    items = stated or (known.sizes[0].n if known else None)
    found = _fraction(finding)
    if is_error_rate(claim.metric):
        # What is not wrong is judged, so that more is better as in any other score.
        claimed, found = 1 - claimed, 1 - found
    measured = Measurement(found, items or assumed_items, 1)
    ours = Claimed(claimed, claim.half_unit, claim.runs)
    judgement = judge(ours, measured, model, model.rho_unknown)
    return _Pair(claim, finding, judgement, items is not None)


def _read(pair: _Pair, adjusted: float, model: NoiseModel) -> NumberRead:
    j, finding = pair.judgement, pair.finding
    own = finding.relation == "claimant"
    worse = 1 if is_error_rate(pair.claim.metric) else -1
    told = f"{100 * worse * j.difference:+.2f} points, n={j.n_items}"
    told += "" if pair.items_known else " (assumed)"
    if adjusted < model.alpha:
        return NumberRead("contradicts", f"{told}: more than chance explains", j)
    if own and _replaces(pair, model):
        return NumberRead("contradicts", f"{told}: the claimant replaced his figure", j)
    if j.above:
        return NumberRead("not-comparable", f"{told}: too good for the same set-up", j)
    if own:
        return NumberRead("informs", f"{told}: within chance, by the claimant himself", j)
    if j.passes:
        return NumberRead("supports", f"{told}: within chance", j)
    return NumberRead("suggests", f"{told}: too few items to decide", j)


def _replaces(pair: _Pair, model: NoiseModel) -> bool:
    """Say whether the claimant replaced his own figure by a lower one, beyond rounding.

    A replacement is no second run: what he takes back, chance does not give him again.
    """
    finding = pair.finding
    replaced = finding.standing == "admitted" or not pair.items_known
    said = finding.says == "admits" or (finding.says == "contradicts" and replaced)
    return said and pair.judgement.difference > max(model.delta, pair.claim.half_unit)


def _not_comparable(
    claims: Sequence[ScoreClaim], findings: Sequence[PublishedFinding]
) -> Iterable[tuple[tuple[str, str], NumberRead]]:
    for finding in findings:
        if finding.score is None or finding.says in _NO_REPRODUCTION:
            continue
        differing = list(finding.conditions_differ)
        differing += ["other weights"] if finding.weights == "other" else []
        if not differing:
            continue
        why = f"another measurement: {'; '.join(differing)}"
        for claim in claims:
            if claim.id in finding.claims:
                yield (claim.id, finding.id), NumberRead("not-comparable", why)
