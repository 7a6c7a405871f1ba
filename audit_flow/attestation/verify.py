"""Verify attestations of a verdict in numbered steps; only PASSED opens a gate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, unquote

from audit_flow.attestation import consistent
from audit_flow.attestation.compared import (
    compare_files,
    compare_policy,
    compare_record,
    compare_verdict,
    judge_again,
)
from audit_flow.attestation.facts import Facts, facts_of
from audit_flow.attestation.given import Attested, Given
from audit_flow.attestation.opened import (
    Opened,
    Sealed,
    Told,
    check_signature,
    check_statement,
    signer_in_words,
)
from audit_flow.attestation.verdict import VerdictPredicate, WaiverLine
from audit_flow.attestation.vsa import VerificationSummary
from audit_flow.attestation.wire import moment, timestamp
from audit_flow.errors import AttestationError
from audit_flow.model import Attestation, Outcome, TrustFile, sha256_hex
from audit_flow.model.signature_facts import SignerFacts, Step

JUDGE_URN = "urn:audit-flow:judge:"
CLOCKS_DIFFER = dt.timedelta(minutes=5)
# Each step must hold before what follows may be believed.
NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            "signature",  # of every bundle, by somebody who is trusted
            "statement",  # in-toto, of a kind that is known, in its one form
            "one verdict",  # all about the same subject, record, policy, judge and time
            "consistent",  # the result is what the findings give, the root what the files give
            "record",  # the digest of the record given
            "policy",  # the digest of the policy given
            "verdict",  # the digest of the verdict given
            "judged again",  # record and policy give these very statements
            "subject",  # the digests of the folder's files, computed here
            "judge",  # the one expected; a judge named by a key is that key
            "time",  # not in the future, not after it was signed
            "waivers",  # none that was used has run out
            "result",  # PASSED
        ),
        start=1,
    )
}
_NOT_COMPARED = {
    "record": "the record (--record): what was collected is the judge's word",
    "policy": "the policy (--policy): it is whichever the judge chose",
    "verdict": "the verdict's file (--verdict)",
    "judged again": "that record and policy give this verdict (--record and --policy)",
    "subject": "the files (--subject): compare their digests before you use them",
}


class _Steps:
    def __init__(self) -> None:
        self.taken: list[Step] = []
        self.unchecked: list[str] = []

    def note(self, name: str, told: Told | None) -> bool:
        """Note how a step came out, or that it was not taken; say whether it held."""
        if told is None:
            self.unchecked.append(_NOT_COMPARED[name])
            return False
        step = Step(number=NUMBERS[name], name=name, outcome=told.outcome, detail=told.detail)
        self.taken.append(step)
        return told.outcome is Outcome.PASSED

    def in_order(self) -> tuple[Step, ...]:
        return tuple(sorted(self.taken, key=lambda step: step.number))

    def problems(self, name: str, found: Iterator[str], good: str) -> bool:
        text = "; ".join(found)
        return self.note(name, Told(Outcome.FAILED if text else Outcome.PASSED, text or good))


def verify(bundles: Sequence[Sealed], trust: TrustFile, given: Given) -> Attested:
    """Verify the attestations of one verdict; what does not hold is a step, never an exception.

    Raises PolicyError where the policy given can't be read.
    """
    steps = _Steps()
    opened = _open(bundles, trust, given, steps)
    if opened is None:
        return Attested(steps.in_order())
    facts, said = _main(opened)
    _compare(opened, facts, said, given, steps)
    steps.note("judge", _judge(opened, facts, given))
    steps.note("time", _time(opened, facts, given.at))
    steps.note("waivers", _waivers_used(opened, said, given.at))
    if said is None:
        steps.unchecked.append("what was not assessed: only the verdict's attestation says it")
    steps.note("result", _result(facts))
    named = (_attestation(o, facts) for o in opened)
    attestations = tuple(a for a in named if a is not None)
    return Attested(steps.in_order(), attestations, said, tuple(steps.unchecked))


def _open(
    bundles: Sequence[Sealed], trust: TrustFile, given: Given, steps: _Steps
) -> list[Opened] | None:
    """Take steps 1 to 4; None where nothing that was signed may be believed."""
    opened = []
    for sealed in bundles:
        envelope, told = check_signature(sealed, trust, given.at)
        steps.note("signature", _at(sealed, told))
        if envelope is not None:
            item, told = check_statement(sealed, envelope)
            steps.note("statement", _at(sealed, told))
            opened += [item] if item else []
    if len(opened) < len(bundles) or not opened:
        if not bundles:
            steps.note("signature", Told(Outcome.UNPROVEN, "there is no attestation"))
        return None
    one = steps.problems("one verdict", consistent.disagreements(opened), f"{len(opened)} agree")
    found = (f"{o.where}: {c}" for o in opened for c in consistent.contradictions(o))
    return (
        opened
        if steps.problems("consistent", found, "results follow from findings") and one
        else None
    )


def _at(sealed: Sealed, told: Told) -> Told:
    return Told(told.outcome, f"{sealed.where}: {told.detail}")


def _main(opened: Sequence[Opened]) -> tuple[Facts, VerdictPredicate | None]:
    """Return what is compared: the verdict's facts, else the summary's, else those of the first."""
    predicates = [o.predicate for o in opened]
    verdict = next((p for p in predicates if isinstance(p, VerdictPredicate)), None)
    summary = next((p for p in predicates if isinstance(p, VerificationSummary)), None)
    return facts_of(verdict or summary or predicates[0]), verdict


def _compare(
    opened: Sequence[Opened],
    facts: Facts,
    said: VerdictPredicate | None,
    given: Given,
    steps: _Steps,
) -> None:
    subject = opened[0].statement.subject
    record, told = compare_record(given, facts, subject)
    steps.note("record", told)
    policy, told = compare_policy(given, facts)
    steps.note("policy", told)
    told = compare_verdict(given, facts, said)
    if (steps.note("verdict", told) or told is None) and record and policy:
        steps.note("judged again", judge_again(given, record, policy, facts, opened))
    elif given.record is None or given.policy is None:
        steps.note("judged again", None)
    files = given.files
    steps.note("subject", None if files is None else compare_files(files, subject))


def _judge(opened: Sequence[Opened], facts: Facts, given: Given) -> Told:
    """A judge named by a signer's URN must have signed; any other is the signer's word."""
    judge = facts.judge
    if given.judge is not None and judge != given.judge:
        return Told(Outcome.FAILED, f"judged by {judge}; expected {given.judge}")
    if judge is None or not judge.startswith(JUDGE_URN):
        return Told(Outcome.PASSED, f"{judge or 'not named'}, in the signer's word")
    others = {judge_of(o.signer) for o in opened if not _is_judge(judge, o.signer)}
    if others:
        return Told(Outcome.FAILED, f"{judge} is named; signed by {', '.join(sorted(others))}")
    return Told(Outcome.PASSED, judge)


def _is_judge(judge: str, signer: SignerFacts | None) -> bool:
    if signer is None or judge == judge_of(signer):
        return signer is not None
    # A job names itself by its token's subject before it signs; the certificate names its workflow.
    job = signer.kind == "sigstore" and "://" in (signer.identity or "")
    named = unquote(judge)
    repository = signer.github_repository
    return (
        job and named.endswith(f", issuer {signer.issuer}")
        and (repository is None or f":{repository}:" in named)
    )  # fmt: skip


def judge_of(signer: SignerFacts | None) -> str:
    """Return the URN of a signer as a judge: by key, else by identity and issuer."""
    if signer is None:
        return f"{JUDGE_URN}unknown"
    if signer.kind == "certificate":
        return judge_urn(f"certificate {signer.identity}")
    # As the signer names itself: by key, or by identity and issuer, not by the verifier's name.
    return judge_urn(signer.model_copy(update={"name": None}).in_words)


def judge_urn(identity: str) -> str:
    """Return the URN of a judge who is known by his signer's identity alone."""
    return f"{JUDGE_URN}{quote(identity, safe=':@/')}"


