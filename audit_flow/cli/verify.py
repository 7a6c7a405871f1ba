"""``audit-flow verify``: a stranger's judgement of a published repository."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_flow.cli.progress import bar
from audit_flow.cli.signing_options import TRUST_NAMES, make_trust, trust_options
from audit_flow.cli.writing import print_text, write_whole

if TYPE_CHECKING:
    from audit_flow.model import Evidence
    from audit_flow.report.interface import AuditResult
    from audit_flow.verify import Asked

EXIT = {"PASSED": 0, "FAILED": 1, "INCONCLUSIVE": 3}
_FILE = click.Path(path_type=Path)


@click.command(
    epilog="Exit codes: 0 PASSED, 1 FAILED, 2 wrong command or policy, 3 INCONCLUSIVE or could not "
    "judge. A token is read from HF_TOKEN or where huggingface_hub keeps it."
)
@click.argument("repo")
@click.option(
    "--policy", default="third-party", show_default=True, help="A bundled policy or file."
)
@click.option("--full", is_flag=True, help="Download and hash every byte; resumes with --folder.")
@click.option("--folder", type=_FILE, help="Where --full keeps the files  [default: nowhere].")
@click.option("--reproduction", "reproductions", multiple=True, type=_FILE, metavar="FILE",
              help="Results of your own evaluation; may be repeated.")  # fmt: skip
@click.option("--measured", metavar="FOLDER|SHA256",
              help="What --reproduction measured: a folder, or its root digest.")  # fmt: skip
@click.option("--checksums", multiple=True, type=_FILE, metavar="FILE",
              help="Announced SHA-256 digests, as sha256sum writes them.")  # fmt: skip
@click.option("--base", "bases", multiple=True, metavar="REPO|FOLDER|FILE",
              help="A candidate for the base model, or ORG/NAME=FOLDER. Repeatable.")  # fmt: skip
@click.option("--fingerprints", type=_FILE, metavar="FOLDER",
              help="Fingerprints of models that it may have been made from.")  # fmt: skip
@click.option("--history", is_flag=True, help="Also look at the commits that led here.")
@click.option("--since", metavar="REV", help="The announced revision: what changed since?")
@click.option("--announced", metavar="DATE", help="The day of the announcement, as 2026-12-31.")
@click.option("--commits", default=100, show_default=True, type=click.IntRange(1, 10_000),
              help="How many commits of the history to look at.")  # fmt: skip
@click.option("--endpoint", metavar="URL", help="Also ask this API whether it serves the weights.")
@click.option("--endpoint-model", metavar="NAME", help="The name that the API knows the model by.")
@click.option("--hub", metavar="URL", help="The Hub  [default: HF_ENDPOINT, or huggingface.co].")
@click.option("--anonymous", is_flag=True, help="Send no token: see what anybody sees.")
@trust_options
@click.option("--format", "form",
              type=click.Choice(["text", "json", "html", "github", "junit", "sarif"]),
              default="text", show_default=True,
              help="What to print on standard output.")  # fmt: skip
@click.option("--output", type=_FILE, help="Write the report to a file.")
@click.option("--verbose", "-v", is_flag=True, help="Show every finding, passed ones too.")
def verify(repo: str, **options: Any) -> int:
    """Verify REPO without its publisher's help: org/name[@revision], an address, or a folder.

    The revision is resolved to a commit once. As little as possible is read, and the report says
    how much; --full reads everything. What is not shown is not proven, never held against anyone.
    """
    from audit_flow.report import render

    result = _judged(repo, options)
    form, output = options["form"], options["output"]
    text = render(form, result, color=sys.stdout.isatty(), verbose=options["verbose"])
    if output:
        write_whole(output, text)
    else:
        print_text(text, styled=True)
    return EXIT[result.verdict.outcome]


def _judged(repo: str, options: dict[str, Any]) -> AuditResult:
    from audit_flow.policy_file import load_policy
    from audit_flow.sources.hub.names import LocalName, local_or_hub
    from audit_flow.sources.hub.repository import stored_token
    from audit_flow.verify import verify_folder, verify_repository

    name = local_or_hub(repo, options["hub"])
    policy, asked = load_policy(options["policy"]), _asked(options)
    token = None if options["anonymous"] else stored_token()
    with bar("reading", unit="bytes") as step:
        if isinstance(name, LocalName):
            return verify_folder(
                name.path, policy, endpoint=options["hub"], token=token, asked=asked, progress=step
            )
        return verify_repository(
            # An address that names its own Hub gets no token that was meant for another.
            name, None, policy, token=None if name.named_host else token, full=options["full"],
            folder=options["folder"], asked=asked, progress=step,
        )  # fmt: skip


def _asked(options: dict[str, Any]) -> Asked:
    from audit_flow.verify import Asked

    return Asked(
        reproductions=options["reproductions"],
        measured=options["measured"],
        checksums=options["checksums"],
        bases=options["bases"],
        fingerprints=options["fingerprints"],
        history=options["history"],
        commits=options["commits"],
        since=options["since"],
        announced=_date(options["announced"]),
        measure=_endpoint(options["endpoint"], options["endpoint_model"]),
        trust=make_trust(**{name: options[name] for name in TRUST_NAMES}),
    )


def _date(text: str | None) -> dt.date | None:
    from audit_flow.errors import InputError

    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise InputError(f"the date {text!r}", expected="a day such as 2026-12-31") from None


def _endpoint(url: str | None, model: str | None) -> Callable[[Path], Iterable[Evidence]] | None:
    if url is None:
        return None

    def measure(folder: Path) -> Iterable[Evidence]:
        from audit_flow.reproduce.endpoint import folder_endpoint

        return (folder_endpoint(folder, url, model or folder.name),)

    return measure


def main() -> None:
    """Run ``verify`` alone, under the name ``hf-audit``."""
    from audit_flow.cli.main import main as run

    sys.argv.insert(1, "verify")
    run()
