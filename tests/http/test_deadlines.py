"""Time limits: each attempt and each wait ends at its own time, and all of them when the session is closed."""

import asyncio
from typing import Any

import pytest
from support.servers import stall

from tingting_async import SessionClosedError, Timeout, TingTing, TransportError
from tingting_async.http.deadlines import Deadlines, Limit
from tingting_async.http.messages import Effect, Request, Response

pytestmark = pytest.mark.anyio


def read(limit: float) -> Request[Response]:
    """Return a request with a limit for its attempt."""
    return Request("GET", "/things", Effect.READ, "things.list", Response, timeout=Timeout(attempt=limit))


@pytest.mark.parametrize("limits", [(0.6, 0.4, 0.2), (0.2, 0.4, 0.6), (0.4, 0.6, 0.2), (0.2, 0.2, 0.4)])
async def test_each_attempt_ends_at_its_own_time(serve: Any, limits: tuple[float, ...]) -> None:
    """Attempts with different limits end in the order of their limits, whatever order they started in."""
    server = await serve(stall)
    ended: list[float] = []

    async def wait(limit: float) -> None:
        with pytest.raises(TransportError, match="timed out"):
            await tingting._core.execute(read(limit))
        ended.append(limit)

    async with TingTing(base_url=server.url, api_token="key", retries=1) as tingting:
        await asyncio.gather(*map(wait, limits))
    assert sorted(limits) == ended


async def test_closing_ends_every_attempt(serve: Any) -> None:
    """Closing the session ends all attempts at once, and leaves the tasks that made them uncancelled."""
    server = await serve(stall)
    cancelling: list[int] = []

    async def wait(limit: float) -> None:
        with pytest.raises(SessionClosedError):
            await tingting._core.execute(read(limit))
        task = asyncio.current_task()
        assert task is not None
        cancelling.append(task.cancelling())

    tingting = TingTing(base_url=server.url, api_token="key", retries=1)
    tasks = [asyncio.create_task(wait(limit)) for limit in (100.0, 50.0)]
    await server.received(2)
    await tingting.aclose()
    await asyncio.gather(*tasks)
    assert [0, 0] == cancelling


async def test_close() -> None:
    """All limits expire at once; a second call, or a limit that has expired, changes nothing."""
    deadlines = Deadlines(Limit)
    loop, ready = asyncio.get_running_loop(), asyncio.Event()

    async def wait(seconds: float) -> None:
        limit = deadlines.limit(loop.time() + seconds, loop)
        ready.set()
        with pytest.raises(TimeoutError), limit:
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(wait(seconds)) for seconds in (100, 0, 50)]
    await ready.wait()
    await tasks[1]
    deadlines.close()
    deadlines.close()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert {} == deadlines.limits


async def test_a_cancellation_stays_one() -> None:
    """A task that is cancelled by someone else at the moment when its limit expires ends as cancelled."""
    deadlines = Deadlines(Limit)

    async def wait() -> None:
        loop = asyncio.get_running_loop()
        with deadlines.limit(loop.time() + 100, loop):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    deadlines.close()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_limit_that_was_left_has_no_effect() -> None:
    """A limit that the task has left in time does not interrupt the task, and the next limit still expires."""
    deadlines = Deadlines(Limit)
    loop = asyncio.get_running_loop()
    with deadlines.limit(loop.time() + 0.01, loop):
        pass
    with pytest.raises(TimeoutError), deadlines.limit(loop.time() + 0.05, loop) as limit:
        await asyncio.Event().wait()
    assert limit.when <= loop.time()


async def test_many_limits() -> None:
    """Limits that expire at nearly the same time expire in a few rounds, not each in a round of its own."""
    deadlines = Deadlines(Limit)
    loop = asyncio.get_running_loop()
    start, rounds = loop.time(), 0

    async def wait(number: int) -> None:
        with pytest.raises(TimeoutError), deadlines.limit(start + 0.05 + number / 1e4, loop):
            await asyncio.Event().wait()

    class Watched(dict[Any, Any]):
        """Counts how often all limits are looked at."""

        def values(self) -> Any:
            nonlocal rounds
            rounds += 1
            return super().values()

    deadlines.limits = Watched()
    await asyncio.gather(*map(wait, range(2_000)))
    assert rounds < 100
