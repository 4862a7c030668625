"""A user's own rate limit, and how the requests of a session wait for one."""

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from support.messages import READ, SEND
from support.servers import succeed

from tingting_async import (
    NotSentError,
    RedisTokenStore,
    SessionClosedError,
    SqliteLedger,
    Timeout,
    TingTing,
    UsageError,
    v1,
)
from tingting_async.http.rate_limits.queue import RateQueue, TooLateError
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


class Limit:
    """A rate limit that gives out the waits of a list, and then none any more.

    Args:
        waits: The seconds until each moment.
        error: What it raises instead.
    """

    def __init__(self, *waits: float | None, error: Exception | None = None) -> None:
        self.waits = list(waits)
        self.error = error
        self.calls: list[list[float]] = []
        self.called, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def reserve(self, limits: Sequence[float]) -> list[float | None]:
        """Give out as many waits as there are requests, once the limit is open."""
        self.calls.append(list(limits))
        self.called.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        count = len(limits)
        given, self.waits = self.waits[:count], self.waits[count:]
        return [*given, *[None] * (count - len(given))]


def connect(url: str, limit: Any, **options: Any) -> TingTing:
    """Return a session with a rate limit."""
    return TingTing(base_url=url, rate=limit, **{"api_token": "key", "timeout": 60, **options})


def numbered(number: int) -> Any:
    """Return a request that its path identifies."""
    return attrs.evolve(READ, path=f"/{number}")


async def leave(queue: RateQueue, number: int, left: list[int]) -> None:
    """Wait for a permit, and add a number to those that have left."""
    await queue.wait(asyncio.get_running_loop().time() + 60)
    left.append(number)


async def test_one_reservation_for_all_that_wait(serve: Any) -> None:
    """Requests that arrive during a reservation share the next one, and all leave."""
    server = await serve(succeed)
    limit = Limit(*[0.0] * 60)  # More than needed: if a permit lapses, because the machine stalls, another is reserved.
    limit.open.clear()
    async with connect(server.url, limit) as tingting:
        tasks = [asyncio.create_task(tingting._core.execute(numbered(0)))]
        await limit.called.wait()
        tasks += [asyncio.create_task(tingting._core.execute(numbered(number))) for number in range(1, 6)]
        await asyncio.sleep(0)
        limit.open.set()
        await asyncio.gather(*tasks)
    assert [1, 5] == [len(call) for call in limit.calls[:2]]
    assert {f"/{number}" for number in range(6)} == {received.target for received in server.requests}


async def test_order_of_those_that_share_a_reservation() -> None:
    """Requests that arrive during a reservation share the next one, and have their permits in the order of arrival."""
    limit, left = Limit(*[0.0] * 6), list[int]()
    limit.open.clear()
    queue = RateQueue(limit)
    tasks = [asyncio.create_task(leave(queue, 0, left))]
    await limit.called.wait()
    tasks += [asyncio.create_task(leave(queue, number, left)) for number in range(1, 6)]
    await asyncio.sleep(0)
    limit.open.set()
    await asyncio.gather(*tasks)
    assert [1, 5] == [len(call) for call in limit.calls]
    assert [0, 1, 2, 3, 4, 5] == left


async def test_limits_of_requests(serve: Any) -> None:
    """A limit is told how long each request may wait: `Timeout.pool`, or what is left of the whole call."""
    server, limit = await serve(succeed), Limit(0.0, 0.0, 0.0)
    async with connect(server.url, limit) as tingting:
        for timeout in (Timeout(pool=1000, total=2000), Timeout(pool=None, total=3000), Timeout(pool=5000, total=4000)):
            await tingting._core.execute(attrs.evolve(READ, timeout=timeout))
    assert [1000, 3000, 4000] == [round(limits[0], -2) for limits in limit.calls]


async def test_too_late(serve: Any) -> None:
    """A request that could leave only after its limit fails at once, is not retried, and others leave."""
    server, limit = await serve(succeed), Limit(None, 0.0)
    async with connect(server.url, limit) as tingting:
        first, second = (asyncio.create_task(tingting._core.execute(request)) for request in (SEND, READ))
        with pytest.raises(NotSentError) as caught:
            await first
        await second
    expected = "things.send: would have to wait longer than 60 s for the rate limit (`rate`). Nothing was sent."
    assert expected == str(caught.value)
    assert ("rate", 1) == (caught.value.phase, len(limit.calls))
    assert ["/things"] == [received.target for received in server.requests]


