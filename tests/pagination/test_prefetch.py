"""The window of pages in flight, over a service in memory."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

import pytest

from tingting_async import NotFoundError, Page, PaginationError, Paginator, ServerError, SessionClosedError
from tingting_async.http.messages import Params
from tingting_async.pagination.styles import PageNumberPagination

pytestmark = pytest.mark.anyio


class Service:
    """Pages of ten numbers, whose answers can be held back and made to fail."""

    def __init__(self, total: int = 57) -> None:
        self.rows = list(range(total))
        self.asked: list[int] = []
        self.tasks: set[asyncio.Task[Any]] = set()
        self.failing: dict[int, Exception] = {}
        self.held: dict[int, asyncio.Event] = {}
        self.most = self.now = 0

    async def fetch(self, params: Params) -> Page[int]:
        """Answer one page."""
        number = int(dict(params).get("page", "1"))
        self.asked.append(number)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            if number in self.held:
                await self.held[number].wait()
            if number in self.failing:
                raise self.failing[number]
            pages = max(1, -(-len(self.rows) // 10))
            if number > pages:
                raise NotFoundError("Invalid page.", status=404)
            items = self.rows[(number - 1) * 10 : number * 10]
            return Page(items, number, len(self.rows), pages, number < pages)
        finally:
            self.now -= 1

    def spawn(self, coroutine: Coroutine[Any, Any, Page[int]]) -> "asyncio.Task[Page[int]]":
        """Start a task, and know it."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.forget)
        return task

    def forget(self, task: asyncio.Task[Any]) -> None:
        """Forget a task that has ended."""
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()

    def list(self, window: int | None = None, *, knows_how: bool = True) -> Paginator[int]:
        """Return its list; by default it is known how to ask."""
        style = PageNumberPagination("page")
        if knows_how:
            ask = style.next(style.first(), Page([], 1, None, None, has_next=True))
            assert ask is not None
            style.fallback(ask, Page([], 2, None, None, has_next=True))
        return Paginator(self.fetch, self.spawn, style, default_window=4, window=window)

    async def settle(self) -> None:
        """Let what was cancelled end."""
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.mark.parametrize("window", [None, 1, 3, 100])
@pytest.mark.parametrize("total", [0, 1, 10, 57, 60])
async def test_everything_in_order(window: int | None, total: int) -> None:
    """Every item comes out once and in order, and each page is asked for once, and no more of them than the window."""
    service = Service(total)
    assert [item async for item in service.list(window)] == service.rows
    assert sorted(service.asked) == list(range(1, max(1, -(-total // 10)) + 1))
    assert service.most <= (window or 4)


async def test_slow_start() -> None:
    """A loop that may leave early asks for one page too many at the most, until it has gone far."""
    service = Service(600)
    walk = service.list().pages()
    asked = []
    for _ in range(8):
        await anext(walk)
        await service.settle()
        asked.append(max(service.asked))
    await walk.aclose()
    assert asked == [1, 3, 4, 7, 8, 9, 10, 11]


async def test_given_window_opens_at_once() -> None:
    """A window given by the caller is filled as soon as the first page has said how many there are."""
    service = Service(600)
    walk = service.list(8).pages()
    await anext(walk)
    await service.settle()
    assert max(service.asked) == 8
    await walk.aclose()


async def test_late_page() -> None:
    """Behind a page that is late an open window goes on, no fuller than it is, and by so many pages again at most."""
    service = Service(600)
    service.held[2] = asyncio.Event()
    walk = service.list(4).pages()
    await anext(walk)
    waiting = asyncio.ensure_future(anext(walk))
    for _ in range(100):
        await asyncio.sleep(0)
    assert (max(service.asked), service.now, service.most) == (8, 1, 4)
    service.held[2].set()
    assert (await waiting).number == 2
    assert [page.number async for page in walk] == list(range(3, 61))
    assert sorted(service.asked) == list(range(1, 61))


async def test_slow_loop() -> None:
    """While a loop is busy with a page, no more than the window is asked for."""
    service = Service(600)
    async for page in service.list(4).pages():
        await service.settle()
        assert max(service.asked) == min(60, page.number + 3)


async def test_collect_opens_at_once() -> None:
    """Collecting everything opens the whole window; collecting some does not ask for much more."""
    service = Service(600)
    assert await service.list().collect() == service.rows
    assert service.most == 4
    service.asked.clear()
    assert await service.list().collect(limit=25) == service.rows[:25]
    assert max(service.asked) <= 4
    assert await service.list().first() == 0
    assert await service.list().count() == 600


async def test_count_by_walking() -> None:
    """Where the service does not say how many there are, they are counted."""
    service = Service(57)

    async def fetch(params: Params) -> Page[int]:
        page = await service.fetch(params)
        return Page(page.items, page.number, None, None, page.has_next)

    assert await Paginator(fetch, service.spawn, PageNumberPagination("page"), default_window=4).count() == 57


async def test_failure_is_held_until_due() -> None:
    """A page that fails ahead of time surfaces at its own place; the same walk then asks for it again."""
    service = Service()
    service.failing[3] = ServerError("x", status=500)
    walk = aiter(service.list(6))
    assert [await anext(walk) for _ in range(20)] == service.rows[:20]
    for _ in range(2):
        with pytest.raises(ServerError):
            await anext(walk)
    service.failing.clear()
    assert [item async for item in walk] == service.rows[20:]


async def test_break_leaves_nothing() -> None:
    """A `break` ends what is in flight, without `aclose`."""
    service = Service()
    service.held = {number: asyncio.Event() for number in (3, 4, 5, 6)}
    async for item in service.list(6):
        if item == 13:
            break
    assert service.now == 4
    await service.settle()
    assert service.tasks == set()
    assert service.now == 0


async def test_exception_leaves_nothing() -> None:
    """An exception in the loop's body ends what is in flight."""
    service = Service()
    service.held = {number: asyncio.Event() for number in (3, 4, 5, 6)}

    async def job() -> None:
        async for item in service.list(6):
            if item == 13:
                raise LookupError

    with pytest.raises(LookupError):
        await job()
    await service.settle()
    assert service.tasks == set()


async def test_cancelled_consumer_leaves_nothing() -> None:
    """Cancelling the task of a walk ends what is in flight."""
    service = Service()
    service.held = {2: asyncio.Event()}
    task = asyncio.create_task(service.list(6).collect())
    while 2 not in service.asked:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await service.settle()
    assert service.tasks == set()


async def test_going_on_after_a_timeout() -> None:
    """A consumer that stops waiting for a page and comes back gets that page, asked for once."""
    service = Service()
    service.held = {2: asyncio.Event()}
    walk = service.list(1).pages()
    await anext(walk)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await anext(walk)
    service.held[2].set()
    assert (await anext(walk)).number == 2
    assert service.asked == [1, 2]
    await walk.aclose()


async def test_closed_at_any_moment() -> None:
    """Whenever another task closes a walk, its waiting ends with the page or with an error of ours, and it is over."""
    seen: set[type] = set()
    for turns in range(10):
        service = Service()
        walk = service.list(2).pages()
        await anext(walk)
        waiting = asyncio.ensure_future(anext(walk))
        for _ in range(turns):
            await asyncio.sleep(0)
        await walk.aclose()
        (result,) = await asyncio.gather(waiting, return_exceptions=True)
        seen.add(type(result))
        assert [page async for page in walk] == []
        await service.settle()
        assert service.tasks == set()
    assert seen == {Page, SessionClosedError, StopAsyncIteration}


async def test_closed_while_asking_otherwise() -> None:
    """A walk that is closed while it asks in another way is over, whatever comes of that."""
    for ending in (None, ServerError("failed", status=500)):
        asked: list[Params] = []
        held = asyncio.Event()

        async def fetch(
            params: Params, asked: list[Params] = asked, held: asyncio.Event = held, ending: Exception | None = ending
        ) -> Page[int]:
            asked.append(params)
            number = int(dict(params).get("page_number", "1"))
            if number > 1:
                await held.wait()
                if ending is not None:
                    raise ending
            return Page([number], number, 3, 3, number < 3)

        walk = Paginator(fetch, Service().spawn, PageNumberPagination("page", "page_number"), default_window=4).pages()
        await anext(walk)
        waiting = asyncio.ensure_future(anext(walk))
        while len(asked) < 3:
            await asyncio.sleep(0)
        await walk.aclose()
        held.set()
        with pytest.raises(SessionClosedError if ending is None else ServerError):
            await waiting
        assert [page async for page in walk] == []
        assert len(asked) == 3


async def test_unknown_how_to_ask() -> None:
    """Until it is known how to ask for a page, none is asked for ahead."""
    service = Service()
    walk = service.list(6, knows_how=False).pages()
    await anext(walk)
    await service.settle()
    assert service.asked == [1, 2]
    assert [page.number async for page in walk] == [2, 3, 4, 5, 6]


async def test_list_that_shrinks() -> None:
    """Where the list became shorter meanwhile, a page that is no more is its end; otherwise a 404 is an error."""
    service = Service()
    walk = aiter(service.list(1))
    seen = [await anext(walk) for _ in range(30)]
    del service.rows[35:]
    seen += [item async for item in walk]
    assert seen == list(range(35))
    service = Service()
    service.failing[4] = NotFoundError("gone", status=404)
    walk = aiter(service.list(1))
    for _ in range(30):
        await anext(walk)
    for _ in range(2):
        with pytest.raises(NotFoundError):
            await anext(walk)
    service = Service()
    service.failing[1] = NotFoundError("no such list", status=404)
    with pytest.raises(NotFoundError):
        await service.list().first()


async def test_list_that_grows() -> None:
    """Pages that are added while walking come out as well."""
    service = Service(30)
    walk = aiter(service.list(1))
    seen = [await anext(walk) for _ in range(15)]
    service.rows += range(30, 60)
    seen += [item async for item in walk]
    assert seen == list(range(60))


async def test_repeated_page() -> None:
    """The same page again, under another number, is a PaginationError."""
    service = Service(60)
    service.rows[20:30] = service.rows[10:20]
    with pytest.raises(PaginationError, match="Page 3 has the same items") as caught:
        await service.list().collect()
    assert caught.value.number == 3


async def test_rows_pushed_on_by_a_page() -> None:
    """Ten rows that were added in front make the next page the same as the last; that is no contradiction."""
    service = Service(57)
    walk = aiter(service.list(1))
    seen = [await anext(walk) for _ in range(20)]
    service.rows[:0] = range(100, 110)
    seen += [item async for item in walk]
    assert sorted(set(seen)) == list(range(57))


async def test_concurrent_walks() -> None:
    """Many walks over one paginator each see everything."""
    service = Service()
    campaigns = service.list()
    assert await asyncio.gather(*(campaigns.collect() for _ in range(20))) == [service.rows] * 20


async def test_list_that_loses_its_next_page() -> None:
    """A 404 is the end of a list whose first page says that it has become that short meanwhile."""
    service = Service()
    listing = service.list(1)
    walk = listing.pages()
    numbers = [(await anext(walk)).number for _ in range(3)]
    del service.rows[30:]
    numbers += [page.number async for page in walk]
    assert numbers == [1, 2, 3]
    assert service.asked[-2:] == [4, 1]
    assert listing.has_changed


async def test_last_page_that_is_not_found() -> None:
    """A 404 of the page that the first one still calls the last is an error."""
    service = Service()
    service.failing[6] = NotFoundError("gone", status=404)
    with pytest.raises(NotFoundError):
        await service.list(1).collect()


async def test_cancelled_while_closed() -> None:
    """Who is cancelled while the session ends what it waits for is cancelled, and not told of the session."""
    service = Service()
    service.held = {2: asyncio.Event()}
    walk = service.list(1).pages()
    await anext(walk)
    waiting = asyncio.ensure_future(anext(walk))
    while 2 not in service.asked:
        await asyncio.sleep(0)
    for task in (*service.tasks, waiting):
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
