"""`max_in_flight` and `rate`: how many requests are in flight, and how many are sent per second.

With a rate of one request in a thousand seconds, the first request is sent and no other, so no test needs the clock.
"""

import asyncio
import time
from typing import Any

import attrs
import pytest
from support.messages import READ, SEND
from support.servers import stall, succeed

from tingting_async import NotSentError, RetryPolicy, ServerError, SessionClosedError, Timeout, TingTing
from tingting_async.observability.events import RequestEvent, ResponseReceived
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


def connect(url: str, **options: Any) -> TingTing:
    """Return a session whose rate allows one request, and that waits a moment before it gives up on another."""
    given = {"api_token": "key", "rate": 0.001, "retries": 1, "timeout": Timeout(pool=0.02), **options}
    return TingTing(base_url=url, **given)


async def test_one_of_ten(serve: Any) -> None:
    """If ten requests are concurrent, one is sent; the others fail, and their errors say what they waited for."""
    server = await serve(succeed)
    async with connect(server.url) as tingting:
        results = await asyncio.gather(*(tingting._core.execute(SEND) for _ in range(10)), return_exceptions=True)
        waited = [result for result in results if isinstance(result, NotSentError)]
        assert {each.phase for each in waited} == {"rate"}
        assert "have to wait longer than 0.02 s for the rate limit (`rate`)" in str(waited[0])
        assert 9 == len(waited)
        assert tingting.requests_sent == 1
    assert 1 == len(server.requests)


async def test_all_are_sent(serve: Any) -> None:
    """All requests that the rate limit allows are sent, once each."""
    server = await serve(succeed)
    async with connect(server.url, rate=5000, timeout=60) as tingting:
        assert 50 == len(await asyncio.gather(*(tingting._core.execute(READ) for _ in range(50))))
    assert 50 == len(server.requests)


async def test_slot_before_rate(serve: Any) -> None:
    """A request that waits for a slot does not use up the rate limit."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def hold(received: Any) -> None:
        arrived.set()
        await released.wait()
        await received.respond(b'{"a": 1}')

    server = await serve(hold)
    async with connect(server.url, max_in_flight=1) as tingting:
        first = asyncio.create_task(tingting._core.execute(READ))
        await arrived.wait()
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(READ)
        assert "pool" == caught.value.phase
        released.set()
        await first
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(READ)
        assert "rate" == caught.value.phase


async def test_in_order(serve: Any) -> None:
    """A request that arrives when the rate limit has just opened does not overtake one that waits."""
    server = await serve(succeed)
    async with connect(server.url, rate=10, timeout=60) as tingting:
        await tingting._core.execute(READ)
        waiting = asyncio.create_task(tingting._core.execute(attrs.evolve(READ, path="/waiting")))
        await asyncio.sleep(0)
        time.sleep(0.11)  # noqa: ASYNC251 - keeps the loop busy until the rate limit has opened
        await tingting._core.execute(attrs.evolve(READ, path="/late"))
        await waiting
    assert ["/things", "/waiting", "/late"] == [received.target for received in server.requests]


async def test_redirects(serve: Any) -> None:
    """A request that follows a redirect counts against the rate limit."""

    async def move(received: Any) -> None:
        await received.respond(b"", 302, location="/there")

    server = await serve(move)
    async with connect(server.url) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(READ)
    assert "rate" == caught.value.phase
    assert 1 == len(server.requests)


async def test_retries_and_signing_in(serve: Any) -> None:
    """A retry counts against the rate limit, and so does a sign-in."""

    async def fail(received: Any) -> None:
        await received.respond(b"{}", status=500)

    server = await serve(fail)
    async with connect(server.url, retries=RetryPolicy(attempts=2, initial_backoff=0)) as tingting:
        with pytest.raises((ServerError, NotSentError)):
            await tingting._core.execute(READ)
    assert 1 == len(server.requests)
    async with (
        Sandbox() as sandbox,
        connect(sandbox.url, api_token=None, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        with pytest.raises(NotSentError, match=r"user_details.*rate"):
            await tingting.accounts.user_details()
        assert ["/api/accounts/login/"] == [received.path for received in sandbox.requests]


async def test_closed_while_waiting(serve: Any) -> None:
    """Closing the session ends a request that waits for the rate limit at once, unsent."""
    server = await serve(succeed)
    tingting = connect(server.url, timeout=Timeout(pool=None, total=1e6))
    await tingting._core.execute(READ)
    waiting = asyncio.create_task(tingting._core.execute(SEND))
    await asyncio.sleep(0)
    await tingting.aclose()
    with pytest.raises(SessionClosedError):
        await asyncio.wait_for(waiting, 10)
    assert 1 == len(server.requests)


async def test_closed_before_waiting(serve: Any) -> None:
    """A retry whose backoff ends after the session was closed does not wait for the rate limit."""
    closing: list[asyncio.Task[None]] = []

    async def fail(received: Any) -> None:
        await received.respond(b"{}", status=503, retry_after="1")  # Its length is known, unlike that of a backoff.

    def close(event: RequestEvent) -> None:
        if isinstance(event, ResponseReceived):
            closing.append(asyncio.create_task(tingting.aclose()))

    server = await serve(fail)
    tingting = connect(server.url, retries=2, timeout=Timeout(pool=None, total=1e6))
    tingting.subscribe(close)
    with pytest.raises(SessionClosedError):
        await asyncio.wait_for(tingting._core.execute(READ), 4)
    await asyncio.gather(*closing)
    assert (len(closing), len(server.requests)) == (1, 1)


async def test_cancelled_while_waiting(serve: Any) -> None:
    """A request that is cancelled while it waits does not use up the rate limit."""
    server = await serve(succeed)
    async with connect(server.url, rate=20, timeout=60) as tingting:
        await tingting._core.execute(READ)
        first, second = (asyncio.create_task(tingting._core.execute(READ)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
    assert 2 == len(server.requests)


async def test_timeout_while_waiting_for_a_slot(serve: Any) -> None:
    """A request that times out while it waits for a slot was never sent, and its error says what it waited for."""
    server = await serve(stall)
    async with connect(server.url, max_in_flight=1, rate=None, timeout=Timeout(pool=0.05)) as tingting:
        first = asyncio.create_task(tingting._core.execute(READ))
        await server.received(1)
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(SEND)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    said = "things.send: timed out after 0.05 s waiting for a free slot (`max_in_flight`). Nothing was sent."
    assert said == str(caught.value)
    assert ("pool", "POST", "/send") == (caught.value.phase, caught.value.method, caught.value.path)
    assert 1 == len(server.requests)


async def test_slot_that_becomes_free(serve: Any) -> None:
    """Requests that wait for a slot are sent when one becomes free."""
    server = await serve(succeed)
    async with connect(server.url, max_in_flight=1, rate=None, timeout=60) as tingting:
        responses = await asyncio.gather(*(tingting._core.execute(READ) for _ in range(10)))
    assert [200] * 10 == [response.status for response in responses]


async def test_closed_while_waiting_for_a_slot(serve: Any) -> None:
    """Closing the session ends a request that waits for a slot at once, unsent."""
    server = await serve(stall)
    tingting = connect(server.url, max_in_flight=1, rate=None, timeout=Timeout(pool=None, total=1e6))
    tasks = [asyncio.create_task(tingting._core.execute(request)) for request in (READ, SEND)]
    await server.received(1)
    await tingting.aclose()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [SessionClosedError, SessionClosedError] == [type(error) for error in errors]
    assert 1 == len(server.requests)
