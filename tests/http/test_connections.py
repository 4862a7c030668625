"""Which connection a request uses, and how often it is sent."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import aiohttp
import attrs
import pytest
from support.messages import READ, SEND, UPDATE
from support.servers import succeed

from tingting_async import (
    BadRequestError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    SessionClosedError,
    TingTing,
    TransportError,
)
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.http.transport import MAX_IDLE

pytestmark = pytest.mark.anyio


def connect(url: str, **options: Any) -> TingTing:
    """Return a session with a fixed token."""
    return TingTing(
        base_url=url, **{"api_token": "key", "retries": RetryPolicy(initial_backoff=0, attempts=3), **options}
    )


# Connections


async def test_requests_share_a_connection(serve: Any) -> None:
    """Reads reuse a connection, and requests that change something reuse another one that was just in use."""
    server = await serve(succeed)
    async with connect(server.url) as tingting:
        for request in (READ, READ, SEND, SEND, UPDATE, READ):
            await tingting._core.execute(request)
    assert [0, 0, 1, 1, 1, 0] == [received.connection for received in server.requests]


@pytest.mark.parametrize(("fresh", "expected"), [(False, [0, 1, 1, 1, 0]), (True, [0, 1, 2, 3, 0])])
async def test_connections_of_requests_that_get_tokens(serve: Any, fresh: bool, expected: list[int]) -> None:
    """A request that gets tokens uses the connections of requests that change something."""
    server = await serve(succeed)
    get_tokens = attrs.evolve(READ, authenticate=False)
    async with connect(server.url, fresh_connections=fresh) as tingting:
        for request in (READ, get_tokens, SEND, get_tokens, READ):
            await tingting._core.execute(request)
    assert expected == [received.connection for received in server.requests]


async def test_fresh_connections(serve: Any) -> None:
    """With `fresh_connections`, each request that changes something has a connection of its own."""
    server = await serve(succeed)
    async with connect(server.url, fresh_connections=True) as tingting:
        for request in (READ, READ, SEND, SEND, UPDATE, READ):
            await tingting._core.execute(request)
    assert [0, 0, 1, 2, 3, 0] == [received.connection for received in server.requests]
    assert ["close"] * 3 == [received.headers.get("connection") for received in server.requests[2:5]]


async def test_idle_connection_is_not_used_for_a_send(serve: Any) -> None:
    """A send uses no connection that was idle for a second; a read does."""
    server = await serve(succeed)
    async with connect(server.url) as tingting:
        for request in (READ, SEND):
            await tingting._core.execute(request)
        await asyncio.sleep(MAX_IDLE)  # The idle time itself is what is tested.
        for request in (READ, SEND):
            await tingting._core.execute(request)
    assert [0, 1, 0, 2] == [received.connection for received in server.requests]


async def test_reused_connection_is_lost(serve: Any) -> None:
    """A send on a reused connection that the server then drops is sent once, and its outcome is unknown."""

    async def script(received: Any) -> None:
        if received.number == 0:
            await succeed(received)
        else:
            received.close()

    server = await serve(script)
    async with connect(server.url) as tingting:
        await tingting._core.execute(SEND)
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(SEND)
    assert [0, 0] == [received.connection for received in server.requests]


async def test_idle_connection_is_closed(serve: Any) -> None:
    """If the server closes its idle connections, reads still succeed, and a send is sent once."""

    async def close_after(received: Any) -> None:
        await succeed(received)
        received.close()

    server = await serve(close_after)
    async with connect(server.url) as tingting:
        for _ in range(3):
            await tingting._core.execute(READ)
            await tingting._core.execute(SEND)
    assert [received.method for received in server.requests] == ["GET", "POST"] * 3


@pytest.mark.parametrize("seed", range(4))
async def test_connections_that_end_at_any_moment(serve: Any, seed: int) -> None:
    """Whenever a server ends its connections, idle or not, each send arrives once, or is reported to the caller."""
    random, loop = Random(seed), asyncio.get_running_loop()
    outcomes: dict[int, str] = {}

    async def script(received: Any) -> None:
        is_reset = random.random() < 0.3

        def end() -> None:
            if not received.writer.is_closing():
                (received.reset if is_reset else received.close)()

        if random.random() < 0.1:
            end()  # It may have acted on the request.
            return
        await succeed(received)
        if random.random() < 0.7:
            loop.call_later(random.uniform(0, 0.01), end)

    async def stream(numbers: range) -> None:
        for number in numbers:
            await asyncio.sleep(random.uniform(0, 0.01))  # The interval between two sends decides nothing by itself.
            try:
                await tingting._core.execute(attrs.evolve(SEND, json={"number": number}))
                outcomes[number] = "returned"
            except OutcomeUnknownError:
                outcomes[number] = "unknown"
            except NotSentError:
                outcomes[number] = "not sent"

    server = await serve(script)
    async with connect(server.url) as tingting:
        await asyncio.gather(*(stream(range(first, first + 50)) for first in range(0, 200, 50)))
    arrived = Counter(json.loads(received.body)["number"] for received in server.requests)
    allowed = {"returned": (1,), "unknown": (0, 1), "not sent": (0,)}
    assert [] == [number for number, outcome in outcomes.items() if arrived[number] not in allowed[outcome]]
    assert {*range(200)} == outcomes.keys()
    assert {"returned", "unknown"} <= {*outcomes.values()}


@pytest.mark.parametrize("request_", [READ, UPDATE, Request("DELETE", "/things/1", Effect.UPDATE, "x", Response)])
async def test_no_resend_by_aiohttp(serve: Any, request_: Request[Any]) -> None:
    """A request is not resent by aiohttp itself after a connection was dropped."""

    async def drop(received: Any) -> None:
        if received.number == 0:
            await succeed(received)
        else:
            received.close()

    server = await serve(drop)
    async with connect(server.url, retries=RetryPolicy(attempts=1)) as tingting:
        await tingting._core.execute(READ)
        with pytest.raises(TransportError):
            await tingting._core.execute(request_)
        assert tingting.requests_sent == 2
    assert 2 == len(server.requests)


async def test_lost_deletion_is_done(serve: Any) -> None:
    """A 404 of a retry means that a deletion whose response was lost has happened, whatever failed in between."""

    async def script(received: Any) -> None:
        if received.number == 0:
            received.reset()
        elif received.number == 1:
            await received.respond(b"{}", 503)
        else:
            await received.respond(b"{}", 404)

    server = await serve(script)
    async with connect(server.url) as tingting:
        assert (await tingting.campaigns.delete(1)).text == "Already gone."
    assert 3 == len(server.requests)


async def test_deletion_of_nothing(serve: Any) -> None:
    """A 404 is a NotFoundError if no earlier attempt can have deleted the object."""

    async def script(received: Any) -> None:
        await received.respond(b"{}", 503 if received.number == 0 else 404)

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(NotFoundError):
            await tingting.campaigns.delete(1)


async def test_lost_then_refused(serve: Any) -> None:
    """An update whose response was lost has an unknown outcome, even if its retries could not be sent."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        listener.close()
        writer.transport.abort()

    listener = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with connect(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}") as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(UPDATE)
        assert tingting.requests_sent == 3


