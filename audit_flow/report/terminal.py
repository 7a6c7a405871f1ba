"""The layout of the terminal report (imports rich; loaded only when text is asked for)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule as Line
from rich.table import Table
from rich.text import Text

from audit_flow.model import Finding, Gap, Waiver
from audit_flow.report.interface import AuditResult, Look
from audit_flow.report.neutral import NAME_LIMIT, neutralise
from audit_flow.report.reading import (
    LIMITS,
    LIMITS_LINK,
    SILENT,
    Reading,
    ScoreRow,
    Status,
    outcome_status,
    plural,
    signed_points,
    status_of,
)

MIN_WIDTH = 40
# So many findings of a section are told in full, the others in a line each: nobody reads on, and
# each takes milliseconds to lay out. --verbose tells all in full.
_IN_FULL = 100
# Below this the eight columns of the score table would break words.
_TABLE_WIDTH = 90
_STYLES = {
    "pass": "green",
    "fail": "bold red",
    "open": "yellow",
    "error": "bold magenta",
    "warn": "yellow",
    "waived": "cyan",
    "idle": "dim",
}


def render_page(result: AuditResult, look: Look) -> str:
    """Return the report as text of at most ``look.width`` columns (40 at least)."""
    width = max(look.width, MIN_WIDTH)
    out = io.StringIO()
    # An empty environment: the same audit gives the same text on every machine.
    console = Console(
        file=out,
        width=width,
        force_terminal=look.color,
        color_system="standard" if look.color else None,
        force_jupyter=False,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    reading = Reading(result)
    for part in _parts(reading, width, look.verbose):
        console.print(part)
    # Never wrapped, so that it can be clicked.
    console.print(Text(LIMITS_LINK, "dim"), soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _parts(reading: Reading, width: int, verbose: bool) -> Iterable[RenderableType]:
    yield _summary(reading, width)
    yield from _scores(reading, width, verbose)
    yield from _denying(reading, verbose)
    yield from _warnings(reading, verbose)
    yield from _not_assessed(reading, verbose)
    yield from _passed(reading, verbose)
    yield from _not_applied(reading, verbose)
    yield from _gaps(reading, verbose)
    yield from _waivers(reading)
    yield from _colophon(reading, width)


def _clean(text: str, style: str = "", limit: int | None = None) -> Text:
    return Text(neutralise(text) if limit is None else neutralise(text, limit), style=style)


def _name(text: str, style: str = "") -> Text:
    return _clean(text, style, NAME_LIMIT)


def _marked(status: Status, word: str | None = None) -> Text:
    return Text(f"{status.sign} {status.word if word is None else word}", _STYLES[status.tone])


def _heading(title: str, count: int | None = None) -> RenderableType:
    text = Text(title if count is None else f"{title} ({count})", "bold")
    return Group(Text(), text, Line(style="dim", characters="─"))


def _summary(reading: Reading, width: int) -> RenderableType:
    verdict, subject = reading.result.verdict, reading.result.verdict.subject
    status = reading.verdict_status
    version = f" {neutralise(subject.version, NAME_LIMIT)}" if subject.version else ""
    first = _marked(status, verdict.in_words())
    first.append("  ").append_text(_name(subject.name, "bold")).append(version)
    body = [first, *_where(subject.hub_id, subject.revision), _clean(reading.headline)]
    tally = [_count(count, s) for count, s in reading.counts]
    lines = _packed(tally, width - 4)
    return Panel(Group(*body, Text(), *lines), border_style=_STYLES[status.tone], padding=(0, 1))


def _count(count: int, status: Status) -> Text:
    if not count:
        return Text(f"0 {status.word}", "dim")
    return Text(f"{status.sign} {count:,} {status.word}", _STYLES[status.tone])


def _packed(items: Iterable[Text], width: int) -> list[Text]:
    """Items side by side, broken between items only."""
    lines: list[Text] = []
    for item in items:
        if lines and lines[-1].cell_len + 3 + item.cell_len <= width:
            lines[-1].append(" · ", "dim").append_text(item)
        else:
            lines.append(item)
    return lines


def _where(hub_id: str | None, revision: str | None) -> list[Text]:
    if not hub_id:
        return []
    return [_clean(f"{hub_id}@{revision}" if revision else hub_id, "dim", NAME_LIMIT)]


def _scores(reading: Reading, width: int, verbose: bool) -> Iterable[RenderableType]:
    if not reading.scores:
        return
    rows = reading.scores if verbose else _first_rows(reading.scores)
    yield _heading("Claimed scores", len(reading.scores))
    yield _score_table(rows) if width >= _TABLE_WIDTH else Group(*map(_score_block, rows))
    key = (
        "Brackets: 95 % interval of the reproduction. Difference: reproduced − claimed. MDO80:"
        " the smallest overclaim that would be found with 80 % power. Both in percentage points."
    )
    if len(rows) < len(reading.scores):
        more = len(reading.scores) - len(rows)
        yield Text(f"… and {more:,} more that hold; --verbose lists them.")
    if any(row.warned for row in rows):
        key += " ▲: there is a warning about this score."
    yield Text(key, "dim")
    for note, benchmarks in reading.score_notes:
        names = ", ".join(neutralise(name, 60) for name in benchmarks) or "All"
        yield Text(f"{names}: ").append_text(_clean(note))


def _first_rows(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Leave out what holds without a warning beyond the first rows, and nothing else."""
    return [
        row for i, row in enumerate(rows) if i < _IN_FULL or row.warned or row.status.tone != "pass"
    ]


