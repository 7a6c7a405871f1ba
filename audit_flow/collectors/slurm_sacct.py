"""SLURM's accounting: ``sacct`` with any columns, separated (``-p``, ``-P``) or fixed width.

Columns and their meanings: the manual page sacct(1), section "Job accounting fields".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from audit_flow.analysis.moments import moment
from audit_flow.analysis.quantities import amount, seconds, whole
from audit_flow.collectors.interface import Family, SourceFile
from audit_flow.errors import EvidenceError
from audit_flow.model import Evidence, GpuJob
from audit_flow.sources.job_facts import MAX_JOBS, gpu_job, hosts, settings
from audit_flow.sources.job_steps import StepRow, disorder, impossible, together, with_step
from audit_flow.sources.tables import fixed_width, is_rule, separator, split
from audit_flow.sources.text_lines import Text, decoded_head, read_text

Row = dict[str, str]
_NAMES = {
    "jobid", "jobidraw", "jobname", "state", "elapsed", "elapsedraw", "alloctres", "reqtres",
    "nodelist", "start", "end", "submit", "partition", "account", "alloccpus", "exitcode", "user",
}  # fmt: skip
# What is read as a number, a time or a list: cut to a column's width it says something else.
_COUNTED = (
    "jobid", "jobidraw", "alloctres", "tres_alloc", "allocgres", "allocgpus", "nodelist",
    "elapsed", "elapsedraw", "start", "end", "submit", "suspended", "cputime", "cputimeraw",
    "nnodes", "allocnodes", "alloccpus", "ncpus", "tresusageinmax", "tresusageinave",
)  # fmt: skip
_ABSENT = {"", "unknown", "none", "n/a", "invalid", "(null)", "none assigned"}
_CONFIG = ("SubmitLine", "WorkDir", "Comment", "QOS", "Partition", "Constraints", "Container")


class SlurmSacct:
    """Reads the table that ``sacct`` prints."""

    format = "slurm-sacct"
    family: Family = "job-log"

    def recognises(self, source: SourceFile, head: bytes) -> bool:
        """Say whether the first line names sacct's columns."""
        del source
        first = next((x for x in decoded_head(head).splitlines() if x.strip()), "")
        names = {
            n.casefold().rpartition("%")[0] or n.casefold() for n in split(first, separator(first))
        }
        return bool(names & {"jobid", "jobidraw"}) and len(names & _NAMES) > 1

    def read(self, source: SourceFile) -> tuple[Evidence, ...]:
        """Return one job each; EvidenceError names the line that can't be read."""
        text = read_text(source)
        rows: dict[str, list[Row]] = {}
        for number, row in _rows(text, source):
            name = row.get("jobid") or row.get("jobidraw")
            if not name or not re.match(r"[\d\w]", name):
                raise EvidenceError(
                    f"the row has no job id: {str(row)[:120]}", expected="JobID",
                    where=f"{source.path}, line {number}",
                )  # fmt: skip
            rows.setdefault(name.partition(".")[0], []).append(row)
        if not rows or len(rows) > MAX_JOBS:
            raise EvidenceError(
                f"{len(rows)} jobs", expected=f"1 to {MAX_JOBS} jobs", where=source.path
            )
        alone = len(rows) == 1
        return tuple(_job(source, text.sha256, i, r, alone) for i, r in rows.items())


def _rows(text: Text, source: SourceFile) -> Iterator[tuple[int, Row]]:
    lines = text.lines()
    _, header = next(lines, (0, ""))
    sep = separator(header)
    if sep is None:
        number, rule = next(lines, (0, ""))
        if not is_rule(rule):
            raise EvidenceError(
                "no line of dashes below the header", expected="sacct's fixed-width table",
                where=f"{source.path}, line {number}", remedy="Export with: sacct -P",
            )  # fmt: skip
        for at, wide in fixed_width(header, rule, lines):
            row = {k.casefold(): v for k, v in wide.items()}
            _whole_cells(row, f"{source.path}, line {at}")
            yield at, row
        return
    names = _without_end([n.casefold().partition("%")[0] for n in split(header, sep)])
    for at, line in lines:
        cells = split(line, sep)
        if len(cells) == len(names) + 1:
            cells = _without_end(cells)
        if is_rule(line.replace(sep, " ")) or [c.casefold() for c in cells] == names:
            continue
        if len(cells) != len(names):
            raise EvidenceError(
                f"{len(cells)} cells", expected=f"{len(names)} columns, as the header names",
                where=f"{source.path}, line {at}",
                remedy="Export with: sacct -P --delimiter=';', a mark that stands in no cell",
            )  # fmt: skip
        yield at, dict(zip(names, cells, strict=True))


def _without_end(cells: list[str]) -> list[str]:
    """Leave out the empty cell that ``sacct -p`` has after its last separator."""
    return cells[:-1] if cells and not cells[-1] else cells


def _whole_cells(row: Row, where: str) -> None:
    """Refuse a row of which something counted was cut to its column's width."""
    for name in _COUNTED:
        if row.get(name, "").endswith("+"):
            raise EvidenceError(
                f"{name} is cut off: {row[name][:80]!r}", expected="whole cells", where=where,
                remedy="Export with sacct -P (--parsable2), which cuts nothing",
            )  # fmt: skip


