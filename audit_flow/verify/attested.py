"""Verdicts that lie signed in a repository or a folder: whose they are, and whether they hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from audit_flow.attestation import Attested, Given, find_bundles, verify
from audit_flow.attestation.opened import Sealed
from audit_flow.collectors import unread
from audit_flow.errors import AuditFlowError
from audit_flow.model import AttestedVerdict, Evidence, Outcome, Trust, TrustFile, sha256_hex
from audit_flow.model.signature_facts import worst
from audit_flow.sources.folder import Folder

# Where audit-flow publish puts them.
FOLDER, SUFFIX = "attestation", ".sigstore.json"


def attestations(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the files that hold signed verdicts, by their usual place and name."""
    found = (p for p in paths if p.startswith(f"{FOLDER}/") and p.count("/") == 1)
    return tuple(sorted(p for p in found if p.endswith(SUFFIX)))


def beside_the_model(paths: Iterable[str]) -> frozenset[str]:
    """Return what no signature of the model covers: signed verdicts and their manifest."""
    names = frozenset(paths)
    return frozenset(attestations(names)) | (names & {f"{FOLDER}/release.yaml"})


def attested_verdicts(
    folder: Folder, here: Iterable[str], files: Mapping[str, str] | None, trust: TrustFile
) -> list[Evidence]:
    """Verify the signed verdict whose files are ``here``; none where there are no such files.

    ``files`` are the SHA-256 of the release's files by path; None where one of them is not known.
    """
    names = attestations(here)
    if not names:
        return []
    try:
        bundles = [b for name in names for b in find_bundles(folder.file(name))]
        given = Given(at=dt.datetime.now(dt.UTC), files=files)
        return [_fact(bundles, verify(bundles, trust, given))]
    except AuditFlowError as error:
        return [unread("signed verdict", FOLDER, error)]


def _fact(bundles: list[Sealed], found: Attested) -> AttestedVerdict:
    said = found.said
    first = found.attestations[0] if found.attestations else None
    named = {"judge": first.judge, "signer": first.signer} if first else {}
    return AttestedVerdict(
        id=f"attested-verdict:{FOLDER}",
        source=FOLDER,
        sha256=sha256_hex(b"".join(b.raw for b in bundles)),
        trust=Trust.SIGNED if first and _signed(found) else Trust.FETCHED,
        outcome=worst(found.steps),
        said=first.outcome if first else None,
        judged_at=first.judged_at if first else None,
        policy_sha256=first.policy_sha256 if first else None,
        record_sha256=first.record_sha256 if first else None,
        steps=found.steps,
        not_assessed=tuple(f"{o.rule}: {o.about}" for o in said.not_assessed) if said else (),
        **named,
    )


def _signed(found: Attested) -> bool:
    """Say whether every step but the verdict's own result held."""
    return all(s.outcome is Outcome.PASSED for s in found.steps if s.name != "result")
