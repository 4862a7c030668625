"""Servers that fail in each phase of a request: what is never sent, and what has an unknown outcome."""

import asyncio
import contextlib
import socket
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import attrs
import pytest
from support.messages import READ
from support.servers import closed_port

from tingting_async import (
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    Timeout,
    TingTing,
    TingTingError,
    TransportError,
)
from tingting_async.http.messages import Effect, Request, Response

pytestmark = pytest.mark.anyio

SEND = Request("POST", "/send", Effect.SEND, "things.send", Response, json={"a": 1}, recovery_hint="look at the list")

Connect = Callable[..., TingTing]


@pytest.fixture(params=["own", "borrowed"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Return a function that makes sessions, with their own connections or with a user's session."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession()) if request.param == "borrowed" else None

        def make(url: str, **options: Any) -> TingTing:
            options = {"api_token": "key", "retries": RetryPolicy(initial_backoff=0, attempts=3), **options}
            return TingTing(base_url=url, http=http, **options)

        yield make


async def never_sent(tingting: TingTing, *, phase: str = "connect") -> None:
    """Check that a read and a send fail with NotSentError, each after three attempts."""
    for request in (READ, SEND):
        before = tingting.requests_sent
        with pytest.raises(NotSentError, match=r"Nothing was sent\.") as caught:
            await tingting._core.execute(request)
        assert phase == caught.value.phase
        assert (caught.value.operation, caught.value.method) == (request.operation, request.method)
        assert caught.value.path == request.path
        assert tingting.requests_sent - before == 3


async def test_refused(connect: Connect) -> None:
    """After a refused connection nothing was sent, and a send is retried, too."""
    async with connect(f"http://127.0.0.1:{closed_port()}") as tingting:
        await never_sent(tingting)


async def test_no_such_host(connect: Connect) -> None:
    """Nothing is sent to an unknown host name."""
    async with connect("https://nothing.invalid") as tingting:
        await never_sent(tingting)


async def test_connect_stalls(connect: Connect, deaf_port: int) -> None:
    """Nothing was sent if connecting exceeds its time limit."""
    async with connect(f"http://127.0.0.1:{deaf_port}", timeout=Timeout(connect=0.02)) as tingting:
        await never_sent(tingting)


async def test_attempt_ends_while_connecting(deaf_port: int) -> None:
    """Nothing was sent if the attempt times out before it is connected."""
    timeout = Timeout(connect=None, attempt=0.02)
    retries = RetryPolicy(initial_backoff=0, attempts=3)
    async with TingTing(base_url=f"http://127.0.0.1:{deaf_port}", api_token="k", timeout=timeout, retries=retries) as t:
        await never_sent(t)


async def test_borrowed_attempt_ends_while_connecting(deaf_port: int) -> None:
    """Nothing was sent if the attempt times out before a user's session is connected, whatever the request has."""
    timeout, retries = Timeout(connect=None, attempt=0.02), RetryPolicy(initial_backoff=0, attempts=3)
    url = f"http://127.0.0.1:{deaf_port}"
    async with (
        aiohttp.ClientSession() as http,
        TingTing(base_url=url, api_token="k", timeout=timeout, http=http, retries=retries) as tingting,
    ):
        for request in (SEND, attrs.evolve(SEND, json=None)):
            before = tingting.requests_sent
            with pytest.raises(NotSentError):
                await tingting._core.execute(request)
            assert 3 == tingting.requests_sent - before


async def middleware(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
    """Send a request, as a middleware may do in its own way."""
    response: aiohttp.ClientResponse = await handler(request)
    return response


def session_of_a_subclass() -> aiohttp.ClientSession:
    """Return a session that may write requests in its own way."""
    with pytest.warns(DeprecationWarning, match="Inheritance"):
        return type("UserSession", (aiohttp.ClientSession,), {})()  # type: ignore[no-any-return]


@pytest.mark.parametrize("has_middleware", [True, False])
async def test_session_that_does_not_show_whether_it_is_connected(deaf_port: int, *, has_middleware: bool) -> None:
    """A send over a user's session that may write another body is not retried if it times out while connecting."""
    timeout = Timeout(connect=None, attempt=0.02)
    async with (
        aiohttp.ClientSession(middlewares=[middleware]) if has_middleware else session_of_a_subclass() as http,
        TingTing(base_url=f"http://127.0.0.1:{deaf_port}", api_token="k", timeout=timeout, http=http) as tingting,
    ):
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(SEND)
        assert 1 == tingting.requests_sent


async def test_handshake_stalls(connect: Connect) -> None:
    """Nothing was sent if the server does not respond to the TLS handshake."""
    with socket.socket() as listener:  # The system accepts the connection; nothing responds.
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        async with connect(url, timeout=Timeout(connect=0.02)) as tingting:
            await never_sent(tingting)


async def test_no_tls(connect: Connect) -> None:
    """Nothing was sent to a server that does not speak TLS."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with connect(url) as tingting:
            await never_sent(tingting)


async def reset(received: Any) -> None:
    """Reset the connection without a response."""
    received.reset()


async def hang_up(received: Any) -> None:
    """Close the connection without a response."""
    received.close()


async def reset_in_headers(received: Any) -> None:
    """Reset the connection within the headers."""
    await received.raw(b"HTTP/1.1 200 OK\r\nContent-Le")
    received.reset()


async def hang_up_in_headers(received: Any) -> None:
    """Close the connection within the headers."""
    await received.raw(b"HTTP/1.1 200 OK\r\nContent-Le")
    received.close()


async def truncate(received: Any) -> None:
    """Send half of the announced body."""
    await received.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"a": ')
    received.close()


async def reset_in_body(received: Any) -> None:
    """Reset the connection within the body."""
    await received.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"a": ')
    received.reset()


async def truncate_chunks(received: Any) -> None:
    """Leave out the last chunk."""
    await received.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
    received.close()


async def bad_chunk(received: Any) -> None:
    """Send a chunk without a size."""
    await received.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsoon\r\n{}\r\n")


async def garbage(received: Any) -> None:
    """Respond in another protocol."""
    await received.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def huge_header(received: Any) -> None:
    """Respond with a header that does not end."""
    await received.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")


async def bad_compression(received: Any) -> None:
    """Announce a compressed body, and send another."""
    await received.respond(b"not compressed", content_encoding="gzip")


LOST = [
    reset,
    hang_up,
    reset_in_headers,
    hang_up_in_headers,
    truncate,
    reset_in_body,
    truncate_chunks,
    bad_chunk,
    garbage,
    huge_header,
    bad_compression,
]


@pytest.mark.parametrize("script", LOST)
async def test_lost_response_to_a_send(connect: Connect, serve: Any, script: Any) -> None:
    """A send whose response was lost is sent once, and its outcome is unknown."""
    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(OutcomeUnknownError, match=r"look at the list\.") as caught:
            await tingting._core.execute(SEND)
        assert (caught.value.operation, caught.value.phase) == ("things.send", "response")
        assert isinstance(caught.value.__cause__, TransportError)
    assert [received.body for received in server.requests] == [b'{"a":1}']


@pytest.mark.parametrize("script", LOST)
async def test_lost_response_to_a_read(connect: Connect, serve: Any, script: Any) -> None:
    """A read whose response was lost is retried, and then fails with an error that says that it was sent."""
    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(TransportError, match=r"The request was sent\.") as caught:
            await tingting._core.execute(READ)
        assert not isinstance(caught.value, NotSentError)
        assert (caught.value.operation, caught.value.phase) == ("things.list", "response")
        assert tingting.requests_sent == 3
    assert len(server.requests) >= 3


@pytest.mark.parametrize("started", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"])
async def test_response_stalls(connect: Connect, serve: Any, started: bytes) -> None:
    """A request without a complete response in time was sent, so a send is not retried."""

    async def script(received: Any) -> None:
        await received.raw(started)
        await server.released.wait()

    server = await serve(script)
    async with connect(server.url, timeout=Timeout(attempt=0.2)) as tingting:
        with pytest.raises(OutcomeUnknownError, match="timed out"):
            await tingting._core.execute(SEND)
        await server.received(1)
        with pytest.raises(TransportError, match="timed out") as caught:
            await tingting._core.execute(READ)
        assert (type(caught.value), caught.value.phase) == (TransportError, "response")
        await server.received(4)
        assert 4 == tingting.requests_sent
    assert 4 == len(server.requests)


async def test_deadline_of_the_call(connect: Connect, serve: Any) -> None:
    """The limit of the whole call ends an attempt too, and no retry follows."""

    async def script(_: Any) -> None:
        await server.released.wait()

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(TransportError, match="timed out"):
            await tingting._core.execute(Request("GET", "/things", Effect.READ, "things.list", Response, timeout=0.05))
    assert 1 == len(server.requests)


async def test_recovers(connect: Connect, serve: Any) -> None:
    """A read succeeds if the third attempt does."""

    async def script(received: Any) -> None:
        await (received.respond(b'{"a": 1}') if received.number == 2 else truncate(received))

    server = await serve(script)
    async with connect(server.url) as tingting:
        assert (await tingting._core.execute(READ)).json() == {"a": 1}


async def test_unreadable_response_that_quotes_the_token(serve: Any, connect: Connect) -> None:
    """If a response that aiohttp cannot parse quotes the token, no text of the error or of its causes shows it."""
    token = "opaque.token-of+nobody"

    async def quote(received: Any) -> None:
        given = received.headers["authorization"].partition(" ")[2].encode()
        head, body = b"HTTP/1.1 200 OK\r\n", b"\r\n{}\r\n"
        lines = (b"Transfer-Encoding: chunked\r\n\r\n" + given, given + b": x\r\n ", b"X: \x00" + given)
        await received.raw(head + lines[received.number % len(lines)] + body)
        received.close()

    server = await serve(quote)
    async with connect(server.url, api_token=token, retries=1) as tingting:
        for request in (READ, SEND):
            for _ in range(3):
                with pytest.raises(TingTingError) as caught:
                    await tingting._core.execute(request)
                assert token not in "".join(traceback.format_exception(caught.value))
    assert 6 == len(server.requests)
