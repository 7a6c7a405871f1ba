"""``audit-flow publish``: judge, upload in one commit, look again as a stranger."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_flow.cli.audit import EXIT
from audit_flow.cli.signing_options import make_signer, signer_options
from audit_flow.cli.writing import print_text
from audit_flow.sources.whole_file import read_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from audit_flow.model import Policy, PublishTerms, TrustFile
    from audit_flow.publish import Order, Outcome, SignedVerdict, Target, Tokens
    from audit_flow.report.interface import AuditResult

SCHEMA = "audit-flow/publish/v1"
TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable
_FILE = click.Path(path_type=Path)


@click.command(
    epilog="Exit codes: 0 published, 1 FAILED or taken back, 2 wrong command, manifest or policy, "
    "3 INCONCLUSIVE, refused or could not look. The token is read from HF_TOKEN or a file."
)
@click.argument("release", type=_FILE, default=Path("release.yaml"))
@click.option("--repo", required=True, metavar="ORG/NAME", help="The model repository.")
@click.option("--branch", default="main", show_default=True, help="Where the commit goes.")
@click.option(
    "--staging", metavar="ORG/NAME|BRANCH",
    help="Upload there first, look at it, and only then promote.",
)  # fmt: skip
@click.option("--policy", default="default", show_default=True, help="A bundled policy or a file.")
@click.option("--stranger-policy", default="third-party", show_default=True,
              help="The policy of the look afterwards.")  # fmt: skip
@click.option("--trust", type=_FILE, help="A trust file: whose signatures count.")
@click.option(
    "--attestation", type=_FILE, metavar="FOLDER",
    help="A verdict that was signed before, with --trust  [default: sign the one reached now]",
)  # fmt: skip
@click.option(
    "--check", type=click.Choice(["sampled", "full"]),
    help="Fetch every byte back, or samples  [default: as the policy says, else by size]",
)  # fmt: skip
@click.option("--replace", is_flag=True,
              help="Take away files there that are no part of the release.")  # fmt: skip
@click.option("--token-file", type=_FILE, help="The token that may write.")
@click.option("--read-token-file", type=_FILE,
              help="A token that may only read: to look at a private repository.")  # fmt: skip
@click.option("--endpoint", metavar="URL",
              help="The Hub  [default: HF_ENDPOINT, or huggingface.co].")  # fmt: skip
@click.option(
    "--output", type=_FILE, metavar="FOLDER",
    help="Where the signed statement goes  [default: publication, beside RELEASE]",
)  # fmt: skip
@signer_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
def publish(release: Path, **chosen: Any) -> int:
    """Publish RELEASE to a Hub repository: only what passed, and only in one commit.

    A release that does not pass makes no request at all. After the commit somebody without a token
    fetches it back, compares it with what was signed and judges it; what differs is taken back.
    Interrupted, run it again.
    """
    from audit_flow.publish import publish as run
    from audit_flow.publish import publish_staged
    from audit_flow.reproduce.evidence_store import operator_store

    order = _order(release, chosen)
    home = operator_store(order.release.folder, writing=True).home
    audit = _audit(order, chosen["trust"])
    if chosen["staging"]:
        staging = _staging(chosen["staging"], order.target)
        found = publish_staged(order, staging, audit, home, _tell)
    else:
        found = run(order, audit, home, _tell)
    _write(found, chosen["output"] or release.resolve().parent / "publication")
    _show(found, order, chosen["form"])
    if found.word == "REFUSED":
        return EXIT[found.result.verdict.outcome]
    return 0 if found.word == "PUBLISHED" else 1


def _order(release: Path, chosen: dict[str, Any]) -> Order:
    from audit_flow.policy_file import load_policy
    from audit_flow.publish import Order
    from audit_flow.sources.manifest import load

    signer = {
        n: chosen[n]
        for n in ("key", "password_file", "certificate", "sigstore", "identity_token",
                  "trust_config", "pkcs11")
    }  # fmt: skip
    policy = load_policy(chosen["policy"])
    return Order(
        release=load(release),
        policy=policy,
        stranger=load_policy(chosen["stranger_policy"]),
        target=_target(chosen["repo"], chosen["branch"], chosen["endpoint"]),
        terms=terms_of(policy, chosen["check"]),
        signed=_signed(chosen["attestation"], chosen["trust"]),
        tokens=_tokens(chosen["token_file"], chosen["read_token_file"]),
        replace=chosen["replace"],
        signer=make_signer(**signer),
    )


def _target(repo: str, branch: str, endpoint: str | None) -> Target:
    from audit_flow.errors import InputError
    from audit_flow.publish import Target
    from audit_flow.sources.hub import parse_name
    from audit_flow.sources.hub.names import check_revision

    name = parse_name(repo, endpoint)
    if name.revision or name.named_host or "/" not in name.repo:
        raise InputError(f"--repo {repo}", expected="ORG/NAME; a branch goes into --branch")
    return Target(name.endpoint, name.repo, check_revision(branch))


def _staging(text: str, target: Target) -> Target:
    from audit_flow.errors import InputError

    repo, branch = (text, "main") if "/" in text else (target.repo, text)
    found = _target(repo, branch, target.endpoint)
    if found == target:
        raise InputError("--staging is the target itself", expected="another branch or repository")
    return found


def terms_of(policy: Policy, check: str | None) -> PublishTerms:
    """Return the policy's terms; the operator may ask for more than they do, never for less."""
    from audit_flow.errors import InputError
    from audit_flow.model import PublishTerms

    terms = policy.publish or PublishTerms()
    if check == "sampled" and policy.publish and terms.check != "sampled":
        raise InputError("--check sampled", expected=f"at least {terms.check}, as the policy says")
    chosen = {"check": check} if check else {}
    return PublishTerms.model_validate({**terms.model_dump(), **chosen})


