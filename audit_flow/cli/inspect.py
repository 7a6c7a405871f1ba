"""``audit-flow inspect``: what is read from a file of evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_flow.cli.writing import print_text

if TYPE_CHECKING:
    from audit_flow.collectors import Reader, SourceFile
    from audit_flow.model import EvalRun, Evidence


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def inspect(file: Path, form: str) -> int:
    """Show what is read from FILE: format, tasks, item counts, metrics, protocol."""
    from audit_flow.collectors import SourceFile, read_by
    from audit_flow.sources.folder import Folder

    source = SourceFile(Folder.at(file.resolve().parent), file.name)
    source, reader = _reader(source)
    evidence = read_by(reader, source)
    if form == "json":
        rows = [e.plain() for e in evidence]
        document = {"schema": "audit-flow/inspect/v1", "format": reader.format, "evidence": rows}
        print_text(json.dumps(document, indent=2) + "\n")
        return _exit(evidence)
    told = "" if source.name == file.name else f", with {source.name}"
    print_text(f"{file.name}: {reader.format} ({reader.family}{told})\n")
    for item in evidence:
        print_text(_words(item))
    return _exit(evidence)


def _exit(evidence: tuple[Evidence, ...]) -> int:
    """Return 3 where a part of the file could not be read, as of a file that can't be."""
    return 3 if any(item.kind == "unread" for item in evidence) else 0


def _reader(source: SourceFile) -> tuple[SourceFile, Reader]:
    """Return a file and its reader; rows are read through the results file they belong to."""
    from audit_flow.collectors import detect, owner
    from audit_flow.errors import EvidenceError

    try:
        reader = detect(source)
    except EvidenceError:
        found = owner(source)
        if found is None:
            raise
        return found
    # A configuration is what nobody else recognises: rows may look like one.
    return (owner(source) if reader.family == "training-config" else None) or (source, reader)


def _words(item: Evidence) -> str:
    if item.kind == "eval-run":
        return _run(item)
    if item.kind == "unread":
        remedy = f"  {item.remedy}\n" if item.remedy else ""
        return f"{item.of} could not be read\n  {item.detail}\n{remedy}"
    skip = {"id", "kind", "source", "sha256", "trust", "values"}
    lines = [f"  {k}: {v}" for k, v in item.plain().items() if k not in skip]
    if item.kind == "training-config":
        lines += [f"  {v.name} = {v.value}" for v in item.values]
    return "\n".join([item.kind, *lines, ""])


def _run(run: EvalRun) -> str:
    unit = {"percent": " %", "fraction": ""}.get(run.unit or "", " (unit unknown)")
    error = f" ± {run.stderr}" if run.stderr is not None else ""
    lines = [
        f"{run.task}  {run.metric} = {run.value}{unit}{error}",
        f"  items {run.n_items or '?'} of {run.n_original or '?'}, status {run.status}",
        f"  weights {run.weights_stated or 'not named'}, measured by {run.by or run.measured_by}",
    ]
    protocol = run.protocol.plain()
    lines.append("  protocol " + (", ".join(f"{k}={v}" for k, v in protocol.items()) or "unknown"))
    if run.samples:
        s = run.samples
        lines.append(
            f"  rows {s.rows} for {s.items} items, {s.duplicates} duplicates, "
            f"recounted {s.mean if s.mean is not None else 'not possible'}"
        )
    if run.note:
        lines.append(f"  note: {run.note}")
    return "\n".join([*lines, ""])
