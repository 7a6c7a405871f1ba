"""Every entry of a folder, hidden ones too: what a signature must answer for."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from audit_flow.errors import EvidenceError

MAX_FILES = 200_000


@dataclass
class EveryFile:
    """Sizes in bytes of regular files by POSIX path, and symbolic links.

    A link to a regular file inside the folder is among the ``sizes`` as well.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


def every_file(top: Path) -> EveryFile:
    """List a folder without leaving it, and without following a link to a folder.

    Raises EvidenceError for what is neither file nor folder, and for a folder that can't be read.
    """
    root, found = top.resolve(), EveryFile()
    for folder, names, files in os.walk(root, onerror=_stop):
        names.sort()
        for name in sorted({*files, *names}):
            place = Path(folder) / name
            path = PurePosixPath(os.path.relpath(place, root)).as_posix()
            _add(found, root, place, path)
            if len(found.sizes) > MAX_FILES:
                raise EvidenceError(f"more than {MAX_FILES} files", expected="a model's folder")
    return found


def _add(found: EveryFile, root: Path, place: Path, path: str) -> None:
    try:
        status = place.lstat()
    except FileNotFoundError:
        # Gone since it was listed, such as what somebody else who signs was writing.
        return
    except OSError as error:
        raise _unseen(path) from error
    try:
        if stat.S_ISLNK(status.st_mode):
            found.links.append(path)
            if place.resolve().is_relative_to(root) and place.is_file():
                found.sizes[path] = place.stat().st_size
        elif stat.S_ISREG(status.st_mode):
            found.sizes[path] = status.st_size
        elif not stat.S_ISDIR(status.st_mode):
            raise EvidenceError("neither file nor folder", expected="plain files", where=path)
    except (OSError, RuntimeError) as error:
        raise _unseen(path) from error


def _unseen(path: str) -> EvidenceError:
    return EvidenceError("can't be looked at", expected="plain files", where=path)


def _stop(error: OSError) -> None:
    # A folder that can't be listed may hold files that nobody signed.
    raise EvidenceError(f"a folder can't be listed: {error.strerror}", expected="readable folders")
