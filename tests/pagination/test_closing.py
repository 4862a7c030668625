"""How an iteration ends before its list does, and that it leaves nothing in flight."""

import asyncio
import gc
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
from support.pages import PagedService, Row

from tingting_async import NotFoundError, Page, ServerError, SessionClosedError, TingTing
from tingting_async.http.messages import Params
from tingting_async.pagination.styles import LimitOffsetPagination, PageNumberPagination
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

EVERYTHING = list(range(57))


def blocked(*, by_offset: bool = True) -> PagedService:
    """Return a service that holds all pages but the first two."""
    service = PagedService(by_offset=by_offset, knows_parameter=True)
    service.held = {number: asyncio.Event() for number in range(3, 7)}
    return service


# Leaving a loop


async def test_break() -> None:
    """`break` cancels what is in flight, without `aclose`."""
    service = blocked(by_offset=False)
    async for item in service.list(6):
        if item == 13:
            break
    assert service.in_flight == 4
    await service.run_pending()
    assert service.tasks == set()
    assert service.in_flight == 0


async def test_exception_in_the_loop() -> None:
    """An exception in the loop's body cancels what is in flight."""
    service = blocked(by_offset=False)

    async def job() -> None:
        async for item in service.list(6):
            if item == 13:
                raise LookupError

    with pytest.raises(LookupError):
        await job()
    await service.run_pending()
    assert service.tasks == set()


async def test_cancelled_consumer() -> None:
    """Cancelling the consumer's task cancels what is in flight."""
    service = PagedService(knows_parameter=True)
    service.held = {2: asyncio.Event()}
    task = asyncio.create_task(service.list(6).collect())
    await service.arrived[2].wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await service.run_pending()
    assert service.tasks == set()


async def test_garbage_collector_in_another_thread() -> None:
    """An iterator that is collected in another thread cancels its tasks in their event loop."""
    service = blocked()
    iterators = [aiter(service.list(window=8))]
    await anext(iterators[0])
    thread = threading.Thread(target=iterators.clear)
    thread.start()
    thread.join()
    await service.run_pending()
    assert service.tasks == set()


async def test_waiting_consumer_is_kept_alive() -> None:
    """A task that waits for a page is not garbage-collected before the page arrives, even if nothing refers to it."""
    service = PagedService()
    service.held = {2: asyncio.Event()}
    collected: list[int] = []

    async def collect() -> None:
        collected.extend([item async for item in service.list()])

    asyncio.get_running_loop().create_task(collect())
    await service.arrived[2].wait()
    gc.collect()
    service.held[2].set()
    await service.run_pending()
    assert service.tasks == set()
    assert collected == EVERYTHING


# `aclose`


async def test_aclose() -> None:
    """A closed iterator is at its end and has nothing in flight. Closing it twice is allowed."""
    service = PagedService(by_offset=True)
    for iterator in (aiter(service.list(window=4)), service.list(window=4).pages()):
        await anext(iterator)
        await iterator.aclose()
        await iterator.aclose()
        assert [item async for item in iterator] == []
    await service.run_pending()
    assert service.tasks == set()


async def test_aclose_of_an_exact_iterator() -> None:
    """A closed exact iterator is at its end: it starts no other pass."""
    service = PagedService(knows_parameter=True)
    service.items = [Row(number) for number in range(57)]
    iterator = aiter(service.list(exact=True))
    await anext(iterator)
    await iterator.aclose()
    requested = len(service.requested)
    assert [row async for row in iterator] == []
    assert len(service.requested) == requested


async def test_aclose_while_another_task_waits() -> None:
    """Closing an iterator for which another task waits raises SessionClosedError in that task."""
    service = blocked()
    iterator = service.list(window=4).pages()
    await anext(iterator)
    await anext(iterator)
    waiting = asyncio.ensure_future(anext(iterator))
    await asyncio.sleep(0)
    await iterator.aclose()
    with pytest.raises(SessionClosedError):
        await waiting


