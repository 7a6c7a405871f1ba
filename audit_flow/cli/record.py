"""``audit-flow record``: run a command, and sign what went in and what came out."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from audit_flow.cli.main import EXIT_COULD_NOT_JUDGE
from audit_flow.cli.progress import bar
from audit_flow.cli.signing_options import make_signer, signer_options
from audit_flow.cli.writing import write_whole
from audit_flow.errors import AuditFlowError, InputError

if TYPE_CHECKING:
    from audit_flow.signing import Signer
    from audit_flow.sources.process_record import RecordedRun

PATH = click.Path(path_type=Path)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--input", "inputs", type=PATH, multiple=True, help="A file or folder that it reads.")
@click.option("--output", "outputs", type=PATH, multiple=True, help="A file or folder it writes.")
@click.option("--record", type=PATH, help="Where the record goes  [default: NAME.record.json]")
@click.option("--log", type=PATH, help="Where its output is kept  [default: NAME.log]")
@click.option("--name", help="What the step is called  [default: the script's name]")
@click.option(
    "--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path(),
    help="The release's folder, which all names are relative to  [default: here]",
)  # fmt: skip
@click.option("--env", multiple=True, metavar="NAME", help="Record this variable as well.")
@click.option(
    "--gpu-interval", type=click.FloatRange(0.1, 3600), default=10.0, show_default=True,
    help="Seconds between two readings of the GPUs.",
)  # fmt: skip
@signer_options
@click.argument("command", nargs=-1, required=True, metavar="-- CMD...", type=click.UNPROCESSED)
def record(
    command: tuple[str, ...],
    inputs: tuple[Path, ...],
    outputs: tuple[Path, ...],
    **chosen: Any,
) -> int:
    """Run CMD and write a signed in-toto link of it: NAME.record.json, and its output in NAME.log.

    Inputs are hashed before and after, outputs after; exit code, times, machine, GPU use, Python
    packages and commit are written down. The record is written also where CMD fails. Exit codes:
    0 CMD succeeded and wrote its outputs, CMD's own where it failed (128 and more for a signal),
    2 wrong command, nothing was run, 3 inputs changed, outputs are missing, or no record.
    """
    from audit_flow.sources.process_record import Plan, record_run

    places = {k: chosen.pop(k) for k in ("record", "log", "name", "folder", "env", "gpu_interval")}
    if not outputs:
        raise InputError("no --output", expected="the files or folders that the command writes")
    name = places["name"] or _name(command)
    place = places["record"] or places["folder"] / f"{name}.record.json"
    # Whoever can't sign should hear of it before days of training.
    signer = make_signer(**chosen)
    plan = Plan(
        command=command,
        folder=places["folder"],
        inputs=inputs,
        outputs=outputs,
        log=places["log"] or places["folder"] / f"{name}.log",
        name=name,
        interval=places["gpu_interval"],
        variables=places["env"],
    )
    _writable(place)
    _own(place, command)
    with bar("hashing", unit="bytes") as step:
        run = record_run(plan, step)
    _write(place, run, signer)
    return _told(run, place, signer)


def _name(command: tuple[str, ...]) -> str:
    """Return what a step is called after: the script that an interpreter runs, or the program."""
    scripts = [a for a in command if PurePath(a).suffix in {".py", ".sh"}]
    return PurePath(scripts[0] if scripts else command[0]).stem or "command"


def _writable(place: Path) -> None:
    if not place.absolute().parent.is_dir():
        raise InputError(f"there is no folder for {place}", expected="a folder that is there")


def _own(place: Path, command: tuple[str, ...]) -> None:
    """Refuse to write over the record of another command: a step that runs again replaces its own.

    Two commands may be called after the same program, as ``sh -c`` is.
    """
    from audit_flow.collectors.command_record import command_of
    from audit_flow.sources.process_record import without_secrets

    if not place.exists():
        return
    try:
        before = command_of(place.read_bytes(), str(place))
    except (AuditFlowError, OSError):
        before = None
    if before != without_secrets(command):
        raise InputError(
            f"{place} is there, and is no record of this command", expected="a record of its own",
            remedy="Call the step by --name NAME, or take the old record away",
        )  # fmt: skip


def _write(place: Path, run: RecordedRun, signer: Signer) -> None:
    from audit_flow.signing import in_toto
    from audit_flow.sources.process_record import LINK, predicate_of

    statement = in_toto(run.subjects, LINK, predicate_of(run))
    try:
        bundle = signer.sign(statement)
    except AuditFlowError:
        # The run can't be repeated for the sake of a signature that a service did not give.
        write_whole(place, statement.decode())
        click.echo(f"recorded without a signature: {place}; sign it with audit-flow sign", err=True)
        raise
    write_whole(place, bundle.decode())


def _told(run: RecordedRun, place: Path, signer: Signer) -> int:
    made, read = run.products, run.materials
    lines = [
        f"recorded: {place} ({len(read)} materials, {len(made.written)} products)",
        f"signed by {signer.identity}",
    ]
    if made.untouched:
        lines.append(f"not written by it, so no product: {', '.join(made.untouched[:5])}")
    if run.problem:
        lines.append(f"audit-flow: {run.problem}; the record says so")
    click.echo("\n".join(lines), err=True)
    if not run.ended.succeeded:
        return run.ended.status
    return 0 if run.whole else EXIT_COULD_NOT_JUDGE
