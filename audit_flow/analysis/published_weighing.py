"""What published findings come to about one claim: who says it, on what basis, who answers it.

A contradiction is firm when the claimant himself states or admits it, when anybody can look it up
again and nobody answers it, or when independent parties, or one party on the released weights,
measured it; whoever weighs may let one party suffice whom nobody answers. Scores that two
independent parties measured stand against a claimant who only denies them. Everything else leaves
the claim open: accusations are not decided beyond their evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from audit_flow.model import PublishedFinding
from audit_flow.model.published_facts import Says

Weight = Literal["contradicted", "open", "upheld", "nothing"]
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


@dataclass(frozen=True)
class Read:
    """A finding, what it says of one claim, and why if that is not its own word."""

    finding: PublishedFinding
    says: Says
    why: str = ""


@dataclass(frozen=True)
class Weighed:
    """What findings come to about one claim, why, and the findings that this rests on."""

    weight: Weight
    why: str
    rests_on: tuple[Read, ...] = ()


def weigh(reads: Iterable[Read], one_party: bool = False) -> Weighed:
    """Weigh everything that was published about one claim.

    With ``one_party`` the unanswered measurement of one party contradicts even if nothing says that
    it was made on the released weights.
    """
    given = tuple(reads)
    standing = tuple(r for r in given if r.finding.standing != "withdrawn")
    if not given:
        return Weighed("nothing", "nobody published anything about it")
    if not standing:
        return Weighed("nothing", "every finding about it was withdrawn", given)
    refuted = _refuting(standing)
    against = () if refuted else tuple(r for r in standing if _is_against(r))
    firm = [r for r in against if _is_firm(r, against, standing, one_party)]
    if firm:
        admits = (r for r in _those(standing, "admits") if r.finding.relation != "third-party")
        return Weighed("contradicted", "published findings contradict it", (*firm, *admits))
    if against:
        return Weighed("open", _why_not_firm(standing), against)
    admitted = [r for r in _those(standing, "admits") if r.finding.relation != "third-party"]
    unsettled = _unsettled(standing, bool(refuted), _is_dropped(given))
    mixed = _those(standing, "mixed")
    if admitted and not mixed:
        return Weighed("contradicted", "the claimant admits it", tuple(admitted))
    if unsettled or admitted:
        return Weighed("open", _why_open(unsettled or tuple(admitted)), (*unsettled, *admitted))
    return _favourable(given, standing, refuted)


def _favourable(
    given: tuple[Read, ...], standing: tuple[Read, ...], refuted: tuple[Read, ...]
) -> Weighed:
    upheld = [r for r in _those(standing, "supports") if r.finding.relation != "claimant"]
    slight = _those(standing, "differs-slightly", "corrects")
    rests_on = (*upheld, *slight, *refuted)
    if refuted and not (upheld or slight or _accusations(given)):
        return Weighed(
            "open", "it refutes something, and nobody is on record as saying it", refuted
        )
    if not rests_on:
        return Weighed("nothing", "what was published neither confirms nor contradicts it")
    if upheld or refuted:
        return Weighed("upheld", "somebody other than the claimant confirms it", rests_on)
    return Weighed("upheld", "it was looked at, and only small differences were found", rests_on)


def _those(reads: Sequence[Read], *says: Says) -> tuple[Read, ...]:
    return tuple(r for r in reads if r.says in says)


def _refuting(standing: Sequence[Read]) -> tuple[Read, ...]:
    """Return refutations by others that can be looked up, where nobody admitted anything."""
    if any(r.finding.standing == "admitted" or r.says == "admits" for r in standing):
        return ()
    checkable = [r for r in _those(standing, "contradicts") if r.finding.basis == "repeatable"]
    if checkable:
        return ()
    return tuple(
        r
        for r in _those(standing, "refutes")
        if r.finding.relation != "claimant" and r.finding.basis != "statement"
    )


def _is_against(read: Read) -> bool:
    """Say whether a finding contradicts; what was suspected and then admitted does."""
    admitted = read.finding.standing == "admitted" and not read.why
    return read.says == "contradicts" or (read.says == "suggests" and admitted)


def _accusations(given: Sequence[Read]) -> tuple[Read, ...]:
    return _those(given, "contradicts", "suggests", "mixed", "unclear", "not-comparable")


def _is_firm(
    read: Read, against: Sequence[Read], standing: Sequence[Read], one_party: bool
) -> bool:
    finding = read.finding
    if finding.relation == "claimant" or finding.standing == "admitted":
        return True
    if any(r.says == "admits" and r.finding.relation != "third-party" for r in standing):
        return True
    if answers := _those(standing, "contests", "refutes"):
        return all(map(_is_bare, answers)) and _measured_twice(against)
    if finding.basis == "repeatable":
        return True
    if finding.standing == "disputed":
        return False
    if _parties(against) >= 2:
        return True
    unanswered = one_party and not _those(standing, "supports")
    return finding.basis == "measured" and (unanswered or finding.weights == "released")


def _is_bare(answer: Read) -> bool:
    """Say whether a claimant only says otherwise, and shows nothing."""
    finding = answer.finding
    return answer.says == "contests" and (finding.relation, finding.basis) == (
        "claimant",
        "statement",
    )


def _measured_twice(against: Sequence[Read]) -> bool:
    """Say whether two independent parties measured another score."""
    scores = [r for r in against if r.finding.score is not None and r.says == "contradicts"]
    return _parties(scores) >= 2


def _parties(reads: Sequence[Read]) -> int:
    """Count independent parties: other people, and other sources, than those before."""
    kept: list[tuple[str, str]] = []
    for read in reads:
        party, source = _party(read.finding.by), _place(read.finding.published)
        if not any(_same(party, p) or source == s for p, s in kept):
            kept.append((party, source))
    return len(kept)


def _party(by: str) -> str:
    head = re.split(r"[,;(]", by.casefold())[0]
    words = re.findall(r"[^\W\d_]+", head)
    return " ".join(w for w in words if w[:3] not in _MONTHS or len(w) < 3)


def _same(one: str, other: str) -> bool:
    return not one or not other or one in other or other in one


def _place(source: str) -> str:
    return re.split(r"\s|[?#]", source.strip().casefold(), maxsplit=1)[0].rstrip("/")


def _is_dropped(given: Sequence[Read]) -> bool:
    """Say whether there were accusations, and all of them were taken back."""
    accusations = _those(given, "contradicts", "suggests")
    return bool(accusations) and all(r.finding.standing == "withdrawn" for r in accusations)


def _unsettled(standing: Sequence[Read], refuted: bool, dropped: bool) -> tuple[Read, ...]:
    says: list[Says] = ["mixed", "unclear"]
    # A rebuttal of nothing that is left leaves nothing open.
    says += [] if refuted else ["contests", "suggests"]
    # Another measurement says nothing against one that confirms.
    says += [] if _those(standing, "supports") else ["not-comparable"]
    found = _those(standing, *says)
    if not dropped:
        return found
    # The claimant answered what was withdrawn; what others contest may be what confirms the claim.
    return tuple(r for r in found if r.says != "contests" or r.finding.relation != "claimant")


def _why_not_firm(standing: Sequence[Read]) -> str:
    if _those(standing, "contests", "refutes"):
        return "a finding against it is contested"
    if any(r.finding.standing == "disputed" for r in standing):
        return "a finding against it is disputed and can't be looked up again"
    return "one party alone measured or says so, and not on bytes tied to the release"


_WHY_OPEN: dict[Says, str] = {
    "unclear": "what a finding says is not known",
    "mixed": "a finding speaks both for and against it",
    "not-comparable": "what was measured is not what was claimed",
    "contests": "a method used against it is contested",
    "suggests": "a finding only suggests something",
    "admits": "what was admitted is not clear: the finding speaks both for and against it",
}


def _why_open(reads: Sequence[Read]) -> str:
    first = reads[0]
    return first.why or _WHY_OPEN.get(first.says, "a finding leaves it open")
