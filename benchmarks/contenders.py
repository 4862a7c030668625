"""Run one contender once, in its own process: fetch a list, and print the cost as JSON.

    python contenders.py LIST NAME URL PAGES LATENCY

Every contender does the same work: it requests all pages, decodes each, and reads every row. Before the measurement it
fetches a short list, so that its connections are open and its code is warm. tingting_async has then also found out
which parameter selects a page.
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
    """A list of the service: how each contender requests it, and where the rows are."""

    path: str
    query: Callable[[int], dict[str, int]]
    rows: Callable[[Any], list[dict[str, Any]]]
    paginator: Callable[[Any, int | None], Any]
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
        lambda tingting, window: tingting.campaigns.list(window=window),
    ),
    "v1-contacts": List(
        "/api/v1/campaign-detail/1/",
        by_offset,
        lambda body: body["results"],
        lambda tingting, window: tingting.contacts.list(1, window=window),
    ),
    "classic-campaigns": List(
        "/api/system/campaigns",
        lambda page: {"page": page},
        lambda body: body["result"]["campaign-lists"],
        lambda tingting, window: tingting.campaigns.list(window=window),
        is_v1=False,
    ),
}


def count_rows(rows: Rows) -> int:
    return sum(1 for row in rows if row["id"] >= 0)


def sequential_requests(url: str, what: List, get: Callable[..., Any]) -> Callable[[int], int]:
    headers = {"Authorization": "Bearer token"}

    def fetch_all(pages: int) -> int:
        return sum(
            count_rows(what.rows(get(url + what.path, params=what.query(page), headers=headers).json()))
            for page in range(1, pages + 1)
        )

    return fetch_all


def vendor(url: str, what: List) -> Callable[[int], int]:
    """Do as the vendor's client does: `requests` without a session, one page after another."""
    import requests  # noqa: PLC0415 - a contender pays only for its own imports

    return sequential_requests(url, what, requests.get)


def requests_session(url: str, what: List) -> Callable[[int], int]:
    import requests  # noqa: PLC0415

    return sequential_requests(url, what, requests.Session().get)


async def prefetch(fetch: Callable[[int], Awaitable[int]], pages: int, window: int) -> int:
    """Keep `window` page requests in flight, and await them in order."""
    rows, next_page = 0, 1
    in_flight: deque[asyncio.Task[int]] = deque()
    while next_page <= pages or in_flight:
        while next_page <= pages and len(in_flight) < window:
            in_flight.append(asyncio.ensure_future(fetch(next_page)))
            next_page += 1
        rows += await in_flight.popleft()
    return rows


Measure = Callable[[Callable[[int], Awaitable[int]]], Awaitable[None]]


async def httpx_client(url: str, what: List, measure: Measure, window: int) -> None:
    import httpx  # noqa: PLC0415

    limits = httpx.Limits(max_connections=window, max_keepalive_connections=window)
    async with httpx.AsyncClient(base_url=url, limits=limits, headers={"Authorization": "Bearer token"}) as client:

        async def fetch(page: int) -> int:
            response = await client.get(what.path, params=what.query(page))
            return count_rows(what.rows(response.json()))

        await measure(lambda pages: prefetch(fetch, pages, window))


async def aiohttp_client(url: str, what: List, measure: Measure, window: int) -> None:
    """The floor: hand-written for speed, without models, timeouts or retries."""
    import aiohttp  # noqa: PLC0415
    import orjson  # noqa: PLC0415

    async with aiohttp.ClientSession(
        base_url=url,
        connector=aiohttp.TCPConnector(limit=window),
        timeout=aiohttp.ClientTimeout(),
        headers={"Authorization": "Bearer token"},
    ) as session:

        async def fetch(page: int) -> int:
            async with session.get(what.target(page)) as response:
                response.raise_for_status()
                return count_rows(what.rows(orjson.loads(await response.read())))

        await measure(lambda pages: prefetch(fetch, pages, window))


async def tingting_async(url: str, what: List, measure: Measure, window: int | None) -> None:
    if what.is_v1:
        from tingting_async.v1 import TingTing  # noqa: PLC0415
    else:
        from tingting_async import TingTing  # noqa: PLC0415

    async with TingTing(base_url=url, email=EMAIL, password=PASSWORD) as tingting:

        async def fetch_all(_: int) -> int:  # The first page says how many pages there are.
            rows = 0
            async for row in what.paginator(tingting, window):
                rows += row.id >= 0
            return rows

        await measure(fetch_all)


ASYNC: dict[str, tuple[Callable[..., Awaitable[None]], int | None]] = {
    "tingting_async, window 32": (tingting_async, 32),
    "tingting_async, default window": (tingting_async, None),
    "aiohttp + orjson, window 32": (aiohttp_client, 32),
    "aiohttp + orjson, window 8": (aiohttp_client, 8),
    "aiohttp + orjson, one page after another": (aiohttp_client, 1),
    "httpx.AsyncClient, window 8": (httpx_client, 8),
    "httpx.AsyncClient, one page after another": (httpx_client, 1),
}
SYNC: dict[str, Callable[[str, List], Callable[[int], int]]] = {
    "requests.Session": requests_session,
    "requests, no session (the vendor's way)": vendor,
}


class Cost:
    """The cost of what runs between construction and `show`."""

    def __init__(self) -> None:
        # Collect the garbage of the imports first. Otherwise a full collection, which costs a tenth of a thousand
        # pages, falls into the measurement of one contender and not into that of another.
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
        fetch_all = SYNC[name](url, what)
        fetch_all(WARM_UP)
        set_server(pages, latency)
        cost = Cost()
        cost.show(fetch_all(pages), pages)
        return

    async def measure(fetch_all: Callable[[int], Awaitable[int]]) -> None:
        await fetch_all(WARM_UP)
        await asyncio.get_running_loop().run_in_executor(None, set_server, pages, latency)
        cost = Cost()
        cost.show(await fetch_all(pages), pages)

    contender, window = ASYNC[name]
    asyncio.run(contender(url, what, measure, window))


if __name__ == "__main__":
    main(LISTS[sys.argv[1]], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
