"""One contender, once: walks a list in a process of its own, and prints what it cost as JSON.

    python contenders.py LIST NAME URL PAGES LATENCY

Every contender does the same work: it asks for all pages, decodes each, and looks at every row. Before it is
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
from typing import Any, NamedTuple

Rows = Iterable[dict[str, Any]]
EMAIL, PASSWORD = "sita@example.com", "benchmark"
WARM_UP = 100


class List(NamedTuple):
    """A list of the service, as each contender asks for it."""

    path: str
    query: Callable[[int], dict[str, int]]
    rows: Callable[[Any], list[dict[str, Any]]]
    ours: Callable[[Any, int | None], Any]
    is_v1: bool = True

    def target(self, page: int) -> str:
        return self.path + "?" + "&".join([f"{name}={value}" for name, value in self.query(page).items()])


def by_offset(page: int) -> dict[str, int]:
    return {"limit": 10, "offset": (page - 1) * 10}


LISTS = {
    "v1-campaigns": List(
        "/api/v1/campaign/",
        by_offset,
        lambda body: body["results"],
        lambda tingting, width: tingting.campaigns.list(window=width),
    ),
    "v1-contacts": List(
        "/api/v1/campaign-detail/1/",
        by_offset,
        lambda body: body["results"],
        lambda tingting, width: tingting.contacts.list(1, window=width),
    ),
    "classic-campaigns": List(
        "/api/system/campaigns",
        lambda page: {"page": page},
        lambda body: body["result"]["campaign-lists"],
        lambda tingting, width: tingting.campaigns.list(window=width),
        is_v1=False,
    ),
}


def look_at(rows: Rows) -> int:
    return sum(1 for row in rows if row["id"] >= 0)


def sequential_requests(url: str, what: List, get: Callable[..., Any]) -> Callable[[int], int]:
    headers = {"Authorization": "Bearer token"}

    def walk(pages: int) -> int:
        return sum(
            look_at(what.rows(get(url + what.path, params=what.query(page), headers=headers).json()))
            for page in range(1, pages + 1)
        )

    return walk


def vendor(url: str, what: List) -> Callable[[int], int]:
    """Do as the vendor's client: `requests` without a session, page after page."""
    import requests  # noqa: PLC0415 - a contender pays for its own imports only

    return sequential_requests(url, what, requests.get)


def requests_session(url: str, what: List) -> Callable[[int], int]:
    import requests  # noqa: PLC0415

    return sequential_requests(url, what, requests.Session().get)


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


async def httpx_client(url: str, what: List, measure: Measure, width: int) -> None:
    import httpx  # noqa: PLC0415

    limits = httpx.Limits(max_connections=width, max_keepalive_connections=width)
    async with httpx.AsyncClient(base_url=url, limits=limits, headers={"Authorization": "Bearer token"}) as client:

        async def fetch(page: int) -> int:
            answer = await client.get(what.path, params=what.query(page))
            return look_at(what.rows(answer.json()))

        await measure(lambda pages: slide(fetch, pages, width))


async def aiohttp_client(url: str, what: List, measure: Measure, width: int) -> None:
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
            async with session.get(what.target(page)) as answer:
                answer.raise_for_status()
                return look_at(what.rows(orjson.loads(await answer.read())))

        await measure(lambda pages: slide(fetch, pages, width))


async def tingting_async(url: str, what: List, measure: Measure, width: int | None) -> None:
    if what.is_v1:
        from tingting_async.v1 import TingTing  # noqa: PLC0415
    else:
        from tingting_async import TingTing  # noqa: PLC0415

    async with TingTing(base_url=url, email=EMAIL, password=PASSWORD) as tingting:

        async def walk(_: int) -> int:  # As many pages as the first says there are.
            rows = 0
            async for row in what.ours(tingting, width):
                rows += row.id >= 0
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
SYNC: dict[str, Callable[[str, List], Callable[[int], int]]] = {
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


def main(what: List, name: str, url: str, pages: int, latency: float) -> None:
    def set_server(pages: int, latency: float) -> None:
        for setting in (f"pages/{pages}", f"latency/{latency:g}"):
            urllib.request.urlopen(f"{url}/control/{setting}").read()

    set_server(WARM_UP, 0)
    if name in SYNC:
        walk = SYNC[name](url, what)
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
    asyncio.run(contender(url, what, measure, width))


if __name__ == "__main__":
    main(LISTS[sys.argv[1]], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
