"""A release's sampled weights held against those of candidates for its base model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from audit_flow.digests import Header
from audit_flow.errors import EvidenceError
from audit_flow.model import (
    LineageDuel,
    LineageTest,
    Outcome,
    SampledChange,
    SignerFacts,
    Trust,
    TrustFile,
    WeightComparison,
)
from audit_flow.signing import EVIDENCE, Steps, VerifiedEnvelope, parse_evidence, verify_blob
from audit_flow.sources.folder import MIB, Folder
from audit_flow.sources.ranges import LocalRanges, RangeReader, read_headers

if TYPE_CHECKING:
    from audit_flow.analysis.lineage.decide import Comparison, Judged
    from audit_flow.analysis.lineage.parent import Duel
    from audit_flow.analysis.lineage.sample import Sample
    from audit_flow.sources.fingerprint import Fingerprint

MAX_CANDIDATES = 200
MAX_SIGNATURE = 16 * MIB
FINGERPRINTS = "fingerprint"
"""What somebody is trusted with whose signature on fingerprints counts, and what he signs."""

SAME = "it holds the same weights: which is the other's copy, weights do not tell"
FEW_BITS = "it is stored in few bits, and as near as they can tell: it may be a copy of the release"
# Relative distance up to which few bits alone can make a copy differ.
_NEAR = 0.15
_SUFFIXES = (".sig", ".sigstore.json")


@dataclass(frozen=True)
class Weights:
    """A model whose weights can be read by ranges; ``headers`` are those of its safetensors."""

    name: str
    reader: RangeReader
    headers: Mapping[str, Header]
    trust: Trust = Trust.RECOMPUTED
    commit: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Known:
    """A model that is known by its fingerprint, which lay at ``source``.

    ``signer`` is set only where somebody whom the verifier trusts with fingerprints signed it.
    ``searched`` says that it was found in a folder of them, and not named as a candidate.
    """

    name: str
    fingerprint: Fingerprint
    source: str
    signer: SignerFacts | None = None
    origin: str = "nothing shows who made it"
    searched: bool = False

    @property
    def trust(self) -> Trust:
        """Whether a trusted party's word stands behind it, or that of whoever wrote the file."""
        return Trust.SIGNED if self.signer else Trust.SELF_REPORTED


def local_weights(folder: Folder, path: str, name: str) -> Weights:
    """Return the weights in a folder below the release's, by their headers."""
    reader = LocalRanges(folder, folder.walk(path))
    headers = read_headers(reader, (n for n in reader.sizes if n.endswith(".safetensors")))
    return Weights(name, reader, headers, source=path)


def known_by(path: Path, trust: TrustFile) -> Known:
    """Return the model that a fingerprint file stands for, as far as ``trust`` lets it be used.

    The signature lies beside it (``.sig``, ``.sigstore.json``). Raises EvidenceError for what is
    no fingerprint, for one that is not what was signed, and, where anybody is trusted, for one
    that nobody trusted with fingerprints has signed.
    """
    from audit_flow.sources.fingerprint import bytes_beside, read_fingerprint

    raw = bytes_beside(path)
    fingerprint = read_fingerprint(raw, path.name)
    bundles = [path.with_name(path.name + s) for s in _SUFFIXES]
    found = [_signed(raw, b, trust) for b in bundles if b.is_file()]
    good = next((s for s in found if s.outcome is Outcome.PASSED), None)
    known = Known(fingerprint.model, fingerprint, path.name)
    if good is not None and good.signer is not None:
        return replace(known, signer=good.signer, origin=f"signed by {good.signer.in_words}")
    bad = [s for s in found if s.outcome is Outcome.FAILED]
    if bad or trust.trusts_somebody:
        raise EvidenceError(
            f"a fingerprint that is not used: {_why(bad or found)}",
            expected="one signed by somebody trusted with fingerprints"
            if trust.trusts_somebody else "one that is as it was signed",
            where=path.name,
            remedy="Get it again from who made it, or make your own with: audit-flow fingerprint",
        )  # fmt: skip
    if found:
        return replace(known, origin="it is signed, and without a trust file nothing shows by whom")
    return known


