"""Whether a training run can be true: floating-point operations against what the machines can do.

Sources: training takes about 6 operations for each parameter and token, 2 forward and 4 backward
(Kaplan et al. 2020, arXiv:2001.08361, section 2.1; Hoffmann et al. 2022, arXiv:2203.15556,
appendix F); only the parameters that a token meets count in a mixture of experts. With frozen
weights (adapters) the backward pass computes no gradients of them: 4 operations. Model-FLOPs
utilisation as in Chowdhery et al. 2022, arXiv:2204.02311, appendix B: dense published runs lie
between 0.2 and 0.6 of the peak; none lies above about 0.65.
"""

from __future__ import annotations

from dataclasses import dataclass

FULL, FROZEN = 6.0, 4.0
# A figure that a log rounds, or a bar that stops a moment before the end.
_RELATIVE = 0.02


@dataclass(frozen=True)
class Interval:
    """A quantity that is known to lie between two values."""

    low: float
    high: float

    def __mul__(self, other: Interval) -> Interval:
        return Interval(self.low * other.low, self.high * other.high)

    def __truediv__(self, other: float) -> Interval:
        return Interval(self.low / other, self.high / other)

    def written(self) -> str:
        """Return both ends for people, once if they are the same."""
        low, high = f"{self.low:.3g}", f"{self.high:.3g}"
        return low if low == high else f"{low} to {high}"


def exactly(value: float) -> Interval:
    """Return a quantity that is known."""
    return Interval(value, value)


def training_flops(active: int, looked_up: int, tokens: Interval, frozen: bool) -> Interval:
    """Return the operations of training on tokens.

    ``active`` are the parameters that a token meets, ``looked_up`` those among them of an input
    embedding, which multiply nothing; the low end leaves them out.
    """
    per_token = Interval((FROZEN if frozen else FULL) * (active - looked_up), FULL * active)
    return per_token * tokens


def utilisation(flops: Interval, gpu_hours: float, peak: float) -> Interval | None:
    """Return the share of the machines' peak (FLOP/s each) that the operations took.

    None for no GPU-hours at all: then no share is enough.
    """
    able = gpu_hours * 3600 * peak
    return flops / able if able > 0 else None


def run_tokens(steps: int, global_batch: int, sequence_length: int) -> float:
    """Return the most tokens that steps of full sequences hold."""
    return float(steps) * global_batch * sequence_length


def steps_of_epochs(examples: int, global_batch: int, epochs: float, world_size: int) -> Interval:
    """Return the optimizer steps that epochs over examples take, whoever rounds what.

    Trainers round to whole batches for each process, accumulation and epoch, up or down.
    """
    each = examples / global_batch
    slack = max(1.0, world_size / global_batch) + each * 0.001
    rounds = max(1.0, epochs)
    return Interval(
        max(0.0, epochs * each - rounds * slack - 1), epochs * each + rounds * slack + 1
    )


def close(one: float, other: float, relative: float = _RELATIVE) -> bool:
    """Say whether two figures agree but for rounding."""
    return abs(one - other) <= relative * max(abs(one), abs(other))


def most_steps(steps: int, interval: int | None) -> int:
    """Return how many steps may have been done, of which only each interval's last is logged.

    Counters begin with 0 or with 1. Without an interval steps were counted, and are as they are.
    """
    return steps if interval is None else steps + interval + 1


def label_fits(tokens: float, unit: float, computed: float) -> bool:
    """Say whether a checkpoint's name states its tokens, rounded up, down or to the nearest."""
    return abs(tokens - computed) < unit * 1.0001
