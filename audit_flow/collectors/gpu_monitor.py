"""Readings of GPUs over time: ``nvidia-smi`` queries and ``dmon``, DCGM, exporters, as tables.

Columns: ``nvidia-smi --help-query-gpu``, ``nvidia-smi dmon -h``, DCGM's field identifiers
(``dcgm_fields.h``).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from audit_flow.analysis.moments import moment, seconds_between
from audit_flow.analysis.quantities import amount, mebibytes
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence, GpuJob
from audit_flow.sources.job_facts import MAX_HOSTS, Peak, Span, gpu_job
from audit_flow.sources.tables import separator, split
from audit_flow.sources.text_lines import decoded_head, read_text

# What a column may be called, lower case and without its unit; the first that is there counts.
_ALIASES: dict[str, tuple[str, ...]] = {
    "time": ("timestamp", "time", "datetime", "date_time", "ts", "wall_time", "_timestamp"),
    "date": ("date",),
    "host": ("hostname", "host", "node", "instance", "exported_instance"),
    "gpu": ("index", "gpu", "gpu_index", "gpu_id", "gpuid", "idx", "id", "entity", "device",
        "minor_number"),
    "uuid": ("uuid", "gpu_uuid", "pci.bus_id", "gpu_bus_id", "serial", "pci_bus_id"),
    "model": ("name", "gpu_name", "modelname", "model_name", "product", "gpu_model"),
    "use": ("utilization.gpu", "gpu_utilization", "utilization_gpu", "gpu_util", "gpuutil", "sm",
        "gputl",
            "utilization", "util", "dcgm_fi_dev_gpu_util", "dcgm_fi_prof_gr_engine_active", "gract",
            "smact", "gpu_usage", "gpu_load", "load", "gpu_util_percent"),
    "memory": ("memory.used", "memory_used", "mem_used", "fb", "fbusd", "fb_used", "used_memory",
        "memused",
               "dcgm_fi_dev_fb_used", "used_gpu_memory", "memory_used_mb", "gpu_memory_used",
               "mem"),
    "power": ("power.draw", "power_draw", "pwr", "power", "dcgm_fi_dev_power_usage", "powerdraw",
              "power.draw.average", "power.draw.instant", "powr", "power_w", "power_usage",
              "dpowr"),
}  # fmt: skip
_READINGS = ("use", "memory", "power")
_METRIC, _VALUE = ("metric", "field", "__name__", "metric_name"), ("value",)
# Shares of one instead of percent.
_RATIOS = {"gract", "smact", "dcgm_fi_prof_gr_engine_active"}
_UNIT = re.compile(r"[\[(]([^\[\]()]{0,20})[\])]$")
_UUID = re.compile(r"(?:GPU|MIG)-[0-9a-f-]{8,}", re.IGNORECASE)
_MAX_HEADER_CHARS = 8_192
_MAX_DEVICES = 4_096
# Nobody watched between two readings that are further apart than an hour, if others are closer.
_GAP = 3600.0
# As many different readings don't come twice by chance.
_VARIED = 8


@dataclass
class _Device:
    use: Peak = field(default_factory=Peak)
    rows: int = 0
    # Of what was read, without and with the time of each reading.
    read: Any = field(default_factory=hashlib.sha256)
    timed: Any = field(default_factory=hashlib.sha256)
    kinds: set[str] = field(default_factory=set)
    exact: bool = False

    def add(self, when: str | None, readings: str) -> None:
        """Take a row of readings, as they were written."""
        self.rows += 1
        self.read.update(f"{readings}\n".encode())
        self.timed.update(f"{when} {readings}\n".encode())
        self.exact = self.exact or "." in (when or "")
        if len(self.kinds) < _VARIED:
            self.kinds.add(readings)

    def trace(self) -> str | None:
        """Return a digest of what was read; None where it might be that of another GPU as well.

        GPUs that stand still read the same all the time, but not in the same thousandth second.
        """
        if len(self.kinds) >= _VARIED:
            return str(self.read.hexdigest())
        return str(self.timed.hexdigest()) if self.exact and self.rows >= _VARIED else None


@dataclass
class _Seen:
    """What the rows come to."""

    devices: dict[str, _Device] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    models: dict[str, None] = field(default_factory=dict)
    use: Peak = field(default_factory=Peak)
    memory: Peak = field(default_factory=Peak)
    power: Peak = field(default_factory=Peak)
    span: Span = field(default_factory=Span)
    rows: int = 0
    back: int = 0
    previous: str | None = None
    # Seconds between readings: as usual, and where they were long.
    steps: Counter[int] = field(default_factory=Counter)
    gaps: list[float] = field(default_factory=list)

    def away(self) -> float:
        """Return the seconds in which nothing was read, for much longer than between readings."""
        usual = max(self.steps, key=lambda s: self.steps[s], default=0)
        return sum(g for g in self.gaps if g > 10 * usual)


class GpuMonitor:
    """Reads a table of GPU readings with any columns, units and separator."""

    format = "gpu-monitor"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether the header names readings of a GPU."""
        del source
        lines = [x for x in decoded_head(head).splitlines() if x.strip()][:5]
        return any(_columns(line) is not None for line in lines)

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return what was watched as one job; EvidenceError names the line that can't be read."""
        text = read_text(source)
        seen, columns, header = _Seen(), None, ""
        for number, line in text.lines():
            if found := _columns(line):
                columns, header = found, line
                continue
            if columns is None or line.lstrip().startswith(("#", "ID ")) or _is_units(line):
                continue
            cells = split(line, separator(header))
            if header.lstrip().startswith("#Entity"):
                cells = _entity(cells)
            if len(cells) < len(columns.names):
                raise EvidenceError(
                    f"{len(cells)} cells", expected=f"{len(columns.names)}, as the header names",
                    where=f"{source.path}, line {number}",
                )  # fmt: skip
            _take(seen, columns, cells, f"{source.path}, line {number}")
        if not seen.rows:
            raise EvidenceError("no reading in it", expected="rows of readings", where=source.path)
        return (_job(source, text.sha256, seen),)


