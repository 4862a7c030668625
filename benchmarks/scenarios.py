"""What only this library is asked: leaving early, a million rows, many listings at once. Prints JSON.

python scenarios.py leave|memory|together URL [ROWS]
"""

import asyncio
import json
import os
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tingting_async import TingTing

EMAIL, PASSWORD = "sita@example.com", "benchmark"
PER_PAGE = 10


async def control(url: str, what: str) -> dict[str, int]:
    """Set something on the server, and return what was asked of it since the last time."""

    def ask() -> dict[str, int]:
        with urllib.request.urlopen(f"{url}/control/{what}") as answer:
            return json.loads(answer.read())

    return await asyncio.get_running_loop().run_in_executor(None, ask)


async def leave(url: str, _: int) -> dict[str, Any]:
    """Leave a loop after 25 items, of a list of a thousand pages: how many requests were too many."""
    needed = 3
    async with TingTing(base_url=url, email=EMAIL, password=PASSWORD) as tingting:
        await tingting.campaigns.list().collect(limit=PER_PAGE * 2)  # Signs in, and learns how to ask for a page.
        too_many: dict[str, int] = {}
        for name, window in (("as it comes", None), ("window 8", 8), ("window 32", 32)):
            await asyncio.sleep(0.05)
            await control(url, "latency/10")
            seen = 0
            async for _campaign in tingting.campaigns.list(window=window):
                seen += 1
                if seen == 25:
                    break
            await asyncio.sleep(0.05)
            too_many[name] = (await control(url, "latency/0"))["asked"] - needed
    return too_many


def resident() -> int:
    """Return the resident memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def memory(url: str, rows: int) -> dict[str, float]:
    """Walk a million numbers: how much larger the process is at its largest than after the first twentieth."""
    start, seen, after_warm_up, largest = time.perf_counter(), 0, 0, 0
    async with TingTing(base_url=url, email=EMAIL, password=PASSWORD) as tingting:
        async for page in tingting.numbers.list(100_000, window=32).pages():
            seen += len(page.items)
            if seen % 10_000 == 0:
                largest = max(largest, resident())
            if seen == rows // 20:
                after_warm_up = largest = resident()
            if seen == rows:
                break
    wall = time.perf_counter() - start
    return {"rows": seen, "grown_kib": (largest - after_warm_up) / 1024, "mib": largest / 2**20, "wall": wall}


async def together(url: str, _: int) -> dict[str, float]:
    """Fifty listings on one session, the smallest begun last: whether it waits for the others."""
    large, small, width = 100, 5, 32
    async with TingTing(base_url=url, email=EMAIL, password=PASSWORD, max_in_flight=width) as tingting:
        await tingting.campaigns.list().collect(limit=PER_PAGE * 2)
        for pages in (large, small):
            await tingting.numbers.list(pages).collect(limit=PER_PAGE * 2)  # Serialises the pages.
        await control(url, "latency/5")
        start = time.perf_counter()
        ended: dict[int, float] = {}

        async def walk(pages: int) -> None:
            items = await tingting.numbers.list(pages).collect()
            assert len(items) == pages * PER_PAGE
            ended[pages] = time.perf_counter() - start

        tasks = [asyncio.create_task(walk(large)) for _ in range(49)]
        await asyncio.sleep(0.1)
        late = time.perf_counter() - start
        await asyncio.gather(walk(small), *tasks)
        told = await control(url, "latency/0")
    return {
        "cap": width,
        "most_in_flight": told["most_in_flight"],
        "small_share": (ended[small] - late) / ended[large],
        "small_size": small / large,
        "wall": ended[large],
    }


SCENARIOS: dict[str, Callable[[str, int], Awaitable[Any]]] = {"leave": leave, "memory": memory, "together": together}

if __name__ == "__main__":
    name, url, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(json.dumps(asyncio.run(SCENARIOS[name](url, rows))))
