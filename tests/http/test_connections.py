"""On whose connection, how often, and through which proxy a request goes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

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

pytestmark = pytest.mark.anyio

READ = Request("GET", "/things", Effect.READ, "things.list", Response)
SET = Request("PUT", "/things/1", Effect.UPDATE, "things.update", Response, json={"a": 1})
RING = Request("POST", "/ring", Effect.SEND, "things.ring", Response, json={"a": 1})


def connect(url: str, **options: Any) -> TingTing:
    """Return a session with a fixed token."""
    return TingTing(
        base_url=url, **{"api_token": "key", "retries": RetryPolicy(initial_backoff=0, attempts=3), **options}
    )


async def fine(received: Any) -> None:
    """Answer with success."""
    await received.answer(b'{"a": 1}')


# Connections


async def test_reads_share_a_connection(serve: Any) -> None:
    """Reads reuse a connection; what changes something goes out on a fresh one, each time."""
    server = await serve(fine)
    async with connect(server.url) as tingting:
        for request in (READ, READ, RING, RING, SET, READ):
            await tingting._core.execute(request)
    assert [received.connection for received in server.requests] == [0, 0, 1, 2, 3, 0]
    assert [received.headers.get("connection") for received in server.requests[2:5]] == ["close"] * 3


async def test_idle_connection_is_closed(serve: Any) -> None:
    """A server that closes its idle connections costs a read nothing, and a ring is sent once."""

    async def close_after(received: Any) -> None:
        await fine(received)
        received.close()

    server = await serve(close_after)
    async with connect(server.url) as tingting:
        for _ in range(3):
            await tingting._core.execute(READ)
            await tingting._core.execute(RING)
    assert [received.method for received in server.requests] == ["GET", "POST"] * 3


@pytest.mark.parametrize("request_", [READ, SET, Request("DELETE", "/things/1", Effect.UPDATE, "x", Response)])
async def test_each_sending_is_counted(serve: Any, request_: Request[Any]) -> None:
    """No request is sent that was not asked for: aiohttp repeats none of itself on a connection that was dropped."""

    async def drop(received: Any) -> None:
        if received.number == 0:
            await fine(received)
        else:
            received.close()

    server = await serve(drop)
    async with connect(server.url, retries=RetryPolicy(attempts=1)) as tingting:
        await tingting._core.execute(READ)
        with pytest.raises(TransportError):
            await tingting._core.execute(request_)
        assert tingting.requests_sent == 2
    assert len(server.requests) == 2


async def test_lost_deletion_is_done(serve: Any) -> None:
    """A 404 of the repeat means that the lost deletion was done, also with other failures in between."""

    async def script(received: Any) -> None:
        if received.number == 0:
            received.reset()
        elif received.number == 1:
            await received.answer(b"{}", 503)
        else:
            await received.answer(b"{}", 404)

    server = await serve(script)
    async with connect(server.url) as tingting:
        assert (await tingting.campaigns.delete(1)).text == "Already gone."
    assert len(server.requests) == 3


async def test_deletion_of_nothing(serve: Any) -> None:
    """A 404 is a NotFoundError where no earlier attempt can have deleted."""

    async def script(received: Any) -> None:
        await received.answer(b"{}", 503 if received.number == 0 else 404)

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(NotFoundError):
            await tingting.campaigns.delete(1)


async def test_lost_then_refused(serve: Any) -> None:
    """A change that was lost, and then not even sent any more, has an unknown outcome: it did not "never happen"."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        listener.close()
        writer.transport.abort()

    listener = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with connect(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}") as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(SET)
        assert tingting.requests_sent == 3


# A user's own session


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a user's own session."""
    async with aiohttp.ClientSession(headers={"X-Own": "1"}) as session:
        yield session


async def test_borrowed_session_stays_open(serve: Any, http: aiohttp.ClientSession) -> None:
    """A user's own session is used, and not closed."""
    server = await serve(fine)
    async with connect(server.url, http=http) as tingting:
        assert (await tingting._core.execute(READ)).json() == {"a": 1}
    assert not http.closed
    assert server.requests[0].headers["x-own"] == "1"
    with pytest.raises(SessionClosedError):
        await tingting._core.execute(READ)


async def test_borrowed_session_is_closed(serve: Any, http: aiohttp.ClientSession) -> None:
    """A user's own session that was closed is a SessionClosedError."""
    server = await serve(fine)
    await http.close()
    async with connect(server.url, http=http) as tingting:
        for request in (READ, RING):
            with pytest.raises(SessionClosedError):
                await tingting._core.execute(request)


async def test_borrowed_session_that_raises(serve: Any) -> None:
    """A user's own session that raises for statuses does not hide what the service says."""

    async def script(received: Any) -> None:
        await received.answer(b'{"message": "no"}', 400)

    server = await serve(script)
    async with aiohttp.ClientSession(raise_for_status=True) as http, connect(server.url, http=http) as tingting:
        with pytest.raises(BadRequestError, match="no"):
            await tingting._core.execute(RING)


async def test_borrowed_session_that_signs_in(serve: Any) -> None:
    """A user's own session with a sign-in of its own is asked with ours."""
    server = await serve(fine)
    async with (
        aiohttp.ClientSession(headers={"Authorization": "Basic dTpw"}) as http,
        connect(server.url, http=http) as tingting,
    ):
        await tingting._core.execute(RING)
    assert server.requests[0].headers["authorization"] == "Bearer key"


# Proxies


async def test_proxy(serve: Any) -> None:
    """Requests go through the proxy that was given."""
    proxy = await serve(fine)
    async with connect("http://service.invalid", proxy=proxy.url, allow_plain_http=True) as tingting:
        await tingting._core.execute(READ)
    assert proxy.requests[0].target == "http://service.invalid/things"


async def test_proxy_of_the_environment(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `trust_env` the environment names the proxy, and what it excepts is asked directly."""
    proxy, server = await serve(fine), await serve(fine)
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    async with connect("http://service.invalid", trust_env=True, allow_plain_http=True) as tingting:
        await tingting._core.execute(READ)
    async with connect(server.url, trust_env=True) as tingting:
        await tingting._core.execute(READ)
    assert (len(proxy.requests), len(server.requests)) == (1, 1)
    async with connect("http://service.invalid", allow_plain_http=True, retries=RetryPolicy(attempts=1)) as tingting:
        with pytest.raises(NotSentError):
            await tingting._core.execute(READ)


async def test_proxy_refuses(serve: Any) -> None:
    """A proxy that does not let a request pass has not sent it, and its password is not shown."""

    async def script(received: Any) -> None:
        await received.answer(b"", 407)

    proxy = await serve(script)
    given = proxy.url.replace("//", "//user:hunter2@")
    async with connect("https://service.invalid", proxy=given) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(RING)
        assert caught.value.phase == "connect"
        assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert [received.method for received in proxy.requests] == ["CONNECT"] * 3


async def test_no_proxy_there() -> None:
    """A proxy that is not there means never sent, and its password is not shown."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        proxy = f"http://user:hunter2@127.0.0.1:{probe.getsockname()[1]}"
    async with connect("https://service.invalid", proxy=proxy) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(RING)
        assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
