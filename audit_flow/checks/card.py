"""The model card says what the manifest says."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from audit_flow.analysis.matching import same_score
from audit_flow.analysis.names import benchmark_key
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    BaseModelClaim,
    CardClaims,
    ClaimKind,
    Frozen,
    LineageRecord,
    ScoreClaim,
)

# Cards have no word for it: the Hub calls it a fine-tune.
_ON_CARDS = {"continued-pretraining": "finetune"}


class CardAgrees:
    """Compares each score and the base model on the card with the manifest's."""

    id = "card.agrees"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each statement of the card that the manifest makes as well."""
        del params
        cards = list(record.of(CardClaims))
        if not cards:
            yield unproven("card", "there is no model card", "a model card", "none was read")
        for card in cards:
            results = [*_scores(card, record), *_bases(card, record), *_unread(card)]
            yield from results
            if not results:
                yield nothing_to_judge(
                    "card", "the card makes no claim of its own", "agreement", card.id
                )


def _manifest_scores(record: LineageRecord) -> list[ScoreClaim]:
    return [c for c in record.of(ScoreClaim) if c.source == "release.yaml"]


def _scores(card: CardClaims, record: LineageRecord) -> Iterator[Result]:
    for score in card.scores:
        for claim in _manifest_scores(record):
            if same_score(score, claim):
                yield _compare(score, claim, card)


def _compare(score: ScoreClaim, claim: ScoreClaim, card: CardClaims) -> Result:
    expected = f"{claim.written()} in release.yaml"
    actual = f"{score.value} in {score.source}"
    if score.unit is None:
        return unproven(
            claim.id, "the card's number has no unit", expected, actual, card.id
        ) if not agree(score.value, claim.value) else passed(
            claim.id, "card and manifest agree", expected, actual, card.id
        )  # fmt: skip
    factor = {"percent": 1, "fraction": 100}
    points = score.value * factor[score.unit], claim.value * factor[claim.unit or "percent"]
    if agree(*points):
        if not _called_alike(score, claim):
            # The number is proven for the one; a reader of the card takes it for the other's.
            return unproven(
                claim.id, "the card calls the benchmark by another name",
                f"{claim.benchmark} in release.yaml", f"{score.benchmark} in {score.source}",
                card.id,
            )  # fmt: skip
        return passed(claim.id, "card and manifest agree", expected, actual, card.id)
    return failed(claim.id, "the card claims another score", expected, actual, card.id)


def _called_alike(score: ScoreClaim, claim: ScoreClaim) -> bool:
    """Say whether the name that the card shows is the benchmark's or the task's of the claim."""
    names = {benchmark_key(n) for n in (claim.benchmark, claim.protocol.task) if n}
    return benchmark_key(score.benchmark) in names


def agree(one: Decimal, other: Decimal) -> bool:
    """Say whether two numbers are equal, or one is the other rounded to fewer digits."""
    exponents = [n.as_tuple().exponent for n in (one.normalize(), other.normalize())]
    places = max(e if isinstance(e, int) else 0 for e in exponents)
    if one == other:
        return True
    # Rounding to whole points would let 88 stand for 88.4: a claim keeps at least one decimal.
    unit = Decimal(1).scaleb(min(places, -1))
    return one.quantize(unit) == other.quantize(unit) and places < 0


def _bases(card: CardClaims, record: LineageRecord) -> Iterator[Result]:
    claims = [c for c in record.of(BaseModelClaim) if c.source == "release.yaml"]
    named = {b.base.casefold() for b in card.bases}
    for claim in claims:
        if not named:
            yield unproven(
                claim.id, "the card names no base model", claim.base, "no base_model", card.id
            )
            continue
        listed = ", ".join(b.base for b in card.bases)
        make, words = (
            (passed, "the card names the same base model")
            if named == {claim.base.casefold()}
            else (failed, "the card names another base model")
        )
        yield make(claim.id, words, f"{claim.base} in release.yaml", listed, card.id)
        stated = {b.relation for b in card.bases if b.relation}
        if claim.relation and stated - {claim.relation, _ON_CARDS.get(claim.relation)}:
            yield failed(
                claim.id, "the card says that the release was made from it in another way",
                f"{claim.relation} in release.yaml", ", ".join(sorted(stated)), card.id,
            )  # fmt: skip


def _unread(card: CardClaims) -> Iterator[Result]:
    for text in card.unread:
        yield unproven("card", "a claim on the card could not be read", "a result", text, card.id)
