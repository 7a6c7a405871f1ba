"""The Hub serves what it lists, and the released bytes were read."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import ClaimKind, Frozen, HubListing, LineageRecord, Trust, WeightsDigest


class HubConsistent:
    """Names every contradiction between a Hub's listing, its other answers and the bytes served."""

    id = "hub.listing"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = False
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each contradiction; PASSED where no Hub was asked."""
        del params
        listings = list(record.of(HubListing))
        for listing in listings:
            for item in listing.problems:
                message = f"{item.what} is not as listed"
                yield failed(item.path, message, item.expected, item.actual, listing.id)
            if not listing.problems:
                yield passed(
                    listing.repo, "listing, answers and served bytes agree",
                    f"one content for each of {len(listing.files)} files", _how_much(listing),
                    listing.id,
                )  # fmt: skip
        if not listings:
            yield nothing_to_judge("hub", "no Hub was asked", "no contradiction")


class BytesRead:
    """Asks whether every byte of the released files was read and hashed here."""

    id = "weights.bytes-read"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return one result: a digest that only a listing states is UNPROVEN."""
        del params
        weights = [w for w in record.of(WeightsDigest) if w.role == "released"]
        told = "; ".join(_how_much(x) for x in record.of(HubListing))
        expected = "every byte of the released files, hashed here"
        for folder in weights:
            count = f"{len(folder.files)} files, sha256:{folder.root_sha256}"
            if folder.trust is Trust.RECOMPUTED:
                yield passed(folder.source, "every released byte was read", expected, count,
                             folder.id)  # fmt: skip
            else:
                yield unproven(
                    folder.source, "digests are the listing's: the Hub's word for bytes not read",
                    expected, told or count, folder.id,
                )  # fmt: skip
        if not weights:
            yield unproven("weights", "no released weights were seen", expected, told or "none")


def _how_much(listing: HubListing) -> str:
    whole = sum(1 for f in listing.files if f.read == "whole")
    share = 100 * listing.bytes_read / listing.size if listing.size else 0.0
    return (
        f"{listing.bytes_read:,} of {listing.size:,} bytes read ({share:.3g} %), "
        f"{whole} of {len(listing.files)} files whole"
    )
