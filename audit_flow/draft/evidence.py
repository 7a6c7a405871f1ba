"""Results files, job logs and configurations among a folder's files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from audit_flow.collectors import SourceFile, detect, read_by
from audit_flow.collectors.interface import Family
from audit_flow.draft.listing import parent
from audit_flow.errors import AuditFlowError
from audit_flow.model import EvalRun, Evidence, GpuJob, TrainingConfig, Unread
from audit_flow.sources.folder import Folder

_RESULTS = (".json", ".jsonl", ".yaml", ".yml", ".eval")
_CONFIGS = (".json", ".yaml", ".yml", ".toml")
_TRAINING_KEYS = {
    "learning_rate", "lr", "num_train_epochs", "num_epochs", "max_steps",
    "per_device_train_batch_size", "train_batch_size", "model_name_or_path",
}  # fmt: skip


@dataclass(frozen=True)
class Results:
    """A results file and the runs in it."""

    path: str
    format: str
    runs: tuple[EvalRun, ...]

    @property
    def numbers(self) -> frozenset[tuple[str, str, Decimal, int | None]]:
        """What was measured, whatever the file is called."""
        return frozenset((r.task, r.metric, r.value, r.n_items) for r in self.runs)


@dataclass
class Read:
    """What could be read, and notes on what could not."""

    results: list[Results]
    jobs: dict[str, GpuJob]
    notes: list[str]


def read_evidence(folder: Folder, files: Iterable[str]) -> Read:
    """Read every results file of a known harness and every job log."""
    found = Read([], {}, [])
    for path in files:
        if not path.lower().endswith(_RESULTS):
            continue
        source = SourceFile(folder, path)
        for item in _try(source, "evaluation", found.notes):
            _add_results(found, item)
        for _, _, evidence in _try(source, "job-log", found.notes):
            found.jobs.update((path, e) for e in evidence if isinstance(e, GpuJob))
    return found


def read_config(folder: Folder, path: str) -> TrainingConfig | None:
    """Return a training configuration, or None when a file is none."""
    read = _try(SourceFile(folder, path), "training-config", [])
    configs = (e for _, _, evidence in read for e in evidence if isinstance(e, TrainingConfig))
    return next(configs, None)


def likely_configs(folder: Folder, files: Iterable[str]) -> tuple[str, ...]:
    """Return the configuration files that hold settings of a trainer."""
    names = (f for f in files if f.lower().endswith(_CONFIGS))
    return tuple(f for f in names if _trains(read_config(folder, f)))


def _trains(config: TrainingConfig | None) -> bool:
    names = {v.name.rsplit(".", 1)[-1] for v in config.values} if config else set()
    return bool(names & _TRAINING_KEYS)


def _try(
    source: SourceFile, family: Family, notes: list[str]
) -> Iterator[tuple[str, str, tuple[Evidence, ...]]]:
    try:
        reader = detect(source, family)
    except (AuditFlowError, OSError):
        return
    try:
        found = read_by(reader, source)
        notes += [
            f"{source.path}: the {e.of} can't be read: {e.detail}"
            for e in found
            if isinstance(e, Unread)
        ]
        yield source.path, reader.format, found
    except AuditFlowError as error:
        notes.append(f"{source.path} looks like {reader.format} and can't be read: {error}")


def _add_results(found: Read, item: tuple[str, str, tuple[Evidence, ...]]) -> None:
    path, form, evidence = item
    runs = tuple(e for e in evidence if isinstance(e, EvalRun))
    results = Results(path, form, runs)
    for other in found.results:
        # Some harnesses write one run into several files of a folder.
        same = (other.format, parent(other.path)) == (form, parent(path))
        if same and other.numbers == results.numbers:
            found.notes.append(f"{path} says the same as {other.path} and was left out")
            return
    if runs:
        found.results.append(results)
