"""Hostile weights give a fact that decides nothing, or an error of the one tree: no breakdown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.collectors.weight_comparison import Weights, compare_weights
from audit_flow.errors import EvidenceError
from audit_flow.sources.weight_samples import read_sample
from tests.lineage_models import changed, drawn, llama, opened, written

SHAPES = llama()
BASE = drawn(SHAPES, 1)
Header = dict[str, Any]


def rewritten(path: Path, change: Callable[[Header], object], tail: bytes = b"") -> Path:
    """Change the header of the model in a folder; the bytes after it stay as they are."""
    file = path / "model.safetensors"
    raw = file.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :] + tail)
    return path


def overlap(header: Header) -> None:
    header["lm_head.weight"]["data_offsets"] = header["model.embed_tokens.weight"]["data_offsets"]


def huge(header: Header) -> None:
    header["lm_head.weight"]["shape"] = [2**40, 2**20]


def beyond(header: Header) -> None:
    header["lm_head.weight"]["data_offsets"] = [2**50, 2**50 + 4]


def other_type(header: Header) -> None:
    header["lm_head.weight"]["dtype"] = "F64"


def no_rows(header: Header) -> None:
    header["lm_head.weight"]["shape"] = [0, 64]


def negative(header: Header) -> None:
    header["lm_head.weight"]["shape"] = [-1, 64]


def nothing(header: Header) -> None:
    header.clear()


HOSTILE = [overlap, huge, beyond, other_type, no_rows, negative, nothing]


@pytest.mark.parametrize("change", HOSTILE)
def test_a_header_that_does_not_describe_its_file_decides_nothing(
    change: Callable[[Header], object], tmp_path: Path
) -> None:
    base = opened(written(tmp_path / "base", BASE))
    hostile = opened(rewritten(written(tmp_path / "it", BASE), change))
    for suspect, candidate in ((hostile, base), (base, hostile)):
        (found,) = compare_weights(suspect, [candidate])
        assert found.decision == "not decided"
        assert found.reason


def test_a_missing_or_packed_model_decides_nothing(tmp_path: Path) -> None:
    base = opened(written(tmp_path / "base", BASE))
    (tmp_path / "gguf").mkdir()
    (tmp_path / "gguf" / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    (found,) = compare_weights(opened(tmp_path / "gguf"), [base])
    assert found.decision == "not decided"
    assert "GGUF" in found.reason


def test_one_hostile_candidate_takes_nothing_from_the_others(tmp_path: Path) -> None:
    child = opened(written(tmp_path / "child", changed(BASE, 0.3, 2)))
    base = opened(written(tmp_path / "base", BASE))
    hostile = opened(rewritten(written(tmp_path / "hostile", BASE), overlap))
    found = {c.candidate: c for c in compare_weights(child, [hostile, base])}
    assert found["base"].decision == "related"
    assert found["hostile"].decision == "not decided"


@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-20, 1e9, 1e20, 3e38])
def test_numbers_of_any_size_give_a_fact(size: float, tmp_path: Path) -> None:
    import numpy as np

    with np.errstate(over="ignore"):
        scaled = {n: (v * np.float32(size)).astype(np.float32) for n, v in BASE.items()}
    base, it = opened(written(tmp_path / "base", BASE)), opened(written(tmp_path / "it", scaled))
    for suspect, candidate in ((it, base), (base, it), (it, it)):
        (found,) = compare_weights(suspect, [candidate])
        assert found.decision in {"related", "not decided"}
        assert found.decision == "related" or not 1e-30 < size < 1e10


def test_two_candidates_of_one_name_are_refused(tmp_path: Path) -> None:
    base = opened(written(tmp_path / "base", BASE))
    with pytest.raises(EvidenceError, match="2 candidates"):
        compare_weights(base, [base, base])


def test_shards_are_read_as_one_model_and_a_second_model_is_named(tmp_path: Path) -> None:
    names = sorted(BASE)
    whole = opened(written(tmp_path / "whole", BASE))
    parts = tmp_path / "parts"
    parts.mkdir()
    for number, chosen in enumerate((names[::2], names[1::2]), start=1):
        written(tmp_path / "one", {n: BASE[n] for n in chosen})
        place = parts / f"model-0000{number}-of-00002.safetensors"
        (tmp_path / "one" / "model.safetensors").rename(place)
    written(tmp_path / "one", {"x": BASE[names[0]]})
    (tmp_path / "one" / "model.safetensors").rename(parts / "extra.safetensors")
    found = read_sample(opened(parts).reader, opened(parts).headers)
    reference = read_sample(whole.reader, whole.headers)
    assert [b.data for b in found.blocks] == [b.data for b in reference.blocks]
    assert any("extra.safetensors" in reason for reason in found.not_assessed)


def test_what_was_read_is_counted(tmp_path: Path) -> None:
    weights = opened(written(tmp_path / "it", drawn(llama(v=4000), 1)))
    before = weights.reader.count.bytes
    sample = read_sample(weights.reader, weights.headers)
    header = weights.headers["model.safetensors"].data_start
    assert sample.read == weights.reader.count.bytes - before + header
    assert sample.total == (tmp_path / "it" / "model.safetensors").stat().st_size
    assert sample.read < sample.total / 2


@given(place=st.integers(0, 3000), value=st.integers(0, 255), cut=st.integers(0, 5000))
@settings(max_examples=60, deadline=None)
def test_any_changed_header_gives_a_fact(
    place: int, value: int, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x")
    base: Weights = opened(written(folder / "base", BASE))
    file = written(folder / "it", BASE) / "model.safetensors"
    raw = bytearray(file.read_bytes())
    raw[place % len(raw)] = value
    file.write_bytes(bytes(raw[: len(raw) - cut % 3]))
    (found,) = compare_weights(opened(folder / "it"), [base])
    assert found.decision in {"related", "not decided"}


STRANGER = drawn(SHAPES, 7)


def same(one: Path, other: Path) -> bool:
    """Say whether the models in two folders are sampled alike."""
    blocks = [
        [b.data for b in read_sample(w.reader, w.headers).blocks]
        for w in (opened(one), opened(other))
    ]
    return blocks[0] == blocks[1]


@pytest.mark.parametrize(
    "place",
    ["assets/weights.safetensors", "extra.safetensors", "text_encoder/model.safetensors",
     "model-00001-of-00001.safetensors", "model-00001-of-00002.safetensors"],
)  # fmt: skip
def test_a_larger_file_that_no_loader_takes_first_is_not_the_model(
    place: str, tmp_path: Path
) -> None:
    import numpy as np

    folder = written(tmp_path / "it", BASE)
    larger = {**STRANGER, "pad.weight": np.zeros((999, 97), np.float32)}
    (folder / place).parent.mkdir(exist_ok=True)
    (written(tmp_path / "larger", larger) / "model.safetensors").rename(folder / place)
    assert same(folder, written(tmp_path / "base", BASE))
    weights = opened(folder)
    told = read_sample(weights.reader, weights.headers).not_assessed
    assert any(place in reason for reason in told)


@pytest.mark.parametrize("part", ["transformer", "unet", "prior"])
def test_a_pipeline_is_what_generates_and_not_its_text_encoder(part: str, tmp_path: Path) -> None:
    name = f"{part}/diffusion_pytorch_model.safetensors"
    for path, own in (("one", BASE), ("other", STRANGER)):
        for place, weights in (
            (name, own),
            ("text_encoder/model.safetensors", drawn(llama(v=900), 5)),
        ):
            (tmp_path / path / place).parent.mkdir(parents=True)
            (written(tmp_path / "x", weights) / "model.safetensors").rename(tmp_path / path / place)
    assert same(tmp_path / "one", written(tmp_path / "alone", BASE))
    (found,) = compare_weights(opened(tmp_path / "one"), [opened(tmp_path / "other")])
    assert found.decision != "related"


def test_a_tensor_that_stands_twice_decides_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "it"
    folder.mkdir()
    for number, weights in enumerate((STRANGER, BASE), start=1):
        place = folder / f"model-0000{number}-of-00002.safetensors"
        (written(tmp_path / "x", weights) / "model.safetensors").rename(place)
    base = opened(written(tmp_path / "base", BASE))
    for suspect, candidate in ((opened(folder), base), (base, opened(folder))):
        (found,) = compare_weights(suspect, [candidate])
        assert found.decision == "not decided"
        assert "stands in 2 files" in found.reason