@pytest.mark.parametrize("error", [OSError("pass-of-redis"), RuntimeError("pass-of-redis"), TimeoutError()])
async def test_limit_that_fails(serve: Any, error: Exception) -> None:
    """If a limit fails, all requests that wait for it fail unsent, with errors of their own and without its text."""
    server, limit = await serve(succeed), Limit(error=error)
    async with connect(server.url, limit) as tingting:
        results = await asyncio.gather(*(tingting._core.execute(SEND) for _ in range(5)), return_exceptions=True)
        limit.error = None
        limit.waits = [0.0]
        await tingting._core.execute(READ)
    said = f"things.send: the rate limit (`rate`) failed: {type(error).__name__}. Nothing was sent."
    assert [(NotSentError, said)] * 5 == [(type(result), str(result)) for result in results]
    assert 5 == len({id(result) for result in results})
    assert {"rate"} == {result.phase for result in results if isinstance(result, NotSentError)}
    assert [error] * 5 == [result.__cause__ for result in results if isinstance(result, NotSentError)]
    assert (1, 2) == (len(server.requests), len(limit.calls))


@pytest.mark.parametrize("error", [None, OSError()])
async def test_ledger_of_a_request_without_a_moment(tmp_path: Path, error: Exception | None) -> None:
    """A send that the limit refuses, or whose limit fails, leaves nothing in the ledger, and may be sent again."""
    ledger, limit = SqliteLedger(tmp_path / "sends.sqlite"), Limit(error=error)
    async with Sandbox() as sandbox:
        options = {"base_url": sandbox.url, "api_token": sandbox.world.owner.api_token, "ledger": ledger}
        async with v1.TingTing(**options, rate=limit) as tingting:

            def send() -> Any:
                return tingting.otp.send("9800000001", "{otp}", channel="text", idempotency_key="one")

            with pytest.raises(NotSentError):
                await send()
            assert [] == await ledger.unresolved()
            limit.error, limit.waits = None, [0.0]
            await send()
        assert 1 == sandbox.tally()["otp", "9800000001"]
    await ledger.aclose()


@pytest.mark.parametrize("given", [[], [0.0, 0.0], None, ["soon"]])
async def test_invalid_answer(serve: Any, given: Any) -> None:
    """A limit that does not return one number for each request fails, and nothing is sent."""

    class Wrong:
        async def reserve(self, _: Sequence[float]) -> Any:
            return given

    server = await serve(succeed)
    async with connect(server.url, Wrong()) as tingting:
        with pytest.raises(NotSentError, match=r"the rate limit \(`rate`\) failed: \w+Error"):
            await tingting._core.execute(SEND)
    assert [] == server.requests


async def test_moment_of_a_cancelled_request(serve: Any) -> None:
    """The moment of a request that is cancelled goes to the one behind it, and the last moment to the next."""
    server, limit = await serve(succeed), Limit(0.8, 0.9)
    async with connect(server.url, limit) as tingting:
        tasks = [asyncio.create_task(tingting._core.execute(numbered(number))) for number in range(2)]
        await limit.called.wait()
        await asyncio.sleep(0)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        tasks.append(asyncio.create_task(tingting._core.execute(numbered(2))))
        await asyncio.gather(*tasks[1:])
    assert ["/1", "/2"] == [received.target for received in server.requests]
    assert [2] == [len(call) for call in limit.calls]


async def test_cancelled_during_the_reservation(serve: Any) -> None:
    """A request that is cancelled during the reservation leaves its moment to the next one."""
    server, limit = await serve(succeed), Limit(0.8)
    limit.open.clear()
    async with connect(server.url, limit) as tingting:
        first = asyncio.create_task(tingting._core.execute(numbered(0)))
        await limit.called.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.create_task(tingting._core.execute(numbered(1)))
        await asyncio.sleep(0)
        limit.open.set()
        await second
    assert ["/1"] == [received.target for received in server.requests]
    assert [1] == [len(call) for call in limit.calls]


async def test_busy_event_loop(serve: Any) -> None:
    """Requests whose moments passed while the event loop was busy do not leave all at once: others are reserved."""
    server, limit = await serve(succeed), Limit(0.3, 0.31, 0.32, 0.33)
    async with connect(server.url, limit) as tingting:
        tasks = [asyncio.create_task(tingting._core.execute(numbered(number))) for number in range(4)]
        await limit.called.wait()
        await asyncio.sleep(0)
        time.sleep(0.6)  # noqa: ASYNC251 - keeps the loop busy until all moments are long past
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [True] * 4 == [isinstance(result, NotSentError) for result in results]
    assert [4, 4] == [len(call) for call in limit.calls]
    assert [] == server.requests


async def test_busy_event_loop_and_one_request(serve: Any) -> None:
    """A request whose moment has lapsed gets another one; if the event loop is late again, it leaves all the same."""
    server, limit = await serve(succeed), Limit(0.1, 0.1)
    async with connect(server.url, limit) as tingting:
        task = asyncio.create_task(tingting._core.execute(READ))
        for _ in range(2):
            await limit.called.wait()
            limit.called.clear()
            await asyncio.sleep(0)
            time.sleep(0.2)  # noqa: ASYNC251 - keeps the loop busy until the moment is long past
        await task
    assert [1, 1] == [len(call) for call in limit.calls]
    assert 1 == len(server.requests)


