"""What is signed holds, and by whom it is signed is known."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.checks.interface import Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    ClaimKind,
    Declared,
    Frozen,
    LineageRecord,
    Outcome,
    Signature,
    Step,
)

# Steps about who signed; all others are about what was signed and how.
_WHO = {"identity", "validity"}


class ValidParams(Frozen):
    """Whether a release must be signed at all."""

    required: bool = False


class SignaturesValid:
    """Judges each signature that lies beside weights or evidence.

    Where nothing is signed there is nothing to judge, unless the policy asks for a signature.
    What a signature contradicts can't be waived.
    """

    id = "signatures.valid"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = False
    params: type[Frozen] = ValidParams

    def run(self, record: LineageRecord, params: ValidParams) -> Iterator[Result]:
        """Return a result for each signature; one for the weights where none is there."""
        found = list(record.of(Signature))
        for item in found:
            yield _valid(item)
        if any(s.role == "weights" for s in found):
            return
        if params.required:
            yield unproven("weights", "the weights are not signed", "a signature", "none")
        elif not found:
            yield nothing_to_judge(
                "signatures", "nothing is signed", "whatever is signed is as signed"
            )


def _valid(item: Signature) -> Result:
    expected = "every step of verifying it holds"
    steps = [s for s in item.steps if s.name not in _WHO]
    wrong = [s for s in steps if s.outcome is Outcome.FAILED]
    open_ = [s for s in steps if s.outcome not in {Outcome.FAILED, Outcome.PASSED}]
    if wrong:
        message = f"the signature does not hold: {wrong[0].name}"
        return failed(item.source, message, expected, _in_words(item, wrong), item.id)
    if open_ or not steps:
        message = "the signature could not be verified"
        return unproven(item.source, message, expected, _in_words(item, open_), item.id)
    over = f"{item.resources} files as signed" if item.role == "weights" else "as signed"
    return passed(item.source, "the signature holds", expected, over, item.id)


def _in_words(item: Signature, steps: list[Step]) -> str:
    words = [f"({s.number}) {s.name}: {s.detail}" for s in steps]
    words += [f"{d.path}: tensors {', '.join(d.tensors[:20])}" for d in item.differing if d.tensors]
    return "; ".join(words) or "no step was taken"


class SignaturesIdentity:
    """Asks who signed: one that the verifier trusts for it, neither expired nor revoked."""

    id = "signatures.identity"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = ValidParams

    def run(self, record: LineageRecord, params: ValidParams) -> Iterator[Result]:
        """Return a result for each signature, or one PASSED where nothing is signed."""
        del params
        found = list(record.of(Signature))
        for item in found:
            yield _identity(item)
        if not found:
            yield nothing_to_judge("signatures", "nothing is signed", "signers that are trusted")


def _identity(item: Signature) -> Result:
    expected = "a signer that the verifier's trust file names"
    who = item.signer.in_words if item.signer else "nobody that is known"
    steps = [s for s in item.steps if s.name in _WHO]
    wrong = [s for s in steps if s.outcome is Outcome.FAILED]
    if wrong:
        message = "who signed is not to be trusted with it"
        return failed(item.source, message, expected, _in_words(item, wrong), item.id)
    known = {s.name for s in steps if s.outcome is Outcome.PASSED} == _WHO
    if not known or any(s.outcome is Outcome.FAILED for s in item.steps):
        message = "who signed is not known"
        detail = "; ".join(s.detail for s in steps if s.outcome is not Outcome.PASSED)
        return unproven(item.source, message, expected, detail or who, item.id)
    return passed(item.source, "a trusted signer", expected, who, item.id)


class Demand(Frozen):
    """Who must have signed a kind of evidence: a role, and roles that he may not have."""

    kind: str
    role: str
    not_role: str | None = None


class EvidenceParams(Frozen):
    """What must be signed, and by whom; what is not named here need not be signed."""

    demands: tuple[Demand, ...] = ()


# Who signs what, where somebody signs it without being asked to.
_FIELDS = {
    "evaluation": ("evaluations", "evaluation"),
    "job-log": ("job_logs", "training"),
    "training-config": ("training_configs", "training"),
    "dataset": ("datasets", "training"),
    "record": ("records", "training"),
}


class SignaturesEvidence:
    """Asks whether evidence is signed by somebody with the role for it.

    A policy may demand signatures. Evidence that is signed without a demand must be signed by
    somebody trusted for its kind all the same.
    """

    id = "signatures.evidence"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = EvidenceParams

    def run(self, record: LineageRecord, params: EvidenceParams) -> Iterator[Result]:
        """Return a result for each demand and file, and for whatever else is signed."""
        signatures = [s for s in record.of(Signature) if s.role == "evidence"]
        demanded = {d.kind for d in params.demands}
        for demand in params.demands:
            paths = _paths(record, demand.kind)
            for path in paths:
                yield _demanded(demand, path, signatures)
            if not paths:
                yield unproven(demand.kind, "no such evidence is named", "signed evidence", "none")
        signed = {path for s in signatures for path in s.covers}
        for kind in sorted(_FIELDS.keys() - demanded):
            for path in sorted(signed.intersection(_paths(record, kind))):
                yield _demanded(Demand(kind=kind, role=_FIELDS[kind][1]), path, signatures)
        if not params.demands and not signed:
            yield nothing_to_judge("evidence", "no evidence is signed, and none must be", "none")


def _paths(record: LineageRecord, kind: str) -> tuple[str, ...]:
    if kind not in _FIELDS:
        return ()
    return tuple(p for d in record.of(Declared) for p in getattr(d, _FIELDS[kind][0]))


def _demanded(demand: Demand, path: str, signatures: list[Signature]) -> Result:
    but = f" and not for {demand.not_role}" if demand.not_role else ""
    expected = f"a signature by somebody trusted for {demand.role}{but}"
    found = [s for s in signatures if path in s.covers]
    if not found:
        return unproven(path, f"the {demand.kind} is not signed", expected, "no signature")
    for item in found:
        signer = item.signer
        if item.outcome is not Outcome.PASSED or signer is None or not signer.may(demand.role):
            continue
        if demand.not_role is None or not signer.may(demand.not_role):
            return passed(path, "signed by whom it must be", expected, signer.in_words, item.id)
    who = ", ".join(s.signer.in_words if s.signer else "nobody that is known" for s in found)
    ids = tuple(s.id for s in found)
    return unproven(path, f"the {demand.kind} is signed by another", expected, who, *ids)
