"""Two audits side by side: what changed in verdict, claims, files, card and findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from audit_flow.dashboard.facts import facts
from audit_flow.model import CardClaims, Finding, WeightsDigest
from audit_flow.report.interface import AuditResult


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


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    names = dict.fromkeys([*before, *after])
    return tuple(
        Change(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name) != after.get(name)
    )


def _heads(result: AuditResult) -> dict[str, str]:
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


def _claims(result: AuditResult) -> dict[str, str]:
    return {c.id: _words(c.plain(), {"id", "kind", "source"}) for c in result.record.claims}


def _files(result: AuditResult) -> dict[str, str]:
    weights = [w for w in result.record.of(WeightsDigest) if w.role == "released"]
    return {f.path: f"sha256:{f.sha256}, {f.size:,} bytes" for w in weights for f in w.files}


def _card(result: AuditResult) -> dict[str, str]:
    cards = list(result.record.of(CardClaims))
    stated = {
        f"{card.source}: {score.benchmark} {score.metric}": score.written()
        for card in cards
        for score in (*card.scores, *card.table_scores)
    }
    bases = {f"{card.source}: base": ", ".join(b.base for b in card.bases) for card in cards}
    return {**{c.source: f"sha256:{c.sha256}" for c in cards if c.sha256}, **stated, **bases}


def _findings(result: AuditResult) -> dict[str, str]:
    return _numbered((f"{f.rule}: {f.about}", _finding(f)) for f in result.verdict.findings)


def _finding(finding: Finding) -> str:
    waived = f", waived by {finding.waiver.owner}" if finding.waiver else ""
    return f"{finding.outcome.value} ({finding.level}){waived}: {finding.actual}"


def _evidence(result: AuditResult) -> dict[str, str]:
    return _numbered(
        (e.id, f"{e.trust.value}, {f'sha256:{e.sha256}' if e.sha256 else 'no digest'}")
        for e in result.record.evidence
    )


def _gaps(result: AuditResult) -> dict[str, str]:
    return _numbered((f"{g.name}: {g.about}", g.actual) for g in result.record.gaps)


def _numbered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, text in pairs:
        unique, number = name, 2
        while unique in found:
            unique, number = f"{name} ({number})", number + 1
        found[unique] = text
    return found


def _words(plain: Mapping[str, object], without: set[str]) -> str:
    kept = {name: value for name, value in plain.items() if name not in without}
    return ", ".join(f"{path} {text}" for path, text in facts(kept))
