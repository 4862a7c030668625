"""The rate limit of one session."""

import math
import random

import pytest

from tingting_async.http.rate_limits.local import LocalRateLimit

pytestmark = pytest.mark.anyio


async def test_evenly_spaced() -> None:
    """Requests that wait at the same time get moments that are evenly spaced, from now on."""
    waits = await LocalRateLimit(10.0).reserve([math.inf] * 4)
    assert [0.0, 10.0, 20.0, 30.0] == waits


@pytest.mark.parametrize("seed", range(20))
async def test_refusals_reserve_nothing(seed: int) -> None:
    """Nothing is reserved for a request whose limit is too short."""
    seeds = random.Random(seed)
    limit, reserved = LocalRateLimit(10.0), 0
    for _ in range(20):
        limits = [seeds.choice((-1.0, 5.0, 95.0, 1e6)) for _ in range(seeds.randrange(5))]
        for wait, given in zip(await limit.reserve(limits), limits, strict=True):
            if given < 10.0 * reserved - 5.0:  # The machine may be slow.
                assert wait is None
            elif given > 10.0 * reserved:
                assert 10.0 * reserved == pytest.approx(wait, abs=5.0)
            reserved += wait is not None
