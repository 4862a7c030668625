"""Optimisations of the request path behave like what they replace."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, strategies as st
from support.servers import Received, http_response, replies, stall, succeed

from tingting_async import AuthenticationError, RetryPolicy, Timeout, TingTing, TransportError
from tingting_async.http.messages import Effect, Request, Response

ONCE = RetryPolicy(attempts=1)


def request(**options: object) -> Request[Response]:
    """Return a read."""
    return Request("GET", "/api/x/", Effect.READ, "x", Response, **options)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.text(), st.text())))
def test_query_is_quoted(params: list[tuple[str, str]]) -> None:
    """A query is quoted as the standard library quotes it, whatever it contains."""
    pairs = [(name, value) for name, value in params if not any(0xD800 <= ord(c) < 0xE000 for c in name + value)]
    assert urlencode(pairs) == request(params=tuple(pairs)).query


@pytest.mark.anyio
@pytest.mark.parametrize(("prefix", "path"), [("", "/api/x/"), ("/proxy", "/proxy/api/x/")])
async def test_target(serve: Any, prefix: str, path: str) -> None:
    """The target of a request is the prefix of the base URL, the path with its slash, and the quoted query."""
    server = await serve(succeed)
    async with TingTing(base_url=server.url + prefix, api_token="t", retries=ONCE) as tingting:
        await tingting._core.execute(request(params=(("a b", "+&%2F"),)))
    assert [f"{path}?a+b=%2B%26%252F"] == [received.target for received in server.requests]


@pytest.mark.anyio
async def test_timeout_ends_the_attempt_only(serve: Any) -> None:
    """An attempt that times out is a TransportError, and leaves its task uncancelled."""
    server = await serve(stall)
    async with TingTing(base_url=server.url, api_token="t", retries=ONCE) as tingting:
        with pytest.raises(TransportError) as caught:
            await tingting._core.execute(request(timeout=Timeout(attempt=0.5)))
    task = asyncio.current_task()
    assert task is not None
    assert ("response", 0) == (caught.value.phase, task.cancelling())


@pytest.mark.anyio
async def test_cancellation_is_not_a_timeout(serve: Any) -> None:
    """A task that is cancelled during a request gets the cancellation, and the session stays usable."""

    async def stall_once(received: Received) -> None:
        await (succeed if received.number else stall)(received)

    server = await serve(stall_once)
    async with TingTing(base_url=server.url, api_token="t", retries=ONCE) as tingting:
        task = asyncio.create_task(tingting._core.execute(request()))
        await server.received(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert 200 == (await tingting._core.execute(request())).status


@pytest.mark.anyio
async def test_timeout_of_the_caller(serve: Any) -> None:
    """A caller's own `asyncio.timeout` around a request raises the caller's TimeoutError."""
    server = await serve(stall)
    async with TingTing(base_url=server.url, api_token="t", retries=ONCE) as tingting:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tingting._core.execute(request())


@pytest.mark.anyio
async def test_refusal_hides_the_token(serve: Any) -> None:
    """The error of a refusal that quotes the token does not show the token."""
    server = await serve(replies(http_response(b'{"detail": "canary-token-7 is not valid"}', 401)))
    async with TingTing(base_url=server.url, api_token="canary-token-7", retries=ONCE) as tingting:
        with pytest.raises(AuthenticationError) as caught:
            await tingting._core.execute(request())
    assert "canary-token-7" not in str(caught.value)
