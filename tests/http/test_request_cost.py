"""What was made cheaper for each request behaves as what it stands in for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tingting_async import AuthenticationError, RetryPolicy, Timeout, TingTing, TransportError
from tingting_async.http.messages import Effect, Request, Response

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
ONCE = RetryPolicy(attempts=1)


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve on loopback; the handler gets the head of each request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(await reader.readuntil(b"\r\n\r\n"), writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def request(**options: object) -> Request[Response]:
    return Request("GET", "/api/x/", Effect.READ, "x", Response, **options)  # type: ignore[arg-type]


async def answer(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))
    await writer.drain()


@given(st.lists(st.tuples(st.text(), st.text())))
def test_query_is_quoted_as_ever(params: list[tuple[str, str]]) -> None:
    """A query is quoted as the standard library quotes it, whatever is in it."""
    pairs = [(name, value) for name, value in params if not any(0xD800 <= ord(c) < 0xE000 for c in name + value)]
    assert request(params=tuple(pairs)).query == urlencode(pairs)


@pytest.mark.anyio
@pytest.mark.parametrize(("prefix", "path"), [("", "/api/x/"), ("/proxy", "/proxy/api/x/")])
async def test_target(prefix: str, path: str) -> None:
    """What is asked for is the base URL's prefix, the path with its slash, and the query as it was quoted."""
    asked: list[bytes] = []

    async def handle(head: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(head.split(b" ")[1])
        await answer(writer, 200, b"{}")

    async with serving(handle) as url, TingTing(base_url=url + prefix, api_token="t", retries=ONCE) as tingting:
        await tingting._core.execute(request(params=(("a b", "+&%2F"),)))
    assert asked == [f"{path}?a+b=%2B%26%252F".encode()]


@pytest.mark.anyio
async def test_late_answer_ends_the_attempt_only() -> None:
    """An attempt whose time is up is a `TransportError`, and leaves the task that made it uncancelled."""
    ended = asyncio.Event()

    async def stall(head: bytes, writer: asyncio.StreamWriter) -> None:
        await ended.wait()

    async with serving(stall) as url, TingTing(base_url=url, api_token="t", retries=ONCE) as tingting:
        with pytest.raises(TransportError) as caught:
            await tingting._core.execute(request(timeout=Timeout(attempt=0.05)))
        ended.set()
    task = asyncio.current_task()
    assert task is not None
    assert (caught.value.phase, task.cancelling()) == ("response", 0)


@pytest.mark.anyio
async def test_cancellation_is_no_lateness() -> None:
    """Who cancels a request gets the cancellation, not an error of ours, and the session goes on."""
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def stall_once(head: bytes, writer: asyncio.StreamWriter) -> None:
        if arrived.is_set():
            await answer(writer, 200, b"{}")
            return
        arrived.set()
        await ended.wait()

    async with serving(stall_once) as url, TingTing(base_url=url, api_token="t", retries=ONCE) as tingting:
        task = asyncio.create_task(tingting._core.execute(request()))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await tingting._core.execute(request())).status == 200
        ended.set()


@pytest.mark.anyio
async def test_outer_timeout_keeps_its_meaning() -> None:
    """A caller's own `asyncio.timeout` around a request strikes as a `TimeoutError` of the caller's."""
    ended = asyncio.Event()

    async def stall(head: bytes, writer: asyncio.StreamWriter) -> None:
        await ended.wait()

    async with serving(stall) as url, TingTing(base_url=url, api_token="t", retries=ONCE) as tingting:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tingting._core.execute(request())
        ended.set()


@pytest.mark.anyio
async def test_refusal_hides_the_token() -> None:
    """A refusal that quotes the account's token shows it nowhere in the error's text."""

    async def quote(head: bytes, writer: asyncio.StreamWriter) -> None:
        await answer(writer, 401, b'{"detail": "canary-token-7 is not valid"}')

    async with serving(quote) as url, TingTing(base_url=url, api_token="canary-token-7", retries=ONCE) as tingting:
        with pytest.raises(AuthenticationError) as caught:
            await tingting._core.execute(request())
    assert "canary-token-7" not in str(caught.value)