def _time(opened: Sequence[Opened], facts: Facts, at: dt.datetime) -> Told:
    if facts.time is None:
        return Told(Outcome.PASSED, "this kind states none")
    judged_at = moment(facts.time)
    if judged_at > at + CLOCKS_DIFFER:
        return Told(Outcome.FAILED, f"judged at {facts.time}; it is {timestamp(at)}")
    signed = [o.signed_at for o in opened if o.signed_at]
    if signed and judged_at > min(signed) + CLOCKS_DIFFER:
        return Told(Outcome.FAILED, f"judged at {facts.time}, signed at {timestamp(min(signed))}")
    if signed and max(signed) > at + CLOCKS_DIFFER:
        told = f"signed at {timestamp(max(signed))}, by a trusted time; the clock here says"
        return Told(Outcome.UNPROVEN, f"{told} {timestamp(at)}: set it")
    return Told(Outcome.PASSED, f"judged at {facts.time}")


def _waivers_used(opened: Sequence[Opened], said: VerdictPredicate | None, at: dt.datetime) -> Told:
    if said is not None:
        return _waivers(said.waivers, at.astimezone(dt.UTC).date())
    summaries = [o.predicate for o in opened if isinstance(o.predicate, VerificationSummary)]
    if any("AUDIT_FLOW_PASSED_WITH_WAIVERS" in s.verified_levels for s in summaries):
        return Told(Outcome.UNPROVEN, "some were used; only the verdict says until when they hold")
    return Told(Outcome.PASSED, "none is named")


