"""A signed verdict beside a release is about these files, and says PASSED."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import AttestedVerdict, ClaimKind, Frozen, LineageRecord, Outcome


class AttestedVerdictHolds:
    """Judges the signed verdict that lies in a repository; without one there is nothing to judge.

    It adds nothing to what is proven here: others' verdicts are not one's own.
    """

    id = "attestation.holds"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each signed verdict, or one PASSED where there is none."""
        del params
        found = list(record.of(AttestedVerdict))
        for item in found:
            yield _judge(item)
        if not found:
            yield nothing_to_judge(
                "attestation", "no signed verdict lies beside the release",
                "whatever is attested holds",
            )  # fmt: skip


def _judge(item: AttestedVerdict) -> Result:
    expected = "a PASSED verdict about these files, by a signer that the verifier trusts"
    wrong = [s for s in item.steps if s.outcome is Outcome.FAILED]
    who = item.signer or "nobody that is known"
    if wrong:
        said = "; ".join(f"({s.number}) {s.name}: {s.detail}" for s in wrong)
        message = f"the signed verdict does not hold: {wrong[0].name}"
        return failed(item.source, message, expected, said, item.id)
    if item.outcome is not Outcome.PASSED:
        open_ = [s for s in item.steps if s.outcome is not Outcome.PASSED]
        said = "; ".join(f"({s.number}) {s.name}: {s.detail}" for s in open_) or "no step was taken"
        return unproven(item.source, "the signed verdict proves nothing", expected, said, item.id)
    left = f"; not assessed then: {len(item.not_assessed)}" if item.not_assessed else ""
    said = f"{item.said} by {item.judge}, signed by {who}, {item.judged_at}{left}"
    return passed(item.source, "the signed verdict is about these files", expected, said, item.id)
