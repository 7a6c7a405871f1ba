"""Which of a folder's weight files make up one model, and what its tensors are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from audit_flow.analysis.lineage.roles import Stored

_GENERATORS = {"transformer", "unet", "prior", "dit"}
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
    """Return the files of one model among them: the one that loaders take, else the largest.

    ``sizes`` are those of the files, at least one. The second is what is said of the others.
    """
    families: dict[tuple[str, bool], list[str]] = {}
    for name in sorted(sizes):
        bare = _SHARD.sub("", name)
        families.setdefault((bare, bare != name), []).append(name)
    best = max(
        sorted(families),
        key=lambda f: (-_turn(*f), sum(sizes[n] for n in families[f])),
    )
    rest = sorted(n for f, files in families.items() if f != best for n in files)
    words = (f"{len(rest)} other weight files, such as {rest[0]}",) if rest else ()
    return tuple(families[best]), words


def _turn(name: str, sharded: bool) -> int:
    """Return how early loaders look at a file: a larger one elsewhere is another model, or bait."""
    path = PurePosixPath(name)
    if path.parent == PurePosixPath(".") and path.stem == "model":
        return 1 if sharded else 0
    if path.parent == PurePosixPath("."):
        return 2
    # A pipeline is named after what generates: its text encoder is often somebody else's.
    return 3 if path.parts[0] in _GENERATORS else 4
