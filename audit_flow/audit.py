"""The whole pass: collect → link → judge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from audit_flow.checks.tables import suites_of
from audit_flow.collectors import Collected, collect
from audit_flow.collectors.overlap import overlaps
from audit_flow.collectors.tables import validate_tables
from audit_flow.digests import DigestCache
from audit_flow.gate import judge
from audit_flow.linking import link
from audit_flow.model import Evidence, Policy, TrustFile
from audit_flow.report.interface import AuditResult
from audit_flow.sources.expectations import ExpectationsBeside
from audit_flow.sources.hashing import Progress
from audit_flow.sources.manifest import Release


def audit(
    release: Release,
    policy: Policy,
    runs: Iterable[Evidence] = (),
    *,
    progress: Progress | None = None,
    cache: DigestCache | None = None,
    tables: ExpectationsBeside | None = None,
    trust: TrustFile | None = None,
) -> AuditResult:
    """Audit one release under one policy; ``runs`` are evaluations recomputed here.

    ``tables`` is a validator that is under way already; without one, one is started. ``trust`` is
    the verifier's: whose signatures count, and for what.
    """
    collected = gather(
        release, policy, runs, progress=progress, cache=cache, tables=tables, trust=trust
    )
    record = link(collected.subject, collected.claims, collected.evidence)
    return AuditResult(record=record, verdict=judge(record, policy))


def gather(
    release: Release,
    policy: Policy,
    runs: Iterable[Evidence] = (),
    *,
    progress: Progress | None = None,
    cache: DigestCache | None = None,
    tables: ExpectationsBeside | None = None,
    trust: TrustFile | None = None,
) -> Collected:
    """Collect everything that an audit goes by: the first step of ``audit``, with its arguments."""
    read = _BytesRead(progress) if progress is not None else None
    collected = collect(release, runs, read, cache, trust)
    # Before the tables: what holds them against suites may still be starting beside this.
    found = overlaps(release, collected.evidence, read.further() if read else None)
    validations = validate_tables(release, collected.evidence, suites_of(policy), tables)
    return replace(collected, evidence=(*collected.evidence, *validations, *found))


class _BytesRead:
    """Progress over two passes: the second counts on from where the first ended."""

    def __init__(self, progress: Progress, before: int = 0) -> None:
        self._progress, self._before, self._reached = progress, before, before

    def __call__(self, done: int) -> None:
        self._reached = self._before + done
        self._progress(self._reached)

    def further(self) -> _BytesRead:
        """Return the progress of the pass that comes next."""
        return _BytesRead(self._progress, self._reached)
