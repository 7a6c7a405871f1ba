"""Policies have tests: cases that change a good release and state the verdict expected."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonpatch
from pydantic import Field, ValidationError

from audit_flow.errors import EvidenceError, InputError, PolicyError
from audit_flow.gate import judge
from audit_flow.linking import link
from audit_flow.model import LineageRecord, Policy, Verdict
from audit_flow.sources import yaml_text
from audit_flow.sources.whole_file import read_file
from audit_flow.sources.wire import Text, Wire, validate

MAX_RECORD = 64 * 1024 * 1024


class Change(Wire):
    """One change of a record: an RFC 6902 operation on everything that ``select`` names.

    ``select`` is an id, a kind (``eval-run``), a kind and role (``weights released``), or
    ``recomputed`` and a kind; ``field`` is a dotted path within it.
    """

    op: Literal["replace", "remove", "add"] = "replace"
    select: Text
    field: Text | None = None
    value: Any = None


class Expected(Wire):
    """What the gate must say."""

    verdict: Literal["PASSED", "FAILED", "INCONCLUSIVE"]
    findings: dict[str, Literal["PASSED", "FAILED", "UNPROVEN", "ERROR"]] = {}


class Case(Wire):
    """One case: a record, what is changed in it, and the verdict expected."""

    name: Text
    record: Text = "good.record.json"
    change: list[Change] = []
    expect: Expected


class CaseFile(Wire):
    """A file of cases for one policy."""

    schema_: Literal["audit-flow/policy-cases/v1"] = Field(alias="schema")
    policy: Text
    cases: list[Case] = Field(min_length=1)


@dataclass(frozen=True)
class CaseResult:
    """How a case came out; ``problems`` is empty when it came out as expected."""

    name: str
    verdict: str
    problems: tuple[str, ...]


def case_file(policy_path: Path) -> Path:
    """Return where a policy's cases lie: ``cases/<policy>/cases.yaml`` beside it."""
    return policy_path.parent / "cases" / policy_path.stem / "cases.yaml"


def run_cases(policy: Policy, policy_path: Path) -> tuple[CaseResult, ...]:
    """Judge every case of a policy.

    Raises PolicyError when it has none: an untested policy is no policy.
    """
    path = case_file(policy_path)
    try:
        document = yaml_text.parse(read_file(path))
    except InputError:
        raise PolicyError(
            f"{policy_path.name} has no cases", expected=f"{path.parent.name}/{path.name}",
            remedy="Write at least one case that passes and one that fails",
        ) from None  # fmt: skip
    except EvidenceError as error:
        raise PolicyError(f"{path.name}, {error}") from error
    cases = validate(CaseFile, document, path.name, PolicyError).cases
    return tuple(_run(case, policy, path.parent) for case in cases)


def _run(case: Case, policy: Policy, folder: Path) -> CaseResult:
    changed = _changed(_record(folder / case.record), case)
    try:
        record = LineageRecord.model_validate(changed)
    except ValidationError as error:
        raise PolicyError(f"case {case.name!r}: no valid record: {error}") from error
    verdict = judge(link(record.subject, record.claims, record.evidence), policy)
    return CaseResult(case.name, verdict.outcome, tuple(_problems(case, verdict)))


@cache
def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_RECORD:
            raise PolicyError(f"{path.name} is too large", expected=f"at most {MAX_RECORD} bytes")
        return path.read_text("utf-8")
    except OSError as error:
        raise PolicyError(f"{path.name}: {error.strerror}", expected="a record") from error


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{path.name}: no JSON: {error}", expected="a record") from error
    if not isinstance(record, dict):
        raise PolicyError(f"{path.name} holds no record")
    return record


def _changed(record: dict[str, Any], case: Case) -> dict[str, Any]:
    for change in case.change:
        pointers = _pointers(record, change)
        if not pointers:
            raise PolicyError(
                f"case {case.name!r}: nothing fits {change.select!r}",
                expected="an id or kind of a claim or of evidence in the record",
            )
        # From the end, so that removing one leaves the indexes of the others.
        patch = [_operation(change, pointer) for pointer in reversed(pointers)]
        try:
            record = jsonpatch.apply_patch(record, patch)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise PolicyError(
                f"case {case.name!r}: {change.op} of {change.field!r}: {error}",
                expected="a field that is there",
            ) from error
    return record


def _operation(change: Change, pointer: str) -> dict[str, Any]:
    path = f"{pointer}/{change.field.replace('.', '/')}" if change.field else pointer
    operation: dict[str, Any] = {"op": change.op, "path": path}
    return (
        operation if change.op == "remove" else operation | {"value": yaml_text.plain(change.value)}
    )


def _pointers(record: dict[str, Any], change: Change) -> list[str]:
    if change.select == "subject":
        return ["/subject"]
    found = []
    for section in ("claims", "evidence"):
        for index, item in enumerate(record[section]):
            if change.select in _names(item):
                found.append(f"/{section}/{index}")
    return found


def _names(item: dict[str, Any]) -> set[str]:
    """What a claim or a piece of evidence can be selected by."""
    kind = item["kind"]
    names = {item["id"], kind, f"{kind} {item.get('role')}"}
    return names | {f"recomputed {kind}"} if item.get("trust") == "recomputed-here" else names


def _problems(case: Case, verdict: Verdict) -> list[str]:
    problems = []
    if verdict.outcome != case.expect.verdict:
        problems.append(f"verdict {verdict.outcome}, expected {case.expect.verdict}")
    outcomes: dict[str, set[str]] = {}
    for finding in verdict.findings:
        outcomes.setdefault(finding.rule, set()).add(finding.outcome.value)
    for rule, expected in case.expect.findings.items():
        if expected not in outcomes.get(rule, set()):
            seen = ", ".join(sorted(outcomes.get(rule, set()))) or "nothing"
            problems.append(f"{rule}: {seen}, expected {expected}")
    return problems
