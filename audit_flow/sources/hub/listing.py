"""What the Hub says of a commit: its files with sizes and digests, its refs, its history."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from audit_flow.digests import Problem
from audit_flow.digests.plan import check_relative_path
from audit_flow.errors import EvidenceError
from audit_flow.sources.hub.http import HubHttp, joined

MAX_PAGES = 1000
MAX_FILES = 100_000
MAX_PATH = 1024
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_NEXT = re.compile(r'<([^<>]{1,4096})>\s*;\s*rel="?next"?')
# A sha1 repository's largest blob that is no LFS file is far smaller than this.
MAX_SIZE = 1 << 50


@dataclass(frozen=True, order=True)
class Entry:
    """A file of a commit: size in bytes, git's blob id, and the SHA-256 where it is an LFS file."""

    path: str
    size: int
    blob_id: str
    sha256: str | None = None

    @property
    def content_id(self) -> str:
        """What tells one content from another: the SHA-256, else git's blob id."""
        return self.sha256 or self.blob_id


@dataclass(frozen=True)
class Commit:
    """A commit of a branch's history."""

    id: str
    date: dt.datetime
    title: str


@dataclass(frozen=True)
class Listing:
    """The files of one commit, by path; ``problems`` are contradictions within the listing."""

    commit: str
    entries: Mapping[str, Entry] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(e.size for e in self.entries.values())


def api(http: HubHttp, repo: str, *rest: str) -> str:
    """Return the address of a model's API; each part of ``rest`` becomes one quoted segment."""
    tail = "".join("/" + quote(part, safe="") for part in rest)
    return f"{http.endpoint}/api/models/{repo}{tail}"


def is_commit(text: str) -> bool:
    """Say whether a text is the whole id of a commit."""
    return bool(_COMMIT.match(text))


def resolve(http: HubHttp, repo: str, revision: str | None) -> str:
    """Return the commit that a revision stands for now.

    Raises EvidenceError when the Hub names none, or another than the commit that was asked for.
    """
    url = api(http, repo, "revision", revision) if revision else api(http, repo)
    found, _ = http.json(url)
    commit = found.get("sha") if isinstance(found, dict) else None
    if not isinstance(commit, str) or not _COMMIT.match(commit):
        raise EvidenceError("the Hub names no commit", expected="40 hex digits", where=url)
    if revision and is_commit(revision) and commit != revision:
        raise EvidenceError(f"the Hub answers with commit {commit}", expected=revision, where=url)
    return commit


def refs(http: HubHttp, repo: str) -> dict[str, str]:
    """Return the commits of branches (``refs/heads/…``) and tags by their full names."""
    found, _ = http.json(api(http, repo, "refs"))
    rows = [row for group in ("branches", "tags") for row in _rows(found, group)]
    return {
        str(r["ref"])[:300]: r["targetCommit"]
        for r in rows[:MAX_FILES]
        if isinstance(r, dict) and _text(r, "ref") and is_commit(_text(r, "targetCommit"))
    }


def _rows(found: Any, group: str) -> list[Any]:
    rows = found.get(group) if isinstance(found, dict) else None
    return rows if isinstance(rows, list) else []


def list_files(http: HubHttp, repo: str, commit: str) -> Listing:
    """Return every file of a commit; EvidenceError for a listing that can't be one."""
    url = api(http, repo, "tree", commit) + "?recursive=true&expand=false"
    entries: dict[str, Entry] = {}
    for item in _pages(http, url):
        if _text(item, "type") == "directory":
            continue
        entry = _entry(item, url)
        if entry.path in entries:
            raise EvidenceError(f"{entry.path!r} is listed twice", expected="each file once",
                                where=url)  # fmt: skip
        entries[entry.path] = entry
        if len(entries) > MAX_FILES:
            raise EvidenceError(f"more than {MAX_FILES} files", expected="a model", where=url)
    _no_file_is_a_folder(entries, url)
    ordered = {path: entries[path] for path in sorted(entries)}
    problems = tuple(p for e in ordered.values() if (p := _pointer_problem(e)) is not None)
    return Listing(commit, ordered, problems)


def history(http: HubHttp, repo: str, commit: str, limit: int) -> tuple[tuple[Commit, ...], bool]:
    """Return up to ``limit`` commits that led to one, newest first, and whether that is all."""
    found: list[Commit] = []
    for item in _pages(http, api(http, repo, "commits", commit)):
        if len(found) == limit:
            return tuple(found), False
        found.append(_commit(item, api(http, repo, "commits", commit)))
    if not found or found[0].id != commit:
        raise EvidenceError("the history does not begin with its commit", expected=commit,
                            where=api(http, repo, "commits", commit))  # fmt: skip
    return tuple(found), True


