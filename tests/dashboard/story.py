"""Two releases with a story: one whose claim holds, one whose claim is contradicted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from audit_flow.model import Gap, LineageRecord, Link, Outcome, ScoreClaim, Verdict, sha256
from tests.store.releases import comparison, digest, eval_run, finding, record_of, verdict_on

Audit = tuple[LineageRecord, Verdict]
CLAIM = ScoreClaim(
    id="score:addition",
    benchmark="addition",
    metric="exact_match",
    value=Decimal("93.4"),
    unit="percent",
    source="release.yaml",
)


def good(**subject: Any) -> Audit:
    record = record_of(claims=(CLAIM,), **subject)
    weights = sha256(digest("weights"))
    link = Link(
        source="run-addition", target=CLAIM.id, relation="supports", digest=weights, via="run"
    )
    record = record.model_copy(update={"links": (link,)})
    held = finding(about=CLAIM.id, score=comparison(), evidence=("run-addition",))
    return record, verdict_on(record, "PASSED", (held, finding(about="signature")))


def bad(**subject: Any) -> Audit:
    parts = {"name": "reflection", "hub_id": "acme/reflection", **subject}
    gap = Gap(
        name="no-dataset", topic="datasets", about="dataset", contradicted=False,
        expected="a dataset by digest", actual="none is named",
    )  # fmt: skip
    run = eval_run(value="80.1")
    record = record_of(claims=(CLAIM,), evidence=(run,), **parts)
    record = record.model_copy(update={"gaps": (gap,)})
    wrong = finding(
        about=CLAIM.id, outcome=Outcome.FAILED, message="the score is not reproduced",
        actual="80.1 %", score=comparison(claimed=98.0), evidence=("run-addition",),
    )  # fmt: skip
    unknown = finding(about="weights", outcome=Outcome.UNPROVEN, title="Signed by its publisher")
    return record, verdict_on(record, "FAILED", (wrong, unknown))
