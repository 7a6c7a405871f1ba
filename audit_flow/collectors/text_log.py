"""Plain text logs of common trainers: numbers by name, whatever else stands around them.

Written for the consoles of transformers.Trainer, accelerate, open-instruct, torchtitan,
Megatron-LM, nanoGPT, axolotl, LLaMA-Factory and JSON Lines; it takes what it knows and leaves out
the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from audit_flow.analysis.accelerators import find_accelerator
from audit_flow.analysis.moments import moment, seconds_between
from audit_flow.analysis.quantities import real, seconds, whole
from audit_flow.analysis.training_names import is_job_id, metric, plain, setting, value_of
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence, StageFile
from audit_flow.sources.job_facts import Curve, Span, gpu_job, settings
from audit_flow.sources.log_lines import Bar, bar, digests, flags, is_nested, of_total, pairs, stamp
from audit_flow.sources.settings import flatten
from audit_flow.sources.text_lines import decoded_head, read_text

_SUFFIXES = (".log", ".txt", ".out", ".err", ".gz", ".jsonl", ".ndjson", ".stdout", ".stderr")
_TRAINING = re.compile(
    r"\b(loss|step|iter(ation)?|epoch|train(ing|er)?|nccl|cuda)\b", re.IGNORECASE
)
_GPU = re.compile(
    r"(?:NVIDIA|Tesla|AMD Instinct|GeForce|Quadro|TPU) [A-Za-z0-9][\w .-]{0,40}?"
    r"(?= with|[\"',)(|:;/]|\s{2}|$)"
)
_SNAPSHOT = re.compile(r"models--([\w.-]{1,96}?)--([\w.-]{1,96})/snapshots/([0-9a-f]{40})")
_RANKS = re.compile(r"\bn[rR]anks (\d+)")
_NODES = re.compile(r"\b(?:nNodes|nnodes[:=]?) ?(\d+)")
_NCCL_HOST = re.compile(r"([\w.-]{1,253}):\d+:\d+ \[\d+\] NCCL INFO")
_SLURM_FILE = re.compile(r"slurm-(\d+(?:_\d+)?)\.(?:out|err|log)")
_DATA = (
    ".jsonl",
    ".json",
    ".parquet",
    ".csv",
    ".tsv",
    ".txt",
    ".arrow",
    ".bin",
    ".npy",
    ".zst",
    ".gz",
)
_WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".gguf")
_ENDS = ("Traceback (most recent call last)", "CUDA out of memory", "CANCELLED AT", "srun: error",
         "torch.OutOfMemoryError")  # fmt: skip
_TIMES = {"timestamp", "time", "ts", "created_at", "_timestamp"}
_MAX_CHARS = 8_000
_MAX_FILES = 5_000
_MAX_HOSTS = 4_096


@dataclass
class _Seen:
    """What the lines come to."""

    curve: Curve = field(default_factory=Curve)
    zoned: Span = field(default_factory=Span)
    local: Span = field(default_factory=Span)
    named: dict[str, Any] = field(default_factory=dict)
    flags: dict[str, Any] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    bars: dict[int, Bar] = field(default_factory=dict)
    bar_moves: Counter[int] = field(default_factory=Counter)
    epoch_bars: dict[int, Bar] = field(default_factory=dict)
    own_bars: int = 0
    # Whether steps are logged before the first time, and after the last.
    early: bool = False
    late: bool = False
    global_steps: bool = False
    hosts: dict[str, None] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    gpu: str | None = None
    job_id: str | None = None
    epochs: float | None = None
    tokens: float | None = None
    speed: float | None = None
    runtime: float | None = None
    flops: float | None = None
    per_step: float | None = None
    broken: str | None = None
    on_gpus: bool = False


class TextLog:
    """Reads a trainer's text log."""

    format = "text-log"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether this is a text that speaks of training."""
        name = source.name.lower()
        named = (
            name.endswith(_SUFFIXES)
            or "." not in name
            or bool(re.search(r"\.log\.\w+$|\.o\d+$", name))
        )
        return named and bool(_TRAINING.search(decoded_head(head)))

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job; EvidenceError if no step, loss or setting of training is in it."""
        text = read_text(source)
        seen = _Seen()
        if found := _SLURM_FILE.search(source.name):
            seen.job_id = found[1]
        for _, line in text.lines():
            _line(seen, line)
        facts = _facts(seen)
        if facts.get("steps") is None and not seen.curve.losses and "max_steps" not in facts:
            raise EvidenceError(
                "no step and no loss in it", expected="the log of a training job",
                where=source.path, remedy="Name the log that holds the steps and losses",
            )  # fmt: skip
        return (gpu_job(source, self.format, text.sha256, **facts),)


