"""What an evaluation run's own numbers say: recount, standard error, item counts, possibility."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.comparison import Comparisons, ScoreParams
from audit_flow.analysis.hard_checks import grim_possible, stderr_matches
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    ClaimKind,
    EvalRun,
    Frozen,
    LineageRecord,
    PartsSummary,
    SampleSummary,
    ScoreClaim,
)

# Harnesses print at most a few digits less than a double holds.
_SAME = 1e-6


class RunsRecounted:
    """Counts each run's score again: from its per-sample rows, an aggregate from its tasks."""

    id = "scores.recounted"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each run; UNPROVEN where there is nothing to count."""
        del params
        runs = list(record.of(EvalRun))
        for run in runs:
            yield _counted(run)
        if not runs:
            yield unproven(
                "per-sample results", "no evaluation was run", "rows for every item", "none"
            )


def _counted(run: EvalRun) -> Result:
    if run.samples is not None:
        return _recount(run, run.samples)
    if run.parts is not None:
        return _recompute(run, run.parts)
    return unproven(
        run.id, "the run has no per-sample results", "rows for every item", "none", run.id
    )


def _recompute(run: EvalRun, parts: PartsSummary) -> Result:
    """Work an aggregate out again from its tasks, each of which is a run of its own."""
    about, expected = f"an aggregate of {parts.tasks} tasks", f"{run.fraction:.6f} as reported"
    averages = {
        "every item counting the same": parts.micro,
        "every task counting the same": parts.macro,
        "every group counting the same": parts.macro_of_groups,
    }
    known = {how: float(value) for how, value in averages.items() if value is not None}
    equal = [how for how, value in known.items() if abs(value - run.fraction) < _SAME]
    told = ", ".join(f"{value:.6f} with {how}" for how, value in known.items()) or "none"
    if equal:
        return passed(run.id, f"{about} is theirs, {equal[0]}", expected, told, run.id)
    if parts.counted < parts.tasks or parts.micro is None:
        message = f"{about} can't be worked out: a task or its item count is not in the file"
        told = f"{parts.counted} of {parts.tasks} tasks: {told}"
        return unproven(run.id, message, expected, told, run.id)
    return failed(run.id, f"{about} is not theirs", expected, told, run.id)


def _recount(run: EvalRun, samples: SampleSummary) -> Result:
    evidence = (run.id,)
    if samples.duplicates:
        return failed(
            run.id, "items were counted more than once", f"{samples.items} rows",
            f"{samples.rows} rows for {samples.items} items", *evidence,
        )  # fmt: skip
    if run.n_items is not None and samples.items != run.n_items:
        return unproven(
            run.id, "the rows are not those of every item", f"{run.n_items} items",
            f"{samples.items} items in {samples.source}", *evidence,
        )  # fmt: skip
    if samples.mean is None:
        return unproven(
            run.id, "the rows hold no score for this metric", f"{run.value}", "no score", *evidence
        )
    equal = abs(float(samples.mean) - run.fraction) < _SAME
    make = passed if equal else failed
    words = "the rows add up to the score" if equal else "the rows do not add up to the score"
    actual = f"{float(samples.mean):.6f} over {samples.items} items"
    return make(run.id, words, f"{run.fraction:.6f} as reported", actual, *evidence)


class StandardErrors:
    """Asks whether each run's standard error fits its score and item count."""

    id = "scores.standard-error"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each run that states one; PASSED where none does."""
        del params
        stated = 0
        for run in record.of(EvalRun):
            if run.stderr is None or run.n_items is None or run.unit is None:
                continue
            # An aggregate's error is pooled from its tasks', each of which is looked at itself.
            if run.parts is not None or not _is_proportion(run):
                continue
            stated += 1
            error = float(run.stderr) / (100 if run.unit == "percent" else 1)
            fits = error >= 0.0 and (
                stderr_matches(run.fraction, error, run.n_items) or _is_clustered(run, error)
            )
            make = passed if fits else failed
            words = "fits" if fits else "does not fit"
            yield make(
                run.id, f"the standard error {words} score and item count",
                f"that of {run.fraction:.4f} over {run.n_items} items", f"{error:.6f}", run.id,
            )  # fmt: skip
        if not stated:
            yield nothing_to_judge("standard errors", "no run states one", "no contradiction")


def _is_clustered(run: EvalRun, error: float) -> bool:
    """Say whether it is the standard error over the groups that the rows come in."""
    known = run.samples.clustered_stderr if run.samples else None
    return known is not None and abs(float(known) - error) <= 1e-6 * max(float(known), error)


def _is_proportion(run: EvalRun) -> bool:
    """Only a share of right answers has p(1−p)/n: a mean of partial credit has less."""
    count = run.fraction * (run.n_items or 0)
    return abs(count - round(count)) < 1e-6 * max(1, run.n_items or 0)


class AboveClaim:
    """Warns where a reproduction is far above the claim: the protocol must differ."""

    id = "scores.above-claim"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = ScoreParams

    def run(self, record: LineageRecord, params: ScoreParams) -> Iterator[Result]:
        """Return a FAILED warning for each such claim, or one PASSED."""
        found, compared = False, Comparisons(record, params)
        claims = list(record.of(ScoreClaim))
        for claim in claims:
            for run in compared.above(claim)[:1]:
                found = True
                yield failed(
                    claim.id,
                    "the reproduction is far above the claim: the protocol differs",
                    f"{claim.written()} claimed",
                    f"{run.fraction * 100:.2f} % measured",
                    run.id,
                )
        if not any(compared.of(claim) for claim in claims):
            yield nothing_to_judge("scores", "no claimed score was reproduced", "none far above")
        elif not found:
            yield passed("scores", "no reproduction is far above its claim", "none", "none")


class ScoresPossible:
    """Asks whether each claimed number can arise from its item count at all (GRIM)."""

    id = "scores.possible"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each claim that states its item count."""
        del params
        claims = [c for c in record.of(ScoreClaim) if c.n_items and c.unit]
        for claim in claims:
            yield _possible(claim)
        if not claims:
            yield unproven("scores", "no claim states its item count", "an item count", "none")


def _possible(claim: ScoreClaim) -> Result:
    text = str(claim.value)
    n = claim.n_items or 1
    found = grim_possible(text, n, unit=claim.unit or "percent", repeats=claim.runs)
    expected = f"a share of {n} items" + (f" over {claim.runs} runs" if claim.runs > 1 else "")
    if found.rounding:
        return passed(claim.id, "the number can arise from its items", expected, claim.written())
    if found.truncation:
        return unproven(
            claim.id, "the number arises from its items only when cut off, not when rounded",
            expected, f"{claim.written()} is no share of {n} items, rounded",
        )  # fmt: skip
    return unproven(
        claim.id, "the number can't arise from its items: item count or metric is not as stated",
        expected, f"{claim.written()} is no share of {n} items",
    )  # fmt: skip
