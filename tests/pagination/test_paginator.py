"""The paginator: its methods, its arguments, and the errors for the usual slips."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from support.pages import PagedService

from tingting_async import MisuseError, Page, Paginator, UsageError
from tingting_async.http.messages import Params
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination, SinglePage
from tingting_async.v1 import TingTing as V1TingTing

pytestmark = pytest.mark.anyio

EVERYTHING = list(range(57))


@pytest.mark.parametrize("window", [None, 1, 3, 100])
@pytest.mark.parametrize("total", [0, 1, 10, 57, 60])
async def test_every_item_in_order(window: int | None, total: int) -> None:
    """Every item is delivered once and in order. Each page is requested once, with at most `window` in flight."""
    service = PagedService(total, knows_parameter=True)
    assert [item async for item in service.list(window)] == service.items
    assert sorted(service.requested) == list(range(1, max(1, -(-total // 10)) + 1))
    assert service.peak_in_flight <= (window or 4)


async def test_no_request_before_the_first_item() -> None:
    """A paginator requests nothing before its first item, and each iteration starts anew."""
    service = PagedService(25)
    paginator = service.list()
    iterator = aiter(paginator)
    await asyncio.sleep(0)
    assert service.requested == []
    assert await anext(iterator) == 0
    assert [item async for item in paginator] == list(range(25))
    assert [item async for item in iterator] == list(range(1, 25))


async def test_concurrent_iterations() -> None:
    """Many iterations over one paginator each deliver everything."""
    service = PagedService(knows_parameter=True)
    paginator = service.list()
    assert await asyncio.gather(*(paginator.collect() for _ in range(20))) == [EVERYTHING] * 20


@pytest.mark.parametrize(("limit", "pages"), [(0, 0), (1, 1), (10, 1), (57, 6), (100, 6), (None, 6)])
async def test_collect(limit: int | None, pages: int) -> None:
    """`collect` returns as many items as wanted, and requests no page too many."""
    service = PagedService()
    assert await service.list().collect(limit) == EVERYTHING[:limit]
    await service.run_pending()
    assert len(service.requested) == pages
    assert service.tasks == set()


async def test_first() -> None:
    """`first` returns the first item, or None for an empty list."""
    assert await PagedService().list().first() == 0
    assert await PagedService(0).list().first() is None


async def test_count() -> None:
    """`count` returns the total that the service states, with one request."""
    service = PagedService(600)
    assert await service.list().count() == 600
    assert service.requested == [1]


async def test_count_without_a_total() -> None:
    """`count` counts the items if the service does not state a total."""
    service = PagedService()

    async def fetch(params: Params) -> Page[int]:
        page = await service.fetch(params)
        return Page(page.items, page.number, None, None, page.has_next)

    assert await service.paginate(fetch, PageNumberPagination("page")).count() == 57


async def test_single_page() -> None:
    """A list without pagination is requested once."""
    service = PagedService(7)
    assert await service.paginate(service.fetch, SinglePage()).collect() == list(range(7))
    assert service.requested == [1]


async def test_capped_limit() -> None:
    """If the service returns smaller pages than requested, iteration advances by the items received."""
    service = PagedService(by_offset=True)
    service.page_size = 7
    assert await service.paginate(service.fetch, LimitOffsetPagination(100)).collect() == EVERYTHING


async def test_has_changed() -> None:
    """`has_changed` says whether the length of the list changed during an iteration."""
    service = PagedService(by_offset=True)
    paginator = service.list(window=1)
    await paginator.collect()
    assert not paginator.has_changed
    async for item in paginator:
        if item == 25:
            service.items.append(1000)
    assert paginator.has_changed


@pytest.mark.parametrize("window", [0, -1])
def test_refused_window(window: int) -> None:
    """A window below 1 is a UsageError."""
    with pytest.raises(UsageError, match=f"`window` is {window}; it must be an integer from 1 up"):
        PagedService().list(window=window)


async def test_refused_limit() -> None:
    """A negative limit is a UsageError."""
    with pytest.raises(UsageError, match="`limit` is -1"):
        await PagedService().list().collect(-1)


@pytest.mark.parametrize(("iterate", "exact"), [(aiter, False), (aiter, True), (Paginator.pages, False)])
def test_no_event_loop(iterate: Callable[[Any], Any], exact: bool) -> None:
    """Starting an iteration outside an event loop says so at once and leaves nothing behind."""
    with pytest.raises(MisuseError, match="No asyncio event loop is running here"):
        iterate(PagedService().list(exact=exact))
    gc.collect()


# The usual slips


async def test_awaiting_a_paginator() -> None:
    """`await` on a paginator says to write `async for` or `collect()`."""
    paginator: Any = PagedService().list()
    with pytest.raises(MisuseError, match=r"cannot be awaited: write `async for .*\.collect\(\)`"):
        await paginator


SLIPS: list[Any] = [
    pytest.param(lambda paginator: [str(item) for item in paginator], r"needs `async for`: .*\.collect\(\)`", id="for"),
    pytest.param(lambda paginator: [*paginator], "needs `async for`", id="*"),
    pytest.param(len, r"no len\(\): write `await ….list\(\).count\(\)`", id="len"),
    pytest.param(bool, r"neither true nor false: write `await ….list\(\).first\(\) is not None`", id="bool"),
    pytest.param(lambda paginator: paginator[0], r"no item \[0\]: write `await ….list\(\).first\(\)`", id="[0]"),
    pytest.param(lambda paginator: paginator[:3], r"no item .*\.collect\(limit=…\)`", id="[:3]"),
]


@pytest.mark.parametrize(("slip", "text"), SLIPS)
def test_slips(slip: Callable[[Any], Any], text: str) -> None:
    """Using a paginator as a list is a UsageError and a TypeError that says what to write instead."""
    service = PagedService()
    with pytest.raises(MisuseError, match=text) as caught:
        slip(service.list())
    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, TypeError)
    assert service.requested == []


ITERATORS: list[Any] = [
    pytest.param(lambda: aiter(PagedService().list()), r"write `async for item in ….list\(\)`", id="items"),
    pytest.param(lambda: aiter(PagedService().list(exact=True)), r"write `async for item in ….list\(\)`", id="exact"),
    pytest.param(lambda: PagedService().list().pages(), r"write `async for page in ….list\(\).pages\(\)`", id="pages"),
    pytest.param(
        lambda: V1TingTing(api_token="t").campaigns.progress(1),
        r"write `async for campaign in ….campaigns.progress\(id\)`, or `await ….campaigns.wait\(id\)`",
        id="progress",
    ),
]


@pytest.mark.parametrize("slip", [slip.values[0] for slip in SLIPS], ids=[slip.id for slip in SLIPS])
@pytest.mark.parametrize(("make", "text"), ITERATORS)
async def test_slips_with_an_iterator(make: Callable[[], Any], text: str, slip: Callable[[Any], Any]) -> None:
    """Using an asynchronous iterator as another object is a MisuseError that says what to write instead."""
    with pytest.raises(MisuseError, match=text):
        slip(make())


@pytest.mark.parametrize(("make", "text"), ITERATORS)
async def test_awaiting_an_iterator(make: Callable[[], Any], text: str) -> None:
    """`await` on an asynchronous iterator is a MisuseError that says what to write instead."""
    with pytest.raises(MisuseError, match=f"cannot be awaited: {text}"):
        await make()
