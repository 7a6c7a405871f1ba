from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audit_flow.analysis.lineage.decide import judge_lineage
from audit_flow.analysis.lineage.method import rank_above_rounding
from benchmarks.lineage import derivatives as made
from benchmarks.lineage.tensors import Weights, bf16
from tests.lineage_models import changed, drawn, llama, sampled

SHAPES = llama()
FIRST = drawn(SHAPES, 1)
SECOND = changed(FIRST, 0.3, 2)


def duel(tmp_path: Path, suspect: Weights, dtype: str = "F32") -> tuple[str | None, float]:
    candidates = {
        "first": sampled(tmp_path / "first", FIRST, dtype),
        "second": sampled(tmp_path / "second", SECOND, dtype),
        "stranger": sampled(tmp_path / "stranger", drawn(SHAPES, 9), dtype),
    }
    found = judge_lineage(sampled(tmp_path / "it", suspect, dtype), candidates)
    assert found.comparisons["stranger"].decision == "not related"
    return min(found.parents, default=None), found.duels[0].share


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize("strength", [0.01, 0.3, 0.8])
@pytest.mark.parametrize("parent", ["first", "second"])
def test_the_true_parent_wins(parent: str, strength: float, dtype: str, tmp_path: Path) -> None:
    source = FIRST if parent == "first" else SECOND
    found, share = duel(tmp_path, changed(source, strength, 5), dtype)
    assert found == parent
    assert share == pytest.approx(float(parent == "second"), abs=0.25)


def test_a_sibling_of_both_has_no_parent_here(tmp_path: Path) -> None:
    origin = drawn(SHAPES, 1)
    siblings = {n: sampled(tmp_path / n, changed(origin, 0.3, k)) for k, n in enumerate("ab")}
    found = judge_lineage(sampled(tmp_path / "it", changed(origin, 0.3, 7)), siblings)
    assert not found.parents
    assert found.duels[0].share == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_linear_mixture_is_told_with_its_parts(share: float, tmp_path: Path) -> None:
    candidates = {
        "first": sampled(tmp_path / "a", FIRST),
        "second": sampled(tmp_path / "b", SECOND),
    }
    mixed = made.linear(FIRST, SECOND, share)
    found = judge_lineage(sampled(tmp_path / "it", mixed), candidates)
    assert found.duels[0].merge
    assert found.duels[0].raw == pytest.approx(share, abs=0.01)
    assert not found.parents


def test_relabelled_children_keep_their_parent(tmp_path: Path) -> None:
    child = changed(SECOND, 0.2, 5)
    for how in (made.residual_permuted, made.rotated, made.hidden_permuted):
        found, _ = duel(tmp_path, how("llama", child))
        assert found == "second", how.__name__


def adapted(base: Weights, rank: int) -> Weights:
    rng = np.random.default_rng(4)
    result = dict(base)
    for name, values in base.items():
        if "proj" in name:
            up, down = (
                rng.standard_normal((values.shape[0], rank)),
                rng.standard_normal((rank, values.shape[1])),
            )
            result[name] = values + (0.01 * up @ down).astype(np.float32)
    return result


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize("rank", [1, 4, 10])
def test_the_rank_of_an_adapter_is_told(rank: int, dtype: str, tmp_path: Path) -> None:
    base = {n: bf16(v) for n, v in FIRST.items()}
    parent = {"base": sampled(tmp_path / "base", base, dtype)}
    found = judge_lineage(sampled(tmp_path / "it", adapted(base, rank), dtype), parent)
    change = found.changes["base"]
    assert (change.kind, change.rank) == ("low-rank", rank)
    assert change.equal_vectors == change.vectors > 0


def test_a_copy_is_identical_and_a_full_change_is_full(tmp_path: Path) -> None:
    parent = {"base": sampled(tmp_path / "base", FIRST)}
    copy = judge_lineage(sampled(tmp_path / "copy", FIRST, "F32"), parent)
    assert copy.changes["base"].kind == "identical"
    tuned = judge_lineage(sampled(tmp_path / "it", changed(FIRST, 0.01, 3)), parent)
    assert tuned.changes["base"].kind == "full"
    # Norms as they were do not make a full change one of low rank.
    frozen = {n: FIRST[n] if v.ndim == 1 else v for n, v in changed(FIRST, 0.01, 3).items()}
    assert judge_lineage(sampled(tmp_path / "f", frozen), parent).changes["base"].kind == "full"


def test_what_rounding_alone_changes_has_no_rank() -> None:
    rng = np.random.default_rng(1)
    exact = rng.standard_normal((48, 96)).astype(np.float32)
    assert rank_above_rounding(bf16(exact), exact, 7) is None
    assert rank_above_rounding(exact, exact, 23) is None


TUNES: dict[str, Callable[[Weights], Weights]] = {
    "all was trained": lambda w: changed(w, 0.15, 5),
    "an adapter was merged": lambda w: adapted(w, 8),
    "rare tokens were left alone": lambda w: {
        n: np.concatenate([v[:200], w[n][200:]]) if n.startswith("model.embed") else v
        for n, v in changed(w, 0.15, 5).items()
    },
}
MIRRORS = [("F32", "BF16"), ("F16", "BF16"), ("F32", "F16")]


