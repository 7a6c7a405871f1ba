"""``audit-flow fingerprint``: a model's small fingerprint, or the nearest of a folder of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from audit_flow.cli.signing_options import TRUST_NAMES, make_signer, make_trust, signer_options
from audit_flow.cli.writing import print_text, write_bytes, write_whole

if TYPE_CHECKING:
    from audit_flow.collectors.weight_comparison import Weights
    from audit_flow.model import TrustFile, WeightComparison
    from audit_flow.signing import Signer

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("repo")
@click.option("--output", type=_FILE, help="Where to write it  [default: NAME.fingerprint].")
@click.option("--search", type=click.Path(exists=True, file_okay=False, path_type=Path),
              metavar="FOLDER", help="Write none: compare with those in a folder.")  # fmt: skip
@click.option("--trust", type=_FILE, help="With --search: a trust file; whose fingerprints count.")
@click.option("--trusted-key", "trusted", type=_FILE, multiple=True, metavar="FILE",
              help="With --search: trust this public key (PEM).")  # fmt: skip
@click.option("--hub", metavar="URL", help="The Hub  [default: HF_ENDPOINT, or huggingface.co].")
@click.option("--anonymous", is_flag=True, help="Send no token: see what anybody sees.")
@signer_options
def fingerprint(
    repo: str, output: Path | None, search: Path | None, trust: Path | None,
    trusted: tuple[Path, ...], hub: str | None, anonymous: bool, **chosen: Any,
) -> int:  # fmt: skip
    """Write and sign the fingerprint of REPO: org/name[@revision], an address, or a folder.

    A fingerprint holds a few rows of some weights: enough to tell later whether a model was made
    from this one, without access to it. At most 20 MB of any model are read. The signature is
    written beside it (FILE.sig); without an option that says who signs, a key of this machine is
    made and used. Exit codes: 0 written or searched, 2 wrong command or key, 3 a model or a
    fingerprint could not be read or may not be used.
    """
    if search and (output or any(chosen.values())):
        raise click.UsageError("--search writes and signs no fingerprint")
    if not search and (trust or trusted):
        raise click.UsageError("--trust and --trusted-key say what --search may use")
    from audit_flow.verify.candidates import open_weights

    if search:
        found = _trust(trust, trusted)
        return _search(open_weights(repo, hub, anonymous=anonymous), search, found)
    # Whoever can't sign should hear of it before megabytes are read.
    signer = make_signer(**chosen)
    return _write(open_weights(repo, hub, anonymous=anonymous), output, signer)


def _trust(trust: Path | None, keys: tuple[Path, ...]) -> TrustFile:
    names = dict.fromkeys(TRUST_NAMES)
    return make_trust(**{**names, "trust": trust, "keys": keys, "authorities": ()})  # type: ignore[arg-type]


def _write(weights: Weights, output: Path | None, signer: Signer) -> int:
    from audit_flow.model import sha256_hex
    from audit_flow.signing import evidence_statement
    from audit_flow.sources.fingerprint import SUFFIX, write_fingerprint
    from audit_flow.sources.weight_samples import read_sample

    sample = read_sample(weights.reader, weights.headers)
    raw = write_fingerprint(sample, weights.name, weights.commit)
    name = weights.name.replace("/", "--").strip("-.") or "model"
    place = output or Path(f"{name}{SUFFIX}")
    digest = sha256_hex(raw)
    bundle = signer.sign(evidence_statement([(place.name, digest)], "fingerprint"))
    write_bytes(place, raw)
    beside = place.with_name(f"{place.name}.sig")
    write_whole(beside, bundle.decode())
    lines = [
        f"{place}: {len(raw):,} bytes, from {sample.read:,} bytes read of {sample.total:,}",
        f"sha256:{digest}",
        f"{beside}: signed by {signer.identity}",
        *(f"not assessed: {reason}" for reason in sample.not_assessed),
    ]
    print_text("\n".join([*lines, ""]))
    return 0


def _search(weights: Weights, folder: Path, trust: TrustFile) -> int:
    from audit_flow.collectors.weight_comparison import compare_weights
    from audit_flow.verify.candidates import known_models

    known, unread = known_models(folder, (), trust)
    found = sorted(compare_weights(weights, known), key=_nearest_first)
    lines = [_line(c) for c in found] or [f"no fingerprint in {folder} is used"]
    lines += [f"{path}: {error}" for path, error in unread]
    print_text("\n".join([*lines, ""]))
    return 3 if unread else 0


def _nearest_first(found: WeightComparison) -> tuple[bool, bool, float, str]:
    related = found.decision == "related"
    return not related, found.parent != "this", found.log10_p, found.candidate


def _line(found: WeightComparison) -> str:
    words = f"{found.candidate}: {found.decision}"
    if found.decision == "related":
        words += f", p ≤ 10^{found.log10_p:.1f}"
        words += " and an empirical test" if found.basis == "empirical" else ""
    if found.parent == "this":
        words += ", the nearest of those related"
    words += f" ({found.reason})" if found.reason else ""
    return f"{words}; {found.origin}" if found.origin else words