def _line(seen: _Seen, line: str) -> None:
    when = stamp(line)
    _clock(seen, when)
    stripped = line.lstrip()
    is_object = stripped.startswith("{") and stripped.rstrip().endswith("}") and '"' in stripped
    if is_object and _json_row(seen, stripped):
        return
    # Whatever stands further right in a line is data, not a record of the run.
    line = line[:_MAX_CHARS]
    _progress(seen, line)
    if not is_nested(line):
        for name, value in flags(line):
            # What a run says of itself comes before what it was asked for.
            _setting(seen, name, value, seen.flags)
    _row(seen, list(pairs(line)), nested=is_nested(line), total=of_total(line), when=when)
    _machine(seen, line)
    _files(seen, line)


def _clock(seen: _Seen, when: str | None) -> None:
    if when is not None:
        seen.late = False
        (seen.zoned if when.endswith("Z") else seen.local).add(when)


def _json_row(seen: _Seen, line: str) -> bool:
    """Take a line that is one JSON object, as many trainers write their metrics."""
    import json

    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(data, dict):
        return False
    flat = [(v.name, v.value) for v in flatten(data, "")][:500]
    when = None
    for name, value in flat:
        if name.rsplit(".", 1)[-1] in _TIMES:
            when = moment(value)
            _clock(seen, when)
        if name == "elapsed_time":
            seen.runtime = seconds(value) or seen.runtime
    _row(seen, flat, nested=False, when=when)
    return True


def _progress(seen: _Seen, line: str) -> None:
    found = bar(line) if "%|" in line else None
    if found is None or found.done > found.total:
        return
    if found.epoch is not None and len(seen.epoch_bars) < 10_000:
        before = seen.epoch_bars.get(found.epoch - 1)
        if before is not None and found.epoch not in seen.epoch_bars:
            # A bar over all epochs goes on where the one of the epoch before ended.
            seen.own_bars += found.done < before.done or found.done == found.total
        seen.epoch_bars[found.epoch] = found
    if len(seen.bars) < 10_000 or found.total in seen.bars:
        seen.bars[found.total] = found
        seen.bar_moves[found.total] += 1


def _row(
    seen: _Seen,
    found: list[tuple[str, str]],
    *,
    nested: bool,
    total: tuple[int, int] | None = None,
    when: str | None = None,
) -> None:
    row = _metrics(seen, found, nested)
    if total and row.get("step") in {None, str(total[0])}:
        row["step"] = str(total[0])
        _setting(seen, "max steps", str(total[1]))
    if "loss" in row or ("step" in row and len(row) > 1):
        seen.curve.add(row.get("step"), row.get("loss"), row.get("rate"), when)
        if row.get("step") is not None:
            seen.late = when is None
            seen.early = seen.early or not (seen.zoned.first or seen.local.first)
            seen.broken = None if "loss" in row else seen.broken
    if (epoch := real(row.get("epoch"))) is not None:
        seen.epochs = epoch
    if (tokens := real(row.get("tokens"))) is not None:
        seen.tokens = max(tokens, seen.tokens or 0)
    seen.speed = real(row.get("speed")) or seen.speed


def _metrics(seen: _Seen, found: list[tuple[str, str]], nested: bool) -> dict[str, str]:
    """Return what a line logs by its kind; settings and sums go to where they belong."""
    row: dict[str, str] = {}
    for name, value in found:
        what = metric(name)
        if what == "step" and plain(name).endswith("global step"):
            _global_steps(seen)
        elif what == "step" and seen.global_steps:
            # Beside the count of optimizer steps, another one is of batches.
            continue
        # Of a count of batches and one of optimizer steps the second counts.
        if what and (what not in row or (what == "step" and plain(name).endswith("step"))):
            row[what] = value
        elif what is None and not nested:
            _setting(seen, name, value)
        _rest(seen, name, value)
    if any(name.endswith("train_runtime") for name, _ in found):
        # The summary at the end: its loss is the mean of all.
        row.pop("loss", None)
    return row


def _global_steps(seen: _Seen) -> None:
    """Begin to count by the optimizer's steps: what was counted before may be batches."""
    if not seen.global_steps:
        seen.global_steps = True
        seen.curve.forget_steps()


def _rest(seen: _Seen, name: str, value: str) -> None:
    last = name.rsplit(" ", 1)[-1]
    if last in {"train_runtime", "total_runtime"}:
        seen.runtime = real(value) or seen.runtime
    elif last == "total_flos":
        seen.flops = real(value) or seen.flops
    elif name.startswith(("tokens per iteration", "tokens per step")):
        seen.per_step = real(value)
    elif is_job_id(name) and value.replace("_", "").isdecimal():
        seen.job_id = seen.job_id or value


def _setting(seen: _Seen, name: str, value: str, into: dict[str, Any] | None = None) -> None:
    words = name.split()
    # The words before a name belong to the sentence: try the longest name first.
    for start in range(len(words)):
        short = " ".join(words[start:])
        what = setting(short)
        kept = value_of(what, value) if what else None
        if what and kept is not None:
            (seen.named if into is None else into).setdefault(what, kept)
            seen.config.setdefault(short, value)
            return


