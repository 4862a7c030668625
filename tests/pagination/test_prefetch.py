"""The prefetcher: how far it fetches ahead, how iterators share slots, and what happens to failed or odd pages."""

import asyncio
from typing import Any

import anyio
import pytest
from support.pages import PagedService

from tingting_async import NotFoundError, Page, PaginationError, ServerError, TingTing
from tingting_async.http.messages import Params
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

EVERYTHING = list(range(57))


def failed() -> ServerError:
    """Return the error of a failed page."""
    return ServerError("failed", status=500)


# The window


async def test_slow_start() -> None:
    """Without a given window, a loop has few pages in flight at first, in case it ends early."""
    service = PagedService(600, knows_parameter=True)
    iterator = service.list().pages()
    requested = []
    for _ in range(8):
        await anext(iterator)
        await service.run_pending()
        requested.append(max(service.requested))
    await iterator.aclose()
    assert requested == [1, 3, 4, 7, 8, 9, 10, 11]


async def test_given_window() -> None:
    """A given window is filled as soon as the first page says how many pages there are."""
    service = PagedService(600, knows_parameter=True)
    iterator = service.list(8).pages()
    await anext(iterator)
    await service.run_pending()
    assert max(service.requested) == 8
    await iterator.aclose()


async def test_late_page() -> None:
    """While one late page blocks the consumer, at most `window - 1` further pages are fetched, `window` at a time."""
    service = PagedService(600, knows_parameter=True)
    service.held[2] = asyncio.Event()
    iterator = service.list(4).pages()
    await anext(iterator)
    waiting = asyncio.ensure_future(anext(iterator))
    await service.run_pending()
    assert (max(service.requested), service.in_flight, service.peak_in_flight) == (8, 1, 4)
    service.held[2].set()
    assert (await waiting).number == 2
    assert [page.number async for page in iterator] == list(range(3, 61))
    assert sorted(service.requested) == list(range(1, 61))


async def test_busy_loop() -> None:
    """While the loop's body runs, no more than the window is prefetched."""
    service = PagedService(600, knows_parameter=True)
    async for page in service.list(4).pages():
        await service.run_pending()
        assert max(service.requested) == min(60, page.number + 3)


async def test_collect_everything() -> None:
    """Collecting everything uses the whole window from the start."""
    service = PagedService(600, knows_parameter=True)
    assert await service.list().collect() == service.items
    assert service.peak_in_flight == 4


async def test_collect_some() -> None:
    """Collecting a limited number of items requests few surplus pages."""
    service = PagedService(600, knows_parameter=True)
    assert await service.list().collect(limit=25) == service.items[:25]
    assert max(service.requested) <= 4


async def test_order_of_responses() -> None:
    """Pages are delivered in order, in whatever order their responses arrive."""
    service = PagedService(by_offset=True)
    service.held = {number: asyncio.Event() for number in (2, 3, 4, 5, 6)}
    task = asyncio.create_task(service.list(window=8).collect())
    for number in (6, 4, 5, 2, 3):
        await service.arrived[number].wait()
        service.held[number].set()
        await asyncio.sleep(0)
    assert await task == EVERYTHING


async def test_wrong_predictions() -> None:
    """If pages do not have the predicted size, the surplus prefetched pages are dropped."""
    service = PagedService()
    sizes = {0: 10, 10: 3, 13: 10, 23: 1, 24: 33}
    requested: list[int] = []

    async def fetch(params: Params) -> Page[int]:
        offset = int(dict(params)["offset"])
        requested.append(offset)
        await asyncio.sleep(0)
        return Page(EVERYTHING[offset : offset + sizes.get(offset, 5)], 1, 57, None, False)

    assert await service.paginate(fetch, LimitOffsetPagination(10), window=4).collect() == EVERYTHING
    await service.run_pending()
    assert service.tasks == set()
    assert set(sizes) <= set(requested)


# Sharing the slots of a session


async def test_fairness() -> None:
    """A small list that starts late does not wait for large ones: their requests take turns."""
    async with (
        Sandbox(campaigns=600) as sandbox,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token, max_in_flight=4) as tingting,
    ):
        await tingting.campaigns.list().collect(limit=30)
        finished: list[str] = []

        async def collect(name: str, limit: int | None) -> None:
            await tingting.campaigns.list(window=4).collect(limit=limit)
            finished.append(name)

        async with asyncio.TaskGroup() as jobs:
            for _ in range(3):
                jobs.create_task(collect("large", None))
            await asyncio.sleep(0)
            jobs.create_task(collect("small", 20))
        assert finished[0] == "small"
        assert sandbox.peak_in_flight <= 4


