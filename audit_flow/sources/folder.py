"""A folder that nothing may be read outside of."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from audit_flow.errors import EvidenceError, InputError, MissingEvidence

MIB = 1024 * 1024
# Version control and caches, and the records of earlier audits: nothing of it is released.
_NOT_WALKED = {".git", ".cache", "__pycache__", ".audit-flow"}


@dataclass(frozen=True)
class Folder:
    """The release's folder, and the enclosing DVC project where the manifest names one.

    Paths are POSIX and relative to ``root``. Only files of the project that the ledger names are
    reached through ``..``, and never above ``ceiling``.
    """

    root: Path
    ceiling: Path

    @classmethod
    def at(cls, root: Path, ceiling: Path | None = None) -> Folder:
        """Open a folder; ``ceiling`` is an ancestor of it, or the folder itself."""
        real = root.resolve()
        return cls(real, real if ceiling is None else ceiling.resolve())

    def relative(self, path: Path) -> str:
        """Return a path as this folder names it."""
        return PurePosixPath(os.path.relpath(path, self.root)).as_posix()

    def locate(self, path: str) -> Path:
        """Return the place of a relative path, whether or not something is there.

        Raises InputError when it is absolute or leads outside, also by a symbolic link.
        """
        if "\0" in path or PurePosixPath(path).is_absolute() or path.startswith("~"):
            raise InputError(f"path {path!r}", expected="a path relative to the release's folder")
        joined = Path(os.path.normpath(self.root / path))
        for place in (joined, _real(joined, path)):
            if not place.is_relative_to(self.ceiling):
                raise InputError(
                    f"path {path!r} leads outside {self.ceiling.name}/",
                    expected="a path inside the release's folder",
                    remedy="Move the file into the folder, or correct the path",
                )
        return joined

    def file(self, path: str) -> Path:
        """Return an existing regular file; MissingEvidence or EvidenceError otherwise."""
        place = self.locate(path)
        try:
            mode = place.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise MissingEvidence(
                "no such file", where=path, remedy="Restore it, or name where it lies"
            ) from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "a path that can't be"
            raise EvidenceError(str(reason), expected="a file", where=path) from error
        if not stat.S_ISREG(mode):
            raise EvidenceError("not a regular file", expected="a file", where=path)
        return place

    def read(self, path: str, limit: int = 64 * MIB) -> bytes:
        """Return a whole file of at most ``limit`` bytes."""
        place = self.file(path)
        try:
            with place.open("rb") as stream:
                data = stream.read(limit + 1)
        except OSError as error:
            raise EvidenceError(str(error.strerror), where=path) from error
        if len(data) > limit:
            raise EvidenceError(
                "the file is too large", expected=f"at most {limit // 1024} KiB", where=path
            )
        return data

    def walk(self, path: str = ".", limit: int = 20_000) -> tuple[str, ...]:
        """List the regular files below a folder in code-point order; ``_NOT_WALKED`` is left out.

        Raises EvidenceError for a symbolic link that leads outside, and beyond ``limit`` files.
        """
        top = self.locate(path)
        if not is_folder(top):
            raise MissingEvidence("no such folder", where=path, remedy="Restore it")
        found: list[str] = []
        for folder, names, files in os.walk(top, onerror=_stop):
            names[:] = sorted(n for n in names if n not in _NOT_WALKED)
            for name in (*files, *(n for n in names if (Path(folder) / n).is_symlink())):
                found.append(self.relative(Path(folder) / name))
                if len(found) > limit:
                    raise EvidenceError(
                        f"more than {limit} files", expected="a model's folder", where=path
                    )
        return tuple(sorted(f for f in found if self._stays_inside(f)))

    def _stays_inside(self, path: str) -> bool:
        place = self.root / path
        if not is_text(path):
            # A record could not name it, so nobody could be told what was hashed.
            raise EvidenceError(
                "a file's name is no UTF-8 text", expected="names that are text", where=path
            )
        if not _real(place, path).is_relative_to(self.ceiling):
            raise EvidenceError(
                "a symbolic link leads outside the folder", expected="plain files", where=path
            )
        return True


def is_walked(path: str) -> bool:
    """Say whether ``walk`` lists a file of this relative path."""
    return _NOT_WALKED.isdisjoint(PurePosixPath(path).parent.parts)


def is_text(path: str) -> bool:
    """Say whether a path can be written down: names on disk may hold any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_folder(place: Path) -> bool:
    """Say whether a folder lies here; a name that no file system takes is none."""
    try:
        return place.is_dir()
    except OSError:
        return False


def _real(place: Path, path: str) -> Path:
    try:
        return place.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        # RuntimeError: a loop of links, before Python 3.13.
        raise EvidenceError(
            "a path that leads nowhere, such as a loop of links", expected="plain files", where=path
        ) from error


def _stop(error: OSError) -> None:
    # A folder that can't be listed holds files that nobody hashed.
    raise EvidenceError(f"a folder can't be listed: {error.strerror}", expected="readable folders")
