"""One contender, once: lists campaigns in a process of its own, and prints what it cost as JSON.

    python contenders.py NAME URL PAGES LATENCY

Every contender does the same work: it asks for all pages, decodes each, and looks at every campaign. Before it is
measured, it walks a short list, so that its connections are open and its code is warm; ours has then learnt how to ask
for a page.
"""

import asyncio
import gc
import json
import resource
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Rows = Iterable[dict[str, Any]]
PATH = "/api/system/campaigns"
EMAIL, PASSWORD = "sita@example.com", "benchmark"
WARM_UP = 100


def rows_of(body: Any) -> list[dict[str, Any]]:
    return body["result"]["campaign-lists"]


def look_at(rows: Rows) -> int:
    return sum(1 for row in rows if row["id"] >= 0)


def sequential_requests(url: str, get: Callable[..., Any]) -> Callable[[int], int]:
    headers = {"Authorization": "Bearer token"}

    def walk(pages: int) -> int:
        return sum(
            look_at(rows_of(get(url + PATH, params={"page": page}, headers=headers).json()))
            for page in range(1, pages + 1)
        )

    return walk


def vendor(url: str) -> Callable[[int], int]:
    """Do as the vendor's client: `requests` without a session, page after page."""
    import requests  # noqa: PLC0415 - a contender pays for its own imports only

    return sequential_requests(url, requests.get)


def requests_session(url: str) -> Callable[[int], int]:
    import requests  # noqa: PLC0415

    return sequential_requests(url, requests.Session().get)


async def slide(fetch: Callable[[int], Awaitable[int]], pages: int, width: int) -> int:
    """Keep `width` pages in flight, and take them in order."""
    rows, following = 0, 1
    window: deque[asyncio.Task[int]] = deque()
    while following <= pages or window:
        while following <= pages and len(window) < width:
            window.append(asyncio.ensure_future(fetch(following)))
            following += 1
        rows += await window.popleft()
    return rows


Measure = Callable[[Callable[[int], Awaitable[int]]], Awaitable[None]]


async def httpx_client(url: str, measure: Measure, width: int) -> None:
    import httpx  # noqa: PLC0415

    limits = httpx.Limits(max_connections=width, max_keepalive_connections=width)
    async with httpx.AsyncClient(base_url=url, limits=limits, headers={"Authorization": "Bearer token"}) as client:

        async def fetch(page: int) -> int:
            answer = await client.get(PATH, params={"page": page})
            return look_at(rows_of(answer.json()))

        await measure(lambda pages: slide(fetch, pages, width))


async def aiohttp_client(url: str, measure: Measure, width: int) -> None:
    """The floor: what one would write by hand for speed, without a model, a timeout or a repeat."""
    import aiohttp  # noqa: PLC0415
    import orjson  # noqa: PLC0415

    async with aiohttp.ClientSession(
        base_url=url,
        connector=aiohttp.TCPConnector(limit=width),
        timeout=aiohttp.ClientTimeout(),
        headers={"Authorization": "Bearer token"},
    ) as session:

        async def fetch(page: int) -> int:
            async with session.get(f"{PATH}?page={page}") as answer:
                answer.raise_for_status()
                return look_at(rows_of(orjson.loads(await answer.read())))

        await measure(lambda pages: slide(fetch, pages, width))


async def tingting_async(url: str, measure: Measure, width: int | None) -> None:
    from tingting_async import TingTing  # noqa: PLC0415

    async with TingTing(base_url=url, email=EMAIL, password=PASSWORD) as tingting:

        async def walk(_: int) -> int:  # As many pages as the first says there are.
            rows = 0
            async for campaign in tingting.campaigns.list(window=width):
                rows += campaign.id >= 0
            return rows

        await measure(walk)


ASYNC: dict[str, tuple[Callable[..., Awaitable[None]], int | None]] = {
    "tingting_async, window 32": (tingting_async, 32),
    "tingting_async, as it comes": (tingting_async, None),
    "aiohttp + orjson, window 32": (aiohttp_client, 32),
    "aiohttp + orjson, window 8": (aiohttp_client, 8),
    "aiohttp + orjson, in turn": (aiohttp_client, 1),
    "httpx.AsyncClient, window 8": (httpx_client, 8),
    "httpx.AsyncClient, in turn": (httpx_client, 1),
}
SYNC: dict[str, Callable[[str], Callable[[int], int]]] = {
    "requests.Session": requests_session,
    "requests, no session (the vendor's way)": vendor,
}


class Cost:
    """What happens between its start and its end."""

    def __init__(self) -> None:
        # What importing left behind is no page's: without this, one contender's thousand pages contain the collection
        # of everything there is, which costs a tenth of them, and another's end just before it.
        gc.collect()
        self.before = self.now()

    @staticmethod
    def now() -> tuple[float, float, int]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return time.perf_counter(), usage.ru_utime + usage.ru_stime, usage.ru_minflt

    def show(self, rows: int, pages: int) -> None:
        wall, cpu, faults = (after - before for after, before in zip(self.now(), self.before, strict=True))
        assert rows == pages * 10, f"{rows} rows of {pages} pages"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"wall": wall, "cpu": cpu, "faults": faults, "pages": pages, "peak_mib": peak}))


def main(name: str, url: str, pages: int, latency: float) -> None:
    def set_server(pages: int, latency: float) -> None:
        for what in (f"pages/{pages}", f"latency/{latency:g}"):
            urllib.request.urlopen(f"{url}/control/{what}").read()

    set_server(WARM_UP, 0)
    if name in SYNC:
        walk = SYNC[name](url)
        walk(WARM_UP)
        set_server(pages, latency)
        cost = Cost()
        cost.show(walk(pages), pages)
        return

    async def measure(walk: Callable[[int], Awaitable[int]]) -> None:
        await walk(WARM_UP)
        await asyncio.get_running_loop().run_in_executor(None, set_server, pages, latency)
        cost = Cost()
        cost.show(await walk(pages), pages)

    contender, width = ASYNC[name]
    asyncio.run(contender(url, measure, width))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
