"""From the names that parameters give to the values that audit_flow takes, within one task."""

from __future__ import annotations

import os
from pathlib import Path

from audit_flow.cli.publish import read_token, terms_of
from audit_flow.cli.signing_options import make_signer
from audit_flow.digests import HandedDigests
from audit_flow.errors import InputError
from audit_flow.model import TrustFile
from audit_flow.policy_file import load_policy, load_trust
from audit_flow.publish import Order, SignedVerdict, Target, Tokens
from audit_flow.reproduce.evidence_store import state_home
from audit_flow.signing import KeySigner, Signer
from audit_flow.sources.hub import parse_name
from audit_flow.sources.manifest import Release, load
from flows.values import Destination, Job, Share, Signed, Signing

_BUNDLE = ".sigstore.json"


def release_of(job: Job) -> Release:
    """Read the manifest; raises ManifestError."""
    return load(Path(job.manifest))


def trust_of(path: str | None) -> TrustFile | None:
    """Read a trust file, where one is named."""
    return load_trust(Path(path)) if path else None


def beside(job: Job, name: str = ".audit-flow") -> Path:
    """Return a folder beside the manifest."""
    return Path(job.manifest).resolve().parent / name


def tracking_uri(job: Job) -> str | None:
    """Return the store of records: the parameter, else what the worker was told."""
    return job.tracking_uri or os.environ.get("AUDIT_FLOW_TRACKING_URI")


def digests(*handed: Share) -> HandedDigests:
    """Return this account's digests of files that were not touched since, and those handed over."""
    return HandedDigests(state_home() / "digests", (row for s in handed for row in s.rows))


def signer_of(signing: Signing) -> Signer:
    """Return who signs; a token for keyless signing comes from the worker's environment."""
    paths = {
        name: Path(value) if (value := getattr(signing, name)) else None
        for name in ("key", "password_file", "certificate", "trust_config")
    }
    return make_signer(
        **paths,
        sigstore=signing.sigstore,
        identity_token=os.environ.get("AUDIT_FLOW_IDENTITY_TOKEN") if signing.sigstore else None,
        pkcs11=signing.pkcs11,
    )


def target_of(to: Destination) -> tuple[Target, Tokens]:
    """Return the branch that is published to, and whose tokens do it."""
    name = parse_name(to.repo, to.endpoint)
    return Target(name.endpoint, name.repo, to.branch), _tokens(to)


def order_of(job: Job, to: Destination, signing: Signing, signed: Signed | None) -> Order:
    """Return what is to be published where; with ``signed``, only what that verdict is about."""
    policy, signer = load_policy(job.policy), signer_of(signing)
    target, tokens = target_of(to)
    return Order(
        release=release_of(job),
        policy=policy,
        stranger=load_policy(to.stranger_policy),
        signer=signer,
        target=target,
        tokens=tokens,
        terms=terms_of(policy, to.check),
        signed=_signed(signed, signer, job),
        replace=to.replace,
    )


def _signed(signed: Signed | None, signer: Signer, job: Job) -> SignedVerdict | None:
    """Say whose signature counts: the trust file's, else the very key that signs here."""
    trust = trust_of(job.trust)
    if signed is None:
        return None
    if (trust is None or not trust.trusts_somebody) and isinstance(signer, KeySigner):
        trust = trust_in(signer)
    if trust is None:
        raise InputError(
            f"a verdict signed by {signed.signer}, and nobody who is trusted",
            expected="a trust file that names the signer, in the parameter `trust`",
        )
    bundles = {n: t.encode() for n, t in signed.files.items() if n.endswith(_BUNDLE)}
    return SignedVerdict(bundles, trust)


def trust_in(signer: KeySigner) -> TrustFile:
    """Trust one key, for everything."""
    from audit_flow.model import ANY_ROLE
    from audit_flow.policy_file import trusted_key
    from audit_flow.signing.keys import public_pem

    return TrustFile(keys=(trusted_key(public_pem(signer.public), "signer", (ANY_ROLE,)),))


def _tokens(to: Destination) -> Tokens:
    write = (
        read_token(Path(to.token_file)) if to.token_file else os.environ.get("HF_TOKEN", "").strip()
    )
    if not write:
        raise InputError(
            "no token", expected="a token that may write to the repository",
            remedy="Set HF_TOKEN where the worker runs, or name a file in token_file",
        )  # fmt: skip
    return Tokens(write, read_token(Path(to.read_token_file)) if to.read_token_file else None)