async def test_event_loop_that_is_always_late() -> None:
    """If the event loop is late again, one of the requests leaves, and the others get moments of their own."""
    limit = Limit(*[0.1] * 8)
    queue = RateQueue(limit)
    tasks = [asyncio.create_task(queue.wait(asyncio.get_running_loop().time() + 60)) for _ in range(3)]
    for expected in (3, 3, 2):
        await limit.called.wait()
        limit.called.clear()
        assert expected == len(limit.calls[-1])
        await asyncio.sleep(0)
        time.sleep(0.2)  # noqa: ASYNC251 - keeps the loop busy until the moments are long past
    await tasks[1]
    await limit.called.wait()
    assert [3, 3, 2, 1] == [len(call) for call in limit.calls]
    assert not tasks[2].done()
    tasks[2].cancel()
    queue.close()


async def test_closed_during_the_reservation(serve: Any) -> None:
    """Closing the session ends a reservation that does not come back."""
    server, limit = await serve(succeed), Limit()
    limit.open.clear()
    tingting = connect(server.url, limit)
    waiting = asyncio.create_task(tingting._core.execute(SEND))
    await limit.called.wait()
    await tingting.aclose()
    with pytest.raises(SessionClosedError):
        await asyncio.wait_for(waiting, 10)
    assert [] == server.requests


async def test_limit_that_does_not_respond(serve: Any) -> None:
    """A limit that does not come back costs a request its time limit, and the error says what it waited for."""
    server, limit = await serve(succeed), Limit()
    limit.open.clear()
    async with connect(server.url, limit, timeout=Timeout(pool=0.05)) as tingting:
        with pytest.raises(NotSentError, match=r"timed out after 0\.05 s waiting for the rate limit \(`rate`\)\. Not"):
            await tingting._core.execute(SEND)
    assert [] == server.requests


async def test_arrival_just_before_the_reservation_ends() -> None:
    """A request that arrives in the iteration of the event loop that grants both does not overtake the one ahead."""
    limit = Limit(0.0, 0.0)
    limit.open.clear()
    queue, left = RateQueue(limit), list[int]()
    first = asyncio.create_task(leave(queue, 0, left))
    await limit.called.wait()
    second = asyncio.create_task(leave(queue, 1, left))
    limit.open.set()
    await asyncio.gather(first, second)
    assert [0, 1] == left


@pytest.mark.parametrize("seed", range(20))
async def test_any_order_of_events(seed: int) -> None:
    """Requests may be granted, refused, cancelled or late: each ends, in order, and no more leave than are granted."""
    seeds = random.Random(seed)
    limit = Limit(*(seeds.choice((0.0, 0.0, 0.001, 0.003, 0.01, None)) for _ in range(40)))
    granted = sum(wait is not None for wait in limit.waits)
    queue, left = RateQueue(limit), list[int]()
    tasks: list[asyncio.Task[None]] = []
    steps: list[Callable[[], object]] = [
        lambda: tasks.append(asyncio.create_task(leave(queue, len(tasks), left))),
        lambda: seeds.choice(tasks).cancel() if tasks else None,
        limit.open.clear,
        limit.open.set,
        lambda: time.sleep(0.06),
    ]
    while len(tasks) < 40:
        seeds.choices(steps, (20, 4, 2, 4, 1))[0]()
        await asyncio.sleep(seeds.choice((0, 0, 0.001)))
    limit.open.set()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
    queue.close()
    assert {type(result) for result in results} <= {type(None), TooLateError, asyncio.CancelledError}
    assert sorted(left) == left
    assert [number for number, result in enumerate(results) if result is None] == left
    assert len(left) <= granted


class NotAsync:
    """Has the method of a limit, but as a plain function."""

    def reserve(self, limits: Sequence[float]) -> list[float]:
        """Return no wait."""
        return [0.0 for _ in limits]


@pytest.mark.parametrize(
    "rate",
    [
        "5",
        "redis://:pass-of-redis@localhost",
        [5],
        True,
        -1,
        math.nan,
        math.inf,
        object(),
        Limit,
        NotAsync(),
        RedisTokenStore("redis://localhost", key="k"),
    ],
    ids=lambda rate: type(rate).__name__,
)
def test_invalid_rate(rate: Any) -> None:
    """A rate that is neither a number above 0 nor a limit is a UsageError that names the argument."""
    with pytest.raises(UsageError, match="`rate` must be a number of requests per second above 0") as caught:
        TingTing(api_token="key", rate=rate)
    assert "pass-of-redis" not in str(caught.value)