def _signed(raw: bytes, bundle: Path, trust: TrustFile) -> VerifiedEnvelope:
    """Verify one signature over a fingerprint; what is no signature is a step that FAILED."""
    from audit_flow.sources.fingerprint import bytes_beside

    try:
        data = bytes_beside(bundle, MAX_SIGNATURE)
        found = verify_blob(data, raw, trust, role=FINGERPRINTS, where=bundle.name)
        statement = parse_evidence(found.payload) if found.payload else None
    except EvidenceError as error:
        steps = Steps()
        steps.failed("bundle", f"{error.got}; expected {error.expected}")
        return VerifiedEnvelope(b"", "", None, None, steps.all())
    if statement and statement.predicate_type == EVIDENCE and statement.kind != FINGERPRINTS:
        steps = Steps(list(found.steps))
        steps.failed("predicate", f"a statement about {statement.kind or 'something else'}")
        return replace(found, payload=b"", steps=steps.all())
    return found


def _why(found: Sequence[VerifiedEnvelope]) -> str:
    told = [
        f"{step.name}: {step.detail or step.outcome.value}"
        for envelope in found
        for step in envelope.steps
        if step.outcome is not Outcome.PASSED
    ]
    return "; ".join(told) or "it is not signed"


def compare_weights(
    suspect: Weights,
    candidates: Sequence[Weights | Known],
    samples: Mapping[str, Sample | str] | None = None,
) -> tuple[WeightComparison, ...]:
    """Return one fact for each candidate; all are sampled, and judged together.

    ``samples`` are those of candidates that were sampled beforehand, by ``sample_of``.

    Where a model can't be sampled, the fact says why and decides nothing. Raises EvidenceError
    when two candidates have one name, or there are too many of them.
    """
    names = [c.name for c in candidates]
    if len(set(names)) < len(names) or len(names) > MAX_CANDIDATES:
        raise EvidenceError(
            f"{len(names)} candidates, {len(set(names))} of different name",
            expected=f"at most {MAX_CANDIDATES}, each under a name of its own",
        )  # fmt: skip
    if not candidates:
        return ()
    mine, before = sample_of(suspect), samples or {}
    theirs = {c.name: before[c.name] if c.name in before else sample_of(c) for c in candidates}
    usable = {n: s for n, s in theirs.items() if not isinstance(s, str)}
    if isinstance(mine, str) or not usable:
        return tuple(_unread(c, mine, theirs[c.name], len(names)) for c in candidates)
    from audit_flow.analysis.lineage.decide import judge_lineage

    try:
        judged = judge_lineage(mine, usable)
        if copies := _copies(candidates, judged, usable):
            rest = {n: s for n, s in usable.items() if n not in copies}
            judged = _without_copies(judged, copies, judge_lineage(mine, rest) if rest else None)
    except (ArithmeticError, ValueError) as error:
        # LinAlgError is a ValueError.
        reason = f"the numbers could not be worked with ({error})"
        return tuple(_unread(c, reason, theirs[c.name], len(names)) for c in candidates)
    return tuple(
        _fact(mine, c, usable[c.name], judged, len(names))
        if c.name in usable else _unread(c, mine, theirs[c.name], len(names))
        for c in candidates
    )  # fmt: skip


def _copies(
    candidates: Sequence[Weights | Known], judged: Judged, samples: Mapping[str, Sample]
) -> dict[str, str]:
    """Return what a library holds of the release itself, and why: a copy is no parent of it.

    Few bits are as near to the release as to what it was made from; what is published in them was
    made from something else.
    """
    searched = {c.name for c in candidates if isinstance(c, Known) and c.searched}
    found = {n: SAME for n, c in judged.changes.items() if n in searched and c.kind == "identical"}
    few = {
        n for n in searched & judged.distances.keys()
        if any(b.quantised for b in samples[n].blocks) and judged.distances[n] < _NEAR
    }  # fmt: skip
    return dict.fromkeys(few, FEW_BITS) | found


def _without_copies(judged: Judged, copies: Mapping[str, str], rest: Judged | None) -> Judged:
    from audit_flow.analysis.lineage.decide import Judged

    told = {
        n: replace(c, reason=copies[n]) if n in copies else c for n, c in judged.comparisons.items()
    }
    if rest is None:
        return Judged(told, (), frozenset(), judged.changes, judged.distances)
    return Judged(
        {**told, **rest.comparisons}, rest.duels, rest.parents,
        {**judged.changes, **rest.changes}, {**judged.distances, **rest.distances},
    )  # fmt: skip


