"""Walks in odd situations, on a service in memory: learning together, closed, shared, collected, gone on with."""

import asyncio
import gc
import threading
from collections.abc import Coroutine
from typing import Any

import anyio
import attrs
import pytest

from tingting_async import NotFoundError, Page, Paginator, ServerError, SessionClosedError, TingTing, UsageError
from tingting_async.http.messages import Params
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination, SinglePage
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@attrs.frozen
class Row:
    """A row."""

    id: int


class Service:
    """A list of numbers in pages of ten, by page number or by offset."""

    def __init__(self, total: int = 57, *, by_offset: bool = False) -> None:
        self.total = total
        self.by_offset = by_offset
        self.asked: list[int] = []
        """The pages that were asked for, in order, from 1."""
        self.gates: dict[int, asyncio.Event] = {}
        """Pages that wait until their event is set."""
        self.fails: dict[int, list[Exception]] = {}
        """What pages fail with, each once."""
        self.tasks: set[asyncio.Task[Any]] = set()
        self.most_in_flight = 0
        self._in_flight = 0
        self.arrived: dict[int, asyncio.Event] = {}
        self.parameter = "page"

    @property
    def pages(self) -> int:
        return -(-self.total // 10)

    async def fetch(self, params: Params) -> Page[int]:
        given = dict(params)
        number = int(given["offset"]) // 10 + 1 if self.by_offset else int(given.get(self.parameter, 1))
        self.asked.append(number)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        self.arrived.setdefault(number, asyncio.Event()).set()
        try:
            if number in self.gates:
                await self.gates[number].wait()
            else:
                await asyncio.sleep(0)
            if self.fails.get(number):
                raise self.fails[number].pop(0)
            return self.page(number)
        finally:
            self._in_flight -= 1

    def page(self, number: int) -> Page[int]:
        items = list(range(self.total))[(number - 1) * 10 : number * 10]
        if number > 1 and not items:
            raise NotFoundError("Invalid page.", status=404)
        return Page(items, number, self.total, self.pages, number < self.pages)

    def spawn(self, coroutine: Coroutine[Any, Any, Page[int]]) -> asyncio.Task[Page[int]]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()

    def list(self, *, default_window: int = 4, window: int | None = None) -> Paginator[int]:
        style = LimitOffsetPagination(10) if self.by_offset else PageNumberPagination("page", "page_number")
        return Paginator(self.fetch, self.spawn, style, default_window=default_window, window=window)

    async def idle(self) -> None:
        """Wait until nothing is in flight any more."""
        gc.collect()
        for _ in range(1000):
            await asyncio.sleep(0)
        assert self.tasks == set()


EVERYTHING = list(range(57))


async def test_nothing_is_asked_before() -> None:
    """A paginator asks for nothing before the first item is, and each walk starts anew."""
    service = Service(25)
    listing = service.list()
    walk = aiter(listing)
    await asyncio.sleep(0)
    assert service.asked == []
    assert await anext(walk) == 0
    assert [item async for item in listing] == list(range(25))
    assert [item async for item in walk] == list(range(1, 25))


async def test_order_of_answers() -> None:
    """Pages that are answered in another order come out in theirs."""
    service = Service(by_offset=True)
    service.gates = {number: asyncio.Event() for number in (2, 3, 4, 5, 6)}
    task = asyncio.create_task(service.list(window=8).collect())
    for number in (6, 4, 5, 2, 3):
        await service.arrived.setdefault(number, asyncio.Event()).wait()
        service.gates[number].set()
        await asyncio.sleep(0)
    assert await task == EVERYTHING


async def test_collect() -> None:
    """`collect` returns all or as many as wanted, and asks for no page too many."""
    service = Service()
    listing = service.list()
    assert await listing.collect() == EVERYTHING
    for limit, pages in ((0, 0), (1, 1), (10, 1), (57, 6), (100, 6)):
        service.asked.clear()
        assert await listing.collect(limit) == EVERYTHING[:limit]
        await service.idle()
        assert len(service.asked) == pages
    assert await listing.first() == 0
    with pytest.raises(UsageError, match="`limit` is -1"):
        await listing.collect(-1)


async def test_one_page() -> None:
    """A list without pages is asked for once."""
    service = Service(7)
    assert await Paginator(service.fetch, service.spawn, SinglePage(), default_window=4).collect() == list(range(7))
    assert service.asked == [1]


@pytest.mark.parametrize("given", [0, -1])
def test_no_window(given: int) -> None:
    """A window without a page is refused."""
    with pytest.raises(UsageError, match="from 1 up"):
        Service().list(window=given)


# Failures


async def test_failure_of_the_first_page() -> None:
    """A first page that failed is asked for again by the same walk."""
    service = Service()
    service.fails = {1: [ServerError("failed", status=500)]}
    walk = aiter(service.list())
    with pytest.raises(ServerError):
        await anext(walk)
    assert [item async for item in walk] == EVERYTHING


async def test_failure_ends_what_is_ahead() -> None:
    """Once a failure is out, nothing is in flight any more."""
    service = Service(by_offset=True)
    service.fails = {2: [ServerError("failed", status=500)]}
    service.gates = {number: asyncio.Event() for number in (3, 4, 5, 6)}
    walk = service.list(window=8).pages()
    await anext(walk)
    with pytest.raises(ServerError):
        await anext(walk)
    await service.idle()


async def test_ignored_page_is_asked_for_otherwise() -> None:
    """A page that the service ignored is asked for by the other parameter, once for all walks."""
    service = Service()
    service.parameter = "page_number"
    listing = service.list()
    for _ in range(2):
        assert await listing.collect() == EVERYTHING
    assert service.asked.count(1) == 3


async def test_concurrent_walks_learn() -> None:
    """Walks that find out at the same time how to ask do not disturb each other."""
    service = Service()
    service.parameter = "page_number"
    listing = service.list()
    assert await asyncio.gather(*(listing.collect() for _ in range(10))) == [EVERYTHING] * 10


async def test_slow_walk_learns_from_another() -> None:
    """A walk whose page was ignored, and comes back late, asks as another has found out meanwhile."""
    service = Service()
    service.parameter = "page_number"
    held = asyncio.Event()
    release = asyncio.Event()

    async def fetch(params: Params) -> Page[int]:
        page = await service.fetch(params)
        if params and not held.is_set():
            held.set()
            await release.wait()
        return page

    listing = Paginator(fetch, service.spawn, PageNumberPagination("page", "page_number"), default_window=4)
    slow = asyncio.create_task(listing.collect())
    await held.wait()
    assert await listing.collect() == EVERYTHING
    release.set()
    assert await slow == EVERYTHING


async def test_capped_limit() -> None:
    """A service that gives smaller pages than asked for is walked by what came."""
    service = Service(by_offset=True)

    async def fetch(params: Params) -> Page[int]:
        offset = int(dict(params)["offset"])
        return Page(EVERYTHING[offset : offset + 7], 1, 57, None, offset + 7 < 57)

    assert await Paginator(fetch, service.spawn, LimitOffsetPagination(100), default_window=4).collect() == EVERYTHING


async def test_uneven_pages() -> None:
    """Where pages are not as large as was guessed, what was fetched ahead for nothing is dropped."""
    service = Service()
    starts = {0: 10, 10: 3, 13: 10, 23: 1, 24: 33}
    asked: list[int] = []

    async def fetch(params: Params) -> Page[int]:
        offset = int(dict(params)["offset"])
        asked.append(offset)
        await asyncio.sleep(0)
        return Page(EVERYTHING[offset : offset + starts.get(offset, 5)], 1, 57, None, False)

    assert (
        await Paginator(fetch, service.spawn, LimitOffsetPagination(10), default_window=4, window=4).collect()
        == EVERYTHING
    )
    await service.idle()
    assert set(starts) <= set(asked)


# Leaving


async def blocked(service: Service) -> None:
    """Let all pages but the first ones hang."""
    service.gates = {number: asyncio.Event() for number in range(3, service.pages + 1)}


async def test_garbage_collector_in_another_thread() -> None:
    """A walk that is collected in another thread ends its tasks in the loop's."""
    service = Service(by_offset=True)
    await blocked(service)
    walks = [aiter(service.list(window=8))]
    await anext(walks[0])
    thread = threading.Thread(target=walks.clear)
    thread.start()
    thread.join()
    await service.idle()


async def test_close() -> None:
    """A closed walk is over, and nothing of it is in flight; closing twice does no harm."""
    for walk in (aiter(Service(by_offset=True).list(window=4)), Service(by_offset=True).list(window=4).pages()):
        await anext(walk)
        await walk.aclose()
        await walk.aclose()
        assert [item async for item in walk] == []


async def test_close_while_another_waits() -> None:
    """Closing a walk that another task waits for ends its waiting with an error."""
    service = Service(by_offset=True)
    await blocked(service)
    walk = service.list(window=4).pages()
    await anext(walk)
    await anext(walk)
    waiting = asyncio.ensure_future(anext(walk))
    await asyncio.sleep(0)
    await walk.aclose()
    with pytest.raises(SessionClosedError):
        await waiting


async def test_nobody_holds_whoever_waits() -> None:
    """A task that waits for a page, and that nobody holds, is not collected before the page has come."""
    service = Service()
    service.gates = {2: asyncio.Event()}
    service.arrived = {2: asyncio.Event()}
    taken: list[int] = []

    async def take() -> None:
        taken.extend([item async for item in service.list()])

    asyncio.get_running_loop().create_task(take())
    await service.arrived[2].wait()
    gc.collect()
    service.gates[2].set()
    await service.idle()
    assert taken == EVERYTHING


async def test_session_closed_before_a_page_is_asked_for() -> None:
    """A session that closes in the moment in which a page is about to be asked for ends the waiting for it."""
    for turns in range(5):
        async with Sandbox(campaigns=5) as sandbox:
            tingting = TingTing(base_url=sandbox.url, api_token=sandbox.api_token)
            waiting = asyncio.ensure_future(tingting.campaigns.list().first())
            for _ in range(turns):
                await asyncio.sleep(0)
            await tingting.aclose()
            with pytest.raises(SessionClosedError):
                await waiting


async def test_session_closed_with_a_page_in_hand() -> None:
    """A page that has come is handed out though the session was closed meanwhile, and the token knows of it."""
    service = Service()
    closes_at = {10}
    is_closed = False

    async def fetch(params: Params) -> Page[int]:
        nonlocal is_closed
        offset = int(dict(params)["offset"])
        await asyncio.sleep(0)
        is_closed = is_closed or offset in closes_at
        size = 5 if offset == 10 else 10  # It is not followed by what was guessed: that is asked for once it is there.
        return Page(EVERYTHING[offset : offset + size], 1, 57, None, False)

    def spawn(coroutine: Coroutine[Any, Any, Page[int]]) -> asyncio.Task[Page[int]]:
        if is_closed:
            coroutine.close()
            raise SessionClosedError("closed")
        return service.spawn(coroutine)

    def listing(resume: str | None = None) -> Any:
        return aiter(
            Paginator(
                fetch,
                spawn,
                LimitOffsetPagination(10),
                default_window=2,
                window=2,
                fingerprint="rows.list",
                resume=resume,
            )
        )

    walk, taken = listing(), list[int]()
    for _ in range(15):
        taken.append(await anext(walk))
    with pytest.raises(SessionClosedError):
        await anext(walk)
    assert taken == EVERYTHING[:15]
    closes_at.clear()
    is_closed = False
    assert [item async for item in listing(walk.resume_token)] == EVERYTHING[15:]


@pytest.mark.parametrize("exact", [False, True])
async def test_closed_while_the_end_is_confirmed(exact: bool) -> None:
    """A walk that is closed while it finds out what a missing page means is no list that has ended."""
    asked: list[int] = []
    arrived, released = asyncio.Event(), asyncio.Event()

    async def fetch(params: Params) -> Page[int]:
        number = int(dict(params).get("page", "1"))
        asked.append(number)
        if number > 1:
            raise NotFoundError("Invalid page.", status=404)
        if asked == [1]:
            return Page([Row(1)], 1, 2, 2, True)
        arrived.set()
        await released.wait()
        return Page([Row(1)], 1, 1, 1, False)

    walk = aiter(
        Paginator(fetch, Service().spawn, PageNumberPagination("page"), default_window=1, window=1, exact=exact)
    )
    await anext(walk)
    waiting = asyncio.ensure_future(anext(walk))
    await arrived.wait()
    await walk.aclose()
    released.set()
    with pytest.raises(SessionClosedError):
        await waiting
    assert asked == [1, 2, 1]


async def test_closed_exact_walk_that_fails() -> None:
    """An exact walk that is closed while it asks in another way begins no other pass, whatever comes of that."""
    asked: list[Params] = []
    arrived, released = asyncio.Event(), asyncio.Event()

    async def fetch(params: Params) -> Page[Row]:
        asked.append(params)
        if len(asked) > 2:
            arrived.set()
            await released.wait()
            raise NotFoundError("Invalid page.", status=404)
        return Page([Row(1)], 1, 3, 3, True)  # The first page again, whatever was asked for.

    style = PageNumberPagination("page", "page_number")
    walk = aiter(Paginator(fetch, Service().spawn, style, default_window=1, window=1, exact=True))
    await anext(walk)
    waiting = asyncio.ensure_future(anext(walk))
    await arrived.wait()
    await walk.aclose()
    released.set()
    with pytest.raises(NotFoundError):
        await waiting
    assert len(asked) == 3


async def test_after_the_end() -> None:
    """A walk that has come to its end stays there."""
    service = Service(7)
    walk = aiter(service.list())
    assert [item async for item in walk] == list(range(7))
    assert [item async for item in walk] == []
    assert service.asked == [1]


async def test_timeout_then_going_on() -> None:
    """A time-out around one step leaves the walk where it was; no item is lost, no page asked for twice."""
    service = Service(by_offset=True)
    service.gates = {2: asyncio.Event()}
    walk = aiter(service.list(window=2))
    seen = [await anext(walk) for _ in range(10)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await anext(walk)
    with anyio.move_on_after(0.001) as scope:
        await anext(walk)
    assert scope.cancelled_caught
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(walk), 0.001)
    service.gates[2].set()
    seen += [item async for item in walk]
    assert seen == EVERYTHING
    assert service.asked.count(2) == 1


async def test_timeout_while_asking_otherwise() -> None:
    """A time-out while a page is asked for in another way loses nothing either."""
    service = Service()
    service.parameter = "page_number"
    service.gates = {2: asyncio.Event()}
    walk = aiter(service.list())
    seen = [await anext(walk) for _ in range(10)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await anext(walk)
    service.gates[2].set()
    seen += [item async for item in walk]
    assert seen == EVERYTHING


async def test_two_tasks_on_one_walk() -> None:
    """Two tasks that take from one walk at the same time are told so: neither loses nor doubles an item."""
    service = Service(by_offset=True)
    service.gates = {2: asyncio.Event()}
    walk = aiter(service.list(window=2))
    seen = [await anext(walk) for _ in range(10)]
    first = asyncio.ensure_future(anext(walk))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="same iterator"):
        async with asyncio.timeout(1):
            await anext(walk)
    service.gates[2].set()
    seen += [await first]
    seen += [item async for item in walk]
    assert seen == EVERYTHING


async def test_consumer_is_never_cancelled() -> None:
    """A page that fails ahead does not disturb what the consumer awaits meanwhile."""
    service = Service(by_offset=True)
    service.fails = {number: [ServerError("failed", status=500)] for number in (2, 3, 4)}
    walk = aiter(service.list(window=8))
    await anext(walk)
    await service.idle()
    async with anyio.create_task_group() as group:
        group.start_soon(asyncio.sleep, 0)
    assert [await anext(walk) for _ in range(9)] == list(range(1, 10))
    await walk.aclose()


async def test_closed_session() -> None:
    """Where the session is closed meanwhile, the walk says so."""
    service = Service(by_offset=True)
    await blocked(service)
    walk = service.list(window=4).pages()
    await anext(walk)
    await anext(walk)
    for task in list(service.tasks):
        task.cancel()
    for _ in range(2):
        with pytest.raises(SessionClosedError):
            await anext(walk)


def test_no_event_loop() -> None:
    """A walk that is begun outside of an event loop fails at once, and cleanly."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        Service().list().pages()
    gc.collect()


async def test_going_on_from_a_token_after_a_failure() -> None:
    """A walk that goes on from a token, and whose first page fails, still begins behind the last item."""
    service = Service()

    def listing(resume: str | None = None) -> Paginator[int]:
        style = PageNumberPagination("page")
        return Paginator(service.fetch, service.spawn, style, default_window=4, fingerprint="rows.list", resume=resume)

    walk: Any = aiter(listing())
    assert [await anext(walk) for _ in range(15)] == EVERYTHING[:15]
    await service.idle()
    service.fails = {2: [ServerError("failed", status=500)]}
    resumed: Any = aiter(listing(walk.resume_token))
    with pytest.raises(ServerError):
        await anext(resumed)
    assert walk.resume_token == resumed.resume_token
    assert [item async for item in resumed] == EVERYTHING[15:]
    await walk.aclose()
