"""A policy from YAML: strict, with the bundled ones by name."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from audit_flow.errors import EvidenceError, PolicyError
from audit_flow.model import Policy, PublishTerms, Rule, Waiver
from audit_flow.policy_file.suites import with_suites
from audit_flow.sources import yaml_text
from audit_flow.sources.wire import Text, Wire, validate

# Long before this version was written: no clock that is right shows an earlier day.
_NOT_BEFORE = dt.date(2025, 1, 1)
_PACKAGE = Path(__file__).resolve().parent.parent


def _date(value: Any) -> Any:
    try:
        return dt.date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("expected a date such as 2026-12-31") from None


class RuleEntry(Wire):
    """A rule as written; one taken over by ``extends`` may change level and params alone."""

    id: Text
    level: Literal["deny", "warn"] | None = None
    title: Text | None = None
    failure: Text | None = None
    remedy: Text | None = None
    docs: Text | None = None
    params: dict[str, Any] = {}


class WaiverEntry(Wire):
    """A waiver as written."""

    rule: Text
    about: Text
    owner: Annotated[str, Field(min_length=2)]
    reason: Annotated[str, Field(min_length=10)]
    expires: Annotated[dt.date, BeforeValidator(_date)]
    subject_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PublishEntry(Wire):
    """What is done around an upload, as written."""

    check: Literal["full", "sampled", "by-size"] | None = None
    full_up_to: Annotated[int, Field(ge=0)] | None = None
    on_mismatch: Literal["revert", "mark"] | None = None


class PolicyFile(Wire):
    """A whole policy file."""

    schema_: Literal["audit-flow/policy/v1"] = Field(alias="schema")
    name: Text
    title: Text
    description: Text
    extends: Text | None = None
    rules: list[RuleEntry] = []
    waivers: list[WaiverEntry] = []
    publish: PublishEntry | None = None


def bundled() -> dict[str, Path]:
    """Return the policies that come with audit-flow, by name."""
    for folder in (_PACKAGE / "policies", _PACKAGE.parent / "policies"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    raise PolicyError("the bundled policies are not installed", remedy="Install audit-flow again")


def find(name_or_path: str) -> Path:
    """Return the file of a policy: a bundled name, or a path."""
    known = bundled()
    if name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        return path
    raise PolicyError(
        f"there is no policy {name_or_path!r}",
        expected=f"one of {', '.join(known)}, or the path of a policy file",
    )


def load_policy(name_or_path: str, today: dt.date | None = None) -> Policy:
    """Read a policy; waivers that ran out before ``today`` are marked.

    Raises PolicyError with file, line and remedy.
    """
    policy = _load(find(name_or_path), depth=0)
    _check_rules(policy, name_or_path)
    return policy.on(today or _today(policy, name_or_path))


def _today(policy: Policy, where: str) -> dt.date:
    """Return the date; a clock that stands before this version was made can't end a waiver."""
    day = dt.datetime.now(dt.UTC).date()
    if policy.waivers and day < _NOT_BEFORE:
        raise PolicyError(
            f"waivers, and a clock that says {day}", expected=f"a date after {_NOT_BEFORE}",
            remedy="Set the clock: whether a waiver has run out can't be told", where=where,
        )  # fmt: skip
    return day


def _load(path: Path, depth: int) -> Policy:
    if depth > 3:
        raise PolicyError(f"{path.name} extends itself", expected="at most three policies deep")
    try:
        document = yaml_text.parse(path.read_bytes())
        yaml_text.as_mapping(document, path.name)
    except (EvidenceError, OSError) as error:
        raise PolicyError(f"{path.name}, {error}") from error
    written = validate(PolicyFile, document, path.name, PolicyError)
    base = _load(_extended(path, written.extends), depth + 1) if written.extends else None
    return _assemble(written, base, document, path)


def _extended(path: Path, name: str) -> Path:
    beside = path.parent / name
    return beside if beside.suffix in {".yaml", ".yml"} and beside.is_file() else find(name)


def _assemble(
    written: PolicyFile, base: Policy | None, document: yaml_text.Document, path: Path
) -> Policy:
    where, folder = path.name, path.parent
    rules = {rule.id: rule for rule in base.rules} if base else {}
    named: set[str] = set()
    for index, entry in enumerate(written.rules):
        line = document.line(("rules", index)) or 1
        if entry.id in named:
            raise PolicyError(f"{where}, line {line}: the rule {entry.id!r} stands twice")
        named.add(entry.id)
        rule = _rule(entry, rules.get(entry.id), f"{where}, line {line}")
        rules[entry.id] = with_suites(rule, folder, f"{where}, line {line}")
    if not rules:
        raise PolicyError(
            f"{where} has no rules", expected="at least one rule",
            remedy="Add rules, or extend a policy that has some",
        )  # fmt: skip
    return Policy(
        name=written.name,
        title=written.title,
        description=written.description,
        rules=tuple(rules.values()),
        waivers=(
            *(base.waivers if base else ()),
            *(Waiver(**waiver.model_dump()) for waiver in written.waivers),
        ),
        publish=_terms(written.publish, base.publish if base else None),
    )


def _terms(written: PublishEntry | None, base: PublishTerms | None) -> PublishTerms | None:
    if written is None:
        return base
    given = written.model_dump(exclude_none=True)
    return PublishTerms(**{**(base.model_dump() if base else {}), **given})


def _rule(entry: RuleEntry, base: Rule | None, where: str) -> Rule:
    given = entry.model_dump(exclude_none=True, exclude={"params"})
    known = base.model_dump() if base else {}
    params = {**known.get("params", {}), **yaml_numbers(entry.params)}
    try:
        return Rule.model_validate({**known, **given, "params": params})
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].lower()}" for e in error.errors()
        )
        raise PolicyError(
            f"{where}: rule {entry.id}: {problems}",
            expected="id, level, title, failure, remedy and docs",
        ) from error


def yaml_numbers(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with decimals as floats, which is what checks compute with."""
    return {k: float(v) if type(v).__name__ == "Decimal" else v for k, v in params.items()}


def _check_rules(policy: Policy, where: str) -> None:
    # Imported late: listing policies needs no checks. Judging an empty record finds every slip.
    from audit_flow.gate import judge
    from audit_flow.model import LineageRecord, Subject, canonical_json

    try:
        canonical_json(policy)
    except ValueError as error:
        # A verdict names its policy by the digest of this form.
        raise PolicyError(f"{where}: {error}", expected="numbers below 2^53 and text") from error
    try:
        judge(LineageRecord(subject=Subject(name="lint"), claims=(), evidence=()), policy)
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from error
