"""The files of a folder that a draft may name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAX_FILES = 20_000
_LEFT_OUT = {"__pycache__", "node_modules", "venv", "mlruns"}


@dataclass(frozen=True)
class Listing:
    """Relative POSIX paths in code-point order, and what was left out, in words."""

    files: tuple[str, ...]
    notes: tuple[str, ...]

    def inside(self, folder: str) -> tuple[str, ...]:
        """Return the files in a folder and below it."""
        prefix = "" if folder == "." else f"{folder}/"
        return tuple(f for f in self.files if f.startswith(prefix))


def list_files(root: Path) -> Listing:
    """List the regular files below a folder; hidden folders and links outside are left out."""
    found: list[str] = []
    notes: list[str] = []
    top = root.resolve()
    for path in _walk(top):
        name = PurePosixPath(os.path.relpath(path, top)).as_posix()
        problem = _problem(path, name, top)
        if problem:
            notes.append(f"{os.fsencode(name).decode('utf-8', 'replace')} was left out: {problem}")
        elif len(found) == MAX_FILES:
            notes.append(f"only the first {MAX_FILES} files were looked at")
            break
        elif path.is_file():
            found.append(name)
    return Listing(tuple(sorted(found)), tuple(notes))


def parent(path: str) -> str:
    """Return the folder of a path, ``.`` at the top."""
    return PurePosixPath(path).parent.as_posix()


def _walk(top: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(top):
        names[:] = sorted(n for n in names if not n.startswith(".") and n not in _LEFT_OUT)
        yield from (Path(folder) / name for name in sorted(files))


def _problem(path: Path, name: str, top: Path) -> str | None:
    if not name.isprintable():
        return "its name holds characters that can't be printed"
    return _link_problem(path, top) if path.is_symlink() else None


def _link_problem(path: Path, top: Path) -> str | None:
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        # RuntimeError: before Python 3.13.
        return "it is a loop of symbolic links"
    if not real.is_relative_to(top):
        return "it is a symbolic link that leads outside the folder"
    return None