def sample_of(model: Weights | Known) -> Sample | str:
    """Return a model's sample, or why there is none."""
    from audit_flow.sources.weight_samples import read_sample

    if isinstance(model, Known):
        return model.fingerprint.sample
    try:
        return read_sample(model.reader, model.headers)
    except EvidenceError as error:
        return str(error)


def _unread(
    candidate: Weights | Known, mine: Sample | str, theirs: Sample | str, count: int
) -> WeightComparison:
    whose, reason = ("release", mine) if isinstance(mine, str) else ("candidate", theirs)
    read = [(s.read, s.total) if not isinstance(s, str) else (0, 0) for s in (mine, theirs)]
    return WeightComparison(
        **_about(candidate),
        candidates=count,
        decision="not decided",
        basis="none",
        log10_p=0,
        reason=f"the {whose} could not be sampled: {reason}",
        bytes_read=read[0][0], bytes_total=read[0][1],
        candidate_bytes_read=read[1][0], candidate_bytes_total=read[1][1],
    )  # fmt: skip


def _about(candidate: Weights | Known) -> dict[str, Any]:
    known = isinstance(candidate, Known)
    return {
        "id": f"weight-comparison:{candidate.name}",
        "source": candidate.source or candidate.name,
        "sha256": candidate.fingerprint.sha256 if isinstance(candidate, Known) else None,
        "signer": candidate.signer if isinstance(candidate, Known) else None,
        "origin": candidate.origin if isinstance(candidate, Known) else "",
        "trust": candidate.trust,
        "candidate": candidate.name,
        "commit": candidate.fingerprint.revision
        if isinstance(candidate, Known) else candidate.commit,
        "from_fingerprint": known,
    }  # fmt: skip


def _fact(
    suspect: Sample, candidate: Weights | Known, theirs: Sample, judged: Judged, count: int
) -> WeightComparison:
    found = judged.comparisons[candidate.name]
    change = judged.changes.get(candidate.name)
    far = judged.distances.get(candidate.name)
    return WeightComparison(
        **_about(candidate),
        candidates=count,
        decision=found.decision,
        basis=found.basis,
        log10_p=_rounded(found.log10_p),
        tests=_tests(found),
        held_out=_optional(found.held_out),
        gram=_optional(found.gram),
        power=tuple(sorted(found.power.found)) if found.power else (),
        reason=found.reason,
        parent=_parent(candidate.name, found, judged),
        rival=_rival(candidate.name, judged),
        duels=tuple(_duel(d, candidate.name) for d in judged.duels
                    if candidate.name in {d.first, d.second}),
        change=SampledChange(**vars(change)) if change else None,
        distance=_optional(far),
        bytes_read=suspect.read,
        bytes_total=suspect.total,
        candidate_bytes_read=theirs.read,
        candidate_bytes_total=theirs.total,
        not_assessed=(
            *(f"release: {r}" for r in suspect.not_assessed[:50]),
            *(f"candidate: {r}" for r in theirs.not_assessed[:50]),
        ),
    )  # fmt: skip


def _tests(found: Comparison) -> tuple[LineageTest, ...]:
    return tuple(
        LineageTest(name=t.name, hits=t.hits, places=t.places, tries=t.tries,
                    log10_p=_rounded(t.log10_p))
        for t in found.tests
    )  # fmt: skip


def _parent(name: str, found: Comparison, judged: Judged) -> Literal["this", "other", "undecided"]:
    if name in judged.parents:
        return "this"
    met = {n for d in judged.duels for n in (d.first, d.second) if name in {d.first, d.second}}
    # What could not be held against the parent has not lost to it.
    lost = found.decision == "related" and met & judged.parents
    return "other" if lost else "undecided"


def _rival(name: str, judged: Judged) -> str | None:
    return None if name in judged.parents else min(judged.parents, default=None)


def _duel(duel: Duel, name: str) -> LineageDuel:
    forth = duel.first == name
    return LineageDuel(
        rival=duel.second if forth else duel.first,
        share=_rounded(duel.share if forth else 1 - duel.share),
        raw=_rounded(duel.raw if forth else 1 - duel.raw),
        merge=duel.merge,
    )


def _rounded(value: float) -> float:
    # Sums come in another order on other machines; what is told does not depend on it. No −0.
    return round(float(value), 3) + 0.0 if math.isfinite(value) else 0.0


def _optional(value: float | None) -> float | None:
    return None if value is None else _rounded(value)
