"""Time: what ran out, what is not yet true, and what came in an order that can't be."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from audit_flow.attestation import attest, judge_urn, judged
from audit_flow.errors import AttestationError
from audit_flow.model import Policy, TrustFile
from audit_flow.publish.gate import clear, refused
from audit_flow.report.interface import AuditResult
from tests.signing.judging import judge, make
from tests.signing.sigstore_server import PrivateSigstore
from tests.signing.sigstore_server.workshop import Shape
from tests.tamper.bench import Bench, shut
from tests.tamper.case import Answer, Attempt, TamperClass, every, rules
from tests.tamper.good import JUDGE, TRUST
from tests.tamper.statements import verified, waiver

DAY = dt.timedelta(days=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def key_attempts(bench: Bench) -> Iterator[Attempt]:
    """Each trusted key before its time, after it, or revoked; a key alone proves no time."""
    ends = {
        "not yet valid": {"valid_from": now() + DAY},
        "expired": {"valid_until": now() - DAY},
        "revoked": {"revoked_at": now() - DAY},
    }
    for index, key in enumerate(TRUST.keys):
        for kind, times in ends.items():
            keys = list(TRUST.keys)
            keys[index] = key.model_copy(update=times)
            trust = TrustFile(keys=tuple(keys))
            if key.name == "the judge":
                yield Attempt(key.name, kind, lambda t=trust: _attested(bench, t),  # type: ignore[misc]
                              every("signature"))  # fmt: skip
            else:
                yield Attempt(key.name, kind, lambda t=trust: _audited(bench, t),  # type: ignore[misc]
                              every("signatures.identity"))  # fmt: skip


def _audited(bench: Bench, trust: TrustFile) -> Answer:
    result = bench.good.audit(trust=trust)
    return Answer(True) if result.verdict.outcome == "PASSED" else shut(result)


def _attested(bench: Bench, trust: TrustFile) -> Answer:
    from audit_flow.attestation import verify
    from tests.tamper.statements import given, sealed

    found = verify(sealed(bench.bundles), trust, given(bench))
    wrong = frozenset(s.name for s in found.steps if s.outcome.value != "PASSED")
    return Answer(found.outcome == "PASSED", wrong)


def verdict_attempts(bench: Bench) -> Iterator[Attempt]:
    """The verifier's clock before the verdict; beyond five minutes nobody judged in the future."""
    # Hours, for the table itself may run for many minutes after the verdict.
    for minutes in (6 * 60, 60 * 24, 60 * 24 * 365):
        at = now() - dt.timedelta(minutes=minutes)
        yield Attempt("clock", f"{minutes} minutes behind", lambda a=at: verified(bench, at=a),  # type: ignore[misc]
                      every("time"))  # fmt: skip
    for rule, about in (("training.claims", "training:steps"),):
        yield Attempt(f"waiver {rule} {about}", "expired", lambda: _waived(bench, -1),
                      rules("refused", "training.claims"))  # fmt: skip
        yield Attempt("waiver", "of another subject", lambda: _waived(bench, 9, "0" * 64),
                      rules("refused", "training.claims"))  # fmt: skip
        yield Attempt("waiver", "ran out since the verdict", lambda: _ran_out(bench),
                      every("waivers"))  # fmt: skip


def needing(bench: Bench, days: int, subject: str | None = None) -> tuple[AuditResult, Policy]:
    """Return an audit with a false claim about training, and a policy that waives it."""
    raw = bench.originals["release.yaml"].decode()
    steps = raw.index("- name: steps\n  value: ") + len("- name: steps\n  value: ")
    data = (raw[:steps] + "9" + raw[steps:]).encode()
    root = bench.good.result.record.subject.weights_sha256 or ""
    one = waiver(now().date() + dt.timedelta(days=days), subject or root)
    policy = bench.good.policy.model_copy(update={"waivers": (one,)})
    with bench.changed({"release.yaml": data}):
        return bench.good.audit(policy=policy.on(now().date())), policy


def _waived(bench: Bench, days: int, subject: str | None = None) -> Answer:
    result, policy = needing(bench, days, subject)
    order = replace(bench.order(), policy=policy, signed=None)
    kept = refused(order, result)
    return Answer(True) if kept is None else shut(kept)


def _ran_out(bench: Bench) -> Answer:
    """Sign a verdict with a waiver that holds, and verify it after the waiver has run out."""
    result, policy = needing(bench, 1)
    urn = judge_urn(JUDGE.identity)
    files = attest(
        judged(result.record, policy.on(now().date()), judge_id=urn, judged_at=now()), JUDGE
    )
    bundles = {n: raw for n, raw in files.items() if n.endswith(".sigstore.json")}
    given: dict[str, Any] = {n: files[f"{n}.json"] for n in ("record", "verdict", "policy")}
    assert verified(bench, bundles, **given).opened, "the waiver holds today"
    return verified(bench, bundles, **given, at=now() + 3 * DAY)


def record_attempts(bench: Bench) -> Iterator[Attempt]:
    """The verdict signed before, on a record that is older or newer than what lies there."""
    for name in ("logs/trainer_state.json", "results/results.json"):
        data = json.loads(bench.originals[name])
        for key, value in (("date", 4102444800.0), ("start_date", "2099-01-01T00:00:00Z")):
            changed = json.dumps({**data, key: value}).encode()
            yield Attempt(name, f"{key} in the future",
                          lambda n=name, d=changed: bench.audited({n: d}, covered=True),  # type: ignore[misc]
                          every("signatures.valid"))  # fmt: skip
    older = bench.good.result.record.model_copy(update={"links": ()})
    yield Attempt(
        "record", "another audit's", lambda: _cleared(bench, older), rules("record", "result")
    )


def _cleared(bench: Bench, record: Any) -> Answer:
    result = AuditResult(record=record, verdict=bench.good.result.verdict)
    try:
        clear(bench.order(), result)
    except AttestationError as error:
        return Answer(False, frozenset({"record" if "record: FAILED" in error.got else "result"}))
    return Answer(True)


def sigstore_attempts(bench: Bench) -> Iterator[Attempt]:
    """Times of log and timestamp outside of the certificate's minutes."""
    del bench
    with PrivateSigstore() as sigstore:
        shapes = {
            f"timestamp {s} s from now": Shape(entry="v2 hashedrekord", timestamps=(s,))
            for s in (-7200, -1200, 1200, 7200, 10**8)
        }
        shapes["no timestamp"] = Shape(entry="v2 hashedrekord", timestamps=())
        for kind, shape in shapes.items():
            yield Attempt("sigstore", kind, lambda s=shape: _keyless(sigstore, s),  # type: ignore[misc]
                          rules("time", "signer", "validity", "log entry"))  # fmt: skip


def _keyless(sigstore: PrivateSigstore, shape: Shape) -> Answer:
    wrong = judge(sigstore, make(sigstore, shape), shape)
    return Answer(not wrong, frozenset(wrong))


def classes() -> tuple[TamperClass, ...]:
    """Return the classes of time."""
    return (
        TamperClass("time: keys", "audit", key_attempts),
        TamperClass("time: verdict and waivers", "verify-attestation", verdict_attempts),
        TamperClass("time: records", "audit", record_attempts),
        TamperClass("time: log and timestamps", "verify-signature", sigstore_attempts),
    )
