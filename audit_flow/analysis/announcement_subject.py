"""What a number of an announcement counts: which benchmark's points, which things, which money."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from audit_flow.analysis.accelerators import find_accelerator
from audit_flow.analysis.benchmarks_known import known_benchmark
from audit_flow.model.announcement_facts import Statement

_ON = re.compile(r"\s*\)?\s*(?:percent\s+)?(?:on|in)\s+(?:the\s+)?((?:[\w@+#.-]+\s?){1,3})")
_NAME = re.compile(r"[A-Za-z][\w@+#]*(?:-[\w@+#]+)*")
# An own name as benchmarks have it: GSM8K, MMLU, TriviaQA; no word of a sentence.
_OWN_NAME = re.compile(r"(?=(?:.*[A-Z]){2}|.*[A-Z].*\d)[\w@+#-]{3,}")
_UNIT_NAMES = re.compile(r"(?:[A-Z]?GPU|CPU|TPU|API|AWS|LLM|AI|FP|BF|INT)\w*")
_THINGS = re.compile(
    r"(gpu-?hour|gpu|node|machine|server|day|hour|minute|second|week|month|year|epoch|step|token"
    r"|parameter|param|layer|head|row|example|sample|item|document|model|language|seed|run|author)"
    r"s?\b",
    re.IGNORECASE,
)
_CHIP = re.compile(r"\b(?:[A-Z]{1,2}\d{1,4}[A-Z]?|RTX ?\d{4}|MI\d{3}\w?|TPU ?v\d\w?)(?=s?\b)")
_MONEY = re.compile(r"cost|price|usd|eur|dollar|money", re.IGNORECASE)


def unclaimed_benchmark(statement: Statement, claimed: Iterable[int]) -> str | None:
    """Return the benchmark that a number is said of and that no claim is about.

    ``claimed`` are the places at which the sentence names one that is claimed: then only another
    name right behind the number counts.
    """
    claimed = frozenset(claimed)
    for label in statement.labels:
        if known_benchmark(label) is not None:
            return label
    if statement.labels:
        return None
    behind = _ON.match(statement.context, statement.at + len(statement.text))
    named = _NAME.match(behind[1]) if behind else None
    if behind and named and behind.start(1) not in claimed and _is_benchmark(named[0]):
        return named[0]
    words = () if claimed else _NAME.findall(statement.context)
    return next((w for w in words if _OWN_NAME.fullmatch(w) and known_benchmark(w)), None)


def _is_benchmark(word: str) -> bool:
    if not _OWN_NAME.fullmatch(word) or find_accelerator(word) or _CHIP.match(word):
        return False
    return _UNIT_NAMES.fullmatch(word) is None


# Written like benchmarks, and none: tools, formats, ways to train, and general metrics.
_NO_BENCHMARK = re.compile(
    r"pytorch|tensorflow|openai|huggingface|github|q?lora|bfloat16|float\d+|vllm|deepspeed|nvidia"
    r"|safetensors|lm[-_]eval\w*|sota|amd|usd|eur|readme|sft|rlhf|dpo|grpo|mit|yaml|json|csv|dvc"
    r"|exact_match\w*|acc(?:_norm)?|f1|pass@\d+|top[-_]?\d+|slurm|[a-z]?\d[\d.]*",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def benchmark_like(word: str) -> bool:
    """Say whether a word is written as names of benchmarks are: add_4digit, TriviaQA, MMLU-Pro."""
    if _NO_BENCHMARK.fullmatch(word) or _CHIP.match(word) or find_accelerator(word):
        return False
    if _UNIT_NAMES.fullmatch(word) or not re.search(r"[^\W\d_]", word):
        return False
    if word[0].isdigit():
        return "_" in word
    return bool(re.search(r"_|\d|[a-z][A-Z]|[A-Z]{3}|[A-Z]{2,}-|-[A-Z]{2}", word))


def counts(statement: Statement, claim: str, chips: Iterable[str]) -> bool:
    """Say whether a number can be of a claim: not of other things, other GPUs or money."""
    if statement.context[: statement.at].rstrip()[-1:] in {"$", "€", "£"}:
        return _MONEY.search(claim) is not None
    behind = re.split(
        r"[,;.()|]|(?<!\w)\d+(?= )", statement.context[statement.at + len(statement.text) :]
    )
    words = " ".join(behind[0].split()[:4])
    thing = _THINGS.search(words)
    kind = _CHIP.search(words)
    flat = re.sub(r"[\s_]+", "-", claim.casefold())
    if kind and not thing:
        return "gpu" in flat and _same_chip(kind[0], chips)
    if thing and _THINGS.search(flat) and not _same_thing(thing[1], flat):
        return False
    return kind is None or _same_chip(kind[0], chips)


def _same_thing(thing: str, claim: str) -> bool:
    plain = thing.casefold().replace("gpuhour", "gpu-hour")
    if plain == "gpu" and re.search(r"gpu-?hour", claim):
        return False
    return plain in claim or (plain.startswith("param") and "param" in claim)


def _same_chip(kind: str, chips: Iterable[str]) -> bool:
    """Say whether no log names another chip; where none is named, nothing speaks against it."""
    named = [re.sub(r"[\s-]", "", c.casefold()) for c in chips]
    return not named or any(re.sub(r"[\s-]", "", kind.casefold()) in c for c in named)
