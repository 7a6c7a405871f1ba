"""What common trainers call a step, a loss, a batch: one table for logs, settings and metrics.

Names are those of transformers.Trainer, TRL, open-instruct, accelerate, Megatron-LM, NeMo,
torchtitan, nanoGPT, litgpt, LLaMA-Factory, axolotl, OLMo and Lightning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from audit_flow.analysis.quantities import real, scaled, whole

_LOSS = {
    "loss", "train loss", "training loss", "lm loss", "global avg loss", "crossentropyloss",
    "cross entropy", "reduced train loss", "train/loss", "loss/train", "train loss step",
    "train ppl loss", "sft loss", "loss train", "ce loss", "policy loss", "token loss", "loss step",
}  # fmt: skip
_STEP = {
    "step", "global step", "iter", "iteration", "iterations", "steps", "train step",
    "trainer/global step",
    "update", "num updates", "current step", "current steps", "training step",
}  # fmt: skip
_RATE = {
    "learning rate",
    "lr",
    "lr-adamw",
    "optim/learning rate group0",
    "lr 0",
    "optim/lr",
    "optim/lr group 0",
}
_EPOCH = {"epoch", "epochs done", "current epoch"}
_TOKENS = {
    "num input tokens seen", "tokens seen", "total tokens", "num tokens", "consumed train tokens",
    "total tokens seen", "n tokens seen", "ntokens", "throughput/total tokens", "consumed tokens",
    "total training tokens", "num tokens seen", "global tokens",
}  # fmt: skip
_RATE_OF_TOKENS = {
    "tokens per second", "tokens/s", "tokens/sec", "tok/s", "tokens per sec",
    "train tokens per second",
    "throughput/tokens per sec",
}  # fmt: skip
_METRICS = (
    ("loss", _LOSS), ("step", _STEP), ("rate", _RATE), ("epoch", _EPOCH), ("tokens", _TOKENS),
    ("speed", _RATE_OF_TOKENS),
)  # fmt: skip
_SETTINGS: dict[str, set[str]] = {
    "batch_size": {
        "per device train batch size", "instantaneous batch size per device", "micro batch size",
        "device train microbatch size", "per gpu train batch size", "local batch size",
        "train micro batch size per gpu", "per device batch size",
    },
    "global_batch_size": {
        "global batch size", "total train batch size", "global train batch size",
        "total batch size",
        "train batch size w. parallel distributed & accumulation", "effective batch size",
        "total train batch size w. parallel, distributed & accumulation",
    },
    "gradient_accumulation": {
        "gradient accumulation steps", "grad accum steps", "gradient accumulation", "accum iter",
        "accumulate grad batches", "grad accum",
    },
    "sequence_length": {
        "max seq length", "seq length", "sequence length", "block size", "max sequence length",
        "seq len", "cutoff len", "max seq len", "sequence len", "max length", "encoder seq length",
        "context length",
    },
    "max_steps": {
        "total optimization steps", "max steps", "train iters", "max iters", "total steps",
        "training steps", "num training steps", "steps", "total train steps", "max train steps",
        "num steps",
    },
    "world_size": {
        "world size", "num processes", "n gpus", "num gpus", "nproc", "ddp world size",
        "distributed world size", "total devices", "number of processes",
        "data parallel world size",
    },
    "examples": {"num examples", "train samples", "num train examples", "number of examples",
        "num samples"},
    "planned_epochs": {"num epochs", "num train epochs", "max epochs", "total epochs", "epochs"},
    "parameters": {
        "number of parameters", "num parameters", "total parameters", "n params", "total params",
        "model parameters", "all params", "parameter count", "num elems",
        "number of trainable parameters",
    },
    "seed": {"seed", "random seed", "global seed", "data seed", "manual seed"},
    "precision": {"mixed precision type", "precision", "mixed precision", "dtype", "torch dtype",
        "compute dtype"},
}  # fmt: skip
_INTEGERS = {
    "batch_size", "global_batch_size", "gradient_accumulation", "sequence_length", "max_steps",
    "world_size", "examples", "parameters",
}  # fmt: skip
_JOB = {
    "slurm job id",
    "slurm jobid",
    "job id",
    "jobid",
    "slurm array job id",
    "lsb jobid",
    "pbs jobid",
}
_EVALUATION = ("eval", "val", "test", "dev")
_BEFORE = {"info", "debug", "warning", "main", "root", "rank", "at", "on", "trainer"}
_PREFIX = re.compile(
    r"^(?:train|training|args|config|trainer|model|metrics|data|model config)[/. ]+"
)


def plain(name: str) -> str:
    """Return a name in lower case, with blanks for underscores and no marks around it."""
    text = re.sub(r"[_\s-]+", " ", name.casefold())
    return re.sub(r"[^a-z0-9/.,& ]", "", text).strip(" .,/")


def metric(name: str) -> str | None:
    """Return what a logged name is: loss, step, rate, epoch, tokens or speed; None for others.

    What was measured in an evaluation is none of them.
    """
    words = plain(name).split(" ")
    if any(word.startswith(_EVALUATION) for word in re.split(r"[ /.]", plain(name))):
        return None
    # A time, a level or a rank may stand before a name.
    while len(words) > 1 and (len(words[0]) < 2 or words[0] in _BEFORE or words[0][-1].isdigit()):
        words.pop(0)
    flat = " ".join(words)
    for candidate in (flat, _PREFIX.sub("", flat)):
        for what, names in _METRICS:
            if candidate in names:
                return what
    return None


def setting(name: str) -> str | None:
    """Return the field of a job that a setting speaks of; None for others."""
    flat = plain(name)
    short = flat.rsplit(".", 1)[-1]
    for candidate in (flat, _PREFIX.sub("", flat), short):
        for what, names in _SETTINGS.items():
            if candidate in names:
                return what
    return None


def is_job_id(name: str) -> bool:
    """Say whether a setting is the number that a scheduler gave the job."""
    return plain(name) in _JOB


def facts_of(pairs: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a job that settings give; the first that speaks of a field counts."""
    found: dict[str, Any] = {}
    for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        what = setting(name)
        if what is None or what in found:
            continue
        kept = value_of(what, value)
        if kept is not None:
            found[what] = kept
        if plain(name).rsplit(".", 1)[-1] in {"bf16", "fp16"} and str(value).casefold() == "true":
            found.setdefault("precision", plain(name))
    for short in ("bf16", "fp16", "fp8"):
        if "precision" not in found and _is_on(pairs, short):
            found["precision"] = short
    return found


def value_of(what: str, value: Any) -> Any:
    """Return a setting's value as the field of a job holds it; None when it can't be one."""
    if what in _INTEGERS:
        number = whole(value)
        if number is None and what == "parameters":
            number = whole(round(scaled(str(value)) or 0)) or None
        return number if number != 0 else None
    if what == "planned_epochs":
        epochs = real(value)
        # A run by steps has more epochs than anybody trains: transformers writes sys.maxsize.
        return epochs if epochs is not None and 0 < epochs < 1e6 else None
    text = str(value).strip().strip("'\"")
    return text if text and text.casefold() not in {"none", "null"} and len(text) < 100 else None


def _is_on(pairs: Mapping[str, Any] | Iterable[tuple[str, Any]], name: str) -> bool:
    items = pairs.items() if isinstance(pairs, Mapping) else ()
    return any(
        plain(k).rsplit(".", 1)[-1] == name and str(v).casefold() == "true" for k, v in items
    )
