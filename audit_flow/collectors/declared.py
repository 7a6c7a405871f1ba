"""What the manifest names as evidence."""

from __future__ import annotations

from audit_flow.model import Declared, DeclaredEndpoint, Trust
from audit_flow.sources.manifest import Release


def declared(release: Release) -> Declared:
    """Return what a manifest names, which nothing may be missing from."""
    manifest, evidence = release.manifest, release.manifest.evidence
    ledger = release.folder.relative(release.folder.ceiling / "dvc.lock")
    return Declared(
        id="declared",
        source=release.path.name,
        trust=Trust.SELF_REPORTED,
        datasets=tuple(evidence.datasets),
        training_configs=tuple(evidence.training_configs),
        job_logs=tuple(evidence.job_logs),
        records=tuple(evidence.records),
        evaluations=tuple(e.path for e in evidence.evaluations),
        weights=manifest.weights,
        base=manifest.base_model.path if manifest.base_model else None,
        card=manifest.card,
        announcement=manifest.announcement,
        pipeline=ledger if evidence.dvc else None,
        endpoints=tuple(
            DeclaredEndpoint(url=e.url.rstrip("/"), model=e.model, api=e.api)
            for e in manifest.endpoints
        ),
        announced=manifest.release.announced,
    )
