"""What a formula wrote, or one part alone, shows nothing about where a model comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audit_flow.analysis.lineage.decide import judge_lineage
from audit_flow.analysis.lineage.formulas import is_ordered, learned
from benchmarks.lineage import derivatives as made
from benchmarks.lineage.tensors import Weights
from tests.lineage_models import Shapes, changed, drawn, llama, sampled

Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
SHAPES = llama()
WIDTH = 64


def sinusoids(rows: int, width: int, together: bool = False, base: float = 10_000.0) -> Array:
    """Return a table of positions: "Attention is all you need", section 3.5.

    ``together`` puts all sines before all cosines, as some implementations do.
    """
    half = width // 2
    angles = np.arange(rows)[:, None] * base ** (-np.arange(half) / half)
    parts = [np.sin(angles), np.cos(angles)]
    table = np.concatenate(parts, 1) if together else np.stack(parts, -1).reshape(rows, width)
    return np.asarray(table, np.float32)


def smooth(rows: int, width: int, seed: int) -> Array:
    """Return positions as training leaves them: each row near the one before."""
    rng = np.random.default_rng(seed)
    walk = np.cumsum(rng.standard_normal((rows, width)), axis=0)
    return np.asarray(0.02 * (walk - walk.mean(0)) / walk.std(0), np.float32)


def encoder(seed: int, table: Array, width: int = WIDTH, layers: int = 3) -> Weights:
    """Return an encoder without tokens, such as one of sound, whose rows of positions are given."""
    shapes: Shapes = {"encoder.layer_norm.weight": (width,)}
    for n in range(layers):
        start = f"encoder.layers.{n}."
        shapes |= {f"{start}self_attn.{p}_proj.weight": (width, width) for p in "qkv"}
        shapes |= {start + "self_attn.out_proj.weight": (width, width),
                   start + "fc1.weight": (4 * width, width),
                   start + "fc2.weight": (width, 4 * width),
                   start + "final_layer_norm.weight": (width,)}  # fmt: skip
    return {**drawn(shapes, seed), "encoder.embed_positions.weight": table}


def padded(table: Array) -> Array:
    result = table.copy()
    result[1] = 0
    return result


TABLES: dict[str, Callable[[int], Array]] = {
    "interleaved": lambda _: sinusoids(1500, WIDTH),
    "sines, then cosines": lambda _: sinusoids(1500, WIDTH, together=True),
    "a row of zeros for padding": lambda _: padded(sinusoids(1500, WIDTH)),
    "another base": lambda _: sinusoids(700, WIDTH, base=500_000.0),
    "trained on a little": lambda seed: (
        sinusoids(1500, WIDTH)
        + np.float32(0.02)
        * np.random.default_rng(seed).standard_normal((1500, WIDTH), dtype=np.float32)
    ),
    "the same smooth table": lambda _: smooth(1024, WIDTH, 3),
}


@pytest.mark.parametrize("table", TABLES)
def test_the_same_positions_relate_no_two_models(table: str, tmp_path: Path) -> None:
    one, other = (
        sampled(tmp_path / str(seed), encoder(seed, TABLES[table](seed))) for seed in (1, 2)
    )
    found = judge_lineage(one, {"other": other}).comparisons["other"]
    assert found.decision != "related"
    # They are told apart from what they were drawn with, not passed over as a whole.
    assert judge_lineage(one, {"one": one}).comparisons["one"].decision == "related"


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_a_child_with_positions_is_still_found(table: str, tmp_path: Path) -> None:
    parent = encoder(1, TABLES[table](1))
    base = sampled(tmp_path / "base", parent)
    child = sampled(tmp_path / "child", changed(parent, 0.3, 5))
    assert judge_lineage(child, {"base": base}).comparisons["base"].decision == "related"


@pytest.mark.parametrize("seed", range(4))
def test_rows_of_tokens_and_units_are_in_no_order(seed: int, tmp_path: Path) -> None:
    weights = drawn(SHAPES, seed)
    rng = np.random.default_rng(seed)
    # As trained embeddings have them: a common part, few strong directions, rare tokens untouched.
    table = weights["model.embed_tokens.weight"]
    strong = rng.standard_normal((len(table), 4)) @ rng.standard_normal((4, WIDTH))
    table += (0.05 * strong + 0.3 * rng.standard_normal(WIDTH)).astype(np.float32)
    table[400:] = table[400]
    sample = sampled(tmp_path / "it", weights)
    assert learned(sample) is sample
    assert not any(is_ordered(b) for b in sample.blocks)


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    sample = sampled(tmp_path / "it", encoder(1, sinusoids(1500, WIDTH)))
    assert any("rows in order" in reason for reason in sample.not_assessed)
    assert learned(sample) is sample


def alone(buffer: Array, name: str = "buffer.weight") -> Callable[[int], Weights]:
    return lambda seed: {**drawn(SHAPES, seed), name: buffer}


SIGNS = np.where(np.random.default_rng(0).random(WIDTH) < 0.5, -1, 1).astype(np.float32)
BUFFERS: dict[str, Array] = {
    "a window": (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIDTH) / WIDTH)).astype(np.float32),
    "signs of a rotation": SIGNS,
    "frequencies, twice": np.tile(10_000.0 ** -(np.arange(32) / 32), 2).astype(np.float32),
    "a mask": np.tile(np.r_[np.ones(12), np.zeros(4)], 4).astype(np.float32),
    "somebody's norm": drawn({"x": (WIDTH,)}, 77)["x"],
}


@pytest.mark.parametrize("buffer", BUFFERS)
def test_one_equal_vector_relates_no_two_models(buffer: str, tmp_path: Path) -> None:
    for name in ("buffer.weight", "model.rotary.inv_freq", "model.layers.0.extra_norm.weight"):
        one, other = (
            sampled(tmp_path / str(seed), alone(BUFFERS[buffer], name)(seed)) for seed in (1, 2)
        )
        found = judge_lineage(one, {"other": other}).comparisons["other"]
        assert found.decision != "related", name


def test_the_base_models_norm_beside_ones_own_shows_nothing(tmp_path: Path) -> None:
    base = drawn(SHAPES, 2)
    decoy = {**drawn(SHAPES, 1), "norm_copy.weight": base["model.norm.weight"]}
    found = judge_lineage(
        sampled(tmp_path / "it", decoy), {"base": sampled(tmp_path / "base", base)}
    ).comparisons["base"]
    assert found.decision != "related"
    assert "only vectors" in found.reason


OTHER_FORMS: dict[str, Callable[[Weights], Weights]] = {
    "vocabulary and depth": lambda w: made.relayered(fewer_tokens(w), [0, 1]),
    "vocabulary and width of layers": lambda w: made.units_pruned("llama", fewer_tokens(w)),
}


def fewer_tokens(weights: Weights, rows: int = 300) -> Weights:
    """Return a model with a vocabulary of its own: other tokens, trained anew."""
    rng = np.random.default_rng(8)
    return {
        n: 0.05 * rng.standard_normal((rows, v.shape[1]), dtype=np.float32)
        if "embed_tokens" in n or "lm_head" in n else v
        for n, v in weights.items()
    }  # fmt: skip


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_independence_is_not_said_where_nothing_stands_for_the_same(
    form: str, tmp_path: Path
) -> None:
    base = drawn(SHAPES, 1)
    other = OTHER_FORMS[form](drawn(SHAPES, 2))
    child = OTHER_FORMS[form](made.rotated("llama", changed(base, 0.5, 5)))
    parent = sampled(tmp_path / "base", base)
    for name, weights in (("other", other), ("child", child)):
        found = judge_lineage(sampled(tmp_path / name, weights), {"base": parent})
        assert found.comparisons["base"].decision != "not related", name


def test_two_equal_vectors_are_no_relation_where_no_matrix_can_be_asked(tmp_path: Path) -> None:
    window = BUFFERS["a window"]
    shapes: Shapes = {f"conv.{n}.weight": (WIDTH, WIDTH) for n in range(4)}
    one, other = (
        sampled(tmp_path / str(seed), {
            **drawn(shapes, seed), "window": window, "mean": BUFFERS["somebody's norm"],
        })
        for seed in (1, 2)
    )  # fmt: skip
    assert judge_lineage(one, {"it": other}).comparisons["it"].decision != "related"


@pytest.mark.parametrize("layers", [2, 4, 6])
def test_a_frozen_tower_in_both_is_one_part(layers: int, tmp_path: Path) -> None:
    """Of models whose language parts were trained apart; the tower's layers are of one form."""
    tower = {
        n.replace("model.layers", "vision_tower.layers").replace("model.norm", "vision_norm"): v
        for n, v in drawn(llama(layers=layers), 50).items()
        if "embed" not in n and "lm_head" not in n
    }
    one, other = (
        sampled(tmp_path / str(seed), {**drawn(SHAPES, seed), **tower}) for seed in (1, 2)
    )
    found = judge_lineage(one, {"it": other}).comparisons["it"]
    assert found.decision != "related"
    child = sampled(tmp_path / "child", changed({**drawn(SHAPES, 2), **tower}, 0.3, 7))
    assert judge_lineage(child, {"it": other}).comparisons["it"].decision == "related"
