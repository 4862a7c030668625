"""Every iteration ends, whatever a service states about the length of its list and whatever its pages have."""

import asyncio
import itertools
import json
import random
from typing import Any

import pytest
from support.pages import PagedService, Row
from support.servers import Received, serving

from tingting_async import Page, PaginationError, v1
from tingting_async.http.messages import Params
from tingting_async.pagination.repetition import MAX_REPEATED, TOLERANCE, RepetitionGuard

pytestmark = pytest.mark.anyio

ROWS = [{"id": number} for number in range(20)]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("pages", "requests"),
    [
        pytest.param([ROWS[:10]], 10, id="the same rows"),
        pytest.param([ROWS[:0]], 110, id="no rows"),
        pytest.param([ROWS[:10], ROWS[10:]], 50, id="two pages in turn"),
        pytest.param([ROWS[:10], []], 75, id="the same rows and no rows in turn"),
        pytest.param([ROWS[number : number + 3] for number in range(17)], 150, id="seventeen pages in turn"),
    ],
)
async def test_count_that_grows(pages: list[list[dict[str, int]]], requests: int, exact: bool) -> None:
    """If the count grows as fast as the iteration advances, repeated pages and empty ones end in a PaginationError."""
    numbers = itertools.count()

    async def script(received: Received) -> None:
        offset = int(received.target.rpartition("offset=")[2])
        link = f"?limit=10&offset={offset + 10}"
        rows = pages[next(numbers) % len(pages)]
        await received.respond(
            json.dumps({"count": offset + 100, "next": link, "previous": None, "results": rows}).encode()
        )

    async with serving(script) as server, v1.TingTing(base_url=server.url, api_token="0123456789") as tingting:
        with pytest.raises(PaginationError):
            await tingting.contacts.list(1, exact=exact).collect()
    assert len(server.requests) <= requests * (5 if exact else 1)


class ContradictoryService(PagedService):
    """A list that always has a next page, and whose pages have rows, lengths and links at random."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        super().__init__(by_offset=self.random.random() < 0.5, knows_parameter=self.random.random() < 0.5)
        self.rows = [Row(number) for number in range(self.random.choice((0, 1, 10, 20, 50)))]
        self.empty_share = self.random.choice((0.0, 0.0, 0.2, 0.9, 1.0))
        self.order = self.random.choice(("same", "in turn", "at random"))
        self.first_total = self.random.choice((None, 0, 1, 57, 100))
        self.growth = self.random.choice(("none", "as read", "fast", "at random"))
        self.has_pages = self.random.random() < 0.7
        self.link = self.random.choice(("next", "far", "none"))

    def page(self, params: Params) -> Page[Any]:
        """Return a page that says that another page follows."""
        given, size = dict(params), 10
        number = int(given.get("page", "1"))
        start = int(given.get("offset", "0")) if self.by_offset else (number - 1) * size
        total = self.first_total
        if total is not None:
            more = {"none": 0, "as read": start, "fast": 3 * start, "at random": self.random.randint(0, 2 * start)}
            total += more[self.growth]
        rows = self.rows[:size]
        if self.order == "in turn" and self.rows:
            rows = [self.rows[(start + place) % len(self.rows)] for place in range(size)]
        elif self.order == "at random":
            rows = self.random.sample(self.rows, min(size, len(self.rows)))
        if self.random.random() < self.empty_share:
            rows = []
        following = start + (size if self.link == "next" else self.random.randint(1, 25))
        links = None if self.link == "none" or not self.by_offset else {"next": f"?limit=10&offset={following}"}
        pages = number + 5 if self.has_pages and not self.by_offset else None
        return Page(rows, number, total, pages, has_next=True, links=links)


@pytest.mark.parametrize("exact", [False, True])
async def test_seeded_contradictions(exact: bool) -> None:
    """However a service that has no last page contradicts itself, an iteration ends, within a bound of requests."""
    for seed in range(300):
        service = ContradictoryService(seed)

        async def iterate(service: ContradictoryService = service) -> None:
            with pytest.raises(PaginationError):
                await service.list(service.random.choice((None, 1, 8)), exact=exact).collect()

        task = asyncio.create_task(iterate())
        while not task.done() and len(service.requested) < 2000:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert not task.cancelled(), (seed, vars(service))
        task.result()


def page(ids: list[int], total: int | None) -> Page[Row]:
    """Return a page of rows."""
    return Page([Row(number) for number in ids], 1, total, None, has_next=True)


def test_rows_added_in_front() -> None:
    """A page may repeat the one before it if the length has changed, as often as `MAX_REPEATED` says."""
    guard = RepetitionGuard()
    for number in range(MAX_REPEATED + 1):
        guard.check(number + 1, page([1, 2], 10 + number))
    guard.check(9, page([3, 4], 20))
    with pytest.raises(PaginationError, match="Page 10 has the same items as the page before it"):
        guard.check(10, page([3, 4], 20))


def test_list_that_grows_a_lot() -> None:
    """A list that grows far beyond the first total is no contradiction as long as its pages have new rows."""
    guard = RepetitionGuard()
    for number in range(500):
        guard.check(number + 1, page([*range(number * 10, number * 10 + 10)], 10 * number))


def test_items_without_an_id() -> None:
    """Items that have no id are compared as they are."""
    guard = RepetitionGuard()
    letters = ["abcdefghij", "klmnopqrst"]
    pages = [Page(letters[number % 2], 1, number, None, has_next=True) for number in range(TOLERANCE)]
    delivered: list[Page[str]] = []

    def deliver() -> None:
        for number, each in enumerate(pages, 1):
            guard.check(number, each)
            delivered.append(each)

    with pytest.raises(PaginationError, match="only items of earlier pages, and so have the 3 pages before it"):
        deliver()
    assert TOLERANCE // 10 + 2 + MAX_REPEATED == len(delivered)


@pytest.mark.parametrize("total", [None, 0, 1, 57])
def test_empty_pages(total: int | None) -> None:
    """Empty pages may follow each other, but not more of them than the first total has items."""
    guard = RepetitionGuard()
    allowed = max(1, total or 0)
    for number in range(allowed):
        guard.check(number + 1, page([], total if total is None else total + number))
    with pytest.raises(PaginationError, match=f"Page {allowed + 1} is empty"):
        guard.check(allowed + 1, page([], total if total is None else 10**6))
