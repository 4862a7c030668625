"""`rate`: how many requests leave in a second.

At one request in a thousand seconds the first leaves and no other does, so the clock is not needed to see it.
"""

import asyncio
import time
from typing import Any

import attrs
import pytest

from tingting_async import NotSentError, RetryPolicy, ServerError, SessionClosedError, Timeout, TingTing
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.observability.events import RequestEvent, ResponseReceived
from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

READ = Request("GET", "/things", Effect.READ, "things.list", Response)
RING = Request("POST", "/ring", Effect.SEND, "things.ring", Response, json={"a": 1})


def connect(url: str, **options: Any) -> TingTing:
    """Return a session that sends one request, and waits a moment for its turn to send another."""
    given = {"api_token": "key", "rate": 0.001, "retries": 1, "timeout": Timeout(pool=0.02), **options}
    return TingTing(base_url=url, **given)


async def fine(received: Any) -> None:
    """Answer with success."""
    await received.answer(b'{"a": 1}')


async def test_one_of_ten(serve: Any) -> None:
    """Of ten tasks at once one has its turn; the others are never sent, and are told where they waited."""
    server = await serve(fine)
    async with connect(server.url) as tingting:
        results = await asyncio.gather(*(tingting._core.execute(RING) for _ in range(10)), return_exceptions=True)
        waited = [result for result in results if isinstance(result, NotSentError)]
        assert {each.phase for each in waited} == {"rate"}
        assert "no turn under the session's `rate` came within 0.02 s" in str(waited[0])
        assert len(waited) == 9
        assert tingting.requests_sent == 1
    assert len(server.requests) == 1


async def test_all_have_their_turn(serve: Any) -> None:
    """Under a rate that allows them, all requests are sent, once each, and none waits at an idle session."""
    server = await serve(fine)
    async with connect(server.url, rate=5000, timeout=60) as tingting:
        assert len(await asyncio.gather(*(tingting._core.execute(READ) for _ in range(50)))) == 50
    assert len(server.requests) == 50


async def test_place_before_turn(serve: Any) -> None:
    """Who waits for a place has no turn yet: when places come free, those who waited do not leave all at once."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def hold(received: Any) -> None:
        arrived.set()
        await released.wait()
        await received.answer(b'{"a": 1}')

    server = await serve(hold)
    async with connect(server.url, max_in_flight=1) as tingting:
        first = asyncio.create_task(tingting._core.execute(READ))
        await arrived.wait()
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(READ)
        assert caught.value.phase == "pool"
        released.set()
        await first
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(READ)
        assert caught.value.phase == "rate"


async def test_in_order(serve: Any) -> None:
    """Who comes when a turn has just come due does not take it from who waited for it."""
    server = await serve(fine)
    async with connect(server.url, rate=10, timeout=60) as tingting:
        await tingting._core.execute(READ)
        waiting = asyncio.create_task(tingting._core.execute(attrs.evolve(READ, path="/waiting")))
        await asyncio.sleep(0)
        time.sleep(0.11)  # noqa: ASYNC251 - the loop is busy until the turn has come due
        await tingting._core.execute(attrs.evolve(READ, path="/late"))
        await waiting
    assert [received.target for received in server.requests] == ["/things", "/waiting", "/late"]


async def test_redirects(serve: Any) -> None:
    """A redirect that is followed needs a turn of its own."""

    async def move(received: Any) -> None:
        await received.answer(b"", 302, location="/there")

    server = await serve(move)
    async with connect(server.url) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(READ)
    assert caught.value.phase == "rate"
    assert len(server.requests) == 1


async def test_repeats_and_signing_in(serve: Any) -> None:
    """A repeat needs a turn of its own, and so does signing in."""

    async def fail(received: Any) -> None:
        await received.answer(b"{}", status=500)

    server = await serve(fail)
    async with connect(server.url, retries=RetryPolicy(attempts=2, initial_backoff=0)) as tingting:
        with pytest.raises((ServerError, NotSentError)):
            await tingting._core.execute(READ)
    assert len(server.requests) == 1
    async with (
        Sandbox() as sandbox,
        connect(sandbox.url, api_token=None, email=sandbox.email, password=sandbox.password) as tingting,
    ):
        with pytest.raises(NotSentError, match=r"user_details.*rate"):
            await tingting.accounts.user_details()
        assert [received.path for received in sandbox.requests] == ["/api/accounts/login/"]


async def test_closed_while_waiting(serve: Any) -> None:
    """Closing the session ends who waits for a turn, at once and unsent."""
    server = await serve(fine)
    tingting = connect(server.url, timeout=Timeout(pool=None, total=1e6))
    await tingting._core.execute(READ)
    waiting = asyncio.create_task(tingting._core.execute(RING))
    await asyncio.sleep(0)
    await tingting.aclose()
    with pytest.raises(SessionClosedError):
        await asyncio.wait_for(waiting, 10)
    assert len(server.requests) == 1


async def test_closed_before_waiting(serve: Any) -> None:
    """Whoever asks for a turn once the session is closed, after a pause for one, is told of that and does not wait."""
    closing: list[asyncio.Task[None]] = []

    async def fail(received: Any) -> None:
        await received.answer(b"{}", status=503, retry_after="1")  # A pause of known length, unlike our own.

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
    """Whoever is cancelled while waiting is cancelled, and takes nobody's turn."""
    server = await serve(fine)
    async with connect(server.url, rate=20, timeout=60) as tingting:
        await tingting._core.execute(READ)
        first, second = (asyncio.create_task(tingting._core.execute(READ)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await second
    assert len(server.requests) == 2
