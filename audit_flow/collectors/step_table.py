"""Tables with a column of steps: metrics by step, and lists of checkpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from audit_flow.analysis.quantities import real, whole
from audit_flow.analysis.training_names import metric
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import CheckpointIndex, CheckpointLabel, Evidence, Trust
from audit_flow.sources.job_facts import Curve, gpu_job
from audit_flow.sources.tables import separator, split
from audit_flow.sources.text_lines import decoded_head, read_text

_PLACES = ("checkpoint", "directory", "path", "revision", "url", "branch")
_LABEL = re.compile(r"step[-_ ]?(\d+)[-_ ]tokens?[-_ ]?(\d+(?:\.\d+)?)([BMT])")
_STEP = re.compile(r"(?:step|checkpoint|iter)[-_]?(\d+)", re.IGNORECASE)
_MAX_LABELS = 100_000
_SCALES = {"M": 1e6, "B": 1e9, "T": 1e12}


class StepTable:
    """Reads a table of metrics by step, or an index of checkpoints."""

    format = "step-table"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether the header has a step and a loss, or a step and where a checkpoint lies."""
        if not source.name.lower().endswith((".csv", ".tsv")):
            return False
        first = next((x for x in decoded_head(head).splitlines() if x.strip()), "")
        names = split(first, separator(first))
        kinds = {metric(n) for n in names}
        return "step" in kinds and ("loss" in kinds or _is_index(names))

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return a job, or a list of checkpoints; EvidenceError names the line that is wrong."""
        text = read_text(source)
        lines = text.lines()
        first = next(lines, None)
        if first is None:
            raise EvidenceError("no line with text", expected="a table", where=source.path)
        _, header = first
        sep = separator(header)
        names = split(header, sep)
        rows = _rows(lines, names, sep, source)
        if _is_index(names):
            return (_index(source, text.sha256, names, list(rows)),)
        columns = {metric(n): i for i, n in reversed(list(enumerate(names))) if metric(n)}
        curve, epoch, tokens = Curve(), None, None
        for _, cells in rows:
            found = {what: cells[i] for what, i in columns.items()}
            if found.get("loss") or found.get("step"):
                curve.add(found.get("step"), found.get("loss") or None, found.get("rate"))
            epoch = real(found.get("epoch")) if found.get("epoch") else epoch
            tokens = whole(found.get("tokens")) or tokens
        if not curve.losses:
            raise EvidenceError("no loss in it", expected="losses by step", where=source.path)
        facts = {**curve.facts(), "epochs": epoch, "tokens": tokens}
        return (gpu_job(source, self.format, text.sha256, **facts),)


def _is_index(names: list[str]) -> bool:
    return any(place in n.casefold() for n in names for place in _PLACES)


def _rows(
    lines: Iterator[tuple[int, str]], names: list[str], sep: str | None, source: SourceFile
) -> Iterator[tuple[int, list[str]]]:
    for number, line in lines:
        cells = split(line, sep)
        if len(cells) != len(names):
            raise EvidenceError(
                f"{len(cells)} cells",
                expected=f"{len(names)}, as the header names",
                where=f"{source.path}, line {number}",
            )
        yield number, cells


def _index(
    source: SourceFile, sha256: str, names: list[str], rows: list[tuple[int, list[str]]]
) -> CheckpointIndex:
    at = next((i for i, n in enumerate(names) if metric(n) == "step"), None)
    if at is None:
        raise EvidenceError("no column of steps", expected="step", where=source.path)
    seen: dict[tuple[str, ...], int] = {}
    series: dict[str, list[int]] = {}
    labels: list[CheckpointLabel] = []
    wrong = []
    for number, cells in rows:
        step = whole(cells[at])
        if step is None:
            raise EvidenceError(
                f"the step {cells[at][:60]!r}",
                expected="a whole number",
                where=f"{source.path}, line {number}",
            )
        group = "/".join(c for i, c in enumerate(cells) if i != at and not _has_place(names[i]))
        series.setdefault(group, []).append(step)
        seen[tuple(cells)] = seen.get(tuple(cells), 0) + 1
        text = " ".join(cells)
        labels += _labels(text)[: _MAX_LABELS - len(labels)]
        named = [int(s) for s in _STEP.findall(text) if len(s) < 16]
        wrong += [f"line {number}"] if named and step not in named else []
    if not rows:
        raise EvidenceError("no checkpoint in it", expected="rows", where=source.path)
    steps = [s for found in series.values() for s in found]
    gaps = [b - a for found in series.values() for a, b in _neighbours(sorted(set(found)))]
    return CheckpointIndex(
        id=f"checkpoints:{source.path}",
        source=source.path,
        sha256=sha256,
        trust=Trust.SELF_REPORTED,
        rows=len(rows),
        series=len(series),
        first_step=min(steps),
        last_step=max(steps),
        usual_gap=max(set(gaps), key=lambda g: (gaps.count(g), -g)) if gaps else None,
        largest_gap=max(gaps) if gaps else None,
        duplicates=sum(n - 1 for n in seen.values()),
        mislabelled=tuple(wrong[:20]),
        labels=tuple(labels),
    )


def _has_place(name: str) -> bool:
    return any(place in name.casefold() for place in _PLACES)


def _labels(text: str) -> list[CheckpointLabel]:
    return [
        CheckpointLabel(
            name=m.group(), step=int(m[1][:15]), tokens=float(m[2]) * _SCALES[m[3]],
            unit=_SCALES[m[3]] * 10.0 ** -len(m[2].partition(".")[2]),
        )
        for m in _LABEL.finditer(text)
    ]  # fmt: skip


def _neighbours(steps: list[int]) -> list[tuple[int, int]]:
    return list(pairwise(steps))
