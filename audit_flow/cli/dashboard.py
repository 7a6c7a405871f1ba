"""``audit-flow dashboard``: what a person looks at, and signs off, before an announcement."""

from __future__ import annotations

import ipaddress
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from audit_flow.dashboard import Settings
    from audit_flow.dashboard.identity import Proxy
    from audit_flow.dashboard.settings import Root
    from audit_flow.model import TrustFile
    from audit_flow.signing import KeySigner

_FILE = click.Path(path_type=Path)


@click.command(
    epilog="Anyone on this machine can read; --tokens or --proxy-header make visitors known by "
    "name, which an approval or refusal needs."
)
@click.argument("releases", nargs=-1, type=_FILE)
@click.option("--tracking-uri", "uris", multiple=True, envvar="AUDIT_FLOW_TRACKING_URI",
              metavar="URI", help="An MLflow store of audits; may be repeated.")  # fmt: skip
@click.option("--reviews", type=_FILE, metavar="FOLDER",
              help="Where reviews of --tracking-uri are kept  [default: .audit-flow]")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535))
@click.option("--public-url", metavar="URL", help="The address that visitors type.")
@click.option("--tokens", type=_FILE, metavar="FILE", help="Lines of NAME sha256:HEX.")
@click.option("--new-token", metavar="NAME", help="Add a token to --tokens, print it, and stop.")
@click.option("--proxy-header", metavar="NAME",
              help="The header in which a reverse proxy names the visitor.")  # fmt: skip
@click.option("--proxy-secret", type=_FILE, metavar="FILE",
              help="What the proxy sends as X-Audit-Flow-Proxy-Secret.")  # fmt: skip
@click.option("--proxy-address", "networks", multiple=True, metavar="ADDRESS",
              help="An address or network that the proxy asks from; may be repeated.")  # fmt: skip
@click.option("--hub", "hubs", multiple=True, metavar="URL",
              help="A Hub to verify on  [default: HF_ENDPOINT, or huggingface.co]")  # fmt: skip
@click.option("--policy", default="third-party", show_default=True,
              help="The policy of the Verify page.")  # fmt: skip
@click.option("--prefect-api", metavar="URL", help="Show and resume the runs of this Prefect.")
@click.option("--sign-key", type=_FILE, metavar="PEM", help="Sign each review with this key.")
@click.option("--trust", type=_FILE, help="A trust file: whose signatures on reviews (role review) "
              "and publications (role verdict) count.")  # fmt: skip
def dashboard(releases: tuple[Path, ...], **options: Any) -> int:
    """Show audits in a browser, on this machine, and take reviewers' decisions.

    RELEASES are release.yaml files, their folders, or .audit-flow folders. Without any, the audits
    of this folder, or else of the folders below it (such as examples/), are shown.
    """
    tokens = options["tokens"]
    if options["new_token"]:
        return _new_token(options["new_token"], tokens)
    _installed()
    settings = _settings(releases, options)
    from audit_flow.dashboard.serve import serve

    address = settings.public_url or f"http://{settings.host}:{settings.port}"
    for root in settings.roots:
        click.echo(f"audits of {_shown(root)}", err=True)
    click.echo(f"audit-flow dashboard: {address}  (stop with Ctrl-C)", err=True)
    serve(settings)
    return 0


def find_roots(releases: tuple[Path, ...], here: Path) -> tuple[Path, ...]:
    """Return the .audit-flow folders that are meant; without names, those here or below.

    Raises InputError for a name without audits, and where none are found.
    """
    from audit_flow.errors import InputError

    if releases:
        return tuple(dict.fromkeys(_root_of(path) for path in releases))
    found = [here / ".audit-flow"] if (here / ".audit-flow").is_dir() else []
    found += [p for deep in ("*", "*/*") for p in sorted(here.glob(f"{deep}/.audit-flow"))]
    found = [p for p in found if (p / "mlflow.db").is_file()]
    if not found:
        raise InputError(
            f"no audits below {here}", expected="a release that was audited",
            remedy="Run `audit-flow audit` first, or name a release or --tracking-uri",
        )  # fmt: skip
    return tuple(found)


def _root_of(path: Path) -> Path:
    from audit_flow.errors import InputError

    folder = path if path.is_dir() else path.parent
    root = folder if folder.name == ".audit-flow" else folder / ".audit-flow"
    if not path.exists() or not root.is_dir():
        raise InputError(
            f"no audits of {path}", expected=f"a folder {root}", remedy="Run `audit-flow audit`"
        )
    return root.resolve()


