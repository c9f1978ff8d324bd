"""kill -9 at any moment, also within a query or a request: both databases become those of a run in peace."""

import random
import time
from collections.abc import Callable

import pytest

from labeling_assets_tests.faults.stages import NAMES, Stages, killed, killed_after


@pytest.fixture(scope="module")
def duration_s(stages: Stages) -> Callable[[str], float]:
    """How long the process of a step takes that nobody disturbs: the second one, as the first waits for imports."""
    known: dict[str, float] = {}

    def measured(name: str) -> float:
        for _ in range(0 if name in known else 2):
            with stages.open(name) as stand:
                began = time.monotonic()
                killed(stages, stand, lambda _: False)
                known[name] = time.monotonic() - began
        return known[name]

    return measured


def test_killed_at_any_moment(stages: Stages, duration_s: Callable[[str], float], seed: int):
    chance = random.Random(seed)
    name = NAMES[seed % len(NAMES)]
    delay_s = chance.uniform(0, duration_s(name))
    with stages.open(name) as stand:
        was_killed = killed_after(stages, stand, delay_s)
        print(f"seed {seed}: {name}, {'killed' if was_killed else 'over'} after {delay_s:.3f} s")  # noqa: T201
        stages.finish(stand)
        stages.assert_as_expected(stand)