def _waivers(waivers: Sequence[WaiverLine], today: dt.date) -> Told:
    """Judge the waivers used as of today: without one that ran out, its finding stands."""
    gone = [w for w in waivers if w.expires < today]
    if not gone:
        return Told(Outcome.PASSED, f"{len(waivers)} used")
    worse = any(w.outcome is Outcome.FAILED for w in gone)
    names = "; ".join(f"{w.rule} for {w.about}, until {w.expires}" for w in gone)
    return Told(Outcome.FAILED if worse else Outcome.UNPROVEN, f"run out: {names}")


def _result(facts: Facts) -> Told:
    if facts.result == "PASSED" and facts.time:
        return Told(Outcome.PASSED, "PASSED")
    if facts.result == "FAILED":
        return Told(Outcome.FAILED, "the verdict is FAILED")
    if facts.result == "INCONCLUSIVE":
        return Told(Outcome.UNPROVEN, "the verdict is INCONCLUSIVE")
    return Told(Outcome.UNPROVEN, "no verdict and no summary: results alone open no gate")


def _attestation(item: Opened, facts: Facts) -> Attestation | None:
    if facts.record is None or facts.policy is None or facts.result is None:
        return None
    return Attestation(
        predicate_type=item.kind.predicate_type,
        outcome=facts.result,
        subject_sha256=item.statement.subject[0].digest.sha256,
        record_sha256=facts.record,
        policy_sha256=facts.policy,
        verdict_sha256=facts.verdict,
        payload_sha256=sha256_hex(item.payload),
        judged_at=facts.time or "",
        judge=facts.judge or "",
        signer=signer_in_words(item.signer),
    )


def require_passed(
    raw: Sequence[bytes],
    trust: TrustFile,
    *,
    files: Mapping[str, str],
    policy_sha256: str,
    record_sha256: str | None = None,
    at: dt.datetime | None = None,
) -> Attested:
    """Return a signed PASSED verdict on these very files under this very policy.

    ``files`` are the SHA-256 of the released files by path, documentation left out. Raises
    AttestationError naming every problem; an attestation that holds no verdict is one.
    """
    given = Given(
        at=at or dt.datetime.now(dt.UTC),
        files=files,
        policy_sha256=policy_sha256,
        record_sha256=record_sha256,
    )
    bundles = [Sealed(f"attestation {n}", data) for n, data in enumerate(raw, start=1)]
    attested = verify(bundles, trust, given)
    problems = list(attested.problems)
    if attested.outcome == "PASSED" and attested.said is None:
        problems.append("no attestation holds the verdict itself")
    if problems or attested.outcome != "PASSED":
        raise AttestationError(
            "; ".join(problems),
            expected="a signed verdict that is PASSED, on these files under this policy",
            remedy="Audit and attest what is to be released: audit-flow attest",
        )
    return attested