async def test_fifty_lists() -> None:
    """Fifty lists on one session all complete, with no more requests in flight than `max_in_flight`."""
    async with (
        Sandbox(campaigns=57) as sandbox,
        TingTing(base_url=sandbox.url, api_token=sandbox.api_token, max_in_flight=8) as tingting,
    ):
        lists = await asyncio.gather(*(tingting.campaigns.list(window=4).collect() for _ in range(50)))
        assert [len(each) for each in lists] == [57] * 50
        assert sandbox.peak_in_flight <= 8


# Failures


async def test_failure_is_held() -> None:
    """A page that fails early raises only when it is due, and the same iterator requests it again."""
    service = PagedService(knows_parameter=True)
    service.failures = {3: [failed(), failed()]}
    iterator = aiter(service.list(6))
    assert [await anext(iterator) for _ in range(20)] == EVERYTHING[:20]
    for _ in range(2):
        with pytest.raises(ServerError):
            await anext(iterator)
    assert [item async for item in iterator] == EVERYTHING[20:]


async def test_failure_of_the_first_page() -> None:
    """A first page that failed is requested again by the same iterator."""
    service = PagedService()
    service.failures = {1: [failed()]}
    iterator = aiter(service.list())
    with pytest.raises(ServerError):
        await anext(iterator)
    assert [item async for item in iterator] == EVERYTHING


async def test_failure_drops_the_pages_after_it() -> None:
    """After a failure has been raised, nothing is in flight."""
    service = PagedService(by_offset=True)
    service.failures = {2: [failed()]}
    service.held = {number: asyncio.Event() for number in (3, 4, 5, 6)}
    iterator = service.list(window=8).pages()
    await anext(iterator)
    with pytest.raises(ServerError):
        await anext(iterator)
    await service.run_pending()
    assert service.tasks == set()


async def test_failure_does_not_cancel_the_consumer() -> None:
    """A page that fails early does not disturb what the consumer awaits meanwhile."""
    service = PagedService(by_offset=True)
    service.failures = {number: [failed()] for number in (2, 3, 4)}
    iterator = aiter(service.list(window=8))
    await anext(iterator)
    await service.run_pending()
    async with anyio.create_task_group() as group:
        group.start_soon(asyncio.sleep, 0)
    assert [await anext(iterator) for _ in range(9)] == list(range(1, 10))
    await iterator.aclose()


# Lists that change, and pages that contradict each other


async def test_list_that_shrinks() -> None:
    """If the list becomes shorter, iteration ends after its last item."""
    service = PagedService(knows_parameter=True)
    iterator = aiter(service.list(1))
    seen = [await anext(iterator) for _ in range(30)]
    del service.items[35:]
    seen += [item async for item in iterator]
    assert seen == list(range(35))


async def test_list_that_loses_its_next_page() -> None:
    """A 404 is the end of the list if its first page says that the list has become that short."""
    service = PagedService(knows_parameter=True)
    paginator = service.list(1)
    iterator = paginator.pages()
    numbers = [(await anext(iterator)).number for _ in range(3)]
    del service.items[30:]
    numbers += [page.number async for page in iterator]
    assert numbers == [1, 2, 3]
    assert service.requested[-2:] == [4, 1]
    assert paginator.has_changed


@pytest.mark.parametrize("number", [4, 6])
async def test_missing_page(number: int) -> None:
    """A 404, three times, is an error if the first page says that the list still has that page, even as the last."""
    service = PagedService(knows_parameter=True)
    service.failures = {number: [NotFoundError("gone", status=404) for _ in range(6)]}
    iterator = aiter(service.list(1))
    for _ in range(10 * (number - 1)):
        await anext(iterator)
    for _ in range(2):
        with pytest.raises(NotFoundError):
            await anext(iterator)
    assert [item async for item in iterator] == EVERYTHING[10 * (number - 1) :]


async def test_pages_that_are_missing_for_a_moment() -> None:
    """Any number of pages may be missing twice, although the list has them: they are requested again and delivered."""
    service = PagedService(knows_parameter=True)
    service.failures = {number: [NotFoundError("gone", status=404) for _ in range(2)] for number in (2, 3, 4, 5)}
    assert EVERYTHING == [item async for item in service.list(1)]
    assert [1, *[2, 1, 2, 1, 2], *[3, 1, 3, 1, 3]] == service.requested[:11]


