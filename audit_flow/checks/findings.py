"""What others have published about the release, held against its claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from audit_flow.analysis.comparison import ScoreParams
from audit_flow.analysis.published_scores import NumberRead, read_numbers
from audit_flow.analysis.published_weighing import Read, Weighed, weigh
from audit_flow.checks.interface import Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    Claim,
    ClaimKind,
    Frozen,
    LineageRecord,
    PublishedFinding,
    ScoreClaim,
    StatementClaim,
)

MAX_SHOWN = 6


class FindingsParams(Frozen):
    """Whether what others published can prove a claim, as well as contradict it.

    With ``one_party`` one unanswered measurement contradicts, whatever weights it was made on.
    """

    may_prove: bool = False
    one_party: bool = False


class ScoreFindingsParams(FindingsParams, ScoreParams):
    """The same for scores, with the noise model; ``assumed_items`` where nobody counts them."""

    assumed_items: int = Field(default=100, gt=0, le=1_000_000)
    # Wider than for runs on released bytes: whoever published a number seldom measured it twice.
    pass_margin: float = Field(default=0.1, gt=0, le=0.2)

    def model_params(self) -> ScoreParams:
        """Return the noise model's own parameters."""
        return ScoreParams(**self.model_dump(exclude={"may_prove", "one_party", "assumed_items"}))


class PublishedScores:
    """Weighs what was published about each claimed score; numbers count before words."""

    id = "findings.scores"
    decides: frozenset[ClaimKind] = frozenset({"score"})
    waivable = True
    params: type[Frozen] = ScoreFindingsParams

    def run(self, record: LineageRecord, params: ScoreFindingsParams) -> Iterator[Result]:
        """Return a result for each claimed score that a finding is about."""
        claims = list(record.of(ScoreClaim))
        findings = list(record.of(PublishedFinding))
        numbers = read_numbers(
            claims, findings, params.model_params().model(), params.assumed_items
        )
        spoken = False
        for claim in claims:
            about = [f for f in findings if claim.id in f.claims]
            if not about and not params.may_prove:
                continue
            spoken = True
            yield _result(claim, _weigh(claim, about, numbers, params), params.may_prove)
        if not spoken:
            yield nothing_to_judge("scores", "no finding about a score is named", "none")


class PublishedFindings:
    """Weighs what was published about each other claim, and about the release as a whole."""

    id = "findings.published"
    decides: frozenset[ClaimKind] = frozenset({"statement", "base-model", "training", "checksum"})
    waivable = True
    params: type[Frozen] = FindingsParams

    def run(self, record: LineageRecord, params: FindingsParams) -> Iterator[Result]:
        """Return a result for each claim in words, and for all else that a finding is about."""
        findings = list(record.of(PublishedFinding))
        claims = [c for c in record.claims if not isinstance(c, ScoreClaim)]
        spoken = False
        for claim in claims:
            about = [f for f in findings if claim.id in f.claims]
            if not about and not (params.may_prove or isinstance(claim, StatementClaim)):
                continue
            spoken = True
            yield _result(claim, _weigh(claim, about, {}, params), params.may_prove)
        for result in _of_no_claim(findings, record, params):
            spoken = True
            yield result
        if not spoken:
            yield nothing_to_judge("findings", "no published finding is named", "none")


class SmallDifferences:
    """Tells every small difference that somebody published, and every open correction."""

    id = "findings.small-differences"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = FindingsParams

    def run(self, record: LineageRecord, params: FindingsParams) -> Iterator[Result]:
        """Return a result for each small difference; PASSED where there is none."""
        del params
        found = [f for f in record.of(PublishedFinding) if f.standing != "withdrawn"]
        slight = [f for f in found if f.says in {"differs-slightly", "corrects"}]
        for finding in slight:
            about = ", ".join(finding.claims[:3]) or "release"
            words = "corrected openly" if finding.says == "corrects" else "a small difference"
            yield failed(about, words, "claims and records that agree", _told(finding), finding.id)
        if not found:
            yield nothing_to_judge("findings", "no published finding is named", "none")
        elif not slight:
            told = f"{len(found)} published findings read"
            ids = (f.id for f in found)
            yield passed("findings", "no small difference is named", "none", told, *ids)


def _weigh(
    claim: Claim,
    about: Sequence[PublishedFinding],
    numbers: dict[tuple[str, str], NumberRead],
    params: FindingsParams,
) -> Weighed:
    return weigh(_reads(claim, about, numbers), params.one_party)


def _reads(
    claim: Claim,
    about: Sequence[PublishedFinding],
    numbers: dict[tuple[str, str], NumberRead],
) -> Iterator[Read]:
    for finding in about:
        number = numbers.get((claim.id, finding.id))
        if number is None:
            yield Read(finding, finding.says)
        else:
            yield Read(finding, number.says, number.why)


def _result(claim: Claim, weighed: Weighed, may_prove: bool) -> Result:
    expected = "published findings that confirm the claim" if may_prove else "none against it"
    actual = _shown(weighed.rests_on)
    ids = tuple(r.finding.id for r in weighed.rests_on)
    if weighed.weight == "contradicted":
        return failed(claim.id, weighed.why, expected, actual, *ids)
    if weighed.weight == "upheld" and may_prove:
        return passed(claim.id, weighed.why, expected, actual, *ids)
    if weighed.weight == "open" or may_prove:
        return unproven(claim.id, weighed.why, expected, actual, *ids)
    if isinstance(claim, StatementClaim):
        words = "no published finding proves a claim in words under this policy"
        return unproven(claim.id, words, "evidence of a kind that can be checked", actual, *ids)
    # Not about the claim itself: a result there would count as its assessment, and the publisher
    # chooses which findings are named.
    return passed(
        f"findings about {claim.id}", "no published finding contradicts it", expected, actual, *ids
    )


def _of_no_claim(
    findings: Sequence[PublishedFinding], record: LineageRecord, params: FindingsParams
) -> Iterator[Result]:
    """Speak of findings about the release as a whole, and of those about claims not made."""
    known = {c.id for c in record.claims}
    whole = [Read(f, f.says) for f in findings if not f.claims]
    expected = "nothing published against the release"
    if whole:
        weighed = weigh(whole, params.one_party)
        make = {"contradicted": failed, "open": unproven}.get(weighed.weight, passed)
        ids = (r.finding.id for r in weighed.rests_on)
        yield make("release", weighed.why, expected, _shown(weighed.rests_on), *ids)
    for finding in findings:
        missing = [c for c in finding.claims if c not in known]
        if missing:
            words = "a finding names a claim that is not made"
            told = f"{', '.join(missing[:3])}: {_told(finding)}"
            yield unproven(missing[0], words, "ids of claims of this release", told, finding.id)


def _shown(reads: Sequence[Read]) -> str:
    told = [f"{_told(r.finding)}{f' [{r.why}]' if r.why else ''}" for r in reads[:MAX_SHOWN]]
    more = f"; and {len(reads) - MAX_SHOWN} more" if len(reads) > MAX_SHOWN else ""
    return "; ".join(told) + more if told else "none"


def _told(finding: PublishedFinding) -> str:
    standing = "" if finding.standing == "open" else f", {finding.standing}"
    said = finding.statement[:300]
    return f"{finding.name}: {said} (by {finding.by[:100]}{standing}; {finding.published[:200]})"