@dataclass(frozen=True)
class _Columns:
    names: tuple[str, ...]
    at: dict[str, int]
    units: tuple[str, ...]
    metric: int | None = None
    value: int | None = None


def _columns(line: str) -> _Columns | None:
    """Return the columns of a header line; None if it is none."""
    if len(line) > _MAX_HEADER_CHARS:
        return None
    cells = split(line.lstrip().removeprefix("#"), separator(line))
    units = tuple((m.group(1).strip() if (m := _UNIT.search(c)) else "") for c in cells)
    names = tuple(_UNIT.sub("", c).strip().strip('"').casefold().replace(" ", "_") for c in cells)
    at: dict[str, int] = {}
    for what, aliases in _ALIASES.items():
        # In the tables of dmon and pmon "mem" is how busy the memory is, not how full.
        known = [a for a in aliases if not (a == "mem" and line.lstrip().startswith("#"))]
        places = [names.index(a) for a in known if a in names]
        if places:
            at[what] = places[0]
    metric = next((names.index(m) for m in _METRIC if m in names), None)
    value = next((names.index(v) for v in _VALUE if v in names), None)
    if metric is not None and value is not None and ("time" in at or "gpu" in at):
        return _Columns(
            names, {k: v for k, v in at.items() if k not in _READINGS}, units, metric, value
        )
    readings = [r for r in _READINGS if r in at]
    placed = {"time", "gpu", "uuid", "model", "date"} & at.keys()
    return _Columns(names, at, units) if readings and placed and len(names) > 1 else None


def _is_units(line: str) -> bool:
    """Say whether a line only repeats units, or is the line of dashes below a header."""
    return not re.search(r"\d", line)


def _entity(cells: list[str]) -> list[str]:
    # dcgmi prints an entity as two words: "GPU 0".
    return [" ".join(cells[:2]), *cells[2:]] if len(cells) > 1 else cells


