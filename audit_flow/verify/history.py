"""How a repository came to its commit: weights replaced, shards mixed, claims moved."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from audit_flow.errors import AuditFlowError
from audit_flow.linking import is_weight_file
from audit_flow.model import (
    BaseModelClaim,
    ChecksumClaim,
    Claim,
    ClaimChange,
    HubHistory,
    ScoreClaim,
    TornShards,
    TrainingClaim,
    Trust,
    WeightChange,
)
from audit_flow.sources.folder import Folder
from audit_flow.sources.hub import Commit, HubRepository, Listing
from audit_flow.verify.claims import CARD, MANIFESTS, read_claims

MAX_COMMITS = 100
MAX_CHANGES = 1000
_MAX_TEXT = 8 * 1024 * 1024
_SHARD = re.compile(r"(.*?)-\d{5}-of-(\d{5})(\.[a-z0-9]+)\Z")


def read_history(
    repository: HubRepository, *, since: str | None = None, announced: dt.date | None = None,
    limit: int = MAX_COMMITS,
) -> HubHistory:  # fmt: skip
    """Look at up to ``limit`` commits, newest first, and at the commit that was announced.

    That is ``since``, or the last commit of the day ``announced`` (UTC). Raises EvidenceError
    where a listing or a card of the way can't be read.
    """
    commits, complete = repository.history(limit)
    reference = _reference(repository, commits, since, announced)
    ids = [c.id for c in commits]
    listings = dict(zip(ids, _listings(repository, ids), strict=True))
    at_reference = _at(repository, reference, listings)
    oldest_first = [listings[i] for i in reversed(ids)]
    told = _claims_at(repository, [*oldest_first, *([at_reference] if at_reference else [])])
    return HubHistory(
        id=f"history:{repository.repo}@{repository.commit}",
        source=f"{repository.http.endpoint}/{repository.repo}/commits/{repository.commit}",
        trust=Trust.FETCHED,
        commit=repository.commit,
        reference=reference,
        reference_asked=since or (announced.isoformat() if announced else None),
        is_ancestor=_ancestor(reference, ids, complete),
        commits=len(ids),
        complete=complete,
        weights_since=tuple(_weights(at_reference, repository.listing, None))
        if at_reference else (),
        claims_since=tuple(_claims(told[at_reference.commit], told[repository.commit], None))
        if at_reference else (),
        weight_changes=tuple(_along(oldest_first))[:MAX_CHANGES],
        claim_changes=tuple(_moved(oldest_first, told))[:MAX_CHANGES],
        torn=tuple(_torn(oldest_first)),
    )  # fmt: skip


def _reference(
    repository: HubRepository, commits: Sequence[Commit], since: str | None,
    announced: dt.date | None,
) -> str | None:  # fmt: skip
    if since is not None:
        return repository.resolve(since)
    if announced is None:
        return None
    return next((c.id for c in commits if c.date.date() <= announced), None)


def _ancestor(reference: str | None, ids: Sequence[str], complete: bool) -> bool | None:
    if reference is None:
        return None
    return True if reference in ids else (False if complete else None)


def _listings(repository: HubRepository, ids: Sequence[str]) -> list[Listing]:
    def listed(commit: str) -> Listing:
        if commit == repository.commit:
            return repository.listing
        return repository.at(commit).listing

    with ThreadPoolExecutor(8, thread_name_prefix="hub-history") as pool:
        return list(pool.map(listed, ids))


def _at(
    repository: HubRepository, reference: str | None, listings: dict[str, Listing]
) -> Listing | None:
    if reference is None:
        return None
    return listings.get(reference) or repository.at(reference).listing


def _weights(before: Listing, after: Listing, commit: str | None) -> Iterator[WeightChange]:
    """Yield weight files that another commit has otherwise, or no more."""
    for path, old in before.entries.items():
        new = after.entries.get(path)
        if is_weight_file(path) and (new is None or new.content_id != old.content_id):
            yield WeightChange(
                path=path,
                before=old.content_id,
                after=new.content_id if new else None,
                size_before=old.size,
                size_after=new.size if new else None,
                commit=commit,
            )


def _along(listings: Sequence[Listing]) -> Iterator[WeightChange]:
    for before, after in pairwise(listings):
        yield from _weights(before, after, after.commit)


def _torn(listings: Sequence[Listing]) -> Iterator[TornShards]:
    """Yield families of shards of which, once whole, only some were replaced the last time."""
    if not listings:
        return
    for family, shards in sorted(_families(listings[-1].entries).items()):
        versions = {shard: _replacements(shard, shards, listings) for shard in shards}
        most = max(versions.values())
        left = tuple(s for s in shards if versions[s] < most)
        if left:
            replaced = tuple(s for s in shards if versions[s] == most)
            yield TornShards(family=family, replaced=replaced, left=left)


def _families(paths: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        if match := _SHARD.match(path):
            found.setdefault(f"{match[1]}-of-{match[2]}{match[3]}", []).append(path)
    return {name: shards for name, shards in found.items() if len(shards) > 1}


def _replacements(shard: str, family: list[str], listings: Sequence[Listing]) -> int:
    """Count how often a shard was replaced once all of its family were there."""
    whole = [x for x in listings if all(s in x.entries for s in family)]
    contents = [x.entries[shard].content_id for x in whole]
    return sum(1 for one, other in pairwise(contents) if one != other)


def _claims_at(
    repository: HubRepository, listings: Sequence[Listing]
) -> dict[str, tuple[Claim, ...]]:
    """Return the claims at each commit; commits with the same files that speak are read once."""
    read: dict[tuple[tuple[str, str], ...], tuple[Claim, ...]] = {}
    found: dict[str, tuple[Claim, ...]] = {}
    for listing in listings:
        speaking = {p: e for p, e in listing.entries.items() if _speaks(p)}
        key = tuple((p, e.content_id) for p, e in speaking.items())
        if key not in read:
            read[key] = _read_claims(repository.with_listing(listing), speaking)
        found[listing.commit] = read[key]
    return found


def _speaks(path: str) -> bool:
    return path in {CARD, *MANIFESTS} or (
        path.startswith(".eval_results/") and path.endswith((".yaml", ".yml"))
    )


def _read_claims(repository: HubRepository, paths: Iterable[str]) -> tuple[Claim, ...]:
    with tempfile.TemporaryDirectory(prefix="audit-flow-") as scratch:
        names = list(paths)
        for path in names:
            target = Path(scratch) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(repository.read(path, _MAX_TEXT))
        try:
            return read_claims(Folder.at(Path(scratch)), names, repository.repo).claims
        except AuditFlowError:
            return ()


def _moved(
    listings: Sequence[Listing], told: dict[str, tuple[Claim, ...]]
) -> Iterator[ClaimChange]:
    for before, after in pairwise(listings):
        # The first card of a repository moves nothing.
        if told[before.commit]:
            yield from _claims(told[before.commit], told[after.commit], after.commit)


def _claims(
    before: tuple[Claim, ...], after: tuple[Claim, ...], commit: str | None
) -> Iterator[ClaimChange]:
    old, new = _said(before), _said(after)
    for about in sorted({*old, *new}):
        if old.get(about) != new.get(about):
            yield ClaimChange(
                about=about, before=old.get(about), after=new.get(about), commit=commit
            )


def _said(claims: tuple[Claim, ...]) -> dict[str, str]:
    return {c.id: _in_words(c) for c in claims}


def _in_words(claim: Claim) -> str:
    if isinstance(claim, ScoreClaim):
        return claim.written()
    if isinstance(claim, ChecksumClaim):
        return str(claim.digest)
    if isinstance(claim, BaseModelClaim):
        return " ".join(filter(None, (claim.base, claim.revision, claim.relation, claim.sha256)))
    assert isinstance(claim, TrainingClaim)
    return claim.value
