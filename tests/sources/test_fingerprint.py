from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.collectors.weight_comparison import Known, compare_weights
from audit_flow.errors import EvidenceError
from audit_flow.sources.fingerprint import MAX_BYTES, read_fingerprint, write_fingerprint
from audit_flow.sources.weight_samples import read_sample
from tests.lineage_models import changed, drawn, llama, opened, sampled, stored, written

SHAPES = llama(32, 48, 96, 2, 16)
BASE = drawn(SHAPES, 1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    sample = sampled(tmp_path_factory.mktemp("base"), BASE, "BF16")
    return write_fingerprint(sample, "acme/base", "0" * 40)


@pytest.mark.slow
def test_a_fingerprint_stands_for_its_model(tmp_path: Path) -> None:
    shapes = llama()
    base, child = drawn(shapes, 1), drawn(shapes, 1)
    weights = opened(written(tmp_path / "base", base, "BF16"))
    raw = write_fingerprint(read_sample(weights.reader, weights.headers), "base")
    known = Known("base", read_fingerprint(raw, "base.fingerprint"), "base.fingerprint")
    for suspect in (changed(child, 0.4, 3), drawn(shapes, 9)):
        it = opened(written(tmp_path / "it", suspect))
        (direct,), (through,) = compare_weights(it, [weights]), compare_weights(it, [known])
        assert through.from_fingerprint
        assert through.sha256
        about = {"from_fingerprint", "sha256", "source", "trust", "origin"}
        assert through.model_dump(exclude=about) == direct.model_dump(exclude=about)


def test_it_is_the_same_every_time_and_says_what_it_is(raw: bytes) -> None:
    found = read_fingerprint(raw, "x")
    assert (found.model, found.revision) == ("acme/base", "0" * 40)
    assert write_fingerprint(found.sample, found.model, found.revision) == raw


@given(place=st.integers(0, 10**6), value=st.integers(0, 255), keep=st.floats(0, 1))
@settings(max_examples=300, deadline=None)
def test_a_changed_file_is_refused_or_read(raw: bytes, place: int, value: int, keep: float) -> None:
    broken = bytearray(raw)
    broken[place % len(raw)] = value
    for data in (bytes(broken), raw[: int(keep * (len(raw) - 1))]):
        with suppress(EvidenceError):
            read_fingerprint(data, "x")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"fingerprint/v1", b"fingerprint/v2"),
        (b'\\"rows\\":[0,1', b'\\"rows\\":[1,0'),
        (b'\\"role\\":\\"hidden', b'\\"role\\":\\"hidde_'),
        (b'\\"width\\":32', b'\\"width\\":33'),
        (b'"dtype":"BF16"', b'"dtype":"I16 "'),
        (b'\\"units\\":48', b'\\"units\\":-8'),
    ],
)
def test_other_facts_are_refused(raw: bytes, old: bytes, new: bytes) -> None:
    assert old in raw
    with pytest.raises(EvidenceError):
        read_fingerprint(raw.replace(old, new, 1), "x")


def test_a_fingerprint_of_a_large_model_is_small() -> None:
    from audit_flow.analysis.lineage.plan import sampling_plan
    from audit_flow.analysis.lineage.roles import layout_of

    plan = sampling_plan(layout_of(stored(llama(8192, 28672, 128256, 80, 1024))))
    assert sum(w.size for w in plan) + 200 * len(plan) * 8 < MAX_BYTES


def test_a_model_without_matrices_has_none(tmp_path: Path) -> None:
    sample = sampled(tmp_path, {"norm.weight": BASE["model.norm.weight"]})
    with pytest.raises(EvidenceError, match="no matrix"):
        write_fingerprint(sample, "x")