def _job(source: SourceFile, sha256: str, name: str, rows: list[Row], alone: bool) -> GpuJob:
    own = [r for r in rows if "." not in (r.get("jobid") or r.get("jobidraw") or "")]
    runs = own or rows[:1]
    last, first = runs[-1], runs[0]
    given = [(_gpus(r), _elapsed(r)) for r in runs]
    gpus, hours = together([(count, length) for (count, _), length in given])
    models = dict.fromkeys(model for (_, model), _ in given if model)
    lengths = [length for _, length in given if length is not None]
    nodes = hosts(_value(last, "nodelist") or "")
    suspended = sum(seconds(r.get("suspended") or "0") or 0 for r in runs)
    rows_of = [_row(r) for r in runs], [_row(r) for r in rows if r not in runs]
    return gpu_job(
        source, SlurmSacct.format, sha256, "" if alone else name,
        job_id=name,
        name=_value(last, "jobname"),
        user=_value(last, "user") or _value(last, "uid"),
        account=_value(last, "account"),
        cluster=_value(last, "cluster"),
        state=_state(rows, last),
        submitted=_time(first, "submit"),
        started=_time(first, "start"),
        ended=_time(last, "end"),
        elapsed=sum(lengths) if lengths else None,
        nodes=_nodes(last) or len(nodes) or None,
        hosts=nodes,
        gpus=gpus,
        gpu_model=", ".join(models) or None,
        gpu_hours=hours,
        world_size=None,
        max_utilisation=_usage(rows, "gpuutil"),
        disordered=disorder(*rows_of),
        impossible=impossible(*rows_of),
        restarts=len(runs) - 1 or None,
        config=settings({c: v for c in _CONFIG if (v := _value(last, c.casefold()))}),
        note=f"suspended for {suspended:g} s" if suspended else None,
    )  # fmt: skip


def _row(row: Row) -> StepRow:
    """Return what a row says of times and resources, to be held against the other rows."""
    written = (_value(row, name) for name in ("elapsedraw", "elapsed"))
    suspended = _value(row, "suspended")
    spent = _value(row, "cputimeraw") or _value(row, "cputime")
    total, typed = _counts(row)
    return StepRow(
        name=row.get("jobid") or row.get("jobidraw") or "",
        started=_time(row, "start"),
        ended=_time(row, "end"),
        lengths=tuple(s for w in written if w and (s := seconds(w)) is not None),
        suspended=seconds(suspended) if suspended else None,
        cpu_seconds=seconds(spent) if spent else None,
        cpus=whole(_value(row, "alloccpus") or _value(row, "ncpus")),
        gpus=total,
        typed=sum(typed.values()) if typed else None,
    )


def _counts(row: Row) -> tuple[int | None, dict[str, int]]:
    """Return the GPUs of a row's trackable resources: in all, and by kind."""
    tres = row.get("alloctres") or row.get("tres_alloc") or ""
    found = dict(p.split("=", 1) for p in tres.split(",") if "=" in p)
    typed = {k[9:]: whole(v) or 0 for k, v in found.items() if k.startswith("gres/gpu:")}
    return whole(found["gres/gpu"]) if "gres/gpu" in found else None, typed


def _value(row: Row, name: str) -> str | None:
    value = row.get(name, "")
    return None if value.casefold() in _ABSENT else value


def _time(row: Row, name: str) -> str | None:
    value = _value(row, name)
    return moment(value) if value else None


def _elapsed(row: Row) -> float | None:
    raw = _value(row, "elapsedraw")
    return seconds(raw or row.get("elapsed", "") or "?")


def _nodes(row: Row) -> int:
    return whole(_value(row, "nnodes") or _value(row, "allocnodes")) or 0


def _state(rows: list[Row], last: Row) -> str | None:
    """Return the job's state; a job that completed with a step that did not has not."""
    state = _value(last, "state")
    if not (state and state.upper().startswith("COMPLETED")):
        return state
    told = ((r.get("jobid") or r.get("jobidraw") or "", r.get("state", "")) for r in rows)
    return with_step(state, [(name, said) for name, said in told if "." in name])


def _gpus(row: Row) -> tuple[int | None, str | None]:
    """Return how many GPUs were allocated, and which; None where no column can tell.

    A cluster that does not track GPUs leaves them out of AllocTRES: that is none known, not none.
    """
    total, typed = _counts(row)
    if total is not None or typed:
        return sum(typed.values()) if total is None else total, ", ".join(typed) or None
    gres = row.get("allocgres") or row.get("allocgpus") or ""
    parts = re.findall(r"gpu(?::([\w.-]*[A-Za-z][\w.-]*))?[:=](\d+)", gres)
    if not parts:
        return None, None
    model = ", ".join(m for m, _ in parts if m) or None
    # Of several nodes nobody can tell whether it counts the GPUs of each or of all.
    return (sum(int(n[:9]) for _, n in parts) if _nodes(row) <= 1 else None), model


def _usage(rows: list[Row], name: str) -> float | None:
    found = []
    for row in rows:
        for cell in (row.get("tresusageinmax", ""), row.get("tresusageinave", "")):
            found += [amount(p.partition("=")[2])[0] for p in cell.split(",") if f"/{name}" in p]
    values = [v for v in found if v is not None and v >= 0]
    return max(values) if values else None
