"""Published throughput: figures that can be true, and intervals that hold their own runs."""

from __future__ import annotations

import pytest

from audit_flow.analysis.accelerators import find_accelerator
from audit_flow.analysis.published_runs import PUBLISHED, PublishedRun, usual_rate


@pytest.mark.parametrize("run", PUBLISHED, ids=lambda r: r.name)
def test_each_figure_can_be_true(run: PublishedRun) -> None:
    chip = find_accelerator(run.gpu)
    assert chip is not None
    assert 0.05 < 6 * run.parameters * run.rate / chip.peak("bf16") < 0.65


@pytest.mark.parametrize("run", PUBLISHED, ids=lambda r: r.name)
def test_the_interval_of_a_run_holds_it(run: PublishedRun) -> None:
    chip = find_accelerator(run.gpu)
    assert chip is not None
    usual = usual_rate(run.parameters, chip, 3)
    assert usual is not None
    assert usual.low <= run.rate * 1.0001
    assert usual.high >= run.rate * 0.9999
    assert run in usual.runs


def test_without_a_run_of_like_size_there_is_nothing_to_compare() -> None:
    chip = find_accelerator("Tesla K80")
    assert chip is not None
    assert usual_rate(3e5, chip, 3) is None


def test_another_gpu_is_scaled_by_its_peak() -> None:
    chip = find_accelerator("V100")
    a100 = find_accelerator("A100")
    assert chip
    assert a100
    (run,) = [r for r in PUBLISHED if r.name == "Pythia 160M"]
    usual = usual_rate(run.parameters, chip, 1.5)
    assert usual is not None
    assert usual.runs == (run,)
    assert usual.low == usual.high == pytest.approx(run.rate * chip.half / a100.half)
