"""From a case to a release that the product can audit: a manifest and a file of findings.

Nothing here decides: words become the product's closed terms (wording.py), numbers stay numbers,
tables of providers become rows (rows.py). ``expected_gate`` is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from audit_flow.analysis.scales import is_error_rate
from audit_flow.model.published_facts import Standing
from benchmarks.incidents import parties, wording
from benchmarks.incidents.absence import says_of_absence
from benchmarks.incidents.form import Case, CaseClaim, CaseFinding, number, words
from benchmarks.incidents.origin import says_of_origin
from benchmarks.incidents.rows import served

MANIFEST = "release.yaml"
FINDINGS = "findings.yaml"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Keys of a finding that say under which conditions it was measured.
_CONDITIONS = {
    "variant", "n_items", "shots", "harness", "prompt", "system_prompt", "temperature", "effort",
    "reasoning_effort", "context_length", "k", "metric", "sampling", "benchmark_version", "split",
    "subset", "version", "dataset_revision", "protocol", "scaffold", "budget", "pass_at_k",
    "maj_at_k", "chat_template", "n_shots", "precision", "dtype", "quantization", "quantisation",
    "context", "context_window", "window", "stride", "decoding", "language_model", "attempts",
    "max_turns", "turns", "tools", "thinking", "reasoning", "thinking_budget", "token_budget",
    "max_tokens", "samples", "voting", "beam", "beam_size", "normaliser", "normalizer",
    "tokenization", "tokenizer", "judge", "judge_model", "grader", "image_size", "resolution",
    "crops", "ensemble", "retriever", "top_k", "rerank", "reranker", "language", "cot", "filter",
    "averaging", "few_shot", "num_fewshot", "weights",
}  # fmt: skip


_ERRORS = re.compile(r"(?i)\b(?:wer|cer|eer|error rate|hallucination rate|attack success)\b")
_FAVOURABLE = {"supports", "refutes", "informs", "corrects", "differs-slightly", "contests"}


_AGAINST = {"contradicts", "suggests", "unclear"}


def claims_in_question(case: Case) -> tuple[CaseClaim, ...]:
    """Return the claims that a finding bears on; all of them where none does."""
    named = {name for finding in case.findings for name in finding.bears_on}
    return tuple(c for c in case.claims if c.id in named) or case.claims


def write_release(case: Case, folder: Path) -> Path:
    """Write manifest and findings into a folder; return the manifest's path."""
    kept = {claim.id: claim for claim in claims_in_question(case)}
    ids = dict(_claim_ids(kept.values()))
    document: dict[str, Any] = {
        "schema": "audit-flow/release/v1",
        "release": {"name": case.title[:300] or case.id},
        "scores": [_score(c) for c in kept.values() if ids[c.id].startswith("score:")],
        "statements": [_statement(c, ids) for c in kept.values() if _in_words(ids[c.id])],
        "evidence": {"findings": [FINDINGS]},
    }
    bases = [c for c in kept.values() if ids[c.id].startswith("base-model:")]
    if bases:
        document["base_model"] = {"id": bases[0].text}
    _write(folder / FINDINGS, _findings(case, kept, ids))
    _write(folder / MANIFEST, document)
    return folder / MANIFEST


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")


def _in_words(claim_id: str) -> bool:
    return claim_id.startswith("statement:")


def _claim_ids(claims: Any) -> Iterator[tuple[str, str]]:
    """Yield each claim's own id and the one that it has in the product."""
    base = False
    for index, claim in enumerate(claims):
        if _unit(claim) is not None:
            yield claim.id, f"score:{_benchmark(claim)}/{_task(claim)}/{_metric(claim)}"
        elif not base and "base" in claim.kind and _REPOSITORY.fullmatch(claim.text):
            base = True
            yield claim.id, f"base-model:{claim.text}"
        else:
            yield claim.id, f"statement:{index + 1}-{_slug(claim.id)}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:60] or "claim"


def _benchmark(claim: CaseClaim) -> str:
    return words(claim.metric.get("benchmark")) or claim.id


def _task(claim: CaseClaim) -> str:
    return f"claim-{_slug(claim.id)}"


def _metric(claim: CaseClaim) -> str:
    keys = ("metric", "name", "measure", "metric_name")
    name = next((n for k in keys if (n := words(claim.metric.get(k)))), "").replace("/", "-")
    less = _less_is_better(claim.metric) or (not name and _ERRORS.search(_benchmark(claim)))
    if less and not is_error_rate(name):
        return f"error rate ({name})" if name else "error rate"
    return name or "accuracy"


