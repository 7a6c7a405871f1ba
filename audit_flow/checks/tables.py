"""Tables are what the policy's expectation suites expect of them."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from audit_flow.checks.interface import Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    ClaimKind,
    Declared,
    EvalRun,
    ExpectationOutcome,
    Frozen,
    LineageRecord,
    Outcome,
    Policy,
    Suite,
    TableKind,
    TableValidation,
)

RULE = "tables.expectations"


class TableParams(Frozen):
    """The suites that a policy asks for, whole; without one there is nothing to expect."""

    suites: tuple[Suite, ...] = ()


class TablesAsExpected:
    """Judges each table of the evidence by each suite for its kind."""

    id = RULE
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = TableParams

    def run(self, record: LineageRecord, params: TableParams) -> Iterator[Result]:
        """Return a result for each table and suite, or one where there is no table."""
        if not params.suites:
            yield unproven("tables", "the policy names no suite", "at least one suite", "none")
            return
        found = {(t.source, t.suite_sha256): t for t in record.of(TableValidation)}
        judged = 0
        for suite in params.suites:
            for source in sources(record, suite):
                judged += 1
                yield _judge(source, suite, found.get((source, suite.sha256)))
            for fact in record.of(TableValidation):
                # A file of a declared folder: only the collector sees its name.
                if fact.suite_sha256 == suite.sha256 and fact.source not in sources(record, suite):
                    judged += 1
                    yield _judge(fact.source, suite, fact)
        if not judged:
            names = ", ".join(s.name for s in params.suites)
            yield nothing_to_judge("tables", "no evidence is a table", f"suites: {names}")


def suites_of(policy: Policy) -> tuple[Suite, ...]:
    """Return the suites that a policy asks for."""
    rules = [r for r in policy.rules if r.id == RULE]
    return TableParams.model_validate(rules[0].params).suites if rules else ()


def sources(record: LineageRecord, suite: Suite) -> tuple[str, ...]:
    """Return the tables that a record names and a suite is for, by path."""
    named = _named(record)[suite.table]
    return tuple(sorted({p for p in named if applies(suite, p)}))


def applies(suite: Suite, path: str) -> bool:
    """Say whether a file's name is one that a suite is for."""
    name = path.rsplit("/", 1)[-1]
    return any(fnmatchcase(name, pattern) for pattern in suite.files)


def _named(record: LineageRecord) -> dict[TableKind, tuple[str, ...]]:
    declared = list(record.of(Declared))
    rows = [r.samples.source for r in record.of(EvalRun) if r.samples and r.sha256]
    return {
        "dataset": tuple(p for d in declared for p in d.datasets),
        "evaluation-rows": tuple(rows),
        "training-log": tuple(p for d in declared for p in d.job_logs),
    }


def _judge(source: str, suite: Suite, fact: TableValidation | None) -> Result:
    expected = f"{suite.title} ({suite.name})"
    if fact is None:
        return unproven(source, "the table was not looked at", expected, "nothing")
    if fact.stopped is not None:
        message = "the table could not be looked at"
        result = unproven(source, message, expected, fact.stopped, fact.id)
        return result.model_copy(update={"outcome": Outcome.ERROR})
    unmet = [o for o in fact.outcomes if o.met is False]
    if unmet:
        told = "; ".join(_words(o) for o in unmet[:5])
        return failed(source, f"the table is not as expected: {told}", expected, told, fact.id)
    asked = [o for o in fact.outcomes if o.met is not None]
    if len(fact.outcomes) < len(suite.expectations) or not asked:
        told = f"{len(asked)} of {len(suite.expectations)} expectations answered"
        return unproven(source, "not every expectation was answered", expected, told, fact.id)
    rows = f"the first {fact.rows:,} rows" if fact.sampled else f"all {fact.rows:,} rows"
    left = len(fact.outcomes) - len(asked)
    told = f"{len(asked)} expectations met on {rows}" + (f", {left} not asked" if left else "")
    return passed(source, "the table is as expected", expected, told, fact.id)


def _words(outcome: ExpectationOutcome) -> str:
    kind = outcome.type.removeprefix("expect_").replace("_", " ")
    return f"{outcome.about}: {kind} {outcome.expected}: {outcome.observed}"
