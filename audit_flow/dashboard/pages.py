"""The pages that show: releases, one release, its lineage, evidence, claims and findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from audit_flow.dashboard import searching, summary
from audit_flow.dashboard.comparing import compare
from audit_flow.dashboard.graph import draw
from audit_flow.dashboard.library import Audit, Missing
from audit_flow.dashboard.raw_file import attached, raw_bytes, why_not
from audit_flow.dashboard.site import Site, site_of
from audit_flow.dashboard.story import Story, permission
from audit_flow.errors import ApprovalError, AuditFlowError
from audit_flow.model import Finding, Signature
from audit_flow.report import chain, plot
from audit_flow.report.interface import AuditResult
from audit_flow.report.reading import (
    COULD_NOT_LOOK,
    LIMITS,
    LIMITS_LINK,
    SILENT,
    Status,
    worst,
)

_LISTED = {
    "PASSED": Status("PASSED", "✓", "pass"),
    "FAILED": Status("FAILED", "✗", "fail"),
    "INCONCLUSIVE": Status("INCONCLUSIVE", "?", "open"),
}


def releases(request: Request) -> Response:
    """List the releases with verdict, open questions and the time of the audit."""
    site = site_of(request)
    query = searching.parse_query(request.query_params)
    runs, problem = site.runs()
    page = searching.select(site.library.rows(), query)
    site.library.prover.want(row.run_id for row in page.rows)
    return site.render(
        request,
        "releases.html.j2",
        page=page,
        proof=site.library.prover.state,
        unread=any(not site.library.prover.state(row.run_id) for row in page.rows),
        outcomes=searching.OUTCOMES,
        statuses=_LISTED,
        unknown=COULD_NOT_LOOK,
        ready=site.library.is_ready,
        problems=site.library.problems,
        altered=site.library.altered,
        decision=site.library.decision,
        stores=site.library.stores,
        runs=runs,
        runs_problem=problem,
        watches=site.settings.waiting is not None,
        awaited={run.record_sha256 for run in runs if run.waits},
    )


def release(request: Request) -> Response:
    """Show one audit: its verdict, claims, what was not assessed, checksums, base, waivers."""
    site, audit = _asked(request)
    record, verdict = audit.result.record, audit.result.verdict
    claims, candidates = summary.base_evidence(record)
    uploads = site.uploads(audit)
    return site.render(
        request,
        "release.html.j2",
        **_of(site, audit),
        files=summary.file_rows(record, uploads[0] if uploads else None),
        uploads=uploads,
        base_claims=claims,
        candidates=candidates,
        base_findings=summary.base_findings(verdict),
        base_compared=summary.base_compared(verdict),
        number_of=_numbering(verdict.findings),
        waivers=_waivers(audit.result),
        others=site.library.of_release(audit.key),
    )


def lineage(request: Request) -> Response:
    """Draw the lineage of one audit."""
    site, audit = _asked(request)
    drawing = draw(audit.result.record, f"/audits/{audit.key}", audit.result.verdict)
    return site.render(request, "lineage.html.j2", **_of(site, audit), drawing=drawing)


def evidence(request: Request) -> Response:
    """Show one piece of evidence: by whom it is signed, how far it is trusted, its facts."""
    site, audit = _asked(request)
    number = int(request.path_params["number"])
    item = _nth(audit.result.record.evidence, number)
    signatures = [
        (n, s)
        for n, s in enumerate(audit.result.record.evidence)
        if isinstance(s, Signature) and item.source in s.covers
    ]
    return site.render(
        request,
        "evidence.html.j2",
        **_of(site, audit),
        item=item,
        number=number,
        signatures=signatures,
        links=[x for x in audit.result.record.links if item.id in {x.source, x.target}],
        findings=_resting_on(audit.result, item.id),
        no_file=why_not(site.library.folder(audit), item),
    )


def evidence_file(request: Request) -> Response:
    """Hand out the raw file of a piece of evidence, as it was audited."""
    site, audit = _asked(request)
    item = _nth(audit.result.record.evidence, int(request.path_params["number"]))
    try:
        data = raw_bytes(site.library.folder(audit), item)
    except AuditFlowError as error:
        raise Missing(str(error)) from error
    return attached(data, item.source)


def claim(request: Request) -> Response:
    """Show one claim, what was found about it, and the evidence for it."""
    site, audit = _asked(request)
    number = int(request.path_params["number"])
    item = _nth(audit.result.record.claims, number)
    about = [(n, f) for n, f in enumerate(audit.result.verdict.findings) if f.about == item.id]
    links = [x for x in audit.result.record.links if item.id in {x.source, x.target}]
    return site.render(
        request, "claim.html.j2", **_of(site, audit), item=item, about=about, links=links,
        overall=worst([f for _, f in about]),
    )  # fmt: skip


def finding(request: Request) -> Response:
    """Show one finding with the evidence that it rests on."""
    site, audit = _asked(request)
    number = int(request.path_params["number"])
    item = _nth(audit.result.verdict.findings, number)
    places = {e.id: (n, e) for n, e in enumerate(audit.result.record.evidence)}
    rests_on = [(i, *places.get(i, (None, None))) for i in item.evidence]
    claims = [n for n, c in enumerate(audit.result.record.claims) if c.id == item.about]
    return site.render(
        request, "finding.html.j2", **_of(site, audit), item=item, number=number,
        rests_on=rests_on, claim_number=claims[0] if claims else None,
    )  # fmt: skip


def comparison(request: Request) -> Response:
    """Show what changed between two audits."""
    site = site_of(request)
    before, after = (request.query_params.get(n, "") for n in ("before", "after"))
    if not before or not after:
        rows = site.library.rows()[:500]
        return site.render(request, "compare.html.j2", rows=rows, before=before, changes=None)
    first, second = site.audit(before), site.audit(after)
    return site.render(
        request,
        "compare.html.j2",
        rows=(),
        before=first,
        after=second,
        readings=(Story(first.result), Story(second.result)),
        changes=compare(first.result, second.result),
    )


def _asked(request: Request) -> tuple[Site, Audit]:
    site = site_of(request)
    return site, site.audit(request.path_params["key"])


def _of(site: Site, audit: Audit) -> dict[str, Any]:
    """Return what every page of one audit is rendered with."""
    frame = frame_of(site, audit)
    return {
        **frame,
        "axis": plot.shared_axis(frame["r"].scores),
        "stations": chain.stations(audit.result.record),
        "silent": SILENT,
        "limits": LIMITS,
        "limits_link": LIMITS_LINK,
    }


def frame_of(site: Site, audit: Audit) -> dict[str, Any]:
    """Return what stands around every tab: what the reviews come to, and a newer audit."""
    verdict, newer = audit.result.verdict, site.library.newer(audit)
    standing, problem = None, ""
    try:
        standing = site.library.standing(audit)
    except ApprovalError as error:
        problem = str(error)
    return {
        "audit": audit,
        "r": Story(audit.result),
        "record": audit.result.record,
        "verdict": verdict,
        "newer": newer,
        "standing": standing,
        "standing_problem": problem,
        "permission": permission(verdict.outcome, standing, newer is not None),
    }


def _numbering(findings: tuple[Finding, ...]) -> Callable[[Finding], int]:
    places = {id(finding): number for number, finding in enumerate(findings)}
    return lambda finding: places[id(finding)]


def _nth(items: tuple[Any, ...], number: int) -> Any:
    if number >= len(items):
        raise Missing(str(number))
    return items[number]


def _resting_on(result: AuditResult, evidence_id: str) -> list[tuple[int, Any]]:
    return [(n, f) for n, f in enumerate(result.verdict.findings) if evidence_id in f.evidence]


def _waivers(result: AuditResult) -> list[tuple[Any, str]]:
    verdict = result.verdict
    used = dict.fromkeys(f.waiver for f in verdict.waived)
    unused = ((w, "expired" if w.expired else "unused") for w in verdict.unused_waivers)
    return [*((w, "in use") for w in used), *unused]
