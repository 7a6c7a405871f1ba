"""What a repository is called: a Hub id, its address, ``hf://``, or a local folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from audit_flow.errors import InputError

DEFAULT_ENDPOINT = "https://huggingface.co"
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_-])?\Z")
# Whatever git takes as a name and that fits in one segment of an address once it is quoted.
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}\Z")
_OTHER_KINDS = {"datasets", "spaces"}
_AFTER_NAME = {"tree", "blob", "resolve", "commit", "raw", "commits"}
_EXPECTED = "org/name[@revision], an https:// address of the Hub, hf://org/name, or a folder"


@dataclass(frozen=True)
class HubName:
    """A model repository, the revision that was asked for, and the Hub it is on.

    ``named_host`` says that the Hub's address came with the repository's, not from the operator's
    settings: a token of those settings is not for it.
    """

    repo: str
    revision: str | None
    endpoint: str
    named_host: bool = False


@dataclass(frozen=True)
class LocalName:
    """A folder on this machine."""

    path: Path


def parse_name(text: str, endpoint: str | None = None, revision: str | None = None) -> HubName:
    """Return the Hub repository that a text names.

    ``endpoint`` is the operator's Hub (default: HF_ENDPOINT, then huggingface.co). Raises
    InputError for what names no model repository.
    """
    own = check_endpoint(endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT)
    if "://" in text and not text.startswith("hf://"):
        name = _from_address(text, own)
    else:
        repo, _, after = text.removeprefix("hf://").partition("@")
        name = HubName(_repo(repo, text), after or None, own)
        if "@" in text and not after:
            raise InputError(f"{text!r} ends in an empty revision", expected=_EXPECTED)
    if revision and name.revision not in {None, revision}:
        raise InputError(f"two revisions: {name.revision} and {revision}", expected="one")
    wanted = revision or name.revision
    return HubName(name.repo, check_revision(wanted) if wanted else None, name.endpoint,
                   name.named_host)  # fmt: skip


def local_or_hub(text: str, endpoint: str | None = None) -> HubName | LocalName:
    """Return a folder where the text names one that is there, else a Hub repository.

    Raises InputError for a name that could be both, and for a folder that is not there.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise InputError(f"{text[:300]!r}: {error}", expected=_EXPECTED) from error
    # "org/name" may be both; "./org/name" and "hf://org/name" say which is meant.
    as_path = text.startswith((".", "/", "~")) or text.endswith("/")
    if as_path:
        if not _is_folder(path):
            raise InputError(f"there is no folder {text[:300]!r}", expected=_EXPECTED)
        return LocalName(path)
    if "://" in text or not _is_folder(path):
        return parse_name(text, endpoint)
    try:
        parse_name(text, endpoint)
    except InputError:
        return LocalName(path)
    raise InputError(
        f"{text!r} is a folder here and could be a repository of the Hub",
        expected="one of the two", remedy=f"Write ./{text} or hf://{text}",
    )  # fmt: skip


def check_endpoint(text: str) -> str:
    """Return the address of a Hub without a slash at its end; InputError for no such address."""
    parts = split_address(text.strip())
    good = parts and parts.scheme in {"http", "https"} and parts.hostname and not parts.query
    if parts is None or not good or parts.username or parts.password or parts.fragment:
        raise InputError(f"the Hub's address {text!r}", expected="https://host, without a password")
    return text.strip().rstrip("/")


def check_revision(text: str) -> str:
    """Return a branch, tag or commit as written; InputError for what is no name in git."""
    bad = ".." in text or text.endswith(("/", ".", ".lock")) or "//" in text
    if bad or not _REVISION.match(text):
        raise InputError(f"the revision {text!r}", expected="a branch, tag or commit")
    return text


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def split_address(text: str) -> SplitResult | None:
    """Return the parts of an address; None for what is none, by its host or its port."""
    try:
        parts = urlsplit(text)
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def _from_address(text: str, own: str) -> HubName:
    if text.startswith(own + "/"):
        base, path = own, text[len(own) :]
    else:
        parts = split_address(text)
        if parts is None:
            raise InputError(f"the address {text!r}", expected=_EXPECTED)
        base, path = f"{parts.scheme}://{parts.netloc}", parts.path
    segments = [s for s in re.split(r"[?#]", path)[0].split("/") if s]
    if segments[:1] == ["models"]:
        segments = segments[1:]
    marks = [i for i, s in enumerate(segments) if s in _AFTER_NAME and i]
    # A repository may itself be called "tree": what follows a whole name comes first.
    cut = next((i for i in marks if i > 1), marks[0] if marks else len(segments))
    revision = unquote(segments[cut + 1]) if len(segments) > cut + 1 else None
    name, _, after = "/".join(segments[:cut]).partition("@")
    repo = _repo(name, text)
    return HubName(repo, revision or after or None, check_endpoint(base), base != own)


def _repo(name: str, text: str) -> str:
    parts = name.split("/")
    if parts[0] in _OTHER_KINDS and len(parts) > 1:
        raise InputError(f"{text!r} is no model", expected="a model repository")
    sound = all(_PART.match(p) and "--" not in p and ".." not in p for p in parts)
    if len(parts) > 2 or not sound or name.endswith(".git"):
        raise InputError(f"{text!r} names no repository", expected=_EXPECTED)
    return name
