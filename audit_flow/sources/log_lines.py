"""What one line of a trainer's text log says: numbers by name, progress bars, times, digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from audit_flow.analysis.moments import find_moment
from audit_flow.analysis.quantities import seconds

_MAX_CHARS = 8_000
_NUMBER = (
    r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[KMBT]?(?![\w:])"
    r"|[-+]?(?:nan|NaN|NAN|inf|Infinity)\b"
)
# loss=1.5, 'loss': 1.5, Loss: 1.5, lm loss: 1.5E+00, lr ...... 0.1
_PAIR = re.compile(
    r"(?P<name>[A-Za-z_][\w./ &-]{0,80}?)[\"']?\s*(?:[:=]|\s\.{2,}|\.{3,})\s*[\"']?"
    rf"(?P<value>{_NUMBER}|(?:true|false|bf16|fp16|fp8|float16|bfloat16|float32|no)\b)",
    re.IGNORECASE,
)
# iter 100: loss 2.3456 (nanoGPT), Epoch 3, step 250/1000
_WORD = re.compile(
    r"\b(?P<name>train loss|loss|iter(?:ation)?|step|epoch|lr)\s+\[?\s*"
    r"(?P<value>\d[\d,]*\.?\d*(?:[eE][-+]?\d+)?|nan|inf)(?!\w)",
    re.IGNORECASE,
)
# global batch size 8, total steps 2000 (warmup 200). (torchtitan); 8,030,261,248 total parameters
_PLAIN = re.compile(r"^(?P<name>[A-Za-z][A-Za-z _-]{1,80}?)\s+(?P<value>\d[\d,.]*[KMB]?)(?: \.)?$")
_COUNTED = re.compile(r"(?P<value>\d[\d,]{6,}) (?P<name>total parameters|trainable parameters)")
_SEED = re.compile(r"\b(?P<name>seed) set to (?P<value>\d+)", re.IGNORECASE)
_OF = re.compile(r"\b(?:iteration|step|iter|epoch)s?\s*[:=\[]?\s*(\d+)\s*/\s*(\d+)", re.IGNORECASE)
_FLAG = re.compile(r"--([A-Za-z][\w.-]{0,80})(?:=|\s+)([^\s\\'\"=-][^\s\\'\"]*)")
# Advice in running text names flags as well: only a command line states them.
_COMMAND = re.compile(
    r"^\s*--\w|\\\s*$"
    r"|\b(?:python3?|torchrun|accelerate launch|deepspeed|srun|mpirun|litgpt|axolotl)\b.*\s--\w"
)
_DOTS = re.compile(r"(?:^|\]\s+)\s*(?P<name>[a-z_][\w]+)\s\.{2,}\s(?P<value>[^{[]\S*)\s*$")
_DOTTED_GROUP = re.compile(r"\.{3,} [{\[]")
_BAR = re.compile(
    r"(?P<what>[^|\r]{0,200}?)\s{0,9}\d{1,3}%\|[^|]*\|\s*(?P<n>\d+)/(?P<of>\d+)\s*"
    r"\[(?P<took>(?:\d+ days?,? )?[\d:.]+)<[^,\]]*,\s*(?P<speed>[^\],]*)"
)
_STAMP = re.compile(
    r"\d{4}[-/]?\d\d[-/]?\d\d[T ]\d|\d\d?[-/.]\d\d?[-/.]\d{4}[T ,]|[A-Z][a-z]{2} +\d\d? \d\d:"
)
_QUOTED = re.compile(r"`[^`]*`")
_PARENTHESES = re.compile(r"\([^()=]*\)")
_PARTS = re.compile(r"\s-\s+|\||,\s+|;\s*|(?<![:=.])\s{2,}(?![:=.\d])|\t|[{}\[\]()]")
_EPOCH = re.compile(r"epoch\W{0,3}(\d{1,9})", re.IGNORECASE)
_OTHER_BARS = re.compile(
    r"eval|valid|test|map|filter|download|load|token|generat|resolv|shard|save|predict|process",
    re.I,
)
_DIGEST_AFTER = re.compile(
    r"(?P<path>[\w./-]{1,300}\.\w{2,12})[\"']?\W{1,6}(?:(?:sha-?256|md5)\W{1,4})(?P<hex>[0-9a-f]{64}|[0-9a-f]{32})\b",
    re.I,
)
_DIGEST_BEFORE = re.compile(
    r"\b(?P<hex>[0-9a-f]{64}|[0-9a-f]{32}) [ *](?P<path>[\w./-]{1,300}\.\w{2,12})\s*$"
)


@dataclass(frozen=True)
class Bar:
    """A progress bar: ``done`` of ``total`` in ``took`` seconds; ``epoch`` if it names one."""

    done: int
    total: int
    took: float | None
    epoch: int | None = None


def stamp(line: str) -> str | None:
    """Return the time that a line was written at, by the first date near its start."""
    found = _STAMP.search(line[:120])
    if found is None:
        return None
    # A weekday or a "[" may stand before the date; a date in the text proper is not one of the log.
    return find_moment(line[found.start() : found.start() + 60]) if found.start() < 100 else None


def bar(line: str) -> Bar | None:
    """Return a progress bar over training steps; not one over files, examples or evaluation."""
    found = _BAR.search(line[:_MAX_CHARS])
    if found is None or not re.search(r"it\b|step|batch|\?", found["speed"]):
        return None
    # Whatever stands before the bar names it; a time stamp names nothing.
    label = re.sub(r"[\d:.,/TZ\s+-]+", " ", found["what"]).strip()
    if _OTHER_BARS.search(label):
        return None
    epoch = _EPOCH.search(found["what"])
    number = int(epoch[1]) if epoch else None
    return Bar(int(found["n"][:15]), int(found["of"][:15]), seconds(found["took"]), number)


def pairs(line: str) -> Iterator[tuple[str, str]]:
    """Yield names and numbers, in the order of the line."""
    text = line[:_MAX_CHARS]
    for part in _segments(text):
        found = [(_name(m["name"]), m["value"]) for m in _PAIR.finditer(part)]
        # Pairs without a sign between count only where none has one, or beside a counter.
        if not found or _WORD.match(part):
            found += [(m["name"], m["value"]) for m in _WORD.finditer(part)]
        for pattern in (_COUNTED, _SEED) if found else (_PLAIN, _COUNTED, _SEED):
            found += [(m["name"], m["value"]) for m in pattern.finditer(part)]
        yield from ((name, value.replace(",", "")) for name, value in found)


def of_total(line: str) -> tuple[int, int] | None:
    """Return ``step 10/1000`` as both numbers; not an epoch's."""
    for match in _OF.finditer(line[:_MAX_CHARS]):
        if not match.group().casefold().startswith("epoch"):
            return int(match[1][:15]), int(match[2][:15])
    return None


