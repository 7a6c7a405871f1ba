"""What was announced is what is there now: weights, shards and claims over a Hub's history."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    ChecksumClaim,
    ClaimKind,
    Frozen,
    HubHistory,
    LineageRecord,
    WeightChange,
    WeightsDigest,
)

MAX_TOLD = 50


class _History:
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams
    id = ""

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return what each history shows; PASSED where none was asked for."""
        del params
        histories = list(record.of(HubHistory))
        for history in histories:
            yield from self.judge(history, record)
        if not histories:
            yield nothing_to_judge("history", "no history was asked for", "no change")

    def judge(self, history: HubHistory, record: LineageRecord) -> Iterator[Result]:
        raise NotImplementedError


class WeightsUnchanged(_History):
    """Compares weight files with those of the announced commit, under the same names."""

    id = "history.weights-unchanged"

    def judge(self, history: HubHistory, record: LineageRecord) -> Iterator[Result]:
        """Return a result for each file that changed since; without a reference, UNPROVEN."""
        del record
        for change in history.weights_since[:MAX_TOLD]:
            yield _since(change, history)
        if history.weights_since:
            return
        open_question = _unknown_reference(history) or _no_ancestor(history)
        if history.reference is None:
            for change in history.weight_changes[:MAX_TOLD]:
                yield unproven(
                    change.path, f"the file was replaced{_size_words(change)}, and the announced "
                    "commit is not named", change.before, _after(change), history.id,
                )  # fmt: skip
            if history.weight_changes:
                return
        if open_question:
            yield open_question
            return
        yield passed(
            "weights", "no weight file was replaced under its name",
            f"the weights of {history.reference or 'every commit'}", _looked_at(history),
            history.id,
        )  # fmt: skip


class ShardsOfOneUpload(_History):
    """Asks whether the shards of a model come from one upload."""

    id = "history.torn"

    def judge(self, history: HubHistory, record: LineageRecord) -> Iterator[Result]:
        """Return a result for each family of shards of which only some were replaced."""
        announced = _announced(record)
        for torn in history.torn[:MAX_TOLD]:
            shards = {*torn.replaced, *torn.left}
            about, actual = torn.family, f"replaced: {', '.join(torn.replaced[:5])}"
            expected = f"all or none of {len(shards)} shards replaced"
            if shards <= announced:
                message = "some shards were replaced; each is as its announced checksum says"
                yield passed(about, message, expected, actual, history.id)
            else:
                yield unproven(
                    about, "only some shards were replaced: two uploads may be mixed", expected,
                    actual, history.id,
                )  # fmt: skip
        if not history.torn:
            yield _incomplete(history) or passed(
                "shards", "no upload replaced a part of a model", "whole uploads",
                _looked_at(history), history.id,
            )  # fmt: skip


class CardClaimsUnchanged(_History):
    """Compares what the card claims with what it claimed at the announced commit."""

    id = "history.card-claims"

    def judge(self, history: HubHistory, record: LineageRecord) -> Iterator[Result]:
        """Return a result for each claim that moved since; without a reference, UNPROVEN."""
        del record
        for change in history.claims_since[:MAX_TOLD]:
            make = failed if change.before and change.after else unproven
            words = "changed" if change.before and change.after else (
                "withdrawn" if change.before else "added"
            )  # fmt: skip
            yield make(
                change.about, f"the claim was {words} after the announced commit",
                change.before or "no such claim", change.after or "no such claim", history.id,
            )  # fmt: skip
        if history.claims_since:
            return
        if history.reference is None and history.claim_changes:
            for change in history.claim_changes[:MAX_TOLD]:
                yield unproven(
                    change.about, "the claim moved, and the announced commit is not named",
                    change.before or "no such claim", change.after or "no such claim", history.id,
                )  # fmt: skip
            return
        yield _unknown_reference(history) or passed(
            "card", "the card claims what it claimed",
            f"the claims of {history.reference or 'every commit'}", _looked_at(history),
            history.id,
        )  # fmt: skip


def _since(change: WeightChange, history: HubHistory) -> Result:
    gone = "was taken away" if change.after is None else f"was replaced{_size_words(change)}"
    result = failed(
        change.path, f"the file {gone} after the announced commit {history.reference_asked}",
        change.before, _after(change), history.id,
    )  # fmt: skip
    return result.model_copy(update={"waivable": False})


def _size_words(change: WeightChange) -> str:
    return " under the same name and size" if change.same_size else " under the same name"


def _after(change: WeightChange) -> str:
    at = f" in {change.commit}" if change.commit else ""
    return f"{change.after or 'no such file'}{at}"


def _unknown_reference(history: HubHistory) -> Result | None:
    """Say that what was announced could not be found, or that not everything was looked at."""
    if history.reference_asked and history.reference is None:
        return unproven(
            "history", "no commit as old as the announcement was looked at",
            history.reference_asked, _looked_at(history), history.id,
        )  # fmt: skip
    return None if history.reference else _incomplete(history)


def _no_ancestor(history: HubHistory) -> Result | None:
    if history.is_ancestor is False:
        return unproven(
            "history", "the announced commit did not lead to this one: history was rewritten",
            f"{history.reference} among its ancestors", _looked_at(history), history.id,
        )  # fmt: skip
    return None


def _incomplete(history: HubHistory) -> Result | None:
    if history.complete:
        return None
    return unproven("history", "there are older commits that were not looked at", "all commits",
                    _looked_at(history), history.id)  # fmt: skip


def _looked_at(history: HubHistory) -> str:
    return f"{history.commits} commits looked at" + ("" if history.complete else ", not all")


def _announced(record: LineageRecord) -> set[str]:
    """Return the files whose digest is the announced one."""
    digests = {f.path: f.sha256 for w in record.of(WeightsDigest) for f in w.files}
    return {
        c.path
        for c in record.of(ChecksumClaim)
        if c.digest.algorithm == "sha256" and digests.get(c.path) == c.digest.hex
    }
