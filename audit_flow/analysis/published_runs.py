"""How fast published training runs went: tokens a second on each GPU.

Figures are those that the publishers state: a rate, or tokens over GPU-hours, or operations a
second over 6 operations a parameter. Some count all hours of a project, with what failed.
"""

from __future__ import annotations

from dataclasses import dataclass

from audit_flow.analysis.accelerators import Accelerator, find_accelerator


@dataclass(frozen=True)
class PublishedRun:
    """A run: parameters that a token meets, its GPU, tokens a second on each, and who says so."""

    name: str
    parameters: float
    gpu: str
    rate: float
    source: str


def _counted(
    name: str, parameters: float, gpu: str, tokens: float, hours: float, source: str
) -> PublishedRun:
    return PublishedRun(name, parameters, gpu, tokens / (hours * 3600), source)


def _computed(name: str, parameters: float, gpu: str, flops: float, source: str) -> PublishedRun:
    return PublishedRun(name, parameters, gpu, flops / (6 * parameters), source)


_PYTHIA = "Biderman et al. 2023, arXiv:2304.01373, GPU-hours of each model"
_LLAMA = "Touvron et al. 2023, arXiv:2302.13971, table 15"
_LLAMA2 = "Touvron et al. 2023, arXiv:2307.09288, table 2"
_LLAMA3 = "model card of Llama 3.1, training GPU-hours and tokens (15T+)"
PUBLISHED: tuple[PublishedRun, ...] = (
    _counted("Pythia 70M", 7.0e7, "A100", 3.0e11, 510, _PYTHIA),
    _counted("Pythia 160M", 1.6e8, "A100", 3.0e11, 1_030, _PYTHIA),
    _counted("Pythia 410M", 4.1e8, "A100", 3.0e11, 2_540, _PYTHIA),
    _counted("Pythia 1B", 1.0e9, "A100", 3.0e11, 4_830, _PYTHIA),
    _counted("Pythia 1.4B", 1.4e9, "A100", 3.0e11, 7_120, _PYTHIA),
    _counted("Pythia 2.8B", 2.8e9, "A100", 3.0e11, 14_240, _PYTHIA),
    _counted("Pythia 6.9B", 6.9e9, "A100", 3.0e11, 33_500, _PYTHIA),
    _counted("Pythia 12B", 1.2e10, "A100", 3.0e11, 72_300, _PYTHIA),
    PublishedRun("TinyLlama 1.1B", 1.1e9, "A100", 24_000, "Zhang et al. 2024, arXiv:2401.02385"),
    _counted("LLaMA 7B", 6.7e9, "A100", 1.0e12, 82_432, _LLAMA),
    _counted("LLaMA 13B", 1.3e10, "A100", 1.0e12, 135_168, _LLAMA),
    _counted("LLaMA 33B", 3.25e10, "A100", 1.4e12, 530_432, _LLAMA),
    _counted("LLaMA 65B", 6.52e10, "A100", 1.4e12, 1_022_362, _LLAMA),
    _counted("Llama 2 7B", 6.7e9, "A100", 2.0e12, 184_320, _LLAMA2),
    _counted("Llama 2 13B", 1.3e10, "A100", 2.0e12, 368_640, _LLAMA2),
    _counted("Llama 2 34B", 3.4e10, "A100", 2.0e12, 1_038_336, _LLAMA2),
    _counted("Llama 2 70B", 6.9e10, "A100", 2.0e12, 1_720_320, _LLAMA2),
    _computed("GPT-NeoX 20B", 2.06e10, "A100", 117e12, "Black et al. 2022, arXiv:2204.06745"),
    _computed("OPT 175B", 1.75e11, "A100", 147e12, "Zhang et al. 2022, arXiv:2205.01068"),
    _counted(
        "BLOOM 176B", 1.76e11, "A100", 3.66e11, 1_082_990, "Le Scao et al. 2022, arXiv:2211.05100"
    ),
    _counted("Llama 3.1 8B", 8.0e9, "H100", 1.5e13, 1_460_000, _LLAMA3),
    _counted("Llama 3.1 70B", 7.06e10, "H100", 1.5e13, 7_000_000, _LLAMA3),
    _counted("Llama 3.1 405B", 4.05e11, "H100", 1.5e13, 30_840_000, _LLAMA3),
    PublishedRun(
        "OLMoE 1B-7B", 1.3e9, "H100", 23_600, "Muennighoff et al. 2024, arXiv:2409.02060"
    ),
    _counted(
        "DeepSeek-V3", 3.7e10, "H800", 1.48e13, 2_664_000,
        "DeepSeek-AI 2024, arXiv:2412.19437, table 1",
    ),
    PublishedRun(
        "PaLM 540B", 5.4e11, "TPU v4", 238_300 / 6144, "Chowdhery et al. 2022, arXiv:2204.02311"
    ),
)  # fmt: skip


@dataclass(frozen=True)
class UsualRate:
    """Between which rates published runs of a like size went, in tokens a second on each GPU."""

    low: float
    high: float
    runs: tuple[PublishedRun, ...]


def usual_rate(parameters: float, chip: Accelerator, within: float) -> UsualRate | None:
    """Return the rates of published runs, as they would be of these parameters on this GPU.

    Of the runs whose parameters are at most ``within`` times more or fewer, those on the same kind
    of GPU, else all of them; each is scaled by parameters and by the GPU's peak in BF16. None
    where no published run is of a like size.
    """
    near = [r for r in PUBLISHED if 1 / within <= r.parameters / parameters <= within]
    same = [r for r in near if find_accelerator(r.gpu) == chip]
    chosen = tuple(same or near)
    rates = [r.rate * r.parameters / parameters * _faster(r, chip) for r in chosen]
    return UsualRate(min(rates), max(rates), chosen) if rates else None


def _faster(run: PublishedRun, chip: Accelerator) -> float:
    other = find_accelerator(run.gpu)
    return chip.peak("bf16") / other.peak("bf16") if other else 1.0
