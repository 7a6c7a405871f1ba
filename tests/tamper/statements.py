"""Signed verdicts, policies, records and reviewers' answers, at the gates that read them."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

from audit_flow.approval import Answer as Word
from audit_flow.approval import History, take
from audit_flow.attestation import Given, judge_urn, verify
from audit_flow.attestation.opened import Sealed
from audit_flow.attestation.wire import PAYLOAD_TYPE
from audit_flow.errors import AttestationError, AuditFlowError, PolicyError
from audit_flow.model import Policy, Waiver, canonical_json, sha256_hex
from audit_flow.policy_file import load_policy
from audit_flow.publish.gate import clear
from tests.tamper import formats
from tests.tamper.bench import SUFFIX, Bench
from tests.tamper.case import Answer, Attempt, Must, TamperClass, every, rules
from tests.tamper.fields import FieldChange, field_changes
from tests.tamper.good import JUDGE, MALLORY, TRUST

FILES = ("record", "verdict", "policy")
# Who judged and when is the judge's own word, and his tool's version is its own.
WORD = ("judge.id", "verifier.id", "judgedAt", "timeVerified", "evaluatedAt", "tool.version")


def subject_files(bench: Bench) -> dict[str, str]:
    """Return the attested files by path, with their digests."""
    payload = formats.read_payload(bench.good.files[f"verdict{SUFFIX}"])
    return {s["name"]: s["digest"]["sha256"] for s in payload["subject"][1:]}


def given(bench: Bench, **changes: Any) -> Given:
    files = bench.good.files
    held: dict[str, Any] = {name: files[f"{name}.json"] for name in FILES}
    at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)
    return replace(Given(at=at, files=subject_files(bench), **held), **changes)


def sealed(bundles: dict[str, bytes]) -> list[Sealed]:
    return [Sealed(name, raw) for name, raw in sorted(bundles.items())]


def verified(bench: Bench, bundles: dict[str, bytes] | None = None, **changes: Any) -> Answer:
    """Verify attestations beside what the verifier holds; the steps that did not hold."""
    found = verify(sealed(bundles or bench.bundles), TRUST, given(bench, **changes))
    wrong = frozenset(s.name for s in found.steps if s.outcome.value != "PASSED")
    shown = {a.payload_sha256 for a in found.attestations}
    known = {sha256_hex(payload_bytes(raw)) for raw in bench.bundles.values()}
    same = shown == known
    return Answer(found.outcome == "PASSED", wrong, "same payload" if same else "")


def payload_bytes(raw: bytes) -> bytes:
    return base64.b64decode(json.loads(raw)["dsseEnvelope"]["payload"])


def file_attempts(bench: Bench, name: str) -> Iterator[Attempt]:
    document = json.loads(bench.good.files[f"{name}.json"])
    for change in field_changes(document):
        if change.document != document:
            yield Attempt(
                f"{name}.json:{'.'.join(map(str, change.path))}", change.kind,
                lambda c=change: _with_file(bench, name, c.document),  # type: ignore[misc]
                every(name),
            )  # fmt: skip


def _with_file(bench: Bench, name: str, document: Any) -> Answer:
    held: dict[str, Any] = {name: canonical_json(document)}
    return verified(bench, **held)


def envelope_attempts(bench: Bench) -> Iterator[Attempt]:
    """Each bundle's envelope: its fields, and its payload under the signature of before."""
    for name, raw in bench.bundles.items():
        for read, write, what in (
            (formats.read_json, formats.write_json, "bundle"),
            (formats.read_payload, formats.write_payload, "payload"),
        ):
            for change in field_changes(read(raw)):
                yield _bundle(
                    bench, f"{name}:{what}", change,
                    lambda c, w=write, r=raw: w(c.document, r),  # type: ignore[misc]
                    rules("signature", "statement"),
                )  # fmt: skip


def signed_attempts(bench: Bench) -> Iterator[Attempt]:
    """The judge himself signs a statement with one field changed: it must not follow."""
    for name, raw in bench.bundles.items():
        for change in field_changes(formats.read_payload(raw)):
            if not ".".join(map(str, change.path)).endswith(WORD):
                yield _bundle(bench, f"{name}:signed", change, _signed, _FOLLOWS)


def _signed(change: FieldChange) -> bytes:
    return JUDGE.sign(canonical_json(change.document), PAYLOAD_TYPE)


_FOLLOWS: Must = rules(
    "statement", "one verdict", "consistent", "record", "policy", "verdict", "judged again",
    "subject", "judge", "time", "waivers", "result",
)  # fmt: skip


def _bundle(
    bench: Bench, place: str, change: FieldChange, make: Callable[[FieldChange], bytes], must: Must
) -> Attempt:
    """Return the try with one bundle made anew from a change of what it says."""
    return Attempt(
        f"{place} {'.'.join(map(str, change.path))}", change.kind,
        lambda: verified(bench, {**bench.bundles, place.partition(":")[0]: make(change)}), must,
    )  # fmt: skip


def _given(bench: Bench, name: str, kind: str, data: bytes, must: Must) -> Attempt:
    return Attempt(name, kind, lambda: verified(bench, {**bench.bundles, name: data}), must)


