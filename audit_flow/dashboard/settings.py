"""What an operator configures: stores, address, who may come in, and what may be verified."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from audit_flow.errors import InputError
from audit_flow.model import TrustFile
from audit_flow.sources.hub.names import DEFAULT_ENDPOINT

if TYPE_CHECKING:
    from audit_flow.approval import Resumer, Waiting
    from audit_flow.dashboard.identity import Proxy, Token
    from audit_flow.signing import Signer

MAX_BODY: Final = 2 * 1024 * 1024
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Root:
    """One store of audits: a tracking URI, or the SQLite file in a folder; and its reviews."""

    folder: Path
    tracking_uri: str | None = None

    @property
    def stated(self) -> Path:
        """The folder that a signed statement of publication is kept in, beside the manifest."""
        return self.folder.parent / "publication"

    @property
    def reviews(self) -> Path:
        """The folder that keeps the reviews of this store's audits."""
        return self.folder / "reviews"


@dataclass(frozen=True)
class Settings:
    """Everything that a running dashboard was told; ``tokens`` and ``proxy`` give identities.

    ``public_url`` is the address that people type, where a proxy stands before the dashboard.
    ``hubs`` are the only Hubs that a visitor can have a repository verified on.
    """

    roots: tuple[Root, ...]
    host: str = "127.0.0.1"
    port: int = 8765
    tokens: tuple[Token, ...] = ()
    proxy: Proxy | None = None
    public_url: str | None = None
    hubs: tuple[str, ...] = (DEFAULT_ENDPOINT,)
    policy: str = "third-party"
    waiting: Waiting | None = None
    resumer: Resumer | None = None
    signer: Signer | None = field(default=None, repr=False)
    # Whose signatures on reviews and publications count, beside the key that signs here, and where
    # journals of publications lie.
    trust: TrustFile = field(default_factory=TrustFile)
    own: TrustFile = field(default_factory=TrustFile)
    publications: tuple[Path, ...] = ()
    max_verify_seconds: float = 900.0

    @property
    def has_identities(self) -> bool:
        """Whether visitors are known by name, and reading needs one."""
        return bool(self.tokens or self.proxy)

    @property
    def hosts(self) -> frozenset[str]:
        """The Host headers that are answered, with and without the port."""
        names = {self.host.strip("[]")} if not _is_any(self.host) else set()
        names |= LOOPBACK if is_loopback(self.host) else set()
        shown = {f"[{n}]" if ":" in n else n for n in names}
        found = {*shown, *(f"{n}:{self.port}" for n in shown)}
        if self.public_url:
            found.add(urlsplit(self.public_url).netloc.lower())
        return frozenset(found)

    @property
    def is_https(self) -> bool:
        """Whether visitors come by https, so that cookies may be kept to it."""
        return bool(self.public_url and self.public_url.startswith("https://"))

    def check(self) -> Settings:
        """Return these settings, or raise InputError for what would be open to everybody."""
        if not is_loopback(self.host) and not self.has_identities:
            raise InputError(
                f"the address {self.host} without authentication",
                expected="a loopback address, or --tokens or --proxy-header",
                remedy="Make a token with: audit-flow dashboard --new-token NAME --tokens FILE",
            )
        if _is_any(self.host) and not self.public_url:
            raise InputError(
                f"the address {self.host} without the name that visitors type",
                expected="--public-url https://name",
            )
        if self.public_url and not _is_origin(self.public_url):
            raise InputError(
                f"the public address {self.public_url[:200]!r}",
                expected="https://host or with a port",
            )
        if not self.roots:
            raise InputError("no store of audits", expected="at least one folder or tracking URI")
        return self


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _is_any(host: str) -> bool:
    return host in {"0.0.0.0", "::", "[::]", ""}  # noqa: S104 - compared, not bound


def _is_origin(url: str) -> bool:
    parts = urlsplit(url)
    bare = not (parts.query or parts.fragment or parts.username or parts.path.strip("/"))
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and bare