def _less_is_better(metric: Mapping[str, Any]) -> bool:
    if metric.get("lower_is_better") is True or metric.get("higher_is_better") is False:
        return True
    told = (words(metric.get(k)).casefold() for k in ("direction", "better", "unit", "metric"))
    return any(re.search(r"\b(?:lower|less|smaller|minimi[sz]e)\b", t) for t in told)


def _unit(claim: CaseClaim) -> str | None:
    """Return ``percent`` or ``fraction`` for a claimed share, None for everything else."""
    value = number(claim.metric.get("value"))
    if value is None or not (claim.kind == "score" or "benchmark" in claim.metric):
        return None
    return _share(value, words(claim.metric.get("unit")).casefold())


def _share(value: Decimal, unit: str) -> str | None:
    if unit in {"fraction", "ratio", "probability"} and 0 <= value <= 1:
        return "fraction"
    named = re.match(r"(?:percent(?:age)?|%|pct|points|pp)\b|%", unit)
    if (not unit or named) and 0 <= value <= 100:
        return "fraction" if not unit and value <= 1 else "percent"
    return None


def _score(claim: CaseClaim) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "benchmark": _benchmark(claim),
        "metric": _metric(claim),
        "value": _Digits(f"{number(claim.metric.get('value')):f}"),
        "unit": _unit(claim),
        "protocol": {"task": _task(claim)},
    }
    if (items := _count(claim.metric.get("n_items"))) is not None:
        entry["n_items"] = items
    return entry


class _Digits(str):
    """A number as it was written: 91.0 stays 91.0, and 91 stays 91."""


def _plain_number(dumper: yaml.SafeDumper, text: _Digits) -> yaml.ScalarNode:
    kind = "int" if text.lstrip("-").isdigit() else "float"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", str(text))


yaml.SafeDumper.add_representer(_Digits, _plain_number)


def _count(value: Any) -> int | None:
    found = number(value)
    return int(found) if found is not None and found == int(found) and 0 < found < 2**53 else None


def _statement(claim: CaseClaim, ids: Mapping[str, str]) -> dict[str, str]:
    name = ids[claim.id].removeprefix("statement:")
    return {"id": name, "topic": claim.kind or "claim", "text": claim.text[:5000] or "not stated"}


