"""A model's sample for comparison with others: planned from headers, then read by ranges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from audit_flow.analysis.lineage.formulas import learned
from audit_flow.analysis.lineage.plan import DEFAULT_BUDGET, Wanted, sampling_plan
from audit_flow.analysis.lineage.roles import Stored, layout_of
from audit_flow.analysis.lineage.sample import Block, Sample, block_of
from audit_flow.digests import Header, check_structure
from audit_flow.errors import EvidenceError
from audit_flow.sources.gguf_model import gguf_model
from audit_flow.sources.model_files import ModelTensors, one_model
from audit_flow.sources.ranges import RangeReader

MAX_TENSORS = 500_000
MAX_READ = 20_000_000
_LEAST = 4_000_000
_PICKLES = {".bin", ".pt", ".pth"}


def read_sample(
    reader: RangeReader, headers: Mapping[str, Header], budget: int = DEFAULT_BUDGET
) -> Sample:
    """Read rows of few tensors: at most about ``budget`` bytes, all ranges at a time.

    ``headers`` are those of the safetensors files; where there are none, GGUF files are read.
    Raises EvidenceError where there are neither, or where a header does not describe its file:
    then no offset in it is followed.
    """
    found = _safetensors(headers) if headers else gguf_model(reader)
    if found is None:
        raise EvidenceError(
            "no safetensors file", expected="weights as safetensors or GGUF",
            where=_first_unread(reader),
            remedy="Convert the weights to safetensors to have their lineage compared",
        )  # fmt: skip
    layout = layout_of(found.tensors)
    # Headers of GGUF hold the vocabulary: what they take is not left for rows.
    plan = sampling_plan(layout, min(budget, max(_LEAST, MAX_READ - found.header_bytes)))
    blocks, reasons = _blocks(reader, plan)
    return learned(Sample(
        layout.width, layout.units, layout.layers, layout.vocabulary, tuple(blocks),
        (*layout.not_assessed, *reasons, *found.others),
        read=sum(w.size for w in plan) + found.header_bytes, total=found.file_bytes,
    ))  # fmt: skip


def _safetensors(headers: Mapping[str, Header]) -> ModelTensors:
    chosen, others = one_model({n: h.file_size for n, h in headers.items()})
    kept = {n: headers[n] for n in chosen}
    return ModelTensors(
        tuple(_tensors(kept)), sum(h.data_start for h in kept.values()),
        sum(h.file_size for h in kept.values()), others,
    )  # fmt: skip


def _first_unread(reader: RangeReader) -> str:
    kinds = sorted(n for n in reader.sizes if PurePosixPath(n).suffix in _PICKLES)
    return kinds[0] if kinds else ""


def _tensors(headers: Mapping[str, Header]) -> list[Stored]:
    found: list[Stored] = []
    for name, header in headers.items():
        problems = check_structure(header)
        if problems:
            first = problems[0]
            raise EvidenceError(
                f"{first.what}: {first.got}", expected=first.expected, where=name
            )  # fmt: skip
        start = header.data_start
        found += [
            Stored(t.name, t.dtype, t.shape, name, start + t.begin, start + t.end)
            for t in header.tensors
        ]
        if len(found) > MAX_TENSORS:
            raise EvidenceError(
                f"more than {MAX_TENSORS} tensors", expected="a model's weights", where=name
            )
    twice = next((n for n, times in Counter(t.name for t in found).items() if times > 1), None)
    if twice is not None:
        files = [t.file for t in found if t.name == twice]
        raise EvidenceError(
            f"the tensor {twice[:200]!r} stands in {len(files)} files", where=files[0],
            expected="each tensor once, so that it is known what a loader takes",
        )  # fmt: skip
    return found


def _blocks(reader: RangeReader, plan: tuple[Wanted, ...]) -> tuple[list[Block], list[str]]:
    ranges = [(w.tensor.file, begin, size) for w in plan for begin, size in w.ranges()]
    data = iter(reader.read_many(ranges))
    blocks: list[Block] = []
    reasons: list[str] = []
    for wanted in plan:
        raw = b"".join(next(data) for _ in wanted.ranges())
        block = block_of(wanted, raw)
        if isinstance(block, str):
            reasons.append(block)
        else:
            blocks.append(block)
    return blocks, reasons
