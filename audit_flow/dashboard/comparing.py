"""Two audits side by side: what changed in verdict, claims, files, card and findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile

from audit_flow.dashboard.facts import facts
from audit_flow.model import CardClaims, Finding, WeightsDigest
from audit_flow.report.interface import AuditResult

# What is said under one name: a text, or facts by their names.
Said = str | Mapping[str, str]
_LONG, _LEAD = 160, 60


@dataclass(frozen=True)
class Change:
    """One thing that differs; an empty side was not there."""

    what: str
    before: str
    after: str

    @property
    def word(self) -> str:
        """How it changed, in a word."""
        if not self.before:
            return "added"
        return "changed" if self.after else "removed"

    @property
    def shown(self) -> tuple[str, str]:
        """Both sides for a table that cuts long texts: from where they begin to differ."""
        both = zip(self.before, self.after, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
        if not (self.before and self.after) or same < _LONG:
            return self.before, self.after
        start = same - _LEAD
        return f"… {self.before[start:]}", f"… {self.after[start:]}"


@dataclass(frozen=True)
class Comparison:
    """The changes from one audit to another, by topic."""

    topics: tuple[tuple[str, tuple[Change, ...]], ...]

    @property
    def count(self) -> int:
        """How many changes there are in all."""
        return sum(len(changes) for _, changes in self.topics)


def compare(before: AuditResult, after: AuditResult) -> Comparison:
    """Return what is not the same in two audits, in the order that a reviewer asks for it."""
    readers = (
        ("Verdict and digests", _heads),
        ("Claims", _claims),
        ("Files", _files),
        ("Model card", _card),
        ("Findings", _findings),
        ("Evidence", _evidence),
        ("Gaps in the lineage", _gaps),
    )
    return Comparison(tuple((name, _changes(read(before), read(after))) for name, read in readers))


def _changes(before: Mapping[str, Said], after: Mapping[str, Said]) -> tuple[Change, ...]:
    names = dict.fromkeys([*before, *after])
    return tuple(
        change
        for name in names
        if before.get(name) != after.get(name)
        for change in _change(name, before.get(name, ""), after.get(name, ""))
    )


def _change(name: str, before: Said, after: Said) -> Iterator[Change]:
    """Yield a change for each fact where both sides have facts, else one for the whole."""
    if isinstance(before, str) or isinstance(after, str):
        yield Change(name, _whole(before), _whole(after))
        return
    for fact in dict.fromkeys([*before, *after]):
        if before.get(fact) != after.get(fact):
            yield Change(f"{name} · {fact}", before.get(fact, ""), after.get(fact, ""))


def _whole(said: Said) -> str:
    return said if isinstance(said, str) else ", ".join(f"{n} {text}" for n, text in said.items())


def _heads(result: AuditResult) -> dict[str, Said]:
    verdict, subject = result.verdict, result.verdict.subject
    return {
        "Verdict": verdict.in_words(),
        "Version": subject.version or "none",
        "Revision": subject.revision or "none",
        "Weights digest": subject.weights_sha256 or "not seen",
        "Record digest": verdict.record_sha256,
        "Policy": verdict.policy_name,
        "Policy digest": verdict.policy_sha256,
    }


def _claims(result: AuditResult) -> dict[str, Said]:
    return {c.id: _facts(c.plain(), {"id", "kind", "source"}) for c in result.record.claims}


def _files(result: AuditResult) -> dict[str, Said]:
    weights = [w for w in result.record.of(WeightsDigest) if w.role == "released"]
    return {f.path: f"sha256:{f.sha256}, {f.size:,} bytes" for w in weights for f in w.files}


def _card(result: AuditResult) -> dict[str, Said]:
    cards = list(result.record.of(CardClaims))
    stated = {
        f"{card.source}: {score.benchmark} {score.metric}": score.written()
        for card in cards
        for score in (*card.scores, *card.table_scores)
    }
    bases = {f"{card.source}: base": ", ".join(b.base for b in card.bases) for card in cards}
    return {**{c.source: f"sha256:{c.sha256}" for c in cards if c.sha256}, **stated, **bases}


def _findings(result: AuditResult) -> dict[str, Said]:
    return _numbered((f"{f.rule}: {f.about}", _finding(f)) for f in result.verdict.findings)


def _finding(finding: Finding) -> str:
    waived = f", waived by {finding.waiver.owner}" if finding.waiver else ""
    said = f"{finding.outcome.value} ({finding.level}){waived}"
    return f"{said}: {finding.message}; got {finding.actual}"


def _evidence(result: AuditResult) -> dict[str, Said]:
    return _numbered(
        (e.id, f"{e.trust.value}, {f'sha256:{e.sha256}' if e.sha256 else 'no digest'}")
        for e in result.record.evidence
    )


def _gaps(result: AuditResult) -> dict[str, Said]:
    return _numbered((f"{g.name}: {g.about}", g.actual) for g in result.record.gaps)


def _numbered(pairs: Iterable[tuple[str, str]]) -> dict[str, Said]:
    found: dict[str, Said] = {}
    for name, text in pairs:
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name} ({number})", number + 1
        found[unique] = text
    return found


def _facts(plain: Mapping[str, object], without: set[str]) -> dict[str, str]:
    kept = {name: value for name, value in plain.items() if name not in without}
    return {
        path.removeprefix("protocol.").removeprefix("sampling."): text for path, text in facts(kept)
    }