async def test_missing_page_of_a_resumed_iteration() -> None:
    """A 404, three times, of the first page that a resumed iteration requests is an error, and not the end."""
    service = PagedService(knows_parameter=True)
    iterator = aiter(service.list(1))
    for _ in range(20):
        await anext(iterator)
    resumed = aiter(service.list(1, resume=iterator.resume_token))
    await iterator.aclose()
    service.failures = {2: [NotFoundError("gone", status=404) for _ in range(3)]}
    with pytest.raises(NotFoundError, match="gone"):
        await anext(resumed)
    assert EVERYTHING[20:] == [item async for item in resumed]


async def test_missing_page_that_only_a_total_counts() -> None:
    """A 404 after a page without a next page is the end, even if a number of pages, which may be cached, is higher."""
    requested: list[Params] = []

    async def fetch(params: Params) -> Page[int]:
        requested.append(params)
        if params:
            raise NotFoundError("Invalid page.", status=404)
        return Page(EVERYTHING[:10], 1, 57, 6, has_next=False)

    assert await PagedService().paginate(fetch, PageNumberPagination("page")).collect() == EVERYTHING[:10]
    assert requested == [(), (("page", "2"),)]


async def test_missing_list() -> None:
    """A 404 of the first page is an error."""
    service = PagedService(knows_parameter=True)
    service.failures = {1: [NotFoundError("no such list", status=404)]}
    with pytest.raises(NotFoundError):
        await service.list().first()
    assert service.requested == [1]


async def test_list_that_grows() -> None:
    """Items that are added behind the current page are delivered as well."""
    service = PagedService(30, knows_parameter=True)
    iterator = aiter(service.list(1))
    seen = [await anext(iterator) for _ in range(15)]
    service.items += range(30, 60)
    seen += [item async for item in iterator]
    assert seen == list(range(60))


async def test_repeated_page() -> None:
    """The same page again, under another number, is a PaginationError."""
    service = PagedService(60, knows_parameter=True)
    service.items[20:30] = service.items[10:20]
    with pytest.raises(PaginationError, match="Page 3 has the same items as the page before it") as caught:
        await service.list().collect()
    assert caught.value.number == 3


async def test_list_moved_by_one_page() -> None:
    """If ten items are added in front, the next page has the items of the last one: that is no contradiction."""
    service = PagedService(knows_parameter=True)
    iterator = aiter(service.list(1))
    seen = [await anext(iterator) for _ in range(20)]
    service.items[:0] = range(100, 110)
    seen += [item async for item in iterator]
    assert sorted(set(seen)) == EVERYTHING


# Finding out the parameter for the page number


async def test_unknown_parameter() -> None:
    """Until the parameter for the page number is known, no page is prefetched."""
    service = PagedService()
    iterator = service.list(6).pages()
    await anext(iterator)
    await service.run_pending()
    assert service.requested == [1, 2]
    assert [page.number async for page in iterator] == [2, 3, 4, 5, 6]


async def test_ignored_parameter() -> None:
    """If the service ignores the first parameter, the page is requested with the second, once for all iterations."""
    service = PagedService()
    service.parameter = "page_number"
    paginator = service.list()
    for _ in range(2):
        assert await paginator.collect() == EVERYTHING
    assert service.requested.count(1) == 3


async def test_concurrent_iterators_find_the_parameter() -> None:
    """Iterators that find out the parameter at the same time do not disturb each other."""
    service = PagedService()
    service.parameter = "page_number"
    paginator = service.list()
    assert await asyncio.gather(*(paginator.collect() for _ in range(10))) == [EVERYTHING] * 10


async def test_slow_iterator_uses_the_parameter_of_another() -> None:
    """An iterator whose ignored request returns late uses the parameter that another has found out meanwhile."""
    service = PagedService()
    service.parameter = "page_number"
    held, released = asyncio.Event(), asyncio.Event()

    async def fetch(params: Params) -> Page[Any]:
        page = await service.fetch(params)
        if params and not held.is_set():
            held.set()
            await released.wait()
        return page

    paginator = service.paginate(fetch, PageNumberPagination("page", "page_number"))
    slow = asyncio.create_task(paginator.collect())
    await held.wait()
    assert await paginator.collect() == EVERYTHING
    released.set()
    assert await slow == EVERYTHING
