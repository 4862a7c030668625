"""What holds for the shared rate limits of every server."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest


def require_shared_by_loops(limit: Any) -> None:
    """Assert that event loops share a limit of one request in 100 s, one after the other and in threads at a time."""
    waits: list[float | None] = []

    async def reserve(count: int) -> None:
        for _ in range(count):
            waits.extend(await limit.reserve([1e9]))
        await limit.aclose()

    asyncio.run(reserve(2))
    asyncio.run(reserve(2))
    threads = [threading.Thread(target=lambda: asyncio.run(reserve(5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [100 * index for index in range(24)] == sorted(round(wait or 0, -2) for wait in waits)


async def require_slowest_rate(
    make: Callable[..., Any], lapse: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Assert that limits of different rates keep to the slowest until it lapses, and that the faster one says so once.

    Args:
        make: Makes a limit of a rate and a name.
        lapse: Lets the rate of the slowest lapse.
        caplog: Where warnings arrive.
    """

    async def reserve(limit: Any, count: int = 1) -> list[float]:
        return [round(wait, -1) for wait in await limit.reserve([1e6] * count)]

    async with make(per_second=0.01) as fast, make(per_second=0.001) as slow, make(per_second=0.01) as idle:
        assert [0, 100] == await reserve(fast, 2)
        assert [200] == await reserve(slow)
        assert [1200, 2200] == await reserve(fast, 2)
        assert [3200] == await reserve(slow)
        assert [4200] == await reserve(fast)
        (record,) = caplog.records
        said = f"{type(fast).__name__} 'default': this process states per_second=0.01, but another one that shares the "
        assert record.getMessage().startswith(f"{said}limit states per_second=0.001. All keep to 0.001 requests per ")
        assert "State the same `per_second` in all processes" in record.getMessage()
        assert ("tingting_async", "WARNING") == (record.name, record.levelname)
        lapse()
        assert [5200, 5300, 5400] == [*await reserve(fast, 2), *await reserve(idle)]
        assert [None, None] == await fast.reserve([1.0, 1.0])  # No moment is reserved, but the rate is in use.
    assert [record] == caplog.records
