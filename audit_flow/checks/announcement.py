"""What is to be announced is what the release claims."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.announcement_basis import Basis, bases
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import Announcement, ClaimKind, Declared, Frozen, LineageRecord


class AnnouncementAgrees:
    """Judges each number of the announcement that is about something claimed.

    Where no announcement is named there is nothing to judge.
    """

    id = "announcement.agrees"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each number that contradicts a claim, or one PASSED for a text."""
        del params
        for text, found in _texts(record):
            wrong = [b for b in found if b.status == "contradicted"]
            yield from (_contradicted(text, basis) for basis in wrong)
            if not wrong:
                backed = sum(b.status == "backed" for b in found)
                yield passed(
                    text.source, "no number of the announcement contradicts a claim",
                    "the claimed numbers", f"{backed} of {len(found)} statements rest on a claim",
                    text.id,
                )  # fmt: skip
        yield from _no_text(record)


class AnnouncementBacked:
    """Lists each number and superlative of the announcement that no claim backs."""

    id = "announcement.backed"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each statement without a claim, or one PASSED for a text."""
        del params
        for text, found in _texts(record):
            bare = [b for b in found if b.status == "unbacked"]
            yield from (_unbacked(text, basis) for basis in bare)
            if not bare:
                yield passed(
                    text.source, "every number and superlative rests on a claim",
                    "a claim behind each statement", f"{len(found)} statements", text.id,
                )  # fmt: skip
        yield from _no_text(record)


def _texts(record: LineageRecord) -> Iterator[tuple[Announcement, tuple[Basis, ...]]]:
    for text in record.of(Announcement):
        yield text, bases(text.statements, record)


def _no_text(record: LineageRecord) -> Iterator[Result]:
    if next(record.of(Announcement), None) is not None:
        return
    named = [d.announcement for d in record.of(Declared) if d.announcement]
    for path in named:
        yield unproven(path, "the announcement was not read", f"the text of {path}", "nothing")
    if not named:
        yield nothing_to_judge(
            "announcement", "no announcement was named to be read",
            "every announcement that is named says what is claimed",
        )  # fmt: skip


def _about(text: Announcement, basis: Basis) -> str:
    said = basis.statement
    return f"{text.source}:{said.line}:{said.column}"


def _quoted(basis: Basis) -> str:
    said = basis.statement
    start = max(0, said.at - 60)
    around = said.context[start : said.at + len(said.text) + 60].strip()
    labels = " / ".join(label for label in said.labels if label)
    return f"“{around}”" + (f" ({labels})" if labels else "")


def _contradicted(text: Announcement, basis: Basis) -> Result:
    message = f"the announcement says {basis.statement.text}, but {basis.why}"
    claim = basis.claim or "the claims"
    return failed(
        _about(text, basis), message, f"what is claimed: {claim}", _quoted(basis), text.id
    )


def _unbacked(text: Announcement, basis: Basis) -> Result:
    message = f"“{basis.statement.text}” rests on no claim: {basis.why}"
    return unproven(_about(text, basis), message, "a claim that proves it", _quoted(basis), text.id)
