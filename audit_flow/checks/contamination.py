"""Benchmark items in the training data, and what is said about having taken them out."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    ClaimKind,
    Declared,
    Decontamination,
    Frozen,
    LineageRecord,
    Overlap,
)


class OverlapParams(Frozen):
    """The largest share of a benchmark's items that may stand in the training data."""

    max_share: float = Field(default=0.02, ge=0, lt=1)


class Contamination:
    """Asks of each evaluation what share of its items stands word for word in the data."""

    id = "data.contamination"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = OverlapParams

    def run(self, record: LineageRecord, params: OverlapParams) -> Iterator[Result]:
        """Return a result for each evaluation whose items were looked for."""
        found = [o for o in record.of(Overlap) if (o.judged and o.files) or _unseen(o)]
        for item in found:
            yield _judged(item, params)
        if not found:
            # data.contamination-checked says that nobody looked, and why.
            yield nothing_to_judge(
                "training data", "no item was looked for in it", "few items found"
            )


def _judged(item: Overlap, params: OverlapParams) -> Result:
    expected = f"at most {params.max_share:.1%} of the items"
    actual = _counts(item)
    if item.found and item.share > params.max_share:
        words = "items of the benchmark stand in the training data"
        return failed(item.task, words, expected, f"{actual}: {_examples(item)}", item.id)
    if unseen := _unseen(item):
        words = "nobody knows whether items stand in what could not be read"
        return unproven(item.task, words, expected, unseen, item.id)
    return passed(
        item.task, "few or no items stand in the training data", expected, actual, item.id
    )


def _unseen(item: Overlap) -> str:
    """Say which declared data, or whose items, are there and could not be read; empty if none."""
    told = [f"items could not be read: {item.stopped}"] if item.stopped else []
    if item.unread:
        told.append(f"not searched: {'; '.join(item.unread[:5])}")
    return "; ".join(told)


def _counts(item: Overlap) -> str:
    return f"{item.found:,} of {item.judged:,} items ({item.share:.1%})"


def _examples(item: Overlap) -> str:
    shown = [f"item {e.item} in {e.file}, row {e.row} ({e.text[:80]})" for e in item.examples[:5]]
    more = item.found - len(shown)
    return "; ".join(shown) + (f" and {more:,} more" if more > 0 else "")


class ContaminationChecked:
    """Warns where items could not be looked for, or where a few were found."""

    id = "data.contamination-checked"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each evaluation, and one where none could be looked at."""
        del params
        found = list(record.of(Overlap))
        for item in found:
            yield _checked(item)
        if not found:
            datasets = [p for d in record.of(Declared) for p in d.datasets]
            actual = "no per-sample rows" if datasets else "no dataset is declared"
            words = "nobody looked for the benchmarks' items in the training data"
            yield unproven("training data", words, "datasets and per-sample rows", actual)


def _checked(item: Overlap) -> Result:
    expected = "every item looked for, and none found"
    left = [unseen] if (unseen := _unseen(item)) else []
    if not item.files and not item.stopped:
        left.append("no dataset could be read")
    if item.too_short:
        few = "have too few words of their own to judge"
        left.append(f"{item.too_short:,} of {item.items:,} items {few}")
    if item.found:
        actual = f"{_counts(item)}: {_examples(item)}"
        return failed(item.task, "items stand in the training data", expected, actual, item.id)
    if left:
        words = "not every item could be looked for everywhere"
        return unproven(item.task, words, expected, "; ".join(left), item.id)
    actual = f"none of {item.judged:,} items in {item.files:,} files"
    return passed(item.task, "no item stands in the training data", expected, actual, item.id)


class DecontaminationShown:
    """Asks each claim of decontamination for the tool's output, and whether it worked."""

    id = "data.decontamination"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each claim; PASSED where none is made."""
        del params
        claims = list(record.of(Decontamination))
        for claim in claims:
            yield _shown(claim, record)
        if not claims:
            yield nothing_to_judge("decontamination", "no tool is claimed", "no claim")


def _shown(claim: Decontamination, record: LineageRecord) -> Result:
    expected = f"the output of {claim.tool}"
    if claim.output is None:
        return unproven(claim.tool, "no output shows it", expected, "none is named", claim.id)
    if claim.missing is not None:
        return unproven(claim.tool, "its output can't be read", expected, claim.missing, claim.id)
    left = [o for o in record.of(Overlap) if o.found and _covers(claim, o)]
    if left:
        actual = "; ".join(f"{o.task}: {_counts(o)}, {_examples(o)}" for o in left[:5])
        words = "items are still in the training data"
        return failed(
            claim.tool, words, "none of the items", actual, claim.id, *(o.id for o in left)
        )
    counted = ", ".join(f"{name} {value}" for name, value in claim.counts[:5])
    actual = f"{claim.output}: {counted or f'{claim.rows:,} rows'}"
    return passed(claim.tool, "its output is there", expected, actual, claim.id)


def _covers(claim: Decontamination, overlap: Overlap) -> bool:
    named = {b.casefold() for b in claim.benchmarks}
    return not named or any(n in overlap.task.casefold() for n in named)