async def test_aclose_at_any_moment() -> None:
    """Whenever another task closes an iterator, waiting ends with the page, the end, or SessionClosedError."""
    seen: set[type] = set()
    for turns in range(10):
        service = PagedService(knows_parameter=True)
        iterator = service.list(2).pages()
        await anext(iterator)
        waiting = asyncio.ensure_future(anext(iterator))
        for _ in range(turns):
            await asyncio.sleep(0)
        await iterator.aclose()
        (result,) = await asyncio.gather(waiting, return_exceptions=True)
        seen.add(type(result))
        assert [page async for page in iterator] == []
        await service.run_pending()
        assert service.tasks == set()
    assert seen == {Page, SessionClosedError, StopAsyncIteration}


@pytest.mark.parametrize("ending", [None, ServerError("failed", status=500)])
async def test_aclose_during_a_fallback(ending: Exception | None) -> None:
    """An iterator that is closed while it requests a page with the second parameter is at its end afterwards."""
    requested: list[Params] = []
    arrived, released = asyncio.Event(), asyncio.Event()

    async def fetch(params: Params) -> Page[int]:
        requested.append(params)
        number = int(dict(params).get("page_number", "1"))
        if number > 1:
            arrived.set()
            await released.wait()
            if ending is not None:
                raise ending
        return Page([number], number, 3, 3, number < 3)

    iterator = PagedService().paginate(fetch, PageNumberPagination("page", "page_number")).pages()
    await anext(iterator)
    waiting = asyncio.ensure_future(anext(iterator))
    await arrived.wait()
    await iterator.aclose()
    released.set()
    with pytest.raises(SessionClosedError if ending is None else ServerError):
        await waiting
    assert [page async for page in iterator] == []
    assert len(requested) == 3


@pytest.mark.parametrize("exact", [False, True])
async def test_aclose_while_the_end_is_confirmed(exact: bool) -> None:
    """An iterator that is closed while it checks what a missing page means raises SessionClosedError, not the end."""
    requested: list[int] = []
    arrived, released = asyncio.Event(), asyncio.Event()

    async def fetch(params: Params) -> Page[Row]:
        number = int(dict(params).get("page", "1"))
        requested.append(number)
        if number > 1:
            raise NotFoundError("Invalid page.", status=404)
        if requested == [1]:
            return Page([Row(1)], 1, 2, 2, True)
        arrived.set()
        await released.wait()
        return Page([Row(1)], 1, 1, 1, False)

    iterator = aiter(PagedService().paginate(fetch, PageNumberPagination("page"), window=1, exact=exact))
    await anext(iterator)
    waiting = asyncio.ensure_future(anext(iterator))
    await arrived.wait()
    await iterator.aclose()
    released.set()
    with pytest.raises(SessionClosedError):
        await waiting
    assert requested == [1, 2, 1]


async def test_aclose_of_an_exact_iterator_during_a_fallback() -> None:
    """An exact iterator that is closed while it requests a page with the second parameter starts no other pass."""
    requested: list[Params] = []
    arrived, released = asyncio.Event(), asyncio.Event()

    async def fetch(params: Params) -> Page[Row]:
        requested.append(params)
        if len(requested) > 2:
            arrived.set()
            await released.wait()
            raise NotFoundError("Invalid page.", status=404)
        return Page([Row(1)], 1, 3, 3, True)  # The first page, whatever was requested.

    style = PageNumberPagination("page", "page_number")
    iterator = aiter(PagedService().paginate(fetch, style, window=1, exact=True))
    await anext(iterator)
    waiting = asyncio.ensure_future(anext(iterator))
    await arrived.wait()
    await iterator.aclose()
    released.set()
    with pytest.raises(NotFoundError):
        await waiting
    assert len(requested) == 3


# Closing the session


