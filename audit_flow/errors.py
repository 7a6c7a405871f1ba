"""The one error tree.

::

    AuditFlowError
    ├── InputError          what the operator wrote is wrong (exit 2)
    │   ├── ManifestError   release.yaml: line, what was got, what was expected
    │   └── PolicyError     a policy, a rule's parameters or a waiver
    ├── EvidenceError       evidence could not be read (becomes an ERROR finding, exit 3)
    │   ├── MissingEvidence evidence is named but is not there (becomes UNPROVEN, exit 3)
    │   └── SignatureError  a signature can't be read as one, or could not be made (exit 3)
    ├── ApprovalError       a decision of a reviewer can't be taken as it was made (exit 3)
    │   └── StaleDecision   what was decided on has changed since, or somebody decided meanwhile
    ├── AttestationError    an attestation is not the one that a gate requires (exit 3)
    ├── PublishError        an upload was not begun, or nobody could look at it (exit 3)
    └── RecordError         a record could not be written to, or read back from, a store (exit 3)

A mismatch is never an exception: it is a Finding. Only the command line exits.
"""

from __future__ import annotations


class AuditFlowError(Exception):
    """A breakdown, told in three parts: what was got, what was expected, what to do next."""

    def __init__(self, got: str, *, expected: str = "", remedy: str = "", where: str = "") -> None:
        super().__init__(_text(got))
        self.got = _text(got)
        self.expected = _text(expected)
        self.remedy = _text(remedy)
        self.where = _text(where)

    def __str__(self) -> str:
        text = f"{self.where}: {self.got}" if self.where else self.got
        if self.expected:
            text += f"; expected {self.expected}"
        if self.remedy:
            text += f". {self.remedy}"
        return text


def _text(words: str) -> str:
    # Names of files and JSON may hold halves of characters, which no output can write.
    return words if words.isascii() else words.encode("utf-8", "backslashreplace").decode()


class InputError(AuditFlowError):
    """The operator's own command, manifest or policy is wrong."""


class ManifestError(InputError):
    """release.yaml can't be taken as written."""


class PolicyError(InputError):
    """A policy can't be taken as written."""


class EvidenceError(AuditFlowError):
    """Evidence is there and can't be read."""


class MissingEvidence(EvidenceError):
    """Evidence is named and is not there."""


class SignatureError(EvidenceError):
    """A signature can't be read as one, or could not be made."""


class AttestationError(AuditFlowError):
    """An attestation is not the signed PASSED verdict that was required."""


class PublishError(AuditFlowError):
    """A release was not uploaded, or what was uploaded could not be looked at."""


class ApprovalError(AuditFlowError):
    """A reviewer's decision can't be taken, or the history of decisions was altered."""


class StaleDecision(ApprovalError):
    """A decision is about digests that are not those of now, or was overtaken by another."""


class RecordError(AuditFlowError):
    """A lineage record could not be stored, or what came back is not what was stored."""
