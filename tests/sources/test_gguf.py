"""GGUF files: read by ranges, decoded by the gguf package, and refused where they lie."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.analysis.lineage import ggml, roles
from audit_flow.analysis.lineage.decode import decoded
from audit_flow.collectors.weight_comparison import Known, Weights, compare_weights
from audit_flow.errors import EvidenceError
from audit_flow.sources.fingerprint import read_fingerprint, write_fingerprint
from audit_flow.sources.folder import Folder
from audit_flow.sources.gguf_model import gguf_model
from audit_flow.sources.ranges import LocalRanges
from audit_flow.sources.weight_samples import read_sample
from benchmarks.lineage.gguf_files import K_QUANTS, QUANTIZED, as_gguf, k_quantized
from tests.lineage_models import changed, drawn, llama, opened, written

SHAPES = llama(256, 768, 1024, 2, 128)
BASE, STRANGER = drawn(SHAPES, 1), drawn(SHAPES, 2)
ALL = (*QUANTIZED, *K_QUANTS, "F16", "BF16", "F32")


def reader_of(folder: Path) -> LocalRanges:
    return LocalRanges(Folder.at(folder))


def packed(folder: Path, kind: str, seed: int = 1, name: str = "model.gguf") -> Weights:
    folder.mkdir(parents=True, exist_ok=True)
    as_gguf(folder / name, drawn(SHAPES, seed), kind)
    return Weights(folder.name, reader_of(folder), {})


def test_the_table_of_types_is_ggmls() -> None:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    for number, (name, block, size) in ggml.TYPES.items():
        assert GGMLQuantizationType(number).name == name
        assert GGML_QUANT_SIZES[GGMLQuantizationType(number)] == (block, size)
    for name in ggml.BLOCKS:
        raw = np.random.default_rng(1).integers(0, 256, 3 * ggml.BLOCKS[name], np.uint8)
        assert decoded(raw.tobytes(), name).size % 32 == 0


@pytest.mark.parametrize("kind", sorted(K_QUANTS))
def test_our_packer_agrees_with_their_reader(kind: str) -> None:
    values = np.random.default_rng(3).standard_normal((4, 512)).astype(np.float32)
    back = decoded(k_quantized(values, kind), kind).reshape(values.shape)
    bits = {"Q4_K": 4, "Q6_K": 6}[kind]
    assert np.abs(back - values).max() < 8 / 2**bits
    assert np.corrcoef(back.ravel(), values.ravel())[0, 1] > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_the_base_is_found_through_it_and_a_stranger_is_not(kind: str, tmp_path: Path) -> None:
    base = opened(written(tmp_path / "base", BASE, "BF16"))
    other = opened(written(tmp_path / "other", STRANGER, "BF16"))
    found = {c.candidate: c for c in compare_weights(packed(tmp_path / "it", kind), [base, other])}
    tests = {t.name: t.hits for t in found["base"].tests}
    assert (found["base"].decision, found["base"].basis) == ("related", "exact")
    assert min(tests["hidden-unit-profiles"], tests["residual-profiles"]) >= 20
    assert tests["embedding-columns"] > 200
    assert found["base"].not_assessed == ()
    assert found["other"].decision != "related"
    change = found["base"].change
    assert change
    assert change.kind == ("unknown" if kind in ggml.BLOCKS else "identical")


@pytest.mark.slow
def test_a_fingerprint_of_it_stands_for_it(tmp_path: Path) -> None:
    weights = packed(tmp_path / "it", "Q4_0")
    child = opened(written(tmp_path / "child", changed(BASE, 0.2, 5)))
    raw = write_fingerprint(read_sample(weights.reader, {}), "it")
    known = Known("it", read_fingerprint(raw, "x"), "x")
    (direct,), (through,) = compare_weights(child, [weights]), compare_weights(child, [known])
    about = {"from_fingerprint", "sha256", "source", "trust", "origin"}
    assert through.model_dump(exclude=about) == direct.model_dump(exclude=about)
    assert through.decision == "related"
    assert len(raw) < 25_000_000


@pytest.mark.slow
def test_the_parent_is_told_through_quantisation(tmp_path: Path) -> None:
    rival = changed(BASE, 0.3, 4)
    bases = [opened(written(tmp_path / n, w, "BF16")) for n, w in (("a", BASE), ("b", rival))]
    for kind in ("Q8_0", "Q4_0", "Q6_K"):
        (tmp_path / kind).mkdir()
        as_gguf(tmp_path / kind / "x.gguf", changed(rival, 0.1, 6), kind)
        found = compare_weights(Weights("it", reader_of(tmp_path / kind), {}), bases)
        assert {c.candidate: c.parent for c in found} == {"a": "other", "b": "this"}


def test_without_the_package_it_is_not_assessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "is_readable", lambda dtype: dtype == "F32")
    base = opened(written(tmp_path / "base", BASE))
    monkeypatch.setattr(roles, "is_readable", lambda dtype: dtype == "F32")
    (found,) = compare_weights(packed(tmp_path / "it", "Q4_0"), [base])
    assert found.decision == "not decided"
    assert any("audit-flow[gguf]" in reason for reason in found.not_assessed)


def test_the_largest_model_is_taken_and_the_others_are_named(tmp_path: Path) -> None:
    packed(tmp_path, "Q4_0", name="small.gguf")
    packed(tmp_path, "Q8_0", name="large.gguf")
    found = gguf_model(reader_of(tmp_path))
    assert found
    assert {t.file for t in found.tensors} == {"large.gguf"}
    assert found.others == ("1 other weight files, such as small.gguf",)


def test_a_long_vocabulary_is_read_in_steps(tmp_path: Path) -> None:
    as_gguf(tmp_path / "x.gguf", BASE, "Q8_0", words=200_000)
    reader = reader_of(tmp_path)
    sample = read_sample(reader, {})
    assert sample.blocks
    assert sample.read == reader.count.bytes
    assert 2_000_000 < reader.count.bytes < reader.sizes["x.gguf"]


def header(**changes: object) -> bytes:
    given = {"magic": b"GGUF", "version": 3, "count": 1, "settings": b"", "number": 0,
             "shape": (32, 4), "kind": 0, "offset": 0, "name": b"x"} | changes  # fmt: skip
    shape = given["shape"]
    assert isinstance(shape, tuple)
    head = given["magic"] + struct.pack("<IQQ", given["version"], given["count"], given["number"])  # type: ignore[operator]
    entry = struct.pack("<Q", len(given["name"])) + given["name"]  # type: ignore[arg-type, operator]
    entry += struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    entry += struct.pack("<IQ", given["kind"], given["offset"])
    raw: bytes = head + given["settings"] + entry
    return raw


ENDLESS = struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 8, 1 << 40)
NESTED = struct.pack("<Q", 1) + b"a" + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 20
HOSTILE = {
    "another format": {"magic": b"GGML"}, "version 1": {"version": 1},
    "a big-endian machine": {"version": 3 << 24},
    "endless tensors": {"count": 1 << 60}, "endless settings": {"number": 1 << 60},
    "an endless array": {"number": 1, "settings": ENDLESS},
    "arrays in arrays": {"number": 1, "settings": NESTED},
    "a kind unheard of": {"number": 1, "settings": struct.pack("<Q", 1) + b"a\x63\0\0\0"},
    "a huge shape": {"shape": (1 << 39, 1 << 39)}, "an empty axis": {"shape": (32, 0)},
    "no axes": {"shape": ()}, "many axes": {"shape": (1,) * 9},
    "beyond the end": {"offset": 1 << 40}, "unaligned": {"offset": 1},
    "half a block": {"kind": 12, "shape": (32, 4)}, "fewer bytes": {"shape": (32, 4000)},
    "tensors that are not there": {"count": 5}, "a long name": {"name": b"x" * 5000},
}  # fmt: skip


@pytest.mark.parametrize("changes", HOSTILE.values(), ids=HOSTILE)
def test_a_header_that_does_not_describe_its_file_is_refused(
    changes: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "x.gguf").write_bytes(header(**changes) + bytes(1024))
    with pytest.raises(EvidenceError):
        gguf_model(reader_of(tmp_path))


def test_tensors_over_each_other_or_of_one_name_are_refused(tmp_path: Path) -> None:
    one = header()[24:]
    for second in (one, one.replace(b"x", b"y")):
        (tmp_path / "x.gguf").write_bytes(header(count=2) + second + bytes(2048))
        with pytest.raises(EvidenceError):
            gguf_model(reader_of(tmp_path))
    (tmp_path / "x.gguf").write_bytes(header() + bytes(1024))
    assert gguf_model(reader_of(tmp_path))


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = tmp_path_factory.mktemp("gguf") / "x.gguf"
    as_gguf(place, drawn(llama(32, 64, 64, 1, 32), 1), "Q4_0")
    return place.read_bytes()


@given(place=st.integers(0, 2000), value=st.integers(0, 255), keep=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_any_changed_file_is_refused_or_read(
    raw: bytes, place: int, value: int, keep: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("x")
    broken = bytearray(raw)
    broken[place % len(raw)] = value
    for data in (bytes(broken), raw[: int(keep * len(raw))]):
        (folder / "x.gguf").write_bytes(data)
        with suppress(EvidenceError):
            read_sample(reader_of(folder), {})
