"""Tokens, epochs and processes of logs that leave out what they follow from.

``trainer_state.json`` names neither processes nor accumulation: they are taken from the job's
configuration, its command and the scheduler's GPUs. Each is a bound only, so that nothing is called
impossible that another reading of the names would allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from audit_flow.analysis.quantities import whole
from audit_flow.analysis.training_names import plain, setting
from audit_flow.linking.accounts import given_gpus
from audit_flow.linking.jobs import JobGroup
from audit_flow.model import GpuJob

_PAIRED = ("dpo", "orpo", "kto", "simpo", "grpo", "ppo", "rlhf", "rloo", "reward", "preference")
_OPTION = re.compile(r"(?<![\w.])-{0,2}\+{0,2}([A-Za-z][\w./-]*)(?:=| +)(\d+)(?![\w.])")
# Names that mean the processes of all nodes; "num_gpus" may be those of one.
_ALL_PROCESSES = re.compile(r"(?:^|[/.])(?:ddp |distributed )?world size$")
# Processes that see the same examples, or share those of one batch.
_SHARED = re.compile(
    r"\b(?:tensor|pipeline|context|sequence|model|expert)\b.*\bparallel"
    r"|(?:^|[/. ])(?:tp|pp|cp|ep|sp)(?: (?:size|degree))?$|ulysses|split batches"
)
# Settings by which one row of the data becomes several examples of an epoch.
_REPEATED = re.compile(
    r"\b(?:repeats?|upsampl\w*|oversampl\w*|augment\w*|dupe\w*|dup factor|stride|weights|mixture"
    r"|mixer|mix|interleave\w*|probabilities|probs|per turn|multi ?turn)\b"
)
_OFF = {"", "0", "1", "-1", "1.0", "0.0", "false", "none", "null", "no", "auto"}
# What of a stage's dependencies may be data: files by suffix, and folders by name.
_DATA_FILE = re.compile(r"\.(?:jsonl|parquet|csv|tsv|arrow|bin|npy|zst|gz|json)$")
_DATA_FOLDER = re.compile(r"(?:data|corpus|train)[^/.]*$")
_NO_DATA = re.compile(r"config|token|vocab|index|param|deepspeed|weights|model[^/]*\.bin$")


def stated(group: JobGroup, field: str) -> list[int]:
    """Return every value that the job's configurations and command give to a field of a job."""
    return [n for name, value in _settings(group) if setting(name) == field and (n := whole(value))]


def processes(group: JobGroup) -> list[int]:
    """Return the numbers of processes that are named as those of all nodes."""
    found = ((plain(name), whole(value)) for name, value in _settings(group))
    return [n for name, n in found if n and _ALL_PROCESSES.search(name)]


def most_examples(group: JobGroup) -> int | None:
    """Return the most examples that one step can have taken; None if nobody says."""
    known = group.global_batch or max(stated(group, "global_batch_size"), default=0)
    return known or most_product(group)


def most_product(group: JobGroup) -> int | None:
    """Return batch of a process × accumulation × processes, each at its most."""
    each = _logged(group, "batch_size") or stated(group, "batch_size")
    times = _logged(group, "gradient_accumulation") or stated(group, "gradient_accumulation")
    world = _logged(group, "world_size") or _most_processes(group)
    return max(each) * max(times) * max(world) if each and times and world else None


def _settings(group: JobGroup) -> Iterator[tuple[str, str]]:
    for config in group.configs:
        yield from ((v.name, v.value) for v in config.values)
    if group.stage:
        yield from _OPTION.findall(group.stage.command or "")


def _logged(group: JobGroup, field: str) -> list[int]:
    return [n for j in group.trainers if (n := getattr(j, field))]


def lengths(group: JobGroup) -> list[int]:
    """Return what is said of the tokens of a sequence: by logs, else by the configuration."""
    return [n for j in group.jobs if (n := j.sequence_length)] or stated(group, "sequence_length")


def _most_processes(group: JobGroup) -> list[int]:
    """Return what may be the number of processes; empty if only that of one node may be known."""
    gpus = given_gpus(group.accounts)
    if not (gpus or processes(group)):
        return []
    return [*stated(group, "world_size"), *([gpus] if gpus else [])]


def least_examples(group: JobGroup) -> int | None:
    """Return the fewest examples that one step can have taken; None if nobody says."""
    if group.global_batch:
        return group.global_batch
    if any(_SHARED.search(plain(n)) and v.casefold() not in _OFF for n, v in _settings(group)):
        return None
    count = _logged(group, "world_size") or processes(group)
    gpus = given_gpus(group.accounts)
    parts = [
        # Without a launcher one process has the batches of all its GPUs.
        [*_logged(group, "batch_size"), *stated(group, "batch_size")],
        [*_logged(group, "gradient_accumulation"), *stated(group, "gradient_accumulation")],
        [*count, *([gpus] if gpus and count else [])],
    ]
    each, times, ranks = (min(p, default=0) for p in parts)
    return each * times * ranks or None


def rows(group: JobGroup) -> int | None:
    """Return the rows of the job's data, if all of it is named and each is one example."""
    if group.stage is None or any(_REPEATED.search(plain(n)) for n, _ in _settings(group)):
        return None
    named = {d.source for d in group.datasets} | {c.source for c in group.configs}
    if any(_is_data(d.path) and not _is_within(d.path, named) for d in group.stage.deps):
        return None
    rows = [d.rows for d in group.datasets]
    return sum(r or 0 for r in rows) if rows and all(rows) else None


def _is_data(path: str) -> bool:
    flat = path.casefold()
    return bool(
        _DATA_FOLDER.search(flat) or (_DATA_FILE.search(flat) and not _NO_DATA.search(flat))
    )


def _is_within(path: str, named: set[str]) -> bool:
    """Say whether a file or folder is named, is in one that is, or holds what is named."""
    return any(f"{path}/".startswith(f"{n}/") or n.startswith(f"{path}/") for n in named)


def is_paired(group: JobGroup) -> bool:
    """Say whether names tell of preference training or reinforcement learning."""
    words = " ".join([group.about, group.stage.command or "" if group.stage else "",
                      *(c.source for c in group.configs), *map(_names, group.jobs)])  # fmt: skip
    return any(word in words.casefold() for word in _PAIRED)


def _names(job: GpuJob) -> str:
    return f"{job.name or ''} {job.source}"