def _score_table(rows: Iterable[ScoreRow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Benchmark", overflow="fold", ratio=1)
    table.add_column("Claimed", justify="right", no_wrap=True)
    table.add_column("Reproduced, %", justify="right", no_wrap=True)
    table.add_column("Items", justify="right", no_wrap=True)
    table.add_column("Runs", justify="right", no_wrap=True)
    table.add_column("Diff.", justify="right", no_wrap=True)
    table.add_column("MDO80", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_score_cells(row))
    return table


def _score_cells(row: ScoreRow) -> tuple[Text, ...]:
    seen, claimed = row.comparison, _clean(row.claimed, limit=16)
    head = (_score_mark(row), _benchmark(row), claimed)
    if seen is None:
        return (*head, Text("no reproduction", "dim"), *(Text("–", "dim") for _ in range(4)))
    return (
        *head,
        Text(f"{seen.reproduced:.2f} [{seen.low:.2f}, {seen.high:.2f}]"),
        Text("unknown" if seen.n_items is None else f"{seen.n_items:,}"),
        Text(f"{seen.runs:,}"),
        Text(_difference(row), _STYLES[row.status.tone] if row.status.tone == "fail" else ""),
        Text(f"{seen.mdo80:.2f}"),
    )


def _score_block(row: ScoreRow) -> RenderableType:
    head = _score_mark(row).append("  ").append_text(_benchmark(row))
    seen = row.comparison
    if seen is None:
        facts = Text.assemble("claimed ", _clean(row.claimed, limit=16), ", no reproduction")
        return Group(head, Padding(facts, (0, 0, 0, 2)))
    items = "items unknown" if seen.n_items is None else plural(seen.n_items, "item")
    lines = (
        Text.assemble("claimed ", _clean(row.claimed, limit=16)),
        Text(f"reproduced {seen.reproduced:.2f} % [{seen.low:.2f}, {seen.high:.2f}]"),
        Text(f"difference {_difference(row)} points, MDO80 {seen.mdo80:.2f} points"),
        Text(f"{items}, {plural(seen.runs, 'run')}"),
    )
    return Group(head, Padding(Group(*lines), (0, 0, 0, 2)))


def _difference(row: ScoreRow) -> str:
    return "–" if row.difference is None else signed_points(row.difference)


def _score_mark(row: ScoreRow) -> Text:
    mark = _marked(row.status)
    return mark.append(" ▲", _STYLES["warn"]) if row.warned else mark


def _benchmark(row: ScoreRow) -> Text:
    return _clean(row.benchmark, "bold", 60).append(" ").append_text(_clean(row.metric, "dim", 40))


def _denying(reading: Reading, verbose: bool) -> Iterable[RenderableType]:
    if reading.denying:
        yield _heading("What keeps the gate shut, or was waived", len(reading.denying))
    yield from _findings(reading, reading.denying, verbose)


def _warnings(reading: Reading, verbose: bool) -> Iterable[RenderableType]:
    if reading.warnings:
        yield _heading("Warnings: they do not block", len(reading.warnings))
    yield from _findings(reading, reading.warnings, verbose)


def _not_assessed(reading: Reading, verbose: bool) -> Iterable[RenderableType]:
    count = len(reading.unproven) + len(reading.silent)
    yield _heading("Not assessed: nothing here counts as passed", count)
    if not count:
        yield Text(reading.nothing_open)
    yield from _findings(reading, reading.unproven, verbose)
    for claim in reading.silent:
        yield _marked(SILENT).append("  ").append_text(_name(claim.id, "bold"))
        yield Text("  No finding is about this claim; silence is not proof.")


def _findings(
    reading: Reading, findings: Sequence[Finding], verbose: bool
) -> Iterable[RenderableType]:
    whole = len(findings) if verbose else _IN_FULL
    for index, finding in enumerate(findings[:whole]):
        if index:
            yield Text()
        yield _finding(reading, finding)
    if findings[whole:]:
        yield Text(f"\n… and {len(findings) - whole:,} more, a line each; --verbose tells why:")
    for finding in findings[whole:]:
        head = _marked(status_of(finding)).append("  ").append_text(_name(finding.about, "bold"))
        yield head.append(f"  [{neutralise(finding.rule)}]", "dim")


def _finding(reading: Reading, finding: Finding) -> RenderableType:
    status = status_of(finding)
    head = _marked(status).append("  ").append_text(_name(finding.about, "bold"))
    if status.word in ("waived", "warning"):
        head.append(f" ({outcome_status(finding.outcome).word})", "dim")
    facts = [
        ("rule", _clean(finding.title).append(f"  [{neutralise(finding.rule)}]", "dim")),
        ("why", _clean(finding.message)),
        ("got", _clean(finding.actual)),
        ("expected", _clean(finding.expected)),
        ("do next", _clean(finding.remedy)),
        *(("evidence", _clean(line)) for line in reading.evidence_lines(finding.evidence)),
        ("docs", _clean(finding.docs)),
    ]
    return Group(head, _facts(facts))


def _facts(facts: Iterable[tuple[str, Text]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    previous = ""
    for label, value in facts:
        if value.plain:
            grid.add_row("" if label == previous else label, value)
            previous = label
    return Padding(grid, (0, 0, 0, 2))


def _passed(reading: Reading, verbose: bool) -> Iterable[RenderableType]:
    yield _heading("Passed", len(reading.passed))
    if not verbose:
        words = f"{reading.passed_in_words}; --verbose lists them."
        yield Text(words if reading.passed else "Nothing passed.")
        return
    for finding in reading.passed:
        line = _marked(status_of(finding), "").append_text(_clean(finding.title))
        yield line.append(": ").append_text(_name(finding.about))


def _not_applied(reading: Reading, verbose: bool) -> Iterable[RenderableType]:
    if not reading.not_applied:
        return
    yield _heading("Did not apply: nothing to judge", len(reading.not_applied))
    if not verbose:
        rules = plural(len({f.rule for f in reading.not_applied}), "rule")
        yield Text(f"{rules} had nothing to look at; --verbose lists them.")
        return
    for finding in reading.not_applied:
        line = _marked(status_of(finding), "").append_text(_clean(finding.title))
        yield line.append(": ").append_text(_clean(finding.message))


def _gaps(reading: Reading, verbose: bool) -> Iterable[RenderableType]:
    gaps = reading.result.record.gaps
    if gaps:
        yield _heading("Gaps in the lineage", len(gaps))
    told = {finding.about for finding in reading.result.verdict.findings}
    for gap in gaps:
        # A finding about the same thing has said above what was got and expected.
        yield _gap(gap, whole=verbose or gap.about not in told)


def _gap(gap: Gap, whole: bool) -> RenderableType:
    tone, word = ("fail", "broken") if gap.contradicted else ("open", "missing")
    mark = _marked(Status(word, "✗" if gap.contradicted else "?", tone))
    head = mark.append("  ").append_text(_name(gap.name, "bold")).append(f"  [{gap.topic}]", "dim")
    if not whole:
        return head.append("  ").append_text(_name(gap.about))
    facts = (
        ("about", _name(gap.about)),
        ("got", _clean(gap.actual)),
        ("expected", _clean(gap.expected)),
    )
    return Group(head, _facts(facts))


def _waivers(reading: Reading) -> Iterable[RenderableType]:
    verdict = reading.result.verdict
    used = dict.fromkeys(f.waiver for f in verdict.waived if f.waiver is not None)
    if used:
        yield _heading("Waivers in use", len(used))
        yield from (_waiver(waiver, "in use") for waiver in used)
    if verdict.unused_waivers:
        yield _heading("Waivers that let nothing through", len(verdict.unused_waivers))
        for waiver in verdict.unused_waivers:
            yield _waiver(waiver, "expired" if waiver.expired else "unused")


def _waiver(waiver: Waiver, state: str) -> RenderableType:
    head = _marked(Status(state, "◇", "waived")).append("  ").append_text(_name(waiver.about))
    facts = (
        ("rule", _name(waiver.rule)),
        ("owner", _name(waiver.owner)),
        ("reason", _clean(waiver.reason)),
        ("expires", Text(waiver.expires.isoformat())),
    )
    return Group(head, _facts(facts))


def _colophon(reading: Reading, width: int) -> Iterable[RenderableType]:
    verdict = reading.result.verdict
    yield _heading("Policy and digests")
    digests = (
        ("weights", reading.weights_sha256 or "not seen"),
        ("record", verdict.record_sha256),
        ("policy", verdict.policy_sha256),
    )
    yield Text("policy   ", "dim").append_text(_name(verdict.policy_name, "default"))
    for label, digest in digests:
        yield _digest_line(f"{label} sha256", digest, width)
    yield Text()
    yield Text(LIMITS)


def _digest_line(label: str, digest: str, width: int) -> Text:
    """A digest on one line where it fits, else in aligned halves; never broken by the wrap."""
    indent = 16
    if indent + len(digest) <= width:
        return Text(f"{label:<{indent}}", "dim").append(digest, "default")
    step = 32 if width >= indent + 32 else 16
    pieces = [digest[i : i + step] for i in range(0, len(digest), step)]
    return Text(f"{label:<{indent}}", "dim").append(("\n" + " " * indent).join(pieces), "default")