def whole_attempts(bench: Bench) -> Iterator[Attempt]:
    """Bundles signed by another, taken from elsewhere, twice, or none of them there."""
    first, raw = next(iter(bench.bundles.items()))
    payload = base64.b64decode(json.loads(raw)["dsseEnvelope"]["payload"])
    forged = MALLORY.sign(payload, PAYLOAD_TYPE)
    yield _given(bench, first, "signed by a stranger", forged, every("signature"))
    yield _given(bench, "again.sigstore.json", "double", raw, every("one verdict"))
    yield Attempt("(all)", "remove", lambda: verified(bench, {"x": b"{}"}), every("signature"))
    files = subject_files(bench)
    for path, digest in files.items():
        changes = {
            "changed": {**files, path: f"{digest[:-1]}{'0' if digest[-1] != '0' else '1'}"},
            "missing": {p: d for p, d in files.items() if p != path},
            "renamed": {(f"{p}x" if p == path else p): d for p, d in files.items()},
        }
        for kind, now in changes.items():
            yield Attempt(path, kind, lambda n=now: verified(bench, files=n), every("subject"))  # type: ignore[misc]
    new = {**files, "new.bin": "0" * 64}
    yield Attempt("new.bin", "added", lambda: verified(bench, files=new), every("subject"))


@cache
def waiver(expires: dt.date, subject: str) -> Waiver:
    words = {"owner": "Ada", "reason": "logs are under seal"}
    place = {"rule": "training.claims", "about": "training:steps"}
    return Waiver(**words, **place, expires=expires, subject_sha256=subject)


def policies(policy: Policy, subject: str) -> Iterator[tuple[str, Policy]]:
    """Yield the policy with one rule gone, weakened, of other parameters, or waived."""
    for index, rule in enumerate(policy.rules):
        rest = policy.rules[:index], policy.rules[index + 1 :]
        yield f"remove {rule.id}", _ruled(policy, *rest[0], *rest[1])
        other = "warn" if rule.level == "deny" else "deny"
        yield f"level {rule.id}", _ruled(policy, *rest[0], _with(rule, level=other), *rest[1])
        for name, value in rule.params.items():
            params = {**rule.params, name: _weaker(value)}
            yield (
                f"{name} {rule.id}",
                _ruled(policy, *rest[0], _with(rule, params=params), *rest[1]),
            )
    day = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=9)
    yield "waiver", policy.model_copy(update={"waivers": (waiver(day, subject),)})


def _with(rule: Any, **changes: Any) -> Any:
    return rule.model_copy(update=changes)


def _ruled(policy: Policy, *kept: Any) -> Policy:
    return policy.model_copy(update={"rules": kept})


def _weaker(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return value[1:]
    return value * 2


def policy_attempts(bench: Bench) -> Iterator[Attempt]:
    """A verdict under one policy opens nothing under another, weaker or stronger.

    Under some of them the release does not pass at all: that ends publishing before.
    """
    subject = bench.good.result.record.subject.weights_sha256 or ""
    for kind, policy in policies(bench.good.policy, subject):
        raw = canonical_json(policy.model_dump(mode="json"))
        given = partial(verified, bench, policy=raw)
        yield Attempt("policy given", kind, partial(_readable, given), every("policy"))
        at_publishing = partial(_published, bench, policy)
        yield Attempt("policy at publishing", kind, partial(_readable, at_publishing),
                      rules("policy", "result"))  # fmt: skip


def _readable(gate: Callable[[], Answer]) -> Answer:
    """Return what a gate says; a policy that can't be one is refused before."""
    try:
        return gate()
    except PolicyError:
        return Answer(False, frozenset({"policy"}))


def _published(bench: Bench, policy: Policy) -> Answer:
    order = replace(bench.order(), policy=policy)
    try:
        clear(order, bench.good.result)
    except AttestationError as error:
        step = "policy" if ", policy: FAILED" in error.got else "result"
        return Answer(False, frozenset({step}))
    return Answer(True)


def word_attempts(bench: Bench) -> Iterator[Attempt]:
    """A reviewer's answer that is about another record, or names a review that is not kept."""
    verdict = bench.good.result.verdict
    good = {"decision": "approve", "reviewer": "Ada", "reason": "read it all",
            "record_sha256": verdict.record_sha256}  # fmt: skip
    others = {f"{n} digit {i}": {**good, n: _turned(good["record_sha256"], i)}
              for n in ("record_sha256", "review_sha256") for i in range(0, 64, 7)}  # fmt: skip
    others["verdict's digest"] = {**good, "record_sha256": verdict.policy_sha256}
    for kind, word in others.items():
        refused = rules("StaleDecision", "ApprovalError")
        yield Attempt("answer", kind, partial(_taken, bench, word), refused)
    for outcome in ("FAILED", "INCONCLUSIVE"):
        yield Attempt("verdict", f"approve {outcome}", lambda o=outcome: _taken(bench, good, o),  # type: ignore[misc]
                      every("ApprovalError"))  # fmt: skip


def _turned(digest: str, at: int) -> str:
    return digest[:at] + ("0" if digest[at] != "0" else "1") + digest[at + 1 :]


def _taken(bench: Bench, word: dict[str, str], outcome: str = "PASSED") -> Answer:
    verdict = bench.good.result.verdict.model_copy(update={"outcome": outcome})
    try:
        take(Word.model_validate(word), verdict, History(bench.scratch / "reviews"))
    except AuditFlowError as error:
        return Answer(False, frozenset({type(error).__name__}))
    return Answer(True)


def classes() -> tuple[TamperClass, ...]:
    """Return the classes of signed statements."""
    gate = "verify-attestation"
    files = (
        TamperClass(f"fields: {n}.json", gate, lambda b, n=n: file_attempts(b, n))  # type: ignore[misc]
        for n in FILES
    )
    return (
        *files,
        TamperClass("attestation: envelope and payload", gate, envelope_attempts),
        TamperClass("attestation: signed anew by the judge", gate, signed_attempts),
        TamperClass("attestation: whole, and its subject", gate, whole_attempts),
        TamperClass("policy: weakened, strengthened, waived", gate, policy_attempts),
        TamperClass("review: an answer about something else", "approval", word_attempts),
    )


__all__ = ["classes", "given", "judge_urn", "load_policy", "verified"]