# A user's own session


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a user's own session."""
    async with aiohttp.ClientSession(headers={"X-Own": "1"}) as session:
        yield session


async def test_borrowed_session_stays_open(serve: Any, http: aiohttp.ClientSession) -> None:
    """A user's own session is used with its settings, and not closed."""
    server = await serve(succeed)
    async with connect(server.url, http=http) as tingting:
        assert (await tingting._core.execute(READ)).json() == {"a": 1}
    assert not http.closed
    assert server.requests[0].headers["x-own"] == "1"
    with pytest.raises(SessionClosedError):
        await tingting._core.execute(READ)


async def test_borrowed_session_is_closed(serve: Any, http: aiohttp.ClientSession) -> None:
    """A request over a user's own session that was closed is a SessionClosedError."""
    server = await serve(succeed)
    await http.close()
    async with connect(server.url, http=http) as tingting:
        for request in (READ, SEND):
            with pytest.raises(SessionClosedError):
                await tingting._core.execute(request)


async def test_borrowed_session_that_raises(serve: Any) -> None:
    """A user's own session with `raise_for_status` does not hide the text of the service."""

    async def script(received: Any) -> None:
        await received.respond(b'{"message": "no"}', 400)

    server = await serve(script)
    async with aiohttp.ClientSession(raise_for_status=True) as http, connect(server.url, http=http) as tingting:
        with pytest.raises(BadRequestError, match="no"):
            await tingting._core.execute(SEND)


async def test_borrowed_session_with_credentials(serve: Any) -> None:
    """The token of the session replaces the credentials of a user's own aiohttp session."""
    server = await serve(succeed)
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Basic dTpw"}) as http,
        connect(server.url, http=http) as tingting,
    ):
        await tingting._core.execute(SEND)
    assert server.requests[0].headers["authorization"] == "Bearer key"
