"""How open the release is by its files, what it discloses, and the terms of its base."""

from __future__ import annotations

from collections.abc import Iterator

from audit_flow.analysis.licenses import Terms, carries_no_terms, is_open, terms_of
from audit_flow.analysis.openness import COMPONENTS, missing_for, supported_class
from audit_flow.checks.interface import NoParams, Result, failed, nothing_to_judge, passed, unproven
from audit_flow.model import (
    BaseModelClaim,
    ClaimKind,
    Frozen,
    LineageRecord,
    OpenComponent,
    ReleaseTerms,
    Subject,
)


class OpennessSupported:
    """Compares the class of openness that is claimed with the one that the files support."""

    id = "openness.class"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return one result; PASSED with the class supported where none is claimed."""
        del params
        claimed = next((t.openness_class for t in record.of(ReleaseTerms)), None)
        found = list(record.of(OpenComponent))
        whole = {c.name for c in found if not c.missing and is_open(c.license)}
        reached = supported_class(whole)
        actual = f"class {reached}" if reached else "no class"
        about, ids = "openness", tuple(c.id for c in found)
        if claimed is None:
            words = f"no class is claimed; the files support {actual}"
            yield nothing_to_judge(about, words, "no claim", *ids)
            return
        missing = missing_for(claimed, whole)
        if not missing:
            yield passed(about, "the files support it", f"class {claimed}", actual, *ids)
            return
        words = "the files do not support the class"
        lacking = f"{actual}; {_lacking(missing, found)}"
        yield failed(about, words, f"class {claimed}", lacking, *ids)


def _lacking(missing: tuple[str, ...], found: list[OpenComponent]) -> str:
    known = {c.name: c for c in found}
    told = []
    for name in missing:
        part = known.get(name)
        if part is None:
            told.append(f"{name}: not named")
        elif part.missing:
            told.append(f"{name}: {', '.join(part.missing[:3])} is not there or empty")
        else:
            told.append(f"{name}: {_license_words(part)}")
    return f"{len(missing)} of {len(COMPONENTS)} components are missing: {'; '.join(told)}"


def _license_words(part: OpenComponent) -> str:
    if part.license is None:
        return f"no licence is known ({part.license_source or 'no licence file'})"
    return f"{part.license} is no open licence ({part.license_source})"


class DisclosureParams(Frozen):
    """The disclosures that the policy requires, by name."""

    required: tuple[str, ...] = ()


class DisclosuresMade:
    """Asks for each disclosure that the policy requires."""

    id = "disclosures.made"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = DisclosureParams

    def run(self, record: LineageRecord, params: DisclosureParams) -> Iterator[Result]:
        """Return a result for each required disclosure; PASSED where none is required."""
        made = {d.name: d.value for t in record.of(ReleaseTerms) for d in t.disclosures}
        for name in params.required:
            if made.get(name, "").strip():
                yield passed(name, "it is disclosed", "a statement", made[name][:300])
            else:
                yield unproven(name, "it is not disclosed", "a statement", "none")
        if not params.required:
            told = f"; disclosed is: {', '.join(sorted(made))}" if made else ""
            words = f"the policy requires none{told}"
            yield nothing_to_judge("disclosures", words, "none")


class BaseTerms:
    """Holds the release's licence and name against the terms of its base model."""

    id = "license.base-terms"
    decides: frozenset[ClaimKind] = frozenset()
    waivable = True
    params: type[Frozen] = NoParams

    def run(self, record: LineageRecord, params: NoParams) -> Iterator[Result]:
        """Return a result for each condition; PASSED where the release has no base."""
        del params
        bases = [b for b in record.of(BaseModelClaim) if b.relation != "scratch"]
        stated = next(iter(record.of(ReleaseTerms)), None)
        if not bases or stated is None:
            yield nothing_to_judge("license", "no base model is claimed", "no terms")
            return
        asked = terms_of(stated.base_license) if stated.base_license else None
        if asked is None:
            words = "the terms of the base model are not known"
            actual = stated.base_license or "no licence of the base is stated"
            yield unproven("license", words, "a licence that is known", actual, stated.id)
            return
        yield _licensed(asked, stated)
        if asked.prefix:
            yield _called(asked, asked.prefix, record.subject, stated)
        if asked.notice:
            yield _noticed(asked, asked.notice, stated)


def _licensed(asked: Terms, stated: ReleaseTerms) -> Result:
    if asked.allowed is None:
        expected = f"any licence, by {asked.license}"
        return passed("license", "the base allows it", expected, stated.license or "none stated")
    names = " or ".join(sorted(asked.allowed))
    expected = f"{names}, as the base has ({asked.source})"
    if stated.license is None:
        return unproven("license", "the release states no licence", expected, "none", stated.id)
    actual = f"{stated.license} ({stated.license_source})"
    if stated.license in asked.allowed:
        return passed("license", "the base allows it", expected, actual, stated.id)
    if not carries_no_terms(stated.license):
        words = "nobody here knows whether this licence passes on the base's terms"
        return unproven("license", words, expected, actual, stated.id)
    words = "this licence does not pass on the base's terms"
    return failed("license", words, expected, actual, stated.id)


def _called(asked: Terms, prefix: str, subject: Subject, stated: ReleaseTerms) -> Result:
    name = subject.hub_id.rpartition("/")[2] if subject.hub_id else subject.name
    expected = f"a name that begins with {prefix!r} ({asked.source})"
    same = _letters(name).startswith(_letters(prefix))
    make, words = (passed, "the name is as asked") if same else (failed, "the name is another")
    return make("name", words, expected, name, stated.id)


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _noticed(asked: Terms, notice: str, stated: ReleaseTerms) -> Result:
    expected = f"{notice!r} in the model card ({asked.source})"
    if notice in stated.notices:
        return passed("notice", "the card says it", expected, notice, stated.id)
    # It may stand on a website as well.
    return unproven("notice", "the card does not say it", expected, "not in the card", stated.id)
