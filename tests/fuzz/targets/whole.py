"""What comes after reading: records of any content are linked, judged, attested and shown."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from pydantic import ValidationError

from audit_flow.attestation import judged
from audit_flow.attestation.kinds import statements
from audit_flow.collectors import collect
from audit_flow.gate import judge
from audit_flow.linking import link
from audit_flow.model import LineageRecord, Policy, Unread
from audit_flow.policy_file import load_policy
from audit_flow.report import FORMATS
from audit_flow.report.interface import AuditResult, Look
from audit_flow.sources.manifest import load
from tests.attestation.desk import NOW, case
from tests.fuzz.facts import held
from tests.fuzz.interface import ROOT, Place, Seed, Target
from tests.fuzz.spoil_trees import spoil_json
from tests.fuzz.targets.evidence import spoil_any
from tests.fuzz.targets.releases import good, of_release, spoil_card

LOOK = Look(color=True, width=80, verbose=True)
CASES = ROOT / "policies" / "cases"


@cache
def _policy(name: str) -> Policy:
    return load_policy(name)


def _judge(data: bytes, place: Place) -> AuditResult:
    given = LineageRecord.model_validate_json(data)
    record = link(given.subject, given.claims, given.evidence)
    verdict = judge(record, _policy(place.seed.name))
    held([record, verdict])
    return AuditResult(record=record, verdict=verdict)


def _show(data: bytes, place: Place) -> None:
    result = _judge(data, place)
    for known in FORMATS:
        assert known.render(result, LOOK).encode()


def _attest(data: bytes, place: Place) -> None:
    given = LineageRecord.model_validate_json(data)
    record = link(given.subject, given.claims, given.evidence)
    found = judged(
        record, _policy(place.seed.name), judge_id="urn:audit-flow:judge:x", judged_at=NOW
    )
    for named in statements(found):
        assert named.statement.payload()


def _collect(data: bytes, place: Place) -> None:
    found = collect(load(place.path))
    for fact in found.evidence:
        broken = isinstance(fact, Unread) and "broke down" in fact.detail
        assert not broken, fact
    record = link(found.subject, found.claims, found.evidence)
    held([record, judge(record, _policy("default"))])


def _records() -> Iterable[Seed]:
    for name in ("default", "third-party"):
        yield Seed((CASES / name / "good.record.json").read_bytes(), name)
    for outcome in ("PASSED", "FAILED"):
        yield Seed(case(outcome).files["record.json"], "default")


def _files() -> Iterable[Seed]:
    names = [
        n for n in sorted(good()) if not n.endswith((".py", ".safetensors")) and "raw" not in n
    ]
    return of_release(*names)


_COVERS = ("audit_flow.gate.judge", "audit_flow.linking.graph", "audit_flow.checks.interface")
WHOLE = (
    Target("record to verdict", _COVERS, _judge, _records, spoil_json, also=(ValidationError,)),
    Target(
        "record to reports",
        (*_COVERS, "audit_flow.report.html"),
        _show,
        _records,
        spoil_json,
        also=(ValidationError,),
    ),
    Target(
        "record to attestations",
        ("audit_flow.attestation.verdict",),
        _attest,
        _records,
        spoil_json,
        also=(ValidationError,),
    ),
    Target(
        "release to verdict",
        ("audit_flow.collectors.collect",),
        _collect,
        _files,
        lambda rng, data, others: (spoil_card if data[:3] == b"---" else spoil_any)(
            rng, data, others
        ),
        files=True,
    ),
)
