import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_flow.analysis.lineage import arrays
from audit_flow.analysis.lineage.plan import sampling_plan
from audit_flow.analysis.lineage.roles import Stored, layout_of
from tests.lineage_models import llama, planned_bytes, stored

LARGE = {
    "8B": llama(4096, 14336, 128256, 32, 1024),
    "70B": llama(8192, 28672, 128256, 80, 1024),
    "405B": llama(16384, 53248, 128256, 126, 1024),
}


@pytest.mark.parametrize("name", LARGE)
def test_at_most_eighteen_megabytes_are_read_and_enough_for_every_test(name: str) -> None:
    plan = sampling_plan(layout_of(stored(LARGE[name])))
    assert sum(w.size for w in plan) <= 18_000_000
    rows = {w.role: len(w.rows) for w in plan}
    assert rows["embedding"] >= 40
    assert rows["hidden"] >= 24
    assert rows["residual"] >= 24


@given(
    d=st.integers(1, 300), f=st.integers(1, 900), v=st.integers(1, 3000),
    layers=st.integers(0, 6), budget=st.integers(0, 500_000),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_ranges_lie_within_their_tensor_and_the_budget(
    d: int, f: int, v: int, layers: int, budget: int
) -> None:
    shapes = llama(d, f, v, layers, max(1, d // 2))
    plan = sampling_plan(layout_of(stored(shapes)), budget)
    assert sum(w.size for w in plan) <= budget
    for wanted in plan:
        position = wanted.tensor.begin
        for begin, size in wanted.ranges():
            assert position <= begin
            assert begin + size <= wanted.tensor.end
            assert size > 0
            position = begin + size
        assert sum(size for _, size in wanted.ranges()) == wanted.size
        assert (np.diff(wanted.rows) > 0).all()


def test_a_model_with_a_longer_vocabulary_shares_most_sampled_rows() -> None:
    plans = [sampling_plan(layout_of(stored(llama(v=v)))) for v in (32_000, 32_128)]
    rows = [{w.tensor.name: set(map(int, w.rows)) for w in p} for p in plans]
    name = "model.embed_tokens.weight"
    assert len(rows[0][name] & rows[1][name]) > 0.9 * len(rows[0][name])


def test_rows_too_long_for_the_budget_are_left_out() -> None:
    assert planned_bytes({"a": (1 << 19, 1 << 30), "n": (1 << 19,)}) <= 18_000_000


@given(
    count=st.integers(0, 5000), wanted=st.integers(0, 700), salt=st.integers(0, 50),
    at_once=st.integers(1, 900),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_rows_are_those_of_the_least_marks_in_however_many_pieces(
    count: int, wanted: int, salt: int, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "_AT_ONCE", at_once)
        found = arrays.chosen(count, wanted, salt)
    numbers = np.arange(count, dtype=np.int64)
    least = np.argsort(arrays.mixed(numbers, salt), kind="stable")[:wanted]
    assert found.tolist() == (numbers if count <= wanted else np.sort(least)).tolist()


@pytest.mark.parametrize("names", ["long", "many numbers"])
def test_names_and_rows_of_any_size_take_little_memory(names: str) -> None:
    """They come out of headers that a stranger wrote."""
    text = ("." + "1." * 500_000) if names == "many numbers" else "a" * 1_000_000
    tensors = [
        Stored(f"{n}{text}", "BF16", (2**26, 16), "model.safetensors", 0, 2**31) for n in range(20)
    ]
    tracemalloc.start()
    try:
        sampling_plan(layout_of(tensors))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Beside the names, which were there before.
    assert most < 150_000_000
