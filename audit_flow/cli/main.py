"""The entry point: commands are imported when they are called, so that ``--help`` is instant."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import NoReturn

import click

from audit_flow import __version__
from audit_flow.errors import AuditFlowError, InputError

EXIT_USAGE = 2
EXIT_COULD_NOT_JUDGE = 3

# command -> (module, attribute, help)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "init": ("init", "init", "Write a commented release.yaml from what is found in a folder."),
    "audit": ("audit", "audit", "Collect, link, judge, record and report one release."),
    "attest": ("attest", "attest", "Sign the verdict on a release, for others' gates."),
    "verify-attestation": (
        "verify_attestation",
        "verify_attestation",
        "Check a signed verdict against record, policy and files.",
    ),
    "verify": ("verify", "verify", "Verify a Hub repository or a folder as a stranger."),
    "publish": ("publish", "publish", "Upload what passed, and look at it again as a stranger."),
    "reproduce": ("reproduce", "reproduce", "Run the evaluations that the claims name."),
    "sign": ("sign", "sign", "Sign a model's folder, or files of evidence."),
    "verify-signature": (
        "verify_signature",
        "verify_signature",
        "Verify who signed a model, and that it is as it was signed.",
    ),
    "record": ("record", "record", "Run a command and sign what went in and what came out."),
    "digest": ("digest", "digest", "Print the digests of a folder's files, read once."),
    "inspect": ("inspect", "inspect", "Show what is read from a file of evidence."),
    "compare-endpoint": (
        "compare_endpoint",
        "compare_endpoint",
        "Tell whether a hosted API serves the weights in a folder.",
    ),
    "announcement": (
        "announcement",
        "announcement",
        "Mark each number and superlative of a draft: backed, contradicted or unbacked.",
    ),
    "fingerprint": (
        "fingerprint",
        "fingerprint",
        "Write a model's small fingerprint, or find the nearest.",
    ),
    "dashboard": (
        "dashboard",
        "dashboard",
        "Look at audits in a browser, approve or refuse a release.",
    ),
    "policy": ("policy", "policy", "List, show, lint and test policies."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of a release."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(f"audit_flow.cli.{module}"), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"audit_flow.cli.{module}.{attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


EPILOG = (
    "Exit codes: 0 PASSED, 1 FAILED, 2 wrong command, manifest or policy, "
    "3 INCONCLUSIVE or could not judge."
)


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="audit-flow")
def cli() -> None:
    """Reproducible-release auditing for machine-learning models.

    No release passes unless every claim holds for the exact bytes that are published.
    """


def main() -> NoReturn:
    """Run the command line; the only place that turns errors into exit codes."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except click.Abort:
        click.echo("audit-flow: stopped; nothing was half written", err=True)
        sys.exit(EXIT_COULD_NOT_JUDGE)
    except BrokenPipeError:
        # Whoever read the output has gone: the answer is not known to have arrived.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_COULD_NOT_JUDGE)
    except InputError as error:
        _complain(error)
        sys.exit(EXIT_USAGE)
    except AuditFlowError as error:
        _complain(error)
        sys.exit(EXIT_COULD_NOT_JUDGE)
    except OSError as error:
        _complain(_refused_by_system(error))
        sys.exit(EXIT_COULD_NOT_JUDGE)
    except Exception as error:
        # A traceback would exit with 1, which says FAILED; nothing was judged.
        _complain(_broken(error))
        sys.exit(EXIT_COULD_NOT_JUDGE)
    sys.exit(code if isinstance(code, int) else 0)


def _refused_by_system(error: OSError) -> AuditFlowError:
    """Say which file the system refused: a full disk or a missing right is nobody's defect."""
    if os.environ.get("AUDIT_FLOW_TRACEBACK"):
        traceback.print_exc()
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return AuditFlowError(
        f"the system refused it: {error.strerror or type(error).__name__}",
        where=place,
        expected="files that can be read, and space and rights to write",
        remedy="Nothing was half written: put that right and run the same command again",
    )


def _broken(error: Exception) -> AuditFlowError:
    if os.environ.get("AUDIT_FLOW_TRACEBACK"):
        traceback.print_exc()
    return AuditFlowError(
        f"audit-flow broke down: {type(error).__name__}: {str(error)[:500]}",
        expected="a judgement",
        remedy="Run again with AUDIT_FLOW_TRACEBACK=1 and report what it prints",
    )


def _complain(error: AuditFlowError) -> None:
    text = "".join(c if c.isprintable() or c == "\n" else "�" for c in str(error))
    click.echo(f"audit-flow: {text}", err=True)