def _machine(seen: _Seen, line: str) -> None:
    if "NCCL" in line:
        seen.on_gpus = True
        if (host := _NCCL_HOST.search(line)) and len(seen.hosts) < _MAX_HOSTS:
            seen.hosts[host[1]] = None
        if ranks := _RANKS.search(line):
            seen.named["nccl_ranks"] = max(int(ranks[1][:9]), seen.named.get("nccl_ranks", 0))
        if nodes := _NODES.search(line):
            seen.named["nodes"] = max(int(nodes[1][:9]), seen.named.get("nodes", 0))
    elif "cuda" in line:
        seen.on_gpus = True
    if seen.gpu is None and (gpu := _GPU.search(line)) and find_accelerator(gpu.group()):
        seen.gpu, seen.on_gpus = gpu.group().strip(), True
    if "models--" in line and (base := _SNAPSHOT.search(line)):
        seen.config.setdefault("base_model", f"{base[1]}/{base[2]}")
        seen.config.setdefault("base_model_revision", base[3])
    if (job := re.search(r"SLURM_JOB_?ID\W+(\d+)", line)) is not None:
        seen.job_id = seen.job_id or job[1]
    if any(mark in line for mark in _ENDS):
        seen.broken = line.strip()[-300:]


def _files(seen: _Seen, line: str) -> None:
    if not re.search(r"[0-9a-f]{32}", line):
        return
    for path, digest in digests(line):
        name = path.casefold()
        where = seen.outputs if name.endswith(_WEIGHTS) and seen.curve.losses else seen.inputs
        if name.endswith((*_DATA, *_WEIGHTS)) and len(where) < _MAX_FILES:
            where.setdefault(path.removeprefix("./"), digest)


def _stage_files(found: dict[str, str]) -> tuple[StageFile, ...]:
    return tuple(
        StageFile(path=p, sha256=d if len(d) == 64 else None, md5=d if len(d) == 32 else None)
        for p, d in found.items()
    )


def _facts(seen: _Seen) -> dict[str, Any]:
    span = seen.zoned if seen.zoned.first else seen.local
    named = dict(seen.named)
    ranks = named.pop("nccl_ranks", None)
    for name, value in seen.flags.items():
        named.setdefault(name, value)
    named["world_size"] = max(named.get("world_size") or 0, ranks or 0) or None
    progress = _training_bar(seen, named.get("max_steps"))
    facts = {**seen.curve.facts(), **{k: v for k, v in named.items() if v}}
    if progress:
        # A bar counts what was done; of rows only the last that was logged is known.
        facts["steps"] = max(progress.done, seen.curve.step or 0)
        if progress.done >= (seen.curve.step or 0):
            facts["step_interval"] = None
        facts.setdefault("max_steps", progress.total)
    steps, planned = facts.get("steps"), facts.get("max_steps")
    ended = seen.broken is not None and (planned is None or steps is None or steps < planned)
    world = facts.get("world_size")
    elapsed = (progress.took if progress else None) or seen.runtime
    # Where steps go on without times, the last of the times is not the end.
    ended_at = None if seen.late or seen.early else span.last
    if elapsed and span.first and span.last:
        # Some lines only carry a time: then the last of them is not the end.
        between = seconds_between(span.first, span.last)
        ended_at = ended_at if between is None or elapsed <= between + 2 else None
    tokens = whole(seen.tokens)
    if tokens is None and seen.per_step and steps:
        tokens = whole(seen.per_step * steps)
    return {
        **facts,
        "job_id": seen.job_id,
        "state": f"FAILED: {seen.broken}" if ended else None,
        "started": None if seen.early else span.first,
        "ended": ended_at,
        # Of the training loop itself where the log says it: loading and saving train nothing.
        "elapsed": elapsed,
        "hosts": tuple(seen.hosts),
        "gpus": world if seen.on_gpus else None,
        "gpu_model": seen.gpu,
        "epochs": seen.epochs,
        "tokens": tokens,
        "tokens_per_second": seen.speed,
        "flops": seen.flops,
        "disordered": seen.curve.disorder,
        "config": settings(dict(seen.config)),
        "inputs": _stage_files(seen.inputs),
        "outputs": _stage_files(seen.outputs),
    }


def _training_bar(seen: _Seen, planned: int | None) -> Bar | None:
    """Return the bar over the steps: that of as many as planned, else the one that moved most."""
    if summed := _all_epochs(seen):
        return summed
    if planned in seen.bars:
        return seen.bars[planned]
    if planned is not None or not seen.bars or not seen.curve.losses:
        return None
    total = max(seen.bar_moves, key=lambda t: (seen.bar_moves[t], t))
    return seen.bars[total]


def _all_epochs(seen: _Seen) -> Bar | None:
    """Return one bar over the batches of all epochs, where each epoch has a bar of its own."""
    bars = list(seen.epoch_bars.values())
    if not seen.own_bars or seen.own_bars < len(bars) - 1:
        return None
    took = [b.took for b in bars if b.took is not None]
    return Bar(sum(b.done for b in bars), sum(b.total for b in bars), sum(took) if took else None)
