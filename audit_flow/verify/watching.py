"""What moved in a published repository between two looks at it: files, card, claims, verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from audit_flow.model import Frozen, HubListing, LineageRecord, Verdict
from audit_flow.model.base import Words

CARD = "README.md"


class Change(Frozen):
    """One thing that is not as it was; absent ``before`` is new, absent ``after`` is gone."""

    what: Literal["file", "card", "claim", "verdict"]
    about: Words
    before: Words | None = None
    after: Words | None = None

    @property
    def in_words(self) -> str:
        """The change as people say it."""
        if self.before is None:
            return f"{self.what} {self.about}: new, {self.after}"
        return f"{self.what} {self.about}: was {self.before}, is {self.after or 'gone'}"


def changes(
    before: LineageRecord, after: LineageRecord, verdicts: tuple[Verdict, Verdict] | None = None
) -> tuple[Change, ...]:
    """Return what differs between two records of one repository, in the order of names.

    A commit that changes no content is no change; ``verdicts`` are those of before and after.
    """
    files = _different("file", _files(before), _files(after))
    named = (c.model_copy(update={"what": "card"}) if c.about == CARD else c for c in files)
    claims = _different("claim", _claims(before), _claims(after))
    words = ({"verdict": v.outcome} for v in verdicts) if verdicts else iter(({}, {}))
    return (*named, *claims, *_different("verdict", next(words), next(words)))


def _different(
    what: Literal["file", "claim", "verdict"], old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield Change(what=what, about=name, before=old.get(name), after=new.get(name))


def _files(record: LineageRecord) -> dict[str, str]:
    listings = list(record.of(HubListing))
    # The blob's id is there for every file, and is of its content.
    return {f.path: f"{f.blob_sha1} ({f.size} bytes)" for one in listings for f in one.files}


def _claims(record: LineageRecord) -> dict[str, str]:
    return {c.id: _said(c.plain()) for c in record.claims}


def _said(claim: dict[str, object]) -> str:
    shown = {k: v for k, v in claim.items() if k not in {"id", "kind"}}
    return ", ".join(f"{k} {v}" for k, v in sorted(shown.items()))
