"""The lineage is closed: no break between datasets, jobs, weights and evaluations."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.checks.interface import NoParams, Result, gap_result, nothing_to_judge, passed
from audit_flow.model import ClaimKind, Frozen, GapTopic, LineageRecord


class LineageTopic:
    """Names every gap of one part of the lineage."""

    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def __init__(self, topic: GapTopic) -> None:
        self.id = f"lineage.{topic}"
        self._topic = topic

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each gap, or one PASSED that counts the links it rests on."""
        del params
        gaps = [g for g in record.gaps if g.topic == self._topic]
        for gap in gaps:
            yield gap_result(gap)
        if not gaps and not record.links:
            # Nothing was joined, and nothing says that it should have been.
            words = "no two pieces of evidence are joined by a digest"
            yield nothing_to_judge(self._topic, words, "every edge joined by digest")
        elif not gaps:
            yield passed(
                self._topic, f"no break in {self._topic}", "every edge joined by digest",
                f"{len(record.links)} links by digest in the record",
            )  # fmt: skip
