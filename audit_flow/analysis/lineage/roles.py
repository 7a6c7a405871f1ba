"""What the tensors of a model are, told from their shapes; their names are not believed.

The residual stream's width d is the axis that most matrices share. A matrix (d, f) beside (f, d)
belongs to the multi-layer perceptron, whose hidden units any training treats alike; matrices with
rows for heads of attention are told apart from it by how many of a shape there are. A number in a
name serves as a hint of order: a wrong hint costs power, never validity.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from audit_flow.analysis.lineage.decode import is_readable
from audit_flow.analysis.lineage.ggml import BLOCKS

MIN_WIDTH = 16
MAX_WIDTH = 1 << 20
_DIGITS = re.compile(r"([0-9]{1,18})")
_MOST_NUMBERS = 4
_MOST_ORDERED = 16
_NUMBER = re.compile(r"(?:^|[._/-])(\d{1,6})(?=$|[._/-])")


@dataclass(frozen=True)
class Stored:
    """One tensor and where its bytes lie: ``begin`` is counted from the start of the file.

    ``layer`` is a hint of the layer, which ``layout_of`` takes from the names.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: str
    begin: int
    end: int
    layer: int | None = None

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns; of a stack of matrices, such as fused experts, those of the first."""
        return self.shape[-2], self.shape[-1]


@dataclass(frozen=True)
class Layout:
    """The roles of a model's tensors.

    ``hidden`` holds, for each layer in order, the matrices whose rows are hidden units (f, d);
    ``residual`` those whose rows are residual dimensions (d, f); ``attention`` the other matrices
    of each layer; ``vectors`` everything of length d. ``fused`` says that hidden units take two
    rows of each matrix. ``not_assessed`` tells what was left out and why.
    """

    width: int = 0
    units: int = 0
    vocabulary: int = 0
    fused: bool = False
    embeddings: tuple[Stored, ...] = ()
    vectors: tuple[Stored, ...] = ()
    hidden: tuple[tuple[Stored, ...], ...] = ()
    residual: tuple[tuple[Stored, ...], ...] = ()
    attention: tuple[tuple[Stored, ...], ...] = ()
    not_assessed: tuple[str, ...] = field(default=())

    @property
    def layers(self) -> int:
        """How many layers have a multi-layer perceptron."""
        return len(self.residual)


def layout_of(tensors: Iterable[Stored]) -> Layout:
    """Return the roles of tensors, which may come in any order."""
    everything = sorted(_with_layers(list(tensors)), key=_order)
    readable = [t for t in everything if is_readable(t.dtype)]
    reasons = _left_out(everything)
    matrices = [t for t in readable if len(t.shape) in (2, 3) and min(t.shape) > 0]
    width = _width(matrices, readable)
    if width is None:
        return Layout(not_assessed=(*reasons, "no width that the matrices have in common"))
    units, fused = _units(matrices, width)
    up = (2 * units if fused else units, width)
    hidden = [t for t in matrices if t.matrix == up and units]
    residual = [t for t in matrices if t.matrix == (width, units) and units]
    layers = max(1, len(_grouped(residual)))
    embeddings = _embeddings(matrices, width, units, layers)
    known = {t.name for t in (*hidden, *residual, *embeddings)}
    others = [t for t in matrices if t.name not in known and len(t.shape) == 2]
    attention = [t for t in others if width in t.matrix and min(t.matrix) >= MIN_WIDTH]
    if not units:
        reasons = (*reasons, "no multi-layer perceptron was recognised")
    if not embeddings:
        reasons = (*reasons, "no embedding was recognised")
    return Layout(
        width=width, units=units, fused=fused,
        vocabulary=max((t.matrix[0] for t in embeddings), default=0),
        embeddings=embeddings,
        vectors=tuple(t for t in readable if t.shape == (width,)),
        hidden=_grouped(hidden), residual=_grouped(residual), attention=_grouped(attention),
        not_assessed=reasons,
    )  # fmt: skip


def _with_layers(tensors: Sequence[Stored]) -> list[Stored]:
    """Return tensors with the first number of each name that is not the same in all such names.

    The number in ``model.0.encoder`` is no layer where nothing begins with ``model.1``.
    """
    numbers = [
        [(m.start(1), int(m[1])) for m in islice(_NUMBER.finditer(t.name), _MOST_NUMBERS)]
        for t in tensors
    ]
    seen: dict[str, set[int]] = {}
    for tensor, places in zip(tensors, numbers, strict=True):
        for place, number in places:
            seen.setdefault(tensor.name[:place], set()).add(number)
    return [
        replace(tensor, layer=next(
            (n for place, n in places if len(seen[tensor.name[:place]]) > 1), None
        ))
        for tensor, places in zip(tensors, numbers, strict=True)
    ]  # fmt: skip


def _order(tensor: Stored) -> tuple[int, list[tuple[bool, int, str]]]:
    """Order by layer, then by name with numbers as numbers: however the shards are cut."""
    hint = tensor.layer
    # Nobody's names have more numbers than that: behind them, digits are compared as letters.
    parts = [p for p in _DIGITS.split(tensor.name, maxsplit=_MOST_ORDERED) if p]
    named = [(d := p.isascii() and p.isdecimal(), int(p) if d else 0, p) for p in parts]
    return (hint if hint is not None else -1, named)


def _left_out(tensors: Sequence[Stored]) -> tuple[str, ...]:
    """Say which matrices hold no plain numbers, as packed weights of 4 bits do."""
    packed = Counter(t.dtype for t in tensors if not is_readable(t.dtype) and len(t.shape) >= 2)
    return tuple(f"{n} matrices of {dtype}: {_why(dtype, tensors)}"
                 for dtype, n in sorted(packed.items()))  # fmt: skip


def _why(dtype: str, tensors: Sequence[Stored]) -> str:
    if dtype in BLOCKS:
        return "the gguf package decodes them and is not installed (audit-flow[gguf])"
    if dtype == "I32" and any(t.name.endswith(("qweight", "g_idx")) for t in tensors):
        # Eight numbers of eight rows lie in one: a row is scattered over the whole matrix.
        return "GPTQ and AWQ lay each unit's numbers across the whole matrix, which is not read"
    return "packed or integer data is not decoded"


def _width(matrices: Sequence[Stored], readable: Sequence[Stored]) -> int | None:
    """Return the axis that most numbers of matrices have, among those that norms have too."""
    axes: Counter[int] = Counter()
    for tensor in matrices:
        for n in {*tensor.matrix}:
            axes[n] += tensor.matrix[0] * tensor.matrix[1]
    vectors = Counter(t.shape[0] for t in readable if len(t.shape) == 1)
    fitting = [n for n in axes if MIN_WIDTH <= n <= MAX_WIDTH]
    normed = [n for n in fitting if vectors[n]]
    return max(normed or fitting, key=lambda n: (axes[n], vectors[n], -n), default=None)


def _units(matrices: Sequence[Stored], width: int) -> tuple[int, bool]:
    """Return the number of hidden units, and whether one matrix holds gate and up together."""
    shapes = Counter(t.matrix for t in matrices)
    found: list[tuple[int, int, int, bool]] = []
    for (rows, units), downs in shapes.items():
        if rows != width or units == width:
            continue
        ups, fused = shapes[(units, width)], shapes[(2 * units, width)]
        if ups == 2 * downs:
            found.append((2, downs, units, False))
        elif fused == downs and not ups:
            found.append((2, downs, units, True))
        elif ups == downs:
            found.append((1, downs, units, False))
    _, _, units, both = max(found, default=(0, 0, 0, False))
    return units, both


def _embeddings(
    matrices: Sequence[Stored], width: int, units: int, layers: int
) -> tuple[Stored, ...]:
    """Return the matrices (vocabulary, d): of the tallest shape that layers do not repeat."""
    wide = [t for t in matrices if t.matrix[1] == width and len(t.shape) == 2]
    often = Counter(t.matrix[0] for t in wide)
    taken = {width, units, 2 * units}
    single = [t for t in wide if t.matrix[0] not in taken and _stands_alone(t, often, layers)]
    tallest = max((t.matrix[0] for t in single), default=0)
    # A head may be padded to a round number of rows.
    return tuple(t for t in single if t.matrix[0] > 0.9 * tallest)[:3]


def _stands_alone(tensor: Stored, often: Counter[int], layers: int) -> bool:
    return often[tensor.matrix[0]] <= 3 and (tensor.layer is None or layers > 3)


def _grouped(tensors: Sequence[Stored]) -> tuple[tuple[Stored, ...], ...]:
    """Return the tensors layer by layer: by the numbers in their names, else each by itself."""
    layers: dict[int, list[Stored]] = {}
    for place, tensor in enumerate(tensors):
        hint = tensor.layer
        layers.setdefault(hint if hint is not None else -1 - place, []).append(tensor)
    return tuple(tuple(layers[n]) for n in sorted(layers, key=lambda n: (n < 0, abs(n))))
