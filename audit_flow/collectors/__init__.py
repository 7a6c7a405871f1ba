"""Collectors: what is claimed and what is seen, as nouns."""

from audit_flow.collectors.collect import (
    Collected,
    claims_of_its_own,
    collect,
    hash_release,
    hash_share,
    hashing_shares,
    one_each,
    unread,
)
from audit_flow.collectors.interface import Reader, SourceFile
from audit_flow.collectors.readers import READERS, detect, owner, read, read_by

__all__ = [
    "READERS",
    "Collected",
    "Reader",
    "SourceFile",
    "claims_of_its_own",
    "collect",
    "detect",
    "hash_release",
    "hash_share",
    "hashing_shares",
    "one_each",
    "owner",
    "read",
    "read_by",
    "unread",
]