def _settings(releases: tuple[Path, ...], options: dict[str, Any]) -> Settings:
    from audit_flow.approval import PrefectHttp
    from audit_flow.dashboard import Settings
    from audit_flow.dashboard.identity import read_tokens
    from audit_flow.model import TrustFile
    from audit_flow.policy_file import load_trust
    from audit_flow.reproduce.evidence_store import state_home

    api = options["prefect_api"]
    auth = os.environ.get("PREFECT_API_KEY")
    prefect = PrefectHttp(api, f"Bearer {auth}" if auth else None) if api else None
    signer = _signer(options["sign_key"])
    return Settings(
        roots=_roots(releases, options),
        host=options["host"],
        port=options["port"],
        public_url=options["public_url"],
        tokens=read_tokens(options["tokens"]) if options["tokens"] else (),
        proxy=_proxy(options),
        hubs=_hubs(options["hubs"]),
        policy=options["policy"],
        waiting=prefect,
        resumer=prefect,
        signer=signer,
        trust=load_trust(options["trust"]) if options["trust"] else TrustFile(),
        own=_own(signer),
        publications=(state_home() / "publications",),
    ).check()


def _roots(releases: tuple[Path, ...], options: dict[str, Any]) -> tuple[Root, ...]:
    from audit_flow.dashboard.settings import Root

    here = Path.cwd()
    uris = options["uris"]
    reviews = options["reviews"] or here / ".audit-flow"
    given = tuple(Root(reviews.resolve(), uri) for uri in uris)
    if given and not releases:
        return given
    return (*(Root(folder) for folder in find_roots(releases, here)), *given)


def _proxy(options: dict[str, Any]) -> Proxy | None:
    from audit_flow.dashboard.identity import Proxy
    from audit_flow.errors import InputError
    from audit_flow.sources.whole_file import read_file

    header, secret = options["proxy_header"], options["proxy_secret"]
    if not header and not secret and not options["networks"]:
        return None
    text = read_file(secret, 10_000).decode("utf-8", "replace").strip() if secret else ""
    if not header or len(text) < 16:
        raise InputError(
            "a proxy without a header or without a secret",
            expected="--proxy-header and --proxy-secret with at least 16 characters",
        )
    return Proxy(header, text, tuple(_network(each) for each in options["networks"]))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    from audit_flow.errors import InputError

    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise InputError(
            f"--proxy-address {text[:100]}", expected="an address, or a network as 10.0.0.0/8"
        ) from error


def _hubs(hubs: tuple[str, ...]) -> tuple[str, ...]:
    from audit_flow.sources.hub.names import DEFAULT_ENDPOINT, check_endpoint

    chosen = hubs or (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT,)
    return tuple(check_endpoint(hub) for hub in chosen)


def _signer(key: Path | None) -> KeySigner | None:
    if key is None:
        return None
    from audit_flow.signing import KeySigner
    from audit_flow.signing.keys import load_private_key
    from audit_flow.sources.whole_file import read_file

    password = os.environ.get("AUDIT_FLOW_KEY_PASSWORD")
    pem = read_file(key, 100_000)
    return KeySigner.of(load_private_key(pem, str(key), password.encode() if password else None))


def _own(signer: KeySigner | None) -> TrustFile:
    """Trust the dashboard's own key for the reviews that it signs."""
    from audit_flow.model import TrustFile
    from audit_flow.policy_file import trusted_key
    from audit_flow.signing.keys import public_pem

    if signer is None:
        return TrustFile()
    key = trusted_key(public_pem(signer.public), "this dashboard's key", ("review",))
    return TrustFile(keys=(key,))


def _new_token(name: str, tokens: Path | None) -> int:
    from audit_flow.dashboard.identity import new_token
    from audit_flow.errors import InputError

    if tokens is None:
        raise InputError("--new-token without --tokens", expected="the file that keeps its digest")
    click.echo(new_token(name, tokens))
    click.echo(f"audit-flow: {name} can come in with this token; it is shown once", err=True)
    return 0


def _installed() -> None:
    from audit_flow.errors import InputError

    missing = [n for n in ("mlflow", "starlette", "uvicorn") if find_spec(n) is None]
    if missing:
        raise InputError(
            f"{', '.join(missing)} not installed", expected="the pipeline extra",
            remedy='Install it: pip install "audit-flow[pipeline]"',
        )  # fmt: skip


def _shown(root: Root) -> str:
    from audit_flow.store.location import locate

    return locate(root.tracking_uri, root.folder).shown
