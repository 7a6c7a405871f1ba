"""How scores were chosen and put together: averages, item counts, what was run and not claimed."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.benchmarks_known import KnownBenchmark, known_benchmark
from audit_flow.analysis.hard_checks import check_aggregate
from audit_flow.analysis.matching import RunIndex
from audit_flow.analysis.names import benchmark_key
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import Baseline, ClaimKind, EvalRun, Frozen, LineageRecord, ScoreClaim


class AveragesAddUp:
    """Works out each claimed average again from the claims that it is the average of."""

    id = "scores.averages"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each claimed average; PASSED where none is claimed."""
        del params
        claims = list(record.of(ScoreClaim))
        averages = [c for c in claims if c.average_of]
        for claim in averages:
            yield _average(claim, claims)
        if not averages:
            yield nothing_to_judge("averages", "no average is claimed", "none")


def _average(claim: ScoreClaim, claims: list[ScoreClaim]) -> Result:
    parts = [_part(name, claim, claims) for name in claim.average_of]
    found = [p for p in parts if p is not None]
    if len(found) != len(parts):
        missing = [n for n, p in zip(claim.average_of, parts, strict=True) if p is None]
        return unproven(
            claim.id, "a part of the average is not claimed on its own, or in another unit",
            "every part claimed", f"not found: {', '.join(missing)}",
        )  # fmt: skip
    weights = [p.n_items or 0 for p in found] if claim.averaging == "micro" else None
    if weights and not all(weights):
        return unproven(
            claim.id, "a micro average needs every part's item count", "item counts", "unknown"
        )
    sums = check_aggregate(
        str(claim.value), [str(p.value) for p in found], weights, unit=claim.unit or "percent"
    )
    told = f"{sums.low:.4f} to {sums.high:.4f} from {len(found)} parts ({claim.averaging})"
    make = passed if sums.matches else failed
    words = "the average is that of its parts" if sums.matches else "the average is not its parts'"
    return make(claim.id, words, claim.written(), told)


def _part(name: str, average: ScoreClaim, claims: list[ScoreClaim]) -> ScoreClaim | None:
    same = [
        c
        for c in claims
        if c.id != average.id and benchmark_key(c.benchmark) == benchmark_key(name)
        and c.unit == average.unit and not c.average_of
    ]  # fmt: skip
    return same[0] if len(same) == 1 else None


class ItemCounts:
    """Holds claimed and measured item counts against the known sizes of benchmarks."""

    id = "scores.item-counts"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each count of a known benchmark; PASSED where none is known."""
        del params
        known = 0
        for about, name, n, evidence in _counts(record):
            benchmark = known_benchmark(name)
            if benchmark is not None:
                known += 1
                yield _count(about, n, benchmark, evidence)
        if not known:
            yield nothing_to_judge("item counts", "no benchmark of known size", "no contradiction")


def _counts(record: LineageRecord) -> Iterator[tuple[str, str, int, tuple[str, ...]]]:
    for claim in record.of(ScoreClaim):
        if claim.n_items:
            yield claim.id, claim.benchmark, claim.n_items, ()
    for run in record.of(EvalRun):
        if run.n_items:
            yield run.id, run.task, run.n_items, (run.id,)


def _count(about: str, n: int, benchmark: KnownBenchmark, evidence: tuple[str, ...]) -> Result:
    sizes = " or ".join(f"{s.n} ({s.what})" for s in benchmark.sizes)
    expected, actual = f"{sizes} items of {benchmark.name}", f"{n} items"
    if benchmark.has_size(n):
        return passed(about, "the item count is the benchmark's", expected, actual, *evidence)
    words = "the item count is none of the benchmark's: a part of it, or another benchmark"
    return unproven(about, words, expected, actual, *evidence)


class SelectiveReporting:
    """Names what the publisher ran and does not claim, and claims that are the best of several."""

    id = "scores.selective"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a FAILED warning for each, or one PASSED."""
        del params
        claims = list(record.of(ScoreClaim))
        own = [r for r in record.of(EvalRun) if r.measured_by == "claimant"]
        index = RunIndex(own)
        found = [*_best_of(claims, index), *_unclaimed(claims, own, index)]
        yield from found
        if not own:
            words = "no run of the publisher's own is there"
            yield nothing_to_judge("scores", words, "every benchmark that was run is claimed")
        elif not found:
            yield passed("scores", "every benchmark that was run is claimed", "none", "none")


def _best_of(claims: list[ScoreClaim], index: RunIndex) -> Iterator[Result]:
    for claim in claims:
        runs = [r for r in index.matching(claim) if r.unit is not None]
        variants = {r.protocol.extraction for r in runs}
        values = sorted({r.fraction for r in runs})
        if len(variants) > 1 or len(values) < 2 or claim.runs > 1 or claim.unit is None:
            continue
        if abs(values[-1] - claim.fraction) <= claim.half_unit + 1e-9:
            yield failed(
                claim.id, f"the claim is the best of {len(runs)} runs",
                f"their mean, {sum(r.fraction for r in runs) / len(runs) * 100:.2f} %",
                f"{claim.written()}, the highest of {', '.join(f'{v * 100:.2f}' for v in values)}",
                *(r.id for r in runs),
            )  # fmt: skip


def _unclaimed(claims: list[ScoreClaim], own: list[EvalRun], index: RunIndex) -> Iterator[Result]:
    claimed = {r.task for c in claims for r in index.matching(c)}
    for task in sorted({r.task for r in own} - claimed):
        runs = [r for r in own if r.task == task]
        shown = ", ".join(f"{r.metric} {r.value}" for r in runs[:4])
        yield failed(
            task, "a benchmark was run and is not claimed", "every benchmark run, claimed", shown,
            *(r.id for r in runs),
        )  # fmt: skip


class BaselinesFair:
    """Holds other models' scores against what their own publishers state."""

    id = "scores.baselines"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each baseline; PASSED where none is shown."""
        del params
        shown = list(record.of(Baseline))
        for item in shown:
            yield _baseline(item)
        if not shown:
            yield nothing_to_judge("baselines", "no other model's score is shown", "none")


def _baseline(item: Baseline) -> Result:
    about = f"{item.model}: {item.benchmark}/{item.metric}"
    if item.published is None:
        return unproven(
            about, "the baseline's published score is not stated",
            f"what the publisher of {item.model} states", f"{item.reported} reported", item.id,
        )  # fmt: skip
    expected = f"{item.published}, as {item.published_source or 'its publisher'} states"
    exponent = item.published.as_tuple().exponent
    half = 0.5 * 10.0 ** (exponent if isinstance(exponent, int) else 0)
    low = float(item.published - item.reported) > half
    make = failed if low else passed
    words = "is shown below its own publisher's score" if low else "is shown at its own score"
    return make(about, f"the baseline {words}", expected, f"{item.reported} reported", item.id)
