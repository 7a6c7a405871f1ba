"""What a release is made of in a repository, read so that nothing but the judged bytes goes out."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from audit_flow.collectors.weights import is_documentation, is_within, within
from audit_flow.errors import InputError, PublishError
from audit_flow.model import PublishedFile, sha256_hex
from audit_flow.publish.gate import FOLDER, Cleared
from audit_flow.sources.hashing import Wanted, hash_all
from audit_flow.sources.manifest import Release

CARD, MANIFEST = "README.md", "release.yaml"
_CHANGED = "Nothing was committed. Audit what lies there now, and publish that"


@dataclass(frozen=True)
class Content:
    """A file that is to be uploaded: its path in the repository, its digest, its bytes or place."""

    file: PublishedFile
    source: Path | bytes

    def open(self) -> CheckedReader:
        """Open it for uploading."""
        return CheckedReader(self)

    def read(self, offset: int, length: int) -> bytes:
        """Return a part of it as it is here now; raises PublishError where it can't be read."""
        if isinstance(self.source, bytes):
            return self.source[offset : offset + length]
        try:
            with self.source.open("rb") as stream:
                stream.seek(offset)
                return stream.read(length)
        except OSError as error:
            raise PublishError(f"can't be read: {error.strerror}", where=self.file.path) from error


class CheckedReader(io.BufferedIOBase):
    """A file that hashes what is read of it, so that it is known which bytes went out.

    Every pass from the start is hashed; a pass that ended in other bytes than the judged ones stays
    noted. A pass with leaps is not, and ``verify`` then reads the file once more.
    """

    def __init__(self, content: Content) -> None:
        super().__init__()
        self._content = content
        self._lock = threading.RLock()
        self._stream = self._opened()
        self._digest, self._hashed = hashlib.sha256(), 0
        self._sequential = True
        self._wrong: str | None = None

    def _opened(self) -> io.BufferedIOBase:
        source = self._content.source
        if isinstance(source, bytes):
            return io.BytesIO(source)
        try:
            return source.open("rb")
        except OSError as error:
            raise PublishError(
                f"can't be read: {error.strerror}", where=self._content.file.path
            ) from error

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on, hashing what was not hashed in this pass."""
        with self._lock:
            at = self._stream.tell()
            data = self._stream.read(-1 if size is None else size)
            if at == 0:
                self._digest, self._hashed, self._sequential = hashlib.sha256(), 0, True
            if at != self._hashed:
                self._sequential = False
            self._digest.update(data)
            self._hashed = at + len(data)
            if self._sequential and self._hashed >= self._content.file.size:
                self._note()
            return data

    def _note(self) -> None:
        got = self._digest.hexdigest()
        if got != self._content.file.sha256 or self._hashed != self._content.file.size:
            self._wrong = got

    def verify(self) -> None:
        """Raise PublishError unless every byte that was read is the judged one."""
        if self._wrong is None and not self._sequential:
            self.seek(0)
            while self.read(1 << 20):
                pass
        if self._wrong is not None or self._hashed != self._content.file.size:
            raise PublishError(
                f"the file is being changed: SHA-256 {self._wrong or 'of a part'}",
                expected=self._content.file.sha256, where=self._content.file.path, remedy=_CHANGED,
            )  # fmt: skip

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a place."""
        with self._lock:
            return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        with self._lock:
            return self._stream.tell()

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be moved in."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        super().close()


def contents(release: Release, cleared: Cleared) -> tuple[Content, ...]:
    """Return every file of the release, hashed now and compared with what was judged.

    The folder of weights becomes the repository's top, the card its README.md. The manifest goes
    beside the signed verdict as it was judged: a stranger learns the protocol of each score from
    it. Raises PublishError where a file is not as judged, InputError for two files of one name.
    """
    found = {c.file.path: c for c in _files(release, cleared)}
    for path, raw in (*cleared.bundles.items(), *_manifest(release, found)):
        if path in found:
            raise InputError(
                f"the weights folder holds {path!r}", expected="attestations outside of it",
                remedy="Move it: the attestations of this verdict go there",
            )  # fmt: skip
        file = PublishedFile(path=path, size=len(raw), sha256=sha256_hex(raw))
        found[path] = Content(file, raw)
    return tuple(found[path] for path in sorted(found))


def _manifest(release: Release, found: dict[str, Content]) -> Iterator[tuple[str, bytes]]:
    if MANIFEST not in found:
        yield f"{FOLDER}/{MANIFEST}", release.raw
    elif found[MANIFEST].file.sha256 != sha256_hex(release.raw):
        raise InputError(
            f"the weights folder holds another {MANIFEST}", expected="the one that was audited",
            remedy="Remove it: strangers would take its claims for yours",
        )  # fmt: skip


def _files(release: Release, cleared: Cleared) -> Iterator[Content]:
    weights, card = cleared.weights.source, release.manifest.card
    hashed = hash_all(release.folder, Wanted(frozenset({weights, *([card] if card else [])})))
    for name, error in hashed.failed.items():
        raise PublishError(str(error), where=name, remedy=_CHANGED)
    _as_judged(cleared, {n: d.get("sha256") or "" for n, d in hashed.files.items()})
    inside = set(release.folder.walk(weights))
    places = {within(n, weights): n for n in inside}
    if card and card not in inside and _is_new(places.get(CARD), card, hashed.files):
        places[CARD] = card
    for path, name in places.items():
        digest = hashed.files[name]
        file = PublishedFile(path=path, size=digest.size, sha256=digest.get("sha256") or "")
        yield Content(file, release.folder.file(name))


def _is_new(beside: str | None, card: str, files: object) -> bool:
    assert isinstance(files, dict)
    if beside is None:
        return True
    if files[beside].get("sha256") != files[card].get("sha256"):
        raise InputError(
            f"two model cards: {beside} and {card}", expected="one README.md",
            remedy="Remove one of them, or make them the same",
        )  # fmt: skip
    return False


def _as_judged(cleared: Cleared, now: dict[str, str]) -> None:
    """Compare digests with every one that the record holds of the same file."""
    judged = {f.path: f.sha256 for f in cleared.weights.files}
    facts = ((e.source, e.sha256) for e in cleared.result.record.evidence)
    judged |= {source: digest for source, digest in facts if digest and source in now}
    source = cleared.weights.source
    new = [n for n in now if is_within(n, source) and not is_documentation(within(n, source))]
    judged |= {n: "no such file" for n in new if n not in judged}
    for name, digest in sorted(judged.items()):
        if now.get(name) != digest:
            raise PublishError(
                f"the file is not as it was judged: SHA-256 {now.get(name, 'of no file')}",
                expected=digest, where=name, remedy=_CHANGED,
            )  # fmt: skip
