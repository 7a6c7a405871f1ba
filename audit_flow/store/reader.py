"""Finding audits by digest, and reading one back without believing the store."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from audit_flow.errors import InputError, RecordError
from audit_flow.model import Frozen, LineageRecord, Verdict, canonical_json, sha256_hex
from audit_flow.store import library
from audit_flow.store.entry import (
    COMPLETE,
    RECORD_FILE,
    SEAL_FILE,
    SEAL_SCHEMA,
    SEAL_TAG,
    VERDICT_FILE,
    params_of,
    safe_path,
    tags_of,
)
from audit_flow.store.location import Location, client_for, locate
from audit_flow.store.scores import metric_rows
from audit_flow.store.stored import Stored

N = TypeVar("N", bound=Frozen)

_DIGEST_TAGS = ("audit.record_sha256", "audit.weights_sha256", "audit.policy_sha256")
_MAX_FILE = 512 * 1024 * 1024
_MAX_RUNS = 1_000


def find_audit(
    digest: str, *, tracking_uri: str | None, default_root: Path, experiment: str = "audit-flow"
) -> tuple[Stored, ...]:
    """Return the complete audits with this record, weights or policy SHA-256, oldest first.

    Runs that were never finished don't count. Raises InputError for what is no SHA-256, and
    RecordError when the store can't be asked.
    """
    wanted = digest.removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", wanted):
        raise InputError(
            f"the digest {digest[:100]!r}",
            expected="64 lower-case hexadecimal digits of a SHA-256",
            remedy="Copy a record's, the weights' or a policy's digest from a report.",
        )
    location = locate(tracking_uri, default_root)
    if location.sqlite is not None and not location.sqlite.exists():
        return ()
    with library.told("searching for the audit", location.shown, location.password):
        client = client_for(location)
        tags = ({name: wanted} for name in _DIGEST_TAGS)
        runs = {r.info.run_id: r for t in tags for r in complete_runs(client, experiment, t)}
        oldest_first = sorted(runs.values(), key=lambda r: (r.info.start_time, r.info.run_id))
        return tuple(_as_stored(r, location, created=False) for r in oldest_first)


def read_audit(
    run_id: str, *, tracking_uri: str | None, default_root: Path
) -> tuple[LineageRecord, Verdict]:
    """Read an audit back and prove that nothing in its run was changed, taken away or left out.

    Someone who rewrites files, seal and tags together is not found out here: for that the
    verdict's signature is checked. Raises RecordError.
    """
    location = locate(tracking_uri, default_root)
    if location.sqlite is not None and not location.sqlite.exists():
        raise _refused(
            run_id, f"there is no store at {location.shown}", "a store that holds the audit"
        )
    with library.told("reading the audit", location.shown, location.password):
        return read_run(client_for(location), run_id)


def complete_runs(client: Any, experiment: str, tags: Mapping[str, str]) -> Iterator[Any]:
    """Yield the finished, complete runs that carry these tags, oldest first."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return
    wanted = {**tags, COMPLETE: "true"}
    clauses = [f"tags.`{name}` = '{value}'" for name, value in wanted.items()]
    page = None
    while True:
        runs = client.search_runs(
            [found.experiment_id],
            " and ".join([*clauses, "attributes.status = 'FINISHED'"]),
            max_results=_MAX_RUNS,
            order_by=["attributes.start_time ASC"],
            page_token=page,
        )
        yield from runs
        page = runs.token
        if not page:
            return


def stored(client: Any, location: Location, run_id: str, *, created: bool) -> Stored:
    """Describe a run that is known to be complete."""
    return _as_stored(client.get_run(run_id), location, created=created)


