"""Time limits: each attempt and each wait ends at its own time, and all of them when the session is closed."""

import asyncio
import contextlib
from typing import Any

import pytest
from support.servers import stall

from tingting_async import SessionClosedError, Timeout, TingTing, TransportError
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.http.timeouts import expire

pytestmark = pytest.mark.anyio


def read(limit: float) -> Request[Response]:
    """Return a request with a limit for its attempt."""
    return Request("GET", "/things", Effect.READ, "things.list", Response, timeout=Timeout(attempt=limit))


@pytest.mark.parametrize("limits", [(0.15, 0.1, 0.05), (0.05, 0.1, 0.15), (0.1, 0.15, 0.05), (0.05, 0.05, 0.1)])
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


async def test_expire() -> None:
    """All timeouts expire at once; a second call, or an expired timeout, changes nothing."""
    loop = asyncio.get_running_loop()
    timeouts = [asyncio.timeout_at(loop.time() + seconds) for seconds in (100, 0, 50)]
    ready = asyncio.Event()

    async def wait(timeout: asyncio.Timeout) -> None:
        with contextlib.suppress(TimeoutError):
            async with timeout:
                ready.set()
                await asyncio.Event().wait()

    tasks = [asyncio.create_task(wait(timeout)) for timeout in timeouts]
    await ready.wait()
    await tasks[1]
    expire(timeouts)
    expire(timeouts)
    await asyncio.wait_for(asyncio.gather(*tasks), 10)
    assert [True] * 3 == [timeout.expired() for timeout in timeouts]
