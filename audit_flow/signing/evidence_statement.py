"""A signature on files of evidence: what kind they are, and the weights that they speak of.

A statement of our own predicate type; its subjects are the files. Evidence may as well carry
statements of other types, such as a CI job's provenance: then only the subjects are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from audit_flow.errors import InputError
from audit_flow.signing.statement import EVIDENCE, in_toto, read_statement

KINDS = ("evaluation", "job-log", "training-config", "dataset", "fingerprint", "other")


@dataclass(frozen=True)
class EvidenceStatement:
    """What was signed of evidence: SHA-256 of each subject, kind, and root digest of the weights.

    ``kind`` and ``weights_sha256`` are set only by our own predicate.
    """

    predicate_type: str
    subjects: frozenset[str]
    kind: str | None = None
    weights_sha256: str | None = None


def evidence_statement(
    files: Iterable[tuple[str, str]], kind: str, weights_sha256: str | None = None
) -> bytes:
    """Return the statement over (name, SHA-256 hex) files; InputError for an unknown kind."""
    if kind not in KINDS:
        raise InputError(f"evidence of kind {kind!r}", expected=f"one of {', '.join(KINDS)}")
    predicate: dict[str, Any] = {"kind": kind}
    if weights_sha256 is not None:
        predicate["weights"] = {"sha256": weights_sha256}
    return in_toto(sorted(files), EVIDENCE, predicate)


def parse_evidence(payload: bytes) -> EvidenceStatement:
    """Read any in-toto statement about files; SignatureError for what is none."""
    predicate_type, subjects, predicate = read_statement(payload)
    digests = (s.get("digest") for s in subjects)
    found = (d.get("sha256") for d in digests if isinstance(d, dict))
    named = frozenset(d for d in found if isinstance(d, str))
    if predicate_type != EVIDENCE:
        return EvidenceStatement(predicate_type, named)
    kind, weights = predicate.get("kind"), predicate.get("weights")
    root = weights.get("sha256") if isinstance(weights, dict) else None
    whole = isinstance(root, str) and re.fullmatch(r"[0-9a-f]{64}", root)
    return EvidenceStatement(
        predicate_type, named, kind if kind in KINDS else None, root if whole else None
    )