def read_run(client: Any, run_id: str) -> tuple[LineageRecord, Verdict]:
    """Read and prove one run, step by step; raises RecordError at the first thing that differs."""
    # Step 1: the run says that it was finished.
    run = client.get_run(run_id)
    _finished(run, run_id)
    with tempfile.TemporaryDirectory() as folder:
        # Step 2: the seal is the one that the tag names.
        seal = _fetch(client, run_id, SEAL_FILE, folder)
        _equal(run_id, f"the tag {SEAL_TAG}", sha256_hex(seal), run.data.tags.get(SEAL_TAG))
        # Step 3: every file is the one that the seal names.
        files = {
            p: h for p, h in _sealed(seal, run_id).items() if _proven(client, run_id, p, h, folder)
        }
        _equal(run_id, "the sealed files", {RECORD_FILE, VERDICT_FILE} <= set(files), True)
        record = _parse(LineageRecord, Path(folder, RECORD_FILE).read_bytes(), run_id)
        verdict = _parse(Verdict, Path(folder, VERDICT_FILE).read_bytes(), run_id)
    # Step 4: the verdict is about this record.
    _equal(run_id, "the verdict's record", verdict.record_sha256, record.sha256)
    _equal(run_id, "the verdict's subject", verdict.subject, record.subject)
    # Step 5: what MLflow shows and is searched by is what the record and the verdict say.
    _shown(run, run_id, record, verdict)
    return record, verdict


def _finished(run: Any, run_id: str) -> None:
    _equal(run_id, "the run's status", run.info.status, "FINISHED")
    _equal(run_id, "the run's lifecycle", run.info.lifecycle_stage, "active")
    _equal(run_id, f"the tag {COMPLETE}", run.data.tags.get(COMPLETE), "true")


def _sealed(seal: bytes, run_id: str) -> dict[str, str]:
    try:
        content = json.loads(seal)
        _equal(run_id, "the seal's schema", content["schema_version"], SEAL_SCHEMA)
        return {safe_path(str(p)): str(h) for p, h in content["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        got = f"a seal that can't be read ({type(error).__name__})"
        raise _refused(run_id, got, f"a seal of {SEAL_SCHEMA}") from error


def _proven(client: Any, run_id: str, path: str, expected: str, folder: str) -> bool:
    _equal(run_id, f"the file {path}", sha256_hex(_fetch(client, run_id, path, folder)), expected)
    return True


def _fetch(client: Any, run_id: str, path: str, folder: str) -> bytes:
    try:
        fetched = Path(client.download_artifacts(run_id, path, folder))
        size = fetched.stat().st_size
    except Exception as error:
        got = f"{path} can't be read ({type(error).__name__})"
        raise _refused(run_id, got, "the file that was stored") from error
    if size > _MAX_FILE:
        raise _refused(run_id, f"{path} is {size} bytes", f"at most {_MAX_FILE} bytes")
    return fetched.read_bytes()


def _parse(noun: type[N], data: bytes, run_id: str) -> N:
    try:
        value = noun.model_validate_json(data)
        canonical = canonical_json(value) == data
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        got = f"{noun.__name__}: {first['loc']}: {first['msg']}"
        raise _refused(run_id, got, "a valid noun") from error
    except ValueError as error:
        raise _refused(run_id, f"{noun.__name__}: {error}", "a valid noun") from error
    if not canonical:
        raise _refused(run_id, f"{noun.__name__} is not in its canonical form", "canonical JSON")
    return value


def _shown(run: Any, run_id: str, record: LineageRecord, verdict: Verdict) -> None:
    metrics = {row.key: row.value for row in metric_rows(record, verdict)}
    for kind, held, expected in (
        ("tag", run.data.tags, tags_of(record, verdict)),
        ("param", run.data.params, params_of(record)),
        ("metric", run.data.metrics, metrics),
    ):
        for name, value in expected.items():
            _equal(run_id, f"the {kind} {name}", held.get(name), value)


def _equal(run_id: str, what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise _refused(run_id, f"{what} is {str(actual)[:200]!r}", repr(str(expected)[:200]))


def _refused(run_id: str, got: str, expected: str) -> RecordError:
    return RecordError(
        got,
        expected=expected,
        where=f"MLflow run {run_id[:64]}",
        remedy="Don't rely on this run: audit the release again, or use the signed verdict.",
    )


def _as_stored(run: Any, location: Location, *, created: bool) -> Stored:
    tags, info = run.data.tags, run.info
    return Stored(
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        created=created,
        outcome=tags.get("audit.outcome"),
        record_sha256=tags.get("audit.record_sha256", ""),
        verdict_sha256=tags.get("audit.verdict_sha256", ""),
        policy_sha256=tags.get("audit.policy_sha256", ""),
        weights_sha256=tags.get("audit.weights_sha256") or None,
        tracking_uri=location.shown,
        how_to_open=location.how_to_open(info.experiment_id, info.run_id),
    )