def pointer_blob_id(sha256: str, size: int) -> str:
    """Return git's blob id of an LFS pointer, which a listing states beside the SHA-256.

    Source: the Git LFS pointer specification, version 1.
    """
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    return git_blob_id(text.encode())


def git_blob_id(data: bytes) -> str:
    """Return git's SHA-1 of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _pages(http: HubHttp, url: str) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    following: str | None = url
    while following:
        if following in seen or len(seen) >= MAX_PAGES:
            raise EvidenceError("pages without end", expected="each page once",
                                where=http.where(url))  # fmt: skip
        seen.add(following)
        items, reply = http.json(following)
        if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
            raise EvidenceError("no list of entries", expected="a JSON list", where=http.where(url))
        yield from items
        following = _next(http, reply.last.get("link"), following)


def _next(http: HubHttp, link: str | None, url: str) -> str | None:
    match = _NEXT.search(link or "")
    if not match:
        return None
    following = joined(url, match[1])
    if following is None or not http.is_own(following):
        raise EvidenceError("the next page is on another host", expected=http.endpoint,
                            where=http.where(url))  # fmt: skip
    return following


def _entry(item: dict[str, Any], url: str) -> Entry:
    path, kind, lfs = _text(item, "path"), _text(item, "type"), item.get("lfs")
    _check_path(path, url)
    if kind != "file":
        raise EvidenceError(f"{path!r} is a {kind[:40]!r}", expected="a file", where=url)
    sha256 = _text(lfs, "oid") if isinstance(lfs, dict) else None
    size = lfs.get("size") if isinstance(lfs, dict) else item.get("size")
    good = isinstance(size, int) and not isinstance(size, bool) and 0 <= size < MAX_SIZE
    if not good or size != item.get("size"):
        raise EvidenceError(f"the size {str(item.get('size'))[:40]} of {path!r}",
                            expected=f"bytes, {str(size)[:40]} twice", where=url)  # fmt: skip
    if not _COMMIT.match(_text(item, "oid")) or (lfs is not None and not _is_sha256(sha256)):
        raise EvidenceError(f"{path!r} has no digest", expected="git's and the LFS id", where=url)
    assert isinstance(size, int)
    return Entry(path, size, _text(item, "oid"), sha256)


def _check_path(path: str, url: str) -> None:
    try:
        check_relative_path(path)
    except EvidenceError as error:
        raise EvidenceError(error.got[:300], expected=error.expected, where=url) from error
    plain = path.isprintable() and "\\" not in path and len(path.encode()) <= MAX_PATH
    if not path or not plain or ".git" in path.lower().split("/"):
        raise EvidenceError(f"path {path[:300]!r}", expected="a plain path", where=url)


def _no_file_is_a_folder(entries: Mapping[str, Entry], url: str) -> None:
    for path in entries:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in entries:
                raise EvidenceError(f"{path!r} lies in a file", expected="files in folders",
                                    where=url)  # fmt: skip


def _pointer_problem(entry: Entry) -> Problem | None:
    if entry.sha256 is None:
        return None
    expected = pointer_blob_id(entry.sha256, entry.size)
    if expected == entry.blob_id:
        return None
    what = "git's id of the LFS pointer"
    return Problem(entry.path, what, f"{expected} by SHA-256 and size", entry.blob_id)


def _commit(item: dict[str, Any], url: str) -> Commit:
    text, date = _text(item, "id"), _text(item, "date")
    try:
        when = _utc(dt.datetime.fromisoformat(date))
    except (ValueError, OverflowError):
        # Overflow: a day before the first or after the last, once it is told in UTC.
        when = None
    if not is_commit(text) or when is None:
        raise EvidenceError(f"a commit {text[:50]!r} of {date[:50]!r}", expected="id and date",
                            where=url)  # fmt: skip
    return Commit(text, when, _text(item, "title")[:200])


def _utc(when: dt.datetime) -> dt.datetime:
    return when.replace(tzinfo=dt.UTC) if when.tzinfo is None else when.astimezone(dt.UTC)


def _is_sha256(text: str | None) -> bool:
    return bool(text and _SHA256.match(text))


def _text(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""
