"""What holds for the shared rate limits of every server."""

import asyncio
import threading
from typing import Any


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
