"""Requests over a user's own session: what aiohttp resends by itself, and what never left."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.messages import READ
from support.servers import Received, Server, http_response, replies, stall

from tingting_async import NotSentError, OutcomeUnknownError, RetryPolicy, SessionClosedError, SqliteLedger, TingTing
from tingting_async.http.messages import Effect, Request, Response

pytestmark = pytest.mark.anyio

CHANGES = [
    Request("DELETE", "/things/1", Effect.UPDATE, "things.delete", Response, allows_empty_body=True),
    Request("DELETE", "/things", Effect.UPDATE, "things.release", Response, allows_empty_body=True, json={"id": 1}),
    Request("PUT", "/things/1", Effect.UPDATE, "things.update", Response, json={"a": 1}),
    Request("PUT", "/things/1", Effect.UPDATE, "things.touch", Response),
]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Return a user's session."""
    async with aiohttp.ClientSession() as made:
        yield made


def connect(server: Server, http: aiohttp.ClientSession, **options: Any) -> TingTing:
    """Return a session that uses the user's session."""
    options = {"retries": RetryPolicy(initial_backoff=0), **options}
    return TingTing(base_url=server.url, api_token="k", http=http, **options)


@pytest.mark.parametrize("request_", CHANGES, ids=lambda request: request.operation)
@pytest.mark.parametrize("retries", [1, 3])
async def test_change_that_was_made_before_the_service_ended(
    serve: Any, http: aiohttp.ClientSession, request_: Request[Any], retries: int
) -> None:
    """A change whose response was lost may have been made, although aiohttp could not connect to resend it."""
    stop: list[Any] = []

    async def script(received: Received) -> None:
        if received.method == "GET":
            await received.respond()
        else:
            server.listener.close()
            received.reset()
            stop.append(received)

    server = await serve(script)
    async with connect(server, http, retries=RetryPolicy(initial_backoff=0, attempts=retries)) as tingting:
        await tingting._core.execute(READ)  # Leaves an idle connection, on which aiohttp resends.
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(request_)
    assert 1 == len(stop)


@pytest.mark.parametrize("request_", CHANGES[:2], ids=lambda request: request.operation)
async def test_deletion_that_was_done(serve: Any, http: aiohttp.ClientSession, request_: Request[Any]) -> None:
    """A deletion whose response was lost has succeeded if the retry finds that it is done; aiohttp resends nothing."""

    async def script(received: Received) -> None:
        if received.number == 1:
            received.reset()
        else:
            await received.respond(b'{"detail": "Not found."}', 404 if received.method == "DELETE" else 200)

    server = await serve(script)
    async with connect(server, http) as tingting:
        await tingting._core.execute(READ)
        await tingting._core.execute(request_)
    assert ["GET", "DELETE", "DELETE"] == [received.method for received in server.requests]


async def test_deletion_that_never_left(http: aiohttp.ClientSession, deaf_port: int) -> None:
    """A deletion over a user's session that cannot connect was not sent."""
    server = Server(f"http://127.0.0.1:{deaf_port}", deaf_port)
    async with connect(server, http, retries=1, timeout=0.05) as tingting:
        for request in CHANGES:
            with pytest.raises(NotSentError):
                await tingting._core.execute(request)


async def test_empty_body_of_a_change(serve: Any, http: aiohttp.ClientSession) -> None:
    """A change without a body is sent without one."""
    server = await serve(stall)
    async with connect(server, http, timeout=0.2, retries=1) as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(CHANGES[0])
    [received] = server.requests
    assert (b"", "0") == (received.body, received.headers["content-length"])


async def test_cookies_of_the_users_session(serve: Any) -> None:
    """The cookies of a user's session are not sent, and those of responses are not kept: they may be tokens."""

    async def script(received: Received) -> None:
        await received.respond(headers={"Set-Cookie": "access=other; Path=/"})

    server = await serve(script)
    # A jar keeps no cookies of IP addresses by default, so the service has a name here.
    url = f"http://localhost:{server.port}"
    async with aiohttp.ClientSession(cookies={"refresh": "of another account"}) as http:
        async with TingTing(base_url=url, api_token="k", http=http) as tingting:
            for request in (READ, READ, CHANGES[2]):
                await tingting._core.execute(request)
        assert [None] * 3 == [received.headers.get("cookie") for received in server.requests]
        assert ["refresh"] == [cookie.key for cookie in http.cookie_jar]
        assert not http.closed


async def test_middleware_that_reads_responses(serve: Any) -> None:
    """A response that a middleware of the user's session has read is decoded all the same."""

    async def read(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        seen.append(await response.text())
        return response

    async def script(received: Received) -> None:
        await received.respond(body=b'{"status": "success"}')

    seen: list[str] = []
    server = await serve(script)
    async with aiohttp.ClientSession(middlewares=[read]) as http, connect(server, http) as tingting:
        response = await tingting._core.execute(READ)
    assert ['{"status": "success"}'] == seen
    assert {"status": "success"} == response.json()


def session_with_cookies() -> aiohttp.ClientSession:
    """Return a session that adds a cookie to each request."""

    async def request(self: Any, *args: Any, **options: Any) -> aiohttp.ClientResponse:
        cookies = {"account": "of this session"}
        return await aiohttp.ClientSession._request(self, *args, **options, cookies=cookies)

    with pytest.warns(DeprecationWarning, match="Inheritance"):
        return type("UserSession", (aiohttp.ClientSession,), {"_request": request})()  # type: ignore[no-any-return]


async def test_cookies_that_a_users_session_adds(serve: Any) -> None:
    """A cookie that a user's session adds to its requests is sent with no request of another session."""

    async def script(received: Received) -> None:
        await received.respond()

    server = await serve(script)
    async with session_with_cookies() as with_cookies, aiohttp.ClientSession() as without:
        for http in (with_cookies, without, None):
            async with TingTing(base_url=server.url, api_token="k", http=http) as tingting:
                await tingting._core.execute(READ)
    assert ["account", None, None] == [
        cookie and cookie.partition("=")[0] for cookie in (each.headers.get("cookie") for each in server.requests)
    ]


CLOSED = r"the aiohttp\.ClientSession that was given as `http` is closed\. Nothing was sent\. Give an open one"


async def test_user_session_that_is_closed(http: aiohttp.ClientSession) -> None:
    """The error for a user's session that is closed already names it."""
    await http.close()
    async with TingTing(base_url="http://localhost:1", api_token="k", http=http) as tingting:
        with pytest.raises(SessionClosedError, match=CLOSED):
            await tingting._core.execute(READ)


@pytest.mark.parametrize("has_middlewares", [False, True])
async def test_user_session_that_is_closed_later(serve: Any, tmp_path: Path, has_middlewares: bool) -> None:
    """If a user's session is closed before a request, the error names it, and a ledger frees the send."""

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        return await handler(request)

    server = await serve(replies(http_response(b"{}")))
    middlewares = [middleware] if has_middlewares else []
    async with aiohttp.ClientSession(middlewares=middlewares) as http, SqliteLedger(tmp_path / "ledger") as ledger:
        async with connect(server, http, ledger=ledger) as tingting:
            await tingting._core.execute(READ)
            await http.close()
            for call in (tingting.campaigns.get(1), tingting.campaigns.run(1, message="m")):
                with pytest.raises(SessionClosedError, match=CLOSED):
                    await call
        assert [] == await ledger.unresolved()
    assert 1 == len(server.requests)
