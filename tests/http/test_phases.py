"""Servers that fail in every phase of a request: what was never sent, and what nobody knows of."""

import asyncio
import contextlib
import socket
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

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

READ = Request("GET", "/things", Effect.READ, "things.list", Response)
RING = Request("POST", "/ring", Effect.SEND, "things.ring", Response, json={"a": 1}, recovery_hint="look at the list")

Connect = Callable[..., TingTing]


@pytest.fixture(params=["own", "borrowed"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Return what makes sessions, with connections of their own or with a user's."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession()) if request.param == "borrowed" else None

        def make(url: str, **options: Any) -> TingTing:
            options = {"api_token": "key", "retries": RetryPolicy(initial_backoff=0, attempts=3), **options}
            return TingTing(base_url=url, http=http, **options)

        yield make


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def never_sent(tingting: TingTing, *, phase: str = "connect") -> None:
    """Check that a read and a ring fail as never sent, each after every attempt."""
    for request in (READ, RING):
        before = tingting.requests_sent
        with pytest.raises(NotSentError, match=r"Nothing was sent\.") as caught:
            await tingting._core.execute(request)
        assert phase == caught.value.phase
        assert (caught.value.operation, caught.value.method) == (request.operation, request.method)
        assert caught.value.path == request.path
        assert tingting.requests_sent - before == 3


async def test_refused(connect: Connect) -> None:
    """A refused connection is never sent, and repeated for a ring too."""
    async with connect(f"http://127.0.0.1:{closed_port()}") as tingting:
        await never_sent(tingting)


async def test_no_such_host(connect: Connect) -> None:
    """A name that nobody knows is never sent."""
    async with connect("https://nothing.invalid") as tingting:
        await never_sent(tingting)


async def test_connect_stalls(connect: Connect, deaf_port: int) -> None:
    """A connection that does not come about within its limit is never sent."""
    async with connect(f"http://127.0.0.1:{deaf_port}", timeout=Timeout(connect=0.02)) as tingting:
        await never_sent(tingting)


async def test_attempt_ends_while_connecting(deaf_port: int) -> None:
    """An attempt whose time is over before there is a connection is never sent."""
    timeout = Timeout(connect=None, attempt=0.02)
    retries = RetryPolicy(initial_backoff=0, attempts=3)
    async with TingTing(base_url=f"http://127.0.0.1:{deaf_port}", api_token="k", timeout=timeout, retries=retries) as t:
        await never_sent(t)


async def test_borrowed_attempt_ends_while_connecting(deaf_port: int) -> None:
    """Borrowed connections do not tell how far they came, so a ring that ran out of time is not repeated."""
    timeout = Timeout(connect=None, attempt=0.02)
    async with (
        aiohttp.ClientSession() as http,
        TingTing(base_url=f"http://127.0.0.1:{deaf_port}", api_token="k", timeout=timeout, http=http) as tingting,
    ):
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(RING)
        assert tingting.requests_sent == 1


async def test_handshake_stalls(connect: Connect) -> None:
    """A TLS handshake that nobody answers is never sent."""
    with socket.socket() as listener:  # The system accepts; nobody says a word.
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        async with connect(url, timeout=Timeout(connect=0.02)) as tingting:
            await never_sent(tingting)


async def test_no_tls(connect: Connect) -> None:
    """A server that does not speak TLS where it should is never sent anything."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listener:
        url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with connect(url) as tingting:
            await never_sent(tingting)


async def reset(received: Any) -> None:
    """Cut the connection instead of an answer."""
    received.reset()


async def hang_up(received: Any) -> None:
    """Close the connection instead of an answer."""
    received.close()


async def reset_in_headers(received: Any) -> None:
    """Cut the connection within the headers."""
    await received.raw(b"HTTP/1.1 200 OK\r\nContent-Le")
    received.reset()


async def hang_up_in_headers(received: Any) -> None:
    """Close the connection within the headers."""
    await received.raw(b"HTTP/1.1 200 OK\r\nContent-Le")
    received.close()


async def truncate(received: Any) -> None:
    """Send half of what was announced."""
    await received.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"a": ')
    received.close()


async def reset_in_body(received: Any) -> None:
    """Cut the connection within the body."""
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
    """Answer in another protocol."""
    await received.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def huge_header(received: Any) -> None:
    """Answer with a header that does not end."""
    await received.raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")


async def bad_compression(received: Any) -> None:
    """Announce compression, and do not compress."""
    await received.answer(b"not compressed", content_encoding="gzip")


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
async def test_lost_ring(connect: Connect, serve: Any, script: Any) -> None:
    """A ring whose answer was lost is sent once, and its outcome is said to be unknown."""
    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(OutcomeUnknownError, match=r"look at the list\.") as caught:
            await tingting._core.execute(RING)
        assert (caught.value.operation, caught.value.phase) == ("things.ring", "response")
        assert isinstance(caught.value.__cause__, TransportError)
    assert [received.body for received in server.requests] == [b'{"a":1}']


@pytest.mark.parametrize("script", LOST)
async def test_lost_read(connect: Connect, serve: Any, script: Any) -> None:
    """A read whose answer was lost is repeated, and then says that it was sent."""
    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(TransportError, match=r"It was sent\.") as caught:
            await tingting._core.execute(READ)
        assert not isinstance(caught.value, NotSentError)
        assert (caught.value.operation, caught.value.phase) == ("things.list", "response")
        assert tingting.requests_sent == 3
    assert len(server.requests) >= 3


@pytest.mark.parametrize("started", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"])
async def test_answer_stalls(connect: Connect, serve: Any, started: bytes) -> None:
    """An answer that does not come, or not to its end, within its limit was sent, and a ring is not repeated."""

    async def script(received: Any) -> None:
        await received.raw(started)
        await server.released.wait()

    server = await serve(script)
    async with connect(server.url, timeout=Timeout(attempt=0.05)) as tingting:
        with pytest.raises(OutcomeUnknownError, match="time ran out"):
            await tingting._core.execute(RING)
        assert len(server.requests) == 1
        with pytest.raises(TransportError, match="time ran out") as caught:
            await tingting._core.execute(READ)
        assert (type(caught.value), caught.value.phase) == (TransportError, "response")
        assert len(server.requests) == 4


async def test_deadline_of_the_call(connect: Connect, serve: Any) -> None:
    """The limit of the whole call ends an attempt too, and then nothing is repeated."""

    async def script(_: Any) -> None:
        await server.released.wait()

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(TransportError, match="time ran out"):
            await tingting._core.execute(Request("GET", "/things", Effect.READ, "things.list", Response, timeout=0.05))
    assert len(server.requests) == 1


async def test_recovers(connect: Connect, serve: Any) -> None:
    """A read that is lost twice and then answered is answered."""

    async def script(received: Any) -> None:
        await (received.answer(b'{"a": 1}') if received.number == 2 else truncate(received))

    server = await serve(script)
    async with connect(server.url) as tingting:
        assert (await tingting._core.execute(READ)).json() == {"a": 1}


async def test_unreadable_answer_quotes_no_token(serve: Any, connect: Connect) -> None:
    """Where an answer that cannot be read quotes the token, no text of the failure or of its causes shows it."""
    token = "opaque.token-of+nobody"

    async def quote(received: Any) -> None:
        given = received.headers["authorization"].partition(" ")[2].encode()
        head, body = b"HTTP/1.1 200 OK\r\n", b"\r\n{}\r\n"
        lines = (b"Transfer-Encoding: chunked\r\n\r\n" + given, given + b": x\r\n ", b"X: \x00" + given)
        await received.raw(head + lines[received.number % len(lines)] + body)
        received.close()

    server = await serve(quote)
    async with connect(server.url, api_token=token, retries=1) as tingting:
        for request in (READ, RING):
            for _ in range(3):
                with pytest.raises(TingTingError) as caught:
                    await tingting._core.execute(request)
                assert token not in "".join(traceback.format_exception(caught.value))
    assert len(server.requests) == 6