@pytest.mark.slow
@pytest.mark.parametrize("tune", TUNES)
@pytest.mark.parametrize(("theirs", "mirrored"), MIRRORS)
def test_a_cast_copy_of_the_base_is_no_rival(
    tune: str, theirs: str, mirrored: str, tmp_path: Path
) -> None:
    # Whoever trains in a coarse type begins from the rounded numbers, which a mirror holds as well.
    child = TUNES[tune]({n: bf16(v) for n, v in FIRST.items()} if mirrored == "BF16" else FIRST)
    candidates = {
        "base": sampled(tmp_path / "base", FIRST, theirs),
        "mirror": sampled(tmp_path / "mirror", FIRST, mirrored),
        "rival": sampled(tmp_path / "rival", SECOND, theirs),
    }
    found = judge_lineage(sampled(tmp_path / "it", child, mirrored), candidates)
    assert {c.decision for c in found.comparisons.values()} == {"related"}
    # Nothing tells the two apart, and both are told from a rival.
    assert found.parents == {"base", "mirror"}
    assert not [d for d in found.duels if {d.first, d.second} == {"base", "mirror"}]
    assert {d.winner for d in found.duels} == {"base", "mirror"}


@pytest.mark.parametrize("strength", [0.003, 0.01, 0.1])
@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_a_light_fine_tune_is_no_cast_copy(strength: float, dtype: str, tmp_path: Path) -> None:
    tuned = changed(FIRST, strength, 4)
    candidates = {
        "first": sampled(tmp_path / "a", FIRST),
        "tuned": sampled(tmp_path / "b", tuned, dtype),
    }
    found = judge_lineage(sampled(tmp_path / "it", changed(tuned, 0.1, 5), dtype), candidates)
    # Steps that are finer than bfloat16, or far smaller than the last training, tell nothing.
    assert found.parents in ({"tuned"}, set() if strength < 0.1 else {"tuned"})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("drift", [0.5, 1.0])
def test_a_lightly_trained_sibling_is_not_the_parent(
    seed: int, drift: float, tmp_path: Path
) -> None:
    """Any training moves weights in some of the same directions: the light one went less far."""
    common = changed(FIRST, 1.0, 40 + seed)
    step = {n: v - FIRST[n] for n, v in common.items()}
    light, heavy = (
        changed({n: v + np.float32(far * drift) * step[n] for n, v in FIRST.items()}, far, own)
        for far, own in ((0.01, 50 + seed), (0.4, 60 + seed))
    )
    candidates = {"parent": sampled(tmp_path / "p", FIRST), "light": sampled(tmp_path / "l", light)}
    found = judge_lineage(sampled(tmp_path / "it", heavy), candidates)
    assert found.parents <= {"parent"}


COPIES: dict[str, Callable[[Weights], tuple[Weights, dict[str, str], str]]] = {
    "the same file": lambda w: (w, {}, "F32"),
    "bfloat16": lambda w: (w, {}, "BF16"),
    "float16": lambda w: (w, {}, "F16"),
    "8-bit floats": lambda w: (w, {}, "F8_E4M3"),
    "8-bit integers": lambda w: (*made.stored_int8(w), "F32"),
}


@pytest.mark.slow
@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("parent", ["first", "second"])
def test_a_copy_of_the_parent_hides_it_from_nobody(copy: str, parent: str, tmp_path: Path) -> None:
    source = {"first": FIRST, "second": SECOND}
    weights, dtypes, dtype = COPIES[copy](source[parent])
    candidates = {n: sampled(tmp_path / n, w) for n, w in source.items()}
    candidates["copy"] = sampled(tmp_path / "copy", weights, dtype, **dtypes)
    found = judge_lineage(sampled(tmp_path / "it", changed(source[parent], 0.1, 5)), candidates)
    assert parent in found.parents <= {parent, "copy"}


def test_few_bits_join_no_two_models(tmp_path: Path) -> None:
    """A coarse copy of one is near both: it stands beside the nearest, and they stay apart."""
    near = changed(FIRST, 0.05, 3)
    weights, dtypes = made.stored_int8(near)
    candidates = {
        "first": sampled(tmp_path / "a", FIRST),
        "near": sampled(tmp_path / "b", near),
        "coarse": sampled(tmp_path / "c", weights, **dtypes),
    }
    found = judge_lineage(sampled(tmp_path / "it", changed(near, 0.05, 5)), candidates)
    assert "near" in found.parents
    assert "first" not in found.parents


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("decay", "size"), [(0.6, 12), (0.7, 16), (0.85, 24), (1.0, 32)])
def test_a_light_full_fine_tune_in_bfloat16_has_no_rank(
    seed: int, decay: float, size: float, tmp_path: Path
) -> None:
    """Its spectrum goes down into the rounding, and ends nowhere."""
    rng = np.random.default_rng(seed)
    base = {n: bf16(v) for n, v in FIRST.items()}
    tuned = dict(base)
    for name in (n for n in base if "gate_proj" in n):
        values, count = base[name], min(base[name].shape)
        rows, columns = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in values.shape)
        sizes = size * 2.0**-9 * np.linalg.norm(values) / np.sqrt(count)
        spectrum = sizes * (1.0 + np.arange(count)) ** -decay
        step = (rows[:, :count] * spectrum) @ columns[:, :count].T
        tuned[name] = bf16((values + step).astype(np.float32))
    parent = {"base": sampled(tmp_path / "base", base, "BF16")}
    found = judge_lineage(sampled(tmp_path / "it", tuned, "BF16"), parent).changes["base"]
    assert found.kind in {"full", "unknown"}