async def test_session_closed_before_the_request() -> None:
    """A session that closes when a page is about to be requested raises SessionClosedError in the consumer."""
    for turns in range(5):
        async with Sandbox(campaigns=5) as sandbox:
            tingting = TingTing(base_url=sandbox.url, api_token=sandbox.api_token)
            waiting = asyncio.ensure_future(tingting.campaigns.list().first())
            for _ in range(turns):
                await asyncio.sleep(0)
            await tingting.aclose()
            with pytest.raises(SessionClosedError):
                await waiting


async def test_session_closed_during_the_request() -> None:
    """If the session cancels the page that the consumer waits for, every further step raises SessionClosedError."""
    service = blocked()
    iterator = service.list(window=4).pages()
    await anext(iterator)
    await anext(iterator)
    for task in list(service.tasks):
        task.cancel()
    for _ in range(2):
        with pytest.raises(SessionClosedError):
            await anext(iterator)


async def test_session_closed_after_the_response() -> None:
    """A page that has arrived is delivered although the session was closed meanwhile, and the token includes it."""
    service = PagedService()
    closes_at = {10}
    is_closed = False

    async def fetch(params: Params) -> Page[int]:
        nonlocal is_closed
        offset = int(dict(params)["offset"])
        await asyncio.sleep(0)
        is_closed = is_closed or offset in closes_at
        size = 5 if offset == 10 else 10  # The predicted page is wrong, so the next one is requested after this one.
        return Page(EVERYTHING[offset : offset + size], 1, 57, None, False)

    start_task = service.start_task

    def start_task_if_open(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        if is_closed:
            coroutine.close()
            raise SessionClosedError("closed")
        return start_task(coroutine)

    service.start_task = start_task_if_open  # type: ignore[method-assign]
    iterator = aiter(service.paginate(fetch, LimitOffsetPagination(10), window=2))
    seen = [await anext(iterator) for _ in range(15)]
    with pytest.raises(SessionClosedError):
        await anext(iterator)
    assert seen == EVERYTHING[:15]
    closes_at.clear()
    is_closed = False
    resumed = service.paginate(fetch, LimitOffsetPagination(10), window=2, resume=iterator.resume_token)
    assert await resumed.collect() == EVERYTHING[15:]


async def test_cancelled_while_the_session_closes() -> None:
    """A consumer that is cancelled while its session closes gets CancelledError, not SessionClosedError."""
    service = PagedService(knows_parameter=True)
    service.held = {2: asyncio.Event()}
    iterator = service.list(1).pages()
    await anext(iterator)
    waiting = asyncio.ensure_future(anext(iterator))
    await service.arrived[2].wait()
    for task in (*service.tasks, waiting):
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# A task that somebody else cancels


@pytest.mark.parametrize("by_offset", [True, False])
async def test_page_tasks_that_others_cancel(by_offset: bool) -> None:
    """If somebody else cancels the task of a page, before its first step or later, the consumer gets an error."""
    for steps in range(40):
        service = PagedService(by_offset=by_offset, knows_parameter=True)
        consumer = asyncio.create_task(service.list(3).collect())
        for _ in range(steps):
            await asyncio.sleep(0)
        cancelled = [task for task in service.tasks if task.cancel()]
        done, _ = await asyncio.wait([consumer], timeout=5)
        assert {consumer} == done, steps
        if isinstance(consumer.exception(), SessionClosedError):
            assert cancelled
        else:
            assert 57 == len(consumer.result())
        await service.run_pending()
        assert service.tasks == set()


async def test_a_consumer_that_is_cancelled_with_its_page() -> None:
    """A consumer that is cancelled together with the task of its page ends with the cancellation."""
    for steps in range(1, 20):
        service = PagedService(knows_parameter=True)
        consumer = asyncio.create_task(service.list(3).collect())
        for _ in range(steps):
            await asyncio.sleep(0)
        if consumer.done():
            break
        for task in [consumer, *service.tasks] if steps % 2 else [*service.tasks, consumer]:
            task.cancel()
        await asyncio.wait([consumer])
        assert consumer.cancelled()
        await service.run_pending()
