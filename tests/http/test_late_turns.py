"""Requests that cannot leave soon after the rate limit has let them through.

They take another turn. A limit that has none left shows which requests needed one, so most tests need no clock.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from support.messages import READ, SEND
from support.servers import Received, serving, stall, succeed

from tingting_async import NotSentError, OutcomeUnknownError, Timeout, TingTing
from tingting_async.http.messages import Request

pytestmark = pytest.mark.anyio

CERTIFICATE = Path(__file__).parents[1] / "support" / "self_signed.pem"


class Limit:
    """A rate limit that gives out the waits of a list, and then none any more.

    Args:
        waits: The seconds until each turn.
    """

    def __init__(self, *waits: float) -> None:
        self.waits = list(waits)
        self.reserved = 0
        self.emptied = asyncio.Event()

    async def reserve(self, limits: Sequence[float]) -> list[float | None]:
        """Give out as many waits as there are requests."""
        given = [self.waits.pop(0) if self.waits else None for _ in limits]
        self.reserved += len(given)
        if not self.waits:
            self.emptied.set()
        return given


@attrs.define
class Ledger:
    """Stalls until it is open, and counts what it hears of a request."""

    claims: int = 0
    freed: int = 0
    stalled: int = 0
    open: asyncio.Event = attrs.field(factory=asyncio.Event)
    changed: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def claim(self) -> None:
        """Claim a send, or renew the claim."""
        self.stalled += 1
        self.changed.set()
        await self.open.wait()
        self.claims += 1

    def free(self) -> None:
        """Give a claim back."""
        self.freed += 1

    def request(self, number: int, template: Request[Any] = SEND) -> Request[Any]:
        """Return a request that its path identifies."""
        return attrs.evolve(
            template,
            path=f"/{number}",
            before_send=self.claim,
            before_first_byte=lambda: None,
            without_effect=self.free,
        )

    async def stall(self, count: int) -> None:
        """Wait until so many requests are stalled, and until their turns are long past."""
        while self.stalled < count:
            self.changed.clear()
            await self.changed.wait()
        time.sleep(0.06)  # noqa: ASYNC251 - a turn lapses after 0.05 s
        self.open.set()


@pytest.fixture(params=["own", "user"])
async def http(request: Any) -> AsyncIterator[aiohttp.ClientSession | None]:
    """Return None for the connections of the session, or a user's session."""
    if request.param == "own":
        yield None
        return
    async with aiohttp.ClientSession() as made:
        yield made


def connect(url: str, limit: Limit, **options: Any) -> TingTing:
    """Return a session with a rate limit, which does not retry."""
    return TingTing(base_url=url, rate=limit, **{"api_token": "key", "timeout": 60, "retries": 1, **options})


async def test_ledger_that_stalls(serve: Any, http: aiohttp.ClientSession | None) -> None:
    """If a ledger held up sends, only the one whose turn was last leaves at once; the others need other turns."""
    server, limit, ledger = await serve(succeed), Limit(0.0, 0.0, 0.0), Ledger()
    async with connect(server.url, limit, http=http) as tingting:
        tasks = [asyncio.create_task(tingting._core.execute(ledger.request(number))) for number in range(3)]
        await limit.emptied.wait()
        await ledger.stall(3)
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [True, True, False] == [isinstance(each, NotSentError) and each.phase == "rate" for each in results]
    assert ["/2"] == [received.target for received in server.requests]
    assert (5, 2) == (limit.reserved, ledger.freed)


async def test_other_turns(serve: Any, http: aiohttp.ClientSession | None) -> None:
    """A send that a ledger held up leaves at its other turn, and its claim is renewed after that."""
    server, limit, ledger = await serve(succeed), Limit(0.0, 0.0, 0.0), Ledger()
    async with connect(server.url, limit, http=http) as tingting:
        tasks = [asyncio.create_task(tingting._core.execute(ledger.request(number))) for number in range(2)]
        await ledger.stall(2)
        await asyncio.gather(*tasks)
    assert ({"/0", "/1"}, 3) == ({received.target for received in server.requests}, limit.reserved)
    assert (4, 0) == (ledger.claims, ledger.freed)


