"""The tasks: each wraps one function of audit_flow, takes and gives frozen values."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from prefect import task

from audit_flow.approval import Answer, Entry, History, take
from audit_flow.attestation import attest, judge_urn, judged, write_folder
from audit_flow.audit import gather
from audit_flow.cli.writing import write_whole
from audit_flow.collectors import hash_release, hash_share
from audit_flow.errors import InputError, PublishError, RecordError
from audit_flow.gate import judge
from audit_flow.linking import link
from audit_flow.model import LineageRecord, Verdict, canonical_json
from audit_flow.policy_file import load_policy
from audit_flow.publish import look_at_target, publish
from audit_flow.report import AuditResult, render
from audit_flow.reproduce import reproductions
from audit_flow.reproduce.evidence_store import operator_store
from audit_flow.store import Stored, record_audit
from flows import ahead, opening
from flows.caching import FRESH, RETRIES, by_content, kept, once_a_run, only
from flows.values import (
    Audited,
    Destination,
    Gathered,
    Hashed,
    Job,
    Measured,
    Published,
    Share,
    Signed,
    Signing,
)

_STORE: dict[str, Any] = {**RETRIES, "retry_condition_fn": only(RecordError)}
_HUB: dict[str, Any] = {**RETRIES, "retry_condition_fn": only(PublishError)}


@task(name="hash-share", task_run_name="hash-share-{number}", **FRESH)
def hash_share_task(job: Job, number: int, names: tuple[str, ...], threads: int | None) -> Share:
    """Hash some of the files that the audit will read; return their digests, to be handed on."""
    del number
    known = opening.digests()
    hash_share(opening.release_of(job), names, known, threads)
    return Share(rows=known.rows)


@task(name="hash", **FRESH)
def hash_task(job: Job, shares: list[Share]) -> Hashed:
    """Hash what the audit will read; what a share holds, or was not touched, is not read again."""
    known = opening.digests(*shares)
    root = hash_release(opening.release_of(job), cache=known)
    return Hashed(weights_sha256=root, handed=Share(rows=known.rows) if shares else Share())


@task(name="measure", task_run_name="measure-{number}", tags=["measure"], **kept(by_content))
def measure_task(job: Job, number: int, hashed: Hashed) -> Measured:
    """Return the runs of one evaluation of the manifest on the released weights."""
    release = opening.release_of(job)
    entry = release.manifest.reproduce[number]
    alone = release.manifest.model_copy(update={"reproduce": [entry]})
    one = replace(release, manifest=alone)
    return Measured(evidence=reproductions(one, root=hashed.weights_sha256))


@task(name="collect", **FRESH)
def collect_task(job: Job, hashed: Hashed, measured: list[Measured]) -> Gathered:
    """Collect everything that the manifest and the ledger name."""
    release, rules = opening.release_of(job), load_policy(job.policy)
    with ahead.tables_of(job, rules) as tables:
        found = gather(
            release,
            rules,
            [e for m in measured for e in m.evidence],
            cache=opening.digests(hashed.handed),
            tables=tables,
            trust=opening.trust_of(job.trust),
        )
    return Gathered(subject=found.subject, claims=found.claims, evidence=found.evidence)


@task(name="link", **FRESH)
def link_task(found: Gathered) -> LineageRecord:
    """Join claims and evidence by digest."""
    return link(found.subject, found.claims, found.evidence)


@task(name="judge", **FRESH)
def judge_task(job: Job, record: LineageRecord) -> Verdict:
    """Judge a record under the job's policy, as it stands today."""
    return judge(record, load_policy(job.policy))


@task(name="record", **_STORE, **FRESH)
def record_task(job: Job, audited: Audited) -> Stored:
    """Record an audit in MLflow, as the command line does; the same audit is found again."""
    result = AuditResult(record=audited.record, verdict=audited.verdict)
    forms = {"json": "report.json", "html": "report.html", "text": "report.txt"}
    files = {name: render(form, result).encode() for form, name in forms.items()}
    with ahead.recorder_of(job) as beside:
        if beside is not None:
            return beside.record(audited.record, audited.verdict, files)
    return record_audit(
        audited.record,
        audited.verdict,
        files,
        tracking_uri=opening.tracking_uri(job),
        default_root=opening.beside(job),
    )


@task(name="attest", **kept(once_a_run))
def attest_task(job: Job, audited: Audited, signing: Signing) -> Signed:
    """Sign the verdict as statements; once in a run, so that a log holds each once."""
    signer, now = opening.signer_of(signing), dt.datetime.now(dt.UTC)
    rules = load_policy(job.policy, now.date())
    found = judged(audited.record, rules, judge_id=judge_urn(signer.identity), judged_at=now)
    if found.verdict != audited.verdict:
        raise InputError("the policy is another one than a moment ago", expected="the same")
    files = {name: raw.decode() for name, raw in attest(found, signer).items()}
    return Signed(signer=signer.identity, files=files)


@task(name="keep-attestation", **FRESH)
def keep_attestation(job: Job, signed: Signed) -> str:
    """Write an attested verdict into the folder `attestation` beside the manifest."""
    folder = opening.beside(job, "attestation")
    write_folder(folder, {name: text.encode() for name, text in signed.files.items()})
    return str(folder)


@task(name="review", **FRESH)
def review_task(job: Job, answer: Answer, verdict: Verdict, signing: Signing) -> Entry:
    """Keep a reviewer's decision beside the record, signed where an identity was chosen."""
    signer = opening.signer_of(signing) if signing.is_chosen else None
    return take(answer, verdict, reviews_of(job), signer=signer)


def reviews_of(job: Job) -> History:
    """Return the history of reviews beside the store of records; the dashboard's is the same."""
    return History(opening.beside(job) / "reviews")


@task(name="look-at-target", **_HUB, **FRESH)
def look_task(job: Job, to: Destination) -> str:
    """Look whether the branch is there and may be seen: nobody reviews what can't be published."""
    named = opening.release_of(job).manifest.release.hub_id
    return look_at_target(*opening.target_of(to), named)


@task(name="publish", tags=["publish"], **_HUB, **FRESH)
def publish_task(
    job: Job, audited: Audited, to: Destination, signing: Signing, signed: Signed | None = None
) -> Published:
    """Publish in one commit what the signed verdict is about; its journal does nothing twice."""
    order = opening.order_of(job, to, signing, signed)
    home = operator_store(order.release.folder, writing=True).home
    result = AuditResult(record=audited.record, verdict=audited.verdict)
    found = publish(order, lambda: result, home)
    return Published(
        word=found.word,
        publication=found.publication,
        statement=found.signed.decode() if found.signed else None,
        repeated=found.repeated,
        problems=found.problems,
    )


@task(name="keep-publication", **FRESH)
def keep_publication(job: Job, published: Published) -> str | None:
    """Write the signed statement of a publication into `publication` beside the manifest."""
    if published.publication is None or published.statement is None:
        return None
    folder = opening.beside(job, "publication")
    files = {
        "publication.json": canonical_json(published.publication),
        "publication.sigstore.json": published.statement.encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        write_whole(folder / name, data.decode())
    return str(folder)