def flags(line: str) -> Iterator[tuple[str, str]]:
    """Yield settings of a command line, and of the dotted lists that trainers print."""
    if _COMMAND.search(line[:_MAX_CHARS]):
        for match in _FLAG.finditer(line[:_MAX_CHARS]):
            yield match[1], match[2]
    if dotted := _DOTS.search(line[:_MAX_CHARS]):
        yield dotted["name"], dotted["value"]


def digests(line: str) -> Iterator[tuple[str, str]]:
    """Yield paths and the digests (hex) that a line names for them."""
    for pattern in (_DIGEST_AFTER, _DIGEST_BEFORE):
        for match in pattern.finditer(line[:_MAX_CHARS]):
            yield match["path"], match["hex"].casefold()


def is_nested(line: str) -> bool:
    """Say whether a line prints settings within settings: their names mean something else there."""
    return line.count("{") > 1 or bool(_DOTTED_GROUP.search(line[:_MAX_CHARS]))


def _segments(text: str) -> Iterator[str]:
    for part in _PARTS.split(_PARENTHESES.sub("", _QUOTED.sub("", text))):
        if part and any(c.isdigit() or c in "nN" for c in part):
            yield part.strip()


def _name(text: str) -> str:
    """Return the last words of what stands before a value."""
    return " ".join(text.replace('"', "").replace("'", "").split()[-5:])
