"""The third engine: hypothesis draws how a sample is spoilt, and shrinks what breaks a reader.

Every choice of the spoiler is one of hypothesis', so that the case it tells of is a small one.
"""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.engine import places, tried
from tests.fuzz.interface import MAX_CASE, Target
from tests.fuzz.sandbox import Sandbox

# Large draws are what spoiling is, and slow targets are slow by nature.
_CALM = (HealthCheck.data_too_large, HealthCheck.too_slow, HealthCheck.large_base_example)


def search(target: Target, cases: int, root: Path, sandbox: Sandbox) -> None:
    """Try so many cases of one target; raises what breaks it, for the smallest case found."""
    found = places(target, root)
    samples = [place.seed.data for place in found]

    @settings(
        max_examples=cases, deadline=None, database=None, derandomize=True,
        suppress_health_check=_CALM,
    )  # fmt: skip
    @given(st.integers(0, len(samples) - 1), st.randoms(use_true_random=False))
    def case(number: int, chance: random.Random) -> None:
        place = found[number]
        data = target.spoil(chance, samples[number], samples)[:MAX_CASE]
        if target.files:
            (place.root / place.seed.name).write_bytes(data)
        tried(target, data, place, sandbox)

    case()
