"""``audit-flow audit``: the publisher's pass over one release."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audit_flow.cli.progress import bar
from audit_flow.cli.writing import print_text, write_whole

if TYPE_CHECKING:
    from audit_flow.model import Policy, TrustFile
    from audit_flow.report.interface import AuditResult
    from audit_flow.sources.manifest import Release

EXIT = {"PASSED": 0, "FAILED": 1, "INCONCLUSIVE": 3}


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path), default=Path("release.yaml"))
@click.option("--policy", default="default", show_default=True, help="A bundled policy or a file.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "html", "github", "junit", "sarif"]),
    default="text",
    show_default=True, help="What to print on standard output.",
)  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="Write the report to a file.")
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FOLDER",
    help="Write record.json, verdict.json and policy.json, to attest or to judge again.",
)  # fmt: skip
@click.option("--html", type=click.Path(path_type=Path), help="Write the HTML report as well.")
@click.option(
    "--tracking-uri", envvar="AUDIT_FLOW_TRACKING_URI", metavar="URI",
    help="The MLflow store of lineage records  [default: SQLite in .audit-flow beside MANIFEST]",
)  # fmt: skip
@click.option("--endpoint", metavar="URL", help="Also ask this API whether it serves the weights.")
@click.option("--endpoint-model", metavar="NAME", help="The name that the API knows the model by.")
@click.option(
    "--trust", type=click.Path(path_type=Path), help="A trust file: whose signatures count."
)
@click.option("--verbose", "-v", is_flag=True, help="Show every finding, passed ones too.")
def audit(  # noqa: PLR0913, PLR0917 - one parameter for each option
    manifest: Path,
    policy: str,
    form: str,
    output: Path | None,
    save: Path | None,
    html: Path | None,
    tracking_uri: str | None,
    endpoint: str | None,
    endpoint_model: str | None,
    trust: Path | None,
    verbose: bool,
) -> int:
    """Collect, link, judge, record and report the release that MANIFEST describes.

    Evaluations that the manifest names under "reproduce" are run again here first. Exit codes:
    0 PASSED, 1 FAILED, 2 wrong command, manifest or policy, 3 INCONCLUSIVE or could not judge.
    """
    with _Recorder(manifest, tracking_uri) as recorder:
        from audit_flow.policy_file import load_policy, load_trust
        from audit_flow.report import render
        from audit_flow.sources.manifest import load

        trusted = load_trust(trust) if trust else None
        rules = load_policy(policy)
        result = judged(load(manifest), rules, endpoint, endpoint_model, trust=trusted)
        text = render(form, result, color=sys.stdout.isatty(), verbose=verbose)
        if output:
            write_whole(output, text)
        else:
            print_text(text, styled=True)
        if html:
            write_whole(html, render("html", result))
        if save:
            save_audit(save, manifest, result, rules)
        recorder.record(result)
    return EXIT[result.verdict.outcome]


def save_audit(folder: Path, manifest: Path, result: AuditResult, rules: Policy) -> None:
    """Write an audit as canonical JSON, outside of the weights that it is about."""
    from audit_flow.attestation import audit_files, write_folder
    from audit_flow.attestation.stored import outside_weights

    outside_weights(folder, manifest.resolve().parent, result.record)
    write_folder(folder, audit_files(result.record, result.verdict, rules))


def judged(
    release: Release,
    rules: Policy,
    endpoint: str | None,
    endpoint_model: str | None,
    *,
    trust: TrustFile | None = None,
) -> AuditResult:
    """Run the evaluations that the manifest names, then the whole pass, with progress."""
    from audit_flow.checks.tables import suites_of
    from audit_flow.collectors.tables import started

    # Great Expectations takes seconds to start: it does so while the evaluations run.
    with started(suites_of(rules)) as tables:
        from audit_flow.audit import audit as run_audit
        from audit_flow.reproduce import reproductions

        with bar("reproducing") as step:
            runs = reproductions(release, progress=step)
        if endpoint:
            from audit_flow.reproduce.endpoint import released_endpoint

            runs = (*runs, released_endpoint(release, endpoint, endpoint_model))
        with bar("hashing and searching", unit="bytes") as step:
            return run_audit(release, rules, runs, progress=step, tables=tables, trust=trust)


class _Recorder:
    """Records in MLflow, which starts in a process of its own beside the work."""

    def __init__(self, manifest: Path, tracking_uri: str | None) -> None:
        # Before all other imports: the sooner it starts, the less there is to wait for at the end.
        from audit_flow.store import RecorderBeside, installed

        root = manifest.resolve().parent / ".audit-flow"
        wanted = installed() and manifest.is_file()
        self._beside = RecorderBeside(tracking_uri, root) if wanted else None

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        if self._beside:
            self._beside.close()

    def record(self, result: AuditResult) -> None:
        """Record the audit and say how to open it; without MLflow, say that plainly."""
        from audit_flow.errors import RecordError
        from audit_flow.report import render

        if self._beside is None:
            missing = "MLflow is not installed (pip install 'audit-flow[pipeline]')"
            click.echo(f"not recorded: {missing}", err=True)
            return
        files = {"json": "report.json", "html": "report.html", "text": "report.txt"}
        reports = {name: render(form, result).encode() for form, name in files.items()}
        try:
            stored = self._beside.record(result.record, result.verdict, reports)
        except RecordError as error:
            # The verdict stands on its own; what was not recorded is said, not hidden.
            click.echo(f"audit-flow: not recorded: {error}", err=True)
            return
        words = "recorded" if stored.created else "already recorded"
        click.echo(f"{words} in MLflow as run {stored.run_id}", err=True)
        click.echo(f"  open it with: {stored.how_to_open}", err=True)
