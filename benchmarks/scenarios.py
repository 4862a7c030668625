"""Measure scenarios without contenders: leaving early, a million rows, many lists at once. Print JSON.

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
    """Change a setting of the server, and return its counts since the last such request."""

    def send() -> dict[str, int]:
        with urllib.request.urlopen(f"{url}/control/{what}") as response:
            return json.loads(response.read())

    return await asyncio.get_running_loop().run_in_executor(None, send)


async def leave(url: str, _: int) -> dict[str, Any]:
    """Leave a loop over a thousand pages after 25 items, and return how many surplus requests there were."""
    needed = 3
    async with TingTing(base_url=url, email=EMAIL, password=PASSWORD) as tingting:
        await tingting.campaigns.list().collect(limit=PER_PAGE * 2)  # Signs in, and tries the page parameters.
        surplus: dict[str, int] = {}
        for name, window in (("default window", None), ("window 8", 8), ("window 32", 32)):
            await asyncio.sleep(0.05)
            await control(url, "latency/10")
            seen = 0
            async for _campaign in tingting.campaigns.list(window=window):
                seen += 1
                if seen == 25:
                    break
            await asyncio.sleep(0.05)
            surplus[name] = (await control(url, "latency/0"))["requests"] - needed
    return surplus


def resident() -> int:
    """Return the resident memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def memory(url: str, rows: int) -> dict[str, float]:
    """List a million numbers, and return how much the process grows after the first twentieth of them."""
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
    return {"rows": seen, "growth_kib": (largest - after_warm_up) / 1024, "mib": largest / 2**20, "wall": wall}


async def together(url: str, _: int) -> dict[str, float]:
    """Fetch fifty lists on one session, and start the smallest last: it must not wait for the others."""
    large, small, limit = 100, 5, 32
    async with TingTing(base_url=url, email=EMAIL, password=PASSWORD, max_in_flight=limit) as tingting:
        await tingting.campaigns.list().collect(limit=PER_PAGE * 2)
        for pages in (large, small):
            await tingting.numbers.list(pages).collect(limit=PER_PAGE * 2)  # Makes the server serialise the pages.
        await control(url, "latency/5")
        start = time.perf_counter()
        ended: dict[int, float] = {}

        async def fetch_all(pages: int) -> None:
            items = await tingting.numbers.list(pages).collect()
            assert len(items) == pages * PER_PAGE
            ended[pages] = time.perf_counter() - start

        tasks = [asyncio.create_task(fetch_all(large)) for _ in range(49)]
        await asyncio.sleep(0.1)
        small_start = time.perf_counter() - start
        await asyncio.gather(fetch_all(small), *tasks)
        counts = await control(url, "latency/0")
    return {
        "limit": limit,
        "peak_in_flight": counts["peak_in_flight"],
        "small_share": (ended[small] - small_start) / ended[large],
        "small_size": small / large,
        "wall": ended[large],
    }


SCENARIOS: dict[str, Callable[[str, int], Awaitable[Any]]] = {"leave": leave, "memory": memory, "together": together}

if __name__ == "__main__":
    name, url, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(json.dumps(asyncio.run(SCENARIOS[name](url, rows))))