def _signed(folder: Path | None, trust: Path | None) -> SignedVerdict | None:
    from audit_flow.attestation import find_bundles
    from audit_flow.errors import InputError
    from audit_flow.policy_file import load_trust
    from audit_flow.publish import SignedVerdict

    if folder is None:
        return None
    if trust is None or not folder.is_dir():
        raise InputError(
            "--attestation without a folder or without --trust",
            expected="a folder that audit-flow attest wrote, and whose signature counts",
        )
    bundles = {s.where: s.raw for s in find_bundles(folder)}
    return SignedVerdict(bundles, load_trust(trust))


def _tokens(write: Path | None, read: Path | None) -> Tokens:
    from audit_flow.errors import InputError
    from audit_flow.publish import Tokens

    token = read_token(write) if write else os.environ.get(TOKEN, "").strip()
    if not token:
        raise InputError(
            "no token", expected="a token that may write to the repository",
            remedy=f"Set {TOKEN}, or name a file with --token-file",
        )  # fmt: skip
    return Tokens(token, read_token(read) if read else None)


def read_token(path: Path) -> str:
    """Read a token from a file that holds nothing else; raises InputError."""
    from audit_flow.errors import InputError

    text = read_file(path, 4096).decode("ascii", "replace").strip()
    if not text.isprintable() or not text or " " in text:
        raise InputError(f"{path} holds no token", expected="a token alone")
    return text


def _audit(order: Order, trust: Path | None) -> Callable[[], AuditResult]:
    from audit_flow.cli.audit import judged
    from audit_flow.policy_file import load_trust

    trusted: TrustFile | None = load_trust(trust) if trust else None
    return lambda: judged(order.release, order.policy, None, None, trust=trusted)


def _tell(words: str, done: int, of: int) -> None:
    del done
    click.echo(f"{words} ({of:,} bytes)" if of else words, err=True)


def _write(found: Outcome, folder: Path) -> None:
    from audit_flow.cli.writing import write_whole
    from audit_flow.model import canonical_json

    if found.publication is None or found.signed is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "publication.json", canonical_json(found.publication).decode())
    write_whole(folder / "publication.sigstore.json", found.signed.decode())


def _show(found: Outcome, order: Order, form: str) -> None:
    if form == "json":
        document = {
            "schema": SCHEMA,
            "outcome": found.word,
            "repo": order.target.repo,
            "branch": order.target.branch,
            "endpoint": order.target.endpoint,
            "verdict": found.result.verdict.outcome,
            "in_words": found.result.verdict.in_words(),
            "repeated": found.repeated,
            "problems": list(found.problems),
            "publication": found.publication.plain() if found.publication else None,
        }
        print_text(json.dumps(document, indent=2) + "\n")
        return
    if found.word == "REFUSED":
        from audit_flow.report import render

        print_text(f"NOT PUBLISHED: nothing was sent to {order.target}\n\n")
        print_text(render("text", found.result))
        return
    print_text("\n".join(_lines(found, order)) + "\n")


def _lines(found: Outcome, order: Order) -> list[str]:
    made = found.publication
    if made is None:
        head = f"NOT RETRACTED: what {order.target} serves is not what was signed"
        return [head, *(f"  {p}" for p in found.problems), "  Run publish again, or take it back"]
    seen = made.check
    again = ", as before" if found.repeated else ""
    eyes = "without a token" if seen.anonymous else (
        "with a read token: the repository is not open, a stranger could not look"
    )  # fmt: skip
    share = "every byte" if seen.mode == "full" else (
        f"samples: {seen.bytes_read:,} of {seen.bytes_in_all:,} bytes"
    )  # fmt: skip
    return [
        f"{found.word}{again}: {made.repo}@{made.commit} on {made.branch}",
        *(f"  {p}" for p in found.problems),
        f"  judged {found.result.verdict.in_words()} under {order.policy.name} before",
        f"  {len(made.files)} files fetched back {eyes}; {share}",
        f"  judged {seen.verdict} under {order.stranger.name} afterwards",
        f"  publication {made.id}, on {made.parent}",
    ]
