"""The pages that an exact iteration reads again after one quiet pass."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from support.pages import PagedService, Row

from tingting_async import NotFoundError, Page, PaginationError
from tingting_async.http.messages import Params
from tingting_async.pagination.exact import SAMPLES

pytestmark = pytest.mark.anyio

ROWS = 305
Change = Callable[[int, Page[Row]], Page[Row]]


class Sampled(PagedService):
    """A long list that is at rest during the first pass; then a function answers, by the number of the sample.

    Args:
        change: Returns the page that is sent, or raises an error; called for the pages that are read again.
    """

    def __init__(self, change: Change) -> None:
        super().__init__(by_offset=True)
        self.items = [Row(number) for number in range(ROWS)]
        self.change = change
        self.offsets: list[int] = []

    async def fetch(self, params: Params) -> Page[Any]:
        """Return a page."""
        page = await super().fetch(params)
        self.offsets.append(int(dict(params)["offset"]))
        return self.change(len(self.samples), page) if self.samples else page

    @property
    def samples(self) -> list[int]:
        """The offsets of the pages that were read after the first pass, which reads the end of the list."""
        ends = [place for place, offset in enumerate(self.offsets) if offset + self.page_size >= ROWS]
        return self.offsets[ends[0] + 1 :] if ends else []


def unchanged(_: int, page: Page[Row]) -> Page[Row]:
    """Leave a page as it is."""
    return page


async def test_samples_of_a_list_at_rest() -> None:
    """If nothing changed, ten pages from all parts of the list are read again, from its first page on."""
    service = Sampled(unchanged)
    iterator: Any = aiter(service.list(1, exact=True))
    assert service.items == [row async for row in iterator]
    assert SAMPLES == len(service.samples)
    assert list(range(0, ROWS, 31)) == service.samples
    assert 1 == iterator.passes


def moved(number: int, page: Page[Row]) -> Page[Row]:
    """Return a page whose rows have changed places, once."""
    return Page(page.items[::-1], page.number, page.total_items, None, has_next=True) if number == 5 else page


def grown(number: int, page: Page[Row]) -> Page[Row]:
    """Return a page that states another length of the list, once."""
    return Page(page.items, page.number, ROWS + 1, None, has_next=True) if number == 5 else page


def missing(number: int, page: Page[Row]) -> Page[Row]:
    """Let pages be missing although the list has them."""
    if number in (5, 6):  # The second one is the first page, which says whether the list has that page.
        raise NotFoundError("gone", status=404)
    return page


def contradictory(number: int, page: Page[Row]) -> Page[Row]:
    """Let a page contradict itself, once."""
    if number == 5:
        raise PaginationError("It contradicts itself.")
    return page


@pytest.mark.parametrize("change", [moved, grown, missing, contradictory])
async def test_samples_that_differ(change: Change) -> None:
    """If a page that is read again differs, is missing or is contradictory, another pass has to prove the list."""
    service = Sampled(change)
    iterator: Any = aiter(service.list(1, exact=True, max_cost=20))
    assert service.items == [row async for row in iterator]
    assert 2 == iterator.passes


async def test_list_that_has_become_shorter() -> None:
    """If the list ends before a page that is to be read again, another pass has to prove it."""

    def shorten(number: int, page: Page[Row]) -> Page[Row]:
        if number == 1:
            service.items = service.items[:20]
        return page

    service = Sampled(unchanged)
    everything = service.items
    iterator: Any = aiter(service.list(1, exact=True, max_cost=20))
    rows = [await anext(iterator) for _ in range(ROWS)]
    service.change = shorten
    rows += [row async for row in iterator]
    assert everything == rows
    assert iterator.passes > 1


async def test_cancelled_sample() -> None:
    """A consumer that is cancelled while a page is read again cancels that request, and can go on."""
    service = Sampled(unchanged)
    iterator: Any = aiter(service.list(1, exact=True, max_cost=20))
    rows = [await anext(iterator) for _ in range(ROWS)]
    service.held[1] = asyncio.Event()
    service.arrived.clear()
    ending = asyncio.ensure_future(anext(iterator))
    await service.arrived[1].wait()
    ending.cancel()
    await service.run_pending()
    assert 0 == service.in_flight
    service.held.clear()
    rows += [row async for row in iterator]
    assert service.items == rows


@pytest.mark.parametrize("max_cost", [1.1, 1.2])
async def test_no_cost_left_for_samples(max_cost: float) -> None:
    """If `max_cost` does not allow the samples, the iteration ends in an error that says so, after all rows."""
    service = Sampled(unchanged)
    iterator = aiter(service.list(1, exact=True, max_cost=max_cost))
    rows = [await anext(iterator) for _ in range(ROWS)]
    assert service.items == rows
    with pytest.raises(PaginationError, match=rf"`max_cost` \({max_cost:g}\) is used up"):
        await anext(iterator)
    assert [] == service.samples
