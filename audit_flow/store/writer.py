"""Writing one audit as one MLflow run, complete or not at all."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from audit_flow.errors import RecordError
from audit_flow.model import LineageRecord, Verdict
from audit_flow.store import library, reader, registry
from audit_flow.store.alone import alone, clear_abandoned, first_of
from audit_flow.store.entry import COMPLETE, Entry, describe, logged_name
from audit_flow.store.location import Location, client_for, locate
from audit_flow.store.stored import Stored

T = TypeVar("T")

# MLflow takes 100 params, 1,000 metrics and one megabyte in a request.
_PARAMS, _METRICS, _INPUTS = 40, 500, 100


def record_audit(
    record: LineageRecord,
    verdict: Verdict,
    artifacts: Mapping[str, bytes],
    *,
    tracking_uri: str | None,
    default_root: Path,
    experiment: str = "audit-flow",
) -> Stored:
    """Keep an audit as one MLflow run, or find the run that already holds the same one.

    ``artifacts`` are report files by relative path. Without ``tracking_uri`` audits go to a SQLite
    file in ``default_root``. Of processes that record the same audit at the same moment one writes
    a run and the others find it. A run that no longer holds what was written is left as it is, and
    a new one is written; what a killed writer left in a SQLite store is taken away. Raises
    RecordError.
    """
    entry = describe(record, verdict, artifacts)
    location = locate(tracking_uri, default_root)
    folder = location.sqlite.parent if location.sqlite else default_root.expanduser().absolute()
    with (
        library.told("recording the audit", location.shown, location.password),
        alone(folder) as held,
    ):
        client = client_for(location)
        if verdict.outcome != "PASSED":
            # Before anything else can go wrong.
            registry.revoke(client, entry)
        earlier = _earlier(client, entry, experiment)
        if earlier is None and held and location.sqlite:
            clear_abandoned(client, experiment, _same(entry), COMPLETE)
        run_id = earlier or _write(client, location, entry, verdict, experiment)
        if earlier is None and not (held and location.sqlite):
            kept = first_of(client, experiment, _same(entry), run_id)
            run_id, earlier = kept, (None if kept == run_id else kept)
        if verdict.outcome == "PASSED" and entry.weights_sha256:
            _promote(client, entry, run_id)
        return reader.stored(client, location, run_id, created=earlier is None)


def _earlier(client: Any, entry: Entry, experiment: str) -> str | None:
    for run in reader.complete_runs(client, experiment, _same(entry)):
        with suppress(RecordError):
            reader.read_run(client, run.info.run_id)
            return str(run.info.run_id)
    return None


def _same(entry: Entry) -> dict[str, str]:
    return {n: entry.tags[n] for n in ("audit.record_sha256", "audit.verdict_sha256")}


def _write(client: Any, location: Location, entry: Entry, verdict: Verdict, experiment: str) -> str:
    experiment_id = _experiment(client, location, experiment)
    run = client.create_run(experiment_id, tags={**entry.tags, **entry.extra_tags})
    run_id = str(run.info.run_id)
    try:
        _log(client, entry, run_id, _model(client, entry, verdict, experiment_id, run_id))
        client.set_terminated(run_id, "FINISHED")
        # Last of all: only this tag makes the run count.
        client.set_tag(run_id, COMPLETE, "true")
    except BaseException:
        with suppress(Exception):
            client.set_terminated(run_id, "FAILED")
        raise
    return run_id


def _experiment(client: Any, location: Location, name: str) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        # Another process may make it at the same moment.
        with suppress(MlflowException):
            folder = location.artifacts
            return str(client.create_experiment(name, folder.as_uri() if folder else None))
        found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != "active":
        raise RecordError(
            f"the experiment {name!r} is deleted or could not be made",
            where=location.shown,
            expected="an experiment that can be written to",
            remedy="Restore it (mlflow experiments restore) or give another experiment's name.",
        )
    return str(found.experiment_id)


def _model(
    client: Any, entry: Entry, verdict: Verdict, experiment_id: str, run_id: str
) -> str | None:
    """Make the LoggedModel of the released weights, whose bytes stay where they are."""
    if entry.weights_sha256 is None:
        return None
    model = client.create_logged_model(
        experiment_id,
        name=logged_name(verdict),
        source_run_id=run_id,
        model_type="audited-weights",
        tags={
            **entry.tags,
            "weights_sha256": entry.weights_sha256,
            "mlflow.model.isExternal": "true",
        },
    )
    _describe_model(client, model, run_id)
    client.finalize_logged_model(model.model_id, "READY")
    return str(model.model_id)


def _describe_model(client: Any, model: Any, run_id: str) -> None:
    from mlflow.models import Model

    spec = Model(
        artifact_path=model.artifact_location,
        model_uuid=model.model_id,
        model_id=model.model_id,
        run_id=run_id,
        metadata={"mlflow.model.isExternal": True},
    )
    with tempfile.TemporaryDirectory() as folder:
        spec.save(str(Path(folder) / "MLmodel"))
        client.log_model_artifacts(model.model_id, folder)


def _log(client: Any, entry: Entry, run_id: str, model_id: str | None) -> None:
    from mlflow.entities import LoggedModelOutput, Param

    for datasets in _chunks(_dataset_inputs(entry), _INPUTS):
        client.log_inputs(run_id, datasets)
    if model_id is not None:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, 0)])
    for metrics in _chunks(_metrics(entry, run_id, model_id), _METRICS):
        client.log_batch(run_id, metrics=metrics)
    for params in _chunks([Param(k, v) for k, v in entry.params.items()], _PARAMS):
        client.log_batch(run_id, params=params)
    with tempfile.TemporaryDirectory() as folder:
        for path, data in entry.files.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        client.log_artifacts(run_id, folder)


def _dataset_inputs(entry: Entry) -> list[Any]:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    return [
        DatasetInput(
            Dataset(d.name, d.digest, d.source_type, d.source),
            [InputTag(name, value) for name, value in d.tags],
        )
        for d in entry.datasets
    ]


def _metrics(entry: Entry, run_id: str, model_id: str | None) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(
            row.key,
            row.value,
            now,
            0,
            model_id=model_id,
            dataset_name=row.dataset[0] if row.dataset else None,
            dataset_digest=row.dataset[1] if row.dataset else None,
            run_id=run_id,
        )
        for row in entry.metrics
    ]


def _promote(client: Any, entry: Entry, run_id: str) -> None:
    outputs = client.get_run(run_id).outputs
    models = outputs.model_outputs if outputs else []
    if not models:
        raise RecordError(
            f"run {run_id} holds no model", expected="the LoggedModel of the released weights"
        )
    registry.promote(client, entry, run_id, models[0].model_id)


def _chunks(rows: Sequence[T], size: int) -> Iterator[list[T]]:
    left = iter(rows)
    while chunk := list(islice(left, size)):
        yield chunk