def _take(seen: _Seen, columns: _Columns, cells: list[str], where: str) -> None:
    def cell(what: str) -> str:
        return cells[columns.at[what]] if what in columns.at else ""

    written = f"{cell('date')} {cell('time')}".strip()
    when = moment(written) if written else None
    if when is None and "time" in columns.at:
        raise EvidenceError(f"the time {written[:60]!r}", expected="a date and a time", where=where)
    host, name = cell("host"), cell("uuid") or cell("gpu")
    # An id that no other GPU in the world has is that of one GPU, whatever host stands beside it.
    own = name if _UUID.match(name) else f"{host}/{name}"
    device = seen.devices.setdefault(own, _Device())
    readings = list(_readings(columns, cells))
    for what, text, unit in readings:
        _reading(seen, device, what, text, unit)
    seen.rows += 1
    device.add(when, " ".join(text for _, text, _ in readings))
    between = (when and seen.previous and seconds_between(seen.previous, when)) or 0.0
    if between > 0 and (len(seen.steps) < _MAX_DEVICES or round(between) in seen.steps):
        seen.steps[round(between)] += 1
    if between > _GAP and len(seen.gaps) < _MAX_DEVICES:
        seen.gaps.append(between)
    seen.back += bool(when and seen.previous and when < seen.previous)
    seen.previous = when or seen.previous
    seen.span.add(when)
    if host and len(seen.hosts) < MAX_HOSTS:
        seen.hosts[host] = None
    if cell("model") and len(seen.models) < 100:
        seen.models[cell("model")] = None


def _readings(columns: _Columns, cells: list[str]) -> Iterator[tuple[str, str, str]]:
    if columns.metric is None or columns.value is None:
        for what in _READINGS:
            if what in columns.at:
                place = columns.at[what]
                ratio = columns.names[place] in _RATIOS
                yield what, cells[place], "ratio" if ratio else columns.units[place]
        return
    name = cells[columns.metric].casefold()
    for what in _READINGS:
        if name in _ALIASES[what]:
            yield what, cells[columns.value], "ratio" if name in _RATIOS else ""


def _reading(seen: _Seen, device: _Device, what: str, text: str, unit: str) -> None:
    if what == "memory":
        seen.memory.add(mebibytes(text, unit or "mib"))
        return
    value = amount(text)[0]
    if value is None or value < 0:
        return
    if what == "use":
        value = value * 100 if unit == "ratio" else value
        seen.use.add(value)
        device.use.add(value)
    else:
        seen.power.add(value / 1000 if unit.casefold() == "mw" else value)


def _job(source: SourceFile, sha256: str, seen: _Seen) -> GpuJob:
    named = [d for d in seen.devices if not d.endswith("/")]
    idle = [d for d in named if not (seen.devices[d].use.highest or 0) and seen.use.count]
    traces = [trace for d in named if (trace := seen.devices[d].trace())]
    facts: dict[str, Any] = {
        "started": seen.span.first,
        "ended": seen.span.last,
        "hosts": tuple(seen.hosts),
        "nodes": len(seen.hosts) or None,
        # Without a column that tells GPUs apart nobody knows how many were read.
        "gpus": len(named) or None,
        "gpu_model": ", ".join(seen.models) or None,
        "utilisation": seen.use.mean,
        "max_utilisation": seen.use.highest,
        "max_memory": seen.memory.highest,
        "max_power": seen.power.highest,
        "samples": seen.rows,
        "idle": len(idle) or None,
        "devices": tuple(d for d in named if _UUID.match(d))[:_MAX_DEVICES],
        "traces": tuple(traces)[:_MAX_DEVICES],
    }
    if (away := seen.away()) and seen.span.first and seen.span.last:
        facts["elapsed"] = (seconds_between(seen.span.first, seen.span.last) or away) - away
    if seen.back:
        facts["disordered"] = f"{seen.back} readings are before the one above them"
    if idle:
        facts["note"] = f"{len(idle)} of {len(named)} GPUs never did anything"
    return gpu_job(source, GpuMonitor.format, sha256, **facts)