async def test_network_that_stalls() -> None:
    """If TLS connections were held up, only the request whose turn was last leaves at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    held, opened = asyncio.Event(), asyncio.Event()
    accepted = 0

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await opened.wait()
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        if accepted == 3:
            held.set()
        upstream, downstream = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(relay(reader, downstream), relay(upstream, writer), return_exceptions=True)

    async with serving(succeed, tls=context) as server:
        link = await asyncio.start_server(accept, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{link.sockets[0].getsockname()[1]}"
        limit = Limit(0.0, 0.0, 0.0)
        async with connect(url, limit, ssl=ssl.create_default_context(cafile=CERTIFICATE)) as tingting:
            requests = (attrs.evolve(template, path=f"/{n}") for n, template in enumerate((SEND, READ, SEND)))
            tasks = [asyncio.create_task(tingting._core.execute(request)) for request in requests]
            await held.wait()
            time.sleep(0.06)  # noqa: ASYNC251 - a turn lapses after 0.05 s
            opened.set()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [True, True, False] == [isinstance(each, NotSentError) and each.phase == "rate" for each in results]
        assert ["/2"] == [received.target for received in server.requests]
        assert 5 == limit.reserved
        link.close()


async def test_cancelled_while_waiting_again(serve: Any, http: aiohttp.ClientSession | None) -> None:
    """A send that is cancelled during its second wait is freed, and its connection does not stay open."""
    server, limit, ledger = await serve(succeed), Limit(0.0, 0.0, 50.0), Ledger()
    async with connect(server.url, limit, http=http) as tingting:
        tasks = [asyncio.create_task(tingting._core.execute(ledger.request(number))) for number in range(2)]
        await ledger.stall(2)
        await limit.emptied.wait()
        await tasks[1]
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        if http is None:
            await server.at_rest.wait()
    assert (1, ["/1"]) == (ledger.freed, [received.target for received in server.requests])


async def test_connection_that_the_service_closes_meanwhile() -> None:
    """If the service closes the connection during the second wait, nothing was sent."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(close, "127.0.0.1", 0)
    limit, ledger = Limit(0.0, 0.0, 0.3), Ledger()
    async with connect(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", limit) as tingting:
        tasks = [asyncio.create_task(tingting._core.execute(ledger.request(number))) for number in range(2)]
        await ledger.stall(2)
        result, _ = await asyncio.gather(*tasks, return_exceptions=True)
    listener.close()
    assert isinstance(result, NotSentError)
    assert "could not connect (the connection was lost before the request was sent)" in str(result)


async def test_time_limit_of_the_attempt(serve: Any) -> None:
    """The second wait does not count towards the limit of the attempt, which still ends it."""
    server, limit, ledger = await serve(stall), Limit(0.0, 0.0, 1.2), Ledger()
    timeout = Timeout(attempt=1.0, pool=50.0, total=100.0)
    async with connect(server.url, limit, timeout=timeout) as tingting:
        tasks = [asyncio.create_task(tingting._core.execute(ledger.request(number))) for number in range(2)]
        await ledger.stall(2)
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 50)
    assert [OutcomeUnknownError] * 2 == [type(result) for result in results]
    assert ["/1", "/0"] == [received.target for received in server.requests]


async def test_slow_connection_alone(serve: Any) -> None:
    """A request that connects slowly needs no other turn while no other request has had one."""
    server, limit, ledger = await serve(succeed), Limit(0.0), Ledger()
    async with connect(server.url, limit) as tingting:
        task = asyncio.create_task(tingting._core.execute(ledger.request(0)))
        await ledger.stall(1)
        await task
    assert (1, 1) == (limit.reserved, len(server.requests))


async def test_redirect_after_a_stall(serve: Any) -> None:
    """A request that follows a redirect has a turn of its own, which lapses by itself."""

    async def move(received: Received) -> None:
        if received.number == 0:
            await received.respond(b"", 302, location="/there")
        else:
            await succeed(received)

    server, limit, ledger = await serve(move), Limit(0.0, 0.0), Ledger()
    async with connect(server.url, limit) as tingting:
        task = asyncio.create_task(tingting._core.execute(ledger.request(0, READ)))
        await ledger.stall(1)
        await task
    assert (2, ["/0", "/there"]) == (limit.reserved, [received.target for received in server.requests])