def _findings(case: Case, kept: Mapping[str, CaseClaim], ids: Mapping[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schema": "audit-flow/published-findings/v1",
        "findings": [],
    }
    standing = _standing(case)
    seen: dict[str, int] = {}
    for number_, finding in enumerate(case.findings):
        entry = _finding(case, finding, kept, ids, standing)
        name = entry["id"] = (finding.id or f"finding-{number_ + 1}")[:190]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            entry["id"] = f"{name} #{seen[name]}"
        document["findings"].append(entry)
    if (table := served(case)) is not None:
        document["served"] = table
    if not document["findings"] and table is None:
        document["findings"] = [_nothing_found()]
    return document


def _nothing_found() -> dict[str, Any]:
    return {
        "id": "no-finding", "by": "nobody", "says": "informs", "source": "reproduction.yaml",
        "statement": "the case holds no finding",
    }  # fmt: skip


def _standing(case: Case) -> Standing:
    """Return what became of the accusations; a claimant who admits one withdrew his claim."""
    standing = wording.standing_of(case.status)
    if standing != "withdrawn":
        return standing
    if any(wording.is_claim_withdrawal(f.verdict) for f in case.findings):
        return "admitted"
    own = (f for f in case.findings if _relation(case, f) == "claimant")
    against = {wording.says_of(f.verdict) for f in own} & {"admits", "contradicts"}
    return "admitted" if against else "withdrawn"


def _relation(case: Case, finding: CaseFinding) -> str:
    return parties.relation_of(finding.by, case.claimant, case.hub_repo)


def _finding(
    case: Case,
    finding: CaseFinding,
    kept: Mapping[str, CaseClaim],
    ids: Mapping[str, str],
    standing: Standing,
) -> dict[str, Any]:
    about = [kept[name] for name in finding.bears_on if name in kept]
    score = _published_score(finding, about)
    relation, says = _relation(case, finding), _says(finding, score, about)
    if relation == "claimant" and wording.is_objection(finding.verdict):
        says = "contests"
    own = wording.standing_of(finding.status) if finding.status else standing
    if own == "withdrawn" and not finding.status and wording.names_accusation(case.status):
        # An accusation was taken back: what was said in favour stands, and what others contested
        # was the accusation.
        own = "open" if says in _FAVOURABLE else own
        says = "refutes" if says == "contests" and relation != "claimant" else says
    told = wording.is_withdrawal(finding.verdict, finding.text)
    if told and relation == "claimant" and not wording.names_accusation(_all_words(finding)):
        # What he takes back is his claim.
        told, says = False, "admits"
    denied = (
        relation == "claimant"
        and says == "contests"
        and wording.is_bare_denial(f"{finding.verdict}; {finding.text}")
    )
    entry: dict[str, Any] = {
        "claims": [ids.get(name, name) for name in finding.bears_on],
        "by": finding.by[:1000] or "not stated",
        "relation": relation,
        "says": says,
        "basis": "statement" if denied else _basis(case, finding),
        "standing": "withdrawn" if told else own,
        "statement": f"{finding.text[:4000]} [{finding.verdict[:500] or 'no verdict'}]",
        "weights": wording.weights_in(_all_words(finding)),
        "conditions_differ": sorted(_differing(finding, about)) if score else [],
        "source": finding.source[:2000] or "not stated",
    }
    return entry | ({"score": score} if score else {})


def _all_words(finding: CaseFinding) -> str:
    """Return everything that a finding says in words, but for where it stands."""
    told = (words(v) for k, v in finding.fields.items() if k not in {"source", "bears_on", "id"})
    return "; ".join(told)


def _says(finding: CaseFinding, score: Mapping[str, Any] | None, about: Iterable[CaseClaim]) -> str:
    claims = list(about)
    says = (
        says_of_origin(finding.verdict, (f"{c.kind}: {c.text}" for c in claims))
        or says_of_absence(finding.verdict, ((c.kind, c.text) for c in claims))
        or wording.says_of(finding.verdict)
    )
    if says in _AGAINST and _is_another_measurement(finding, claims):
        return "not-comparable"
    compared = not finding.verdict or finding.fields.keys() & {"claimed", "delta_pp"}
    if score and says == "unclear" and compared:
        # A number without a word is a reproduction like any other: the number will decide.
        return "suggests"
    return says


def _basis(case: Case, finding: CaseFinding) -> str:
    if finding.source.split(" and ")[0].strip() in case.files:
        return "repeatable"
    return wording.basis_of(finding.text, number(finding.value) is not None)


def _published_score(finding: CaseFinding, about: list[CaseClaim]) -> dict[str, Any] | None:
    """Return a finding's number as a score, where it is about claimed scores of its own scale."""
    value = number(finding.value)
    claimed = [c for c in about if _unit(c) is not None]
    if value is None or not claimed:
        return None
    stated = words(finding.fields.get("unit")).casefold()
    unit = _share(value, stated) if stated else _unit(claimed[0])
    if unit is None or (unit == "fraction" and value > 1) or not 0 <= value <= 100:
        return None
    entry: dict[str, Any] = {"value": _Digits(f"{value:f}"), "unit": unit}
    if (items := _count(finding.fields.get("n_items"))) is not None:
        entry["n_items"] = items
    return entry


def _differing(finding: CaseFinding, about: list[CaseClaim]) -> set[str]:
    """Return what is known to differ between a measurement and the claims that it is about."""
    found = (
        {f"{finding.fields['claimed']} is not the claim"} if _of_another(finding, about) else set()
    )
    if (said := wording.conditions_in(_all_words(finding))) is not None:
        found.add(said)
    own = _stated(finding.fields) | _stated(finding.fields.get("conditions"))
    for claim in about:
        theirs = _stated(claim.metric) | _stated(claim.conditions)
        for key in own.keys() & theirs.keys():
            if own[key] != theirs[key]:
                found.add(f"{key} {own[key]} against {theirs[key]}")
    return found


def _is_another_measurement(finding: CaseFinding, about: list[CaseClaim]) -> bool:
    """Say whether a number is held against a claimed one that was measured otherwise.

    Of claimed shares the product itself says so: this is for numbers of any other unit.
    """
    values = [number(c.metric.get("value")) for c in about]
    if number(finding.value) is None or not about or None in values:
        return False
    if any(_unit(c) is not None for c in about):
        return False
    return bool(_differing(finding, about)) or wording.weights_in(_all_words(finding)) == "other"


def _of_another(finding: CaseFinding, about: list[CaseClaim]) -> bool:
    """Say whether a finding speaks of another number than any that is claimed."""
    stated = number(finding.fields.get("claimed"))
    values = {number(c.metric.get("value")) for c in about}
    return stated is not None and stated not in values


def _stated(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        return {}
    return {
        key.casefold(): words(value).casefold()
        for key, value in given.items()
        if key.casefold() in _CONDITIONS and value is not None
    }
