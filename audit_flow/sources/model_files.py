"""Which of a folder's weight files make up one model, and what its tensors are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from audit_flow.analysis.lineage.roles import Stored

_SHARD = re.compile(r"-\d+-of-\d+(?=\.(?:safetensors|gguf)\Z)")


@dataclass(frozen=True)
class ModelTensors:
    """The tensors of one model, and bytes of its headers and of its files altogether.

    ``others`` says which weight files of the folder are not of it.
    """

    tensors: tuple[Stored, ...]
    header_bytes: int
    file_bytes: int
    others: tuple[str, ...] = ()


def one_model(sizes: Mapping[str, int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files of the largest model among them: a folder may hold the same one twice.

    ``sizes`` are those of the files, at least one. The second is what is said of the others.
    """
    families: dict[str, list[str]] = {}
    for name in sorted(sizes):
        families.setdefault(_SHARD.sub("", name), []).append(name)
    whole = {f: sum(sizes[n] for n in files) for f, files in families.items()}
    # Of models of one size, the one that loaders take.
    best = max(
        sorted(whole), key=lambda f: (whole[f], PurePosixPath(f).name == "model.safetensors")
    )
    rest = sorted(n for f, files in families.items() if f != best for n in files)
    words = (f"{len(rest)} other weight files, such as {rest[0]}",) if rest else ()
    return tuple(families[best]), words
