"""Everything that the manifest names is there and can be read."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.checks.interface import NoParams, Result, nothing_to_judge, passed, unproven
from audit_flow.model import ClaimKind, Frozen, LineageRecord, Outcome, Unread


class EvidencePresent:
    """Names each piece of evidence that is missing (UNPROVEN) or unreadable (ERROR)."""

    id = "evidence.present"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return one result for each piece that could not be taken, or one PASSED."""
        del params
        gone = list(record.of(Unread))
        for item in gone:
            yield _result(item)
        if not gone:
            count = len(record.evidence)
            words, expected = "everything named was read", "every file named"
            if count:
                yield passed("evidence", words, expected, f"{count} facts read")
            else:
                yield nothing_to_judge("evidence", "no evidence is named", expected)


def _result(item: Unread) -> Result:
    expected = f"{item.of} {item.source}"
    about = f"{item.of}: {item.source}"
    if item.reason == "missing":
        return unproven(about, f"the {item.of} is missing", expected, item.detail, item.id)
    message = f"the {item.of} could not be read"
    return Result(
        about=about, outcome=Outcome.ERROR, message=message, expected=expected, actual=item.detail,
        evidence=(item.id,),
    )  # fmt: skip
