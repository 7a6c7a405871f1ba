"""What an audit came to, as three files of canonical JSON: record, verdict and policy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from audit_flow.attestation.interface import Judgement, judged
from audit_flow.digests.strict_json import load_strict
from audit_flow.errors import EvidenceError, InputError, PolicyError
from audit_flow.gate import judge
from audit_flow.model import (
    Frozen,
    LineageRecord,
    Policy,
    Subject,
    Verdict,
    WeightsDigest,
    canonical_json,
)
from audit_flow.policy_file import load_policy
from audit_flow.sources.folder import MIB, Folder

RECORD_FILE, VERDICT_FILE, POLICY_FILE = "record.json", "verdict.json", "policy.json"
_MAX_BYTES = 512 * MIB
N = TypeVar("N", bound=Frozen)
PolicyOn = Callable[[dt.date], Policy]


def audit_files(record: LineageRecord, verdict: Verdict, policy: Policy) -> dict[str, bytes]:
    """Return an audit as files: their SHA-256 are the digests that a verdict names."""
    return {
        RECORD_FILE: canonical_json(record),
        VERDICT_FILE: canonical_json(verdict),
        POLICY_FILE: canonical_json(policy),
    }


def read_bytes(path: Path) -> bytes:
    """Read a file of an audit; raises EvidenceError, naming it."""
    return Folder.at(path.parent).read(path.name, _MAX_BYTES)


def parse(noun: type[N], raw: bytes, where: str) -> N:
    """Read a noun from its canonical JSON; raises EvidenceError for any other bytes."""
    try:
        load_strict(raw)
        value = noun.model_validate_json(raw)
        canonical = canonical_json(value) == raw
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "document"
        raise _unreadable(noun, f"{place}: {first['msg'].lower()}", where) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(noun, str(error), where) from error
    if not canonical:
        raise _unreadable(noun, "it is not in its canonical form", where)
    return value


def _unreadable(noun: type[Frozen], why: str, where: str) -> EvidenceError:
    return EvidenceError(
        f"no {noun.__name__} that can be read ({why})",
        expected="canonical JSON as audit-flow audit --save writes it",
        where=where,
        remedy="Write it again with: audit-flow audit --save FOLDER",
    )


def policy_from(raw: bytes, where: str) -> Policy:
    """Read a policy from its canonical JSON and try its rules.

    Raises EvidenceError for what is no policy, PolicyError for rules that can't be applied.
    """
    policy = parse(Policy, raw, where)
    try:
        judge(LineageRecord(subject=Subject(name="lint"), claims=(), evidence=()), policy)
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from error
    return policy


def policy_on(name_or_path: str) -> PolicyOn:
    """Return what reads a policy, by name or from YAML, as it is on a day; raises PolicyError."""
    load_policy(name_or_path)
    return lambda day: load_policy(name_or_path, day)


def judge_stored(
    record: bytes, policy: bytes | PolicyOn, verdict: bytes | None, judge_id: str, at: dt.datetime
) -> Judgement:
    """Judge a stored record again, with the policy's waivers as they stand at ``at``.

    Raises EvidenceError for files that can't be read, InputError where the stored verdict is not
    what record and policy give today.
    """
    rules = policy_from(policy, POLICY_FILE) if isinstance(policy, bytes) else policy(at.date())
    again = judged(
        parse(LineageRecord, record, RECORD_FILE), rules.on(at.date()), judge_id=judge_id,
        judged_at=at,
    )  # fmt: skip
    if verdict is not None and canonical_json(again.verdict) != verdict:
        raise InputError(
            f"record and policy give {again.verdict.in_words()}, in another verdict than the one "
            "stored", where=VERDICT_FILE, expected="the verdict that follows from both",
            remedy="A waiver may have run out, or a file was changed: audit the release again",
        )  # fmt: skip
    return again


def outside_weights(output: Path, root: Path, record: LineageRecord) -> None:
    """Raise InputError where writing to ``output`` would change the weights that were judged."""
    for weights in record.of(WeightsDigest):
        folder = (root / weights.source).resolve()
        place = output.resolve()
        if place == folder or (place.is_relative_to(folder) and not _never_walked(place, folder)):
            raise InputError(
                f"{output} lies in the weights folder {weights.source}",
                expected="a folder outside it",
                remedy="Choose another: files written there would change what was judged",
            )


def _never_walked(place: Path, folder: Path) -> bool:
    return ".audit-flow" in place.relative_to(folder).parts
