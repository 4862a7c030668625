"""What the error says if an earlier attempt may have changed something, or if a request ended in the middle."""

import asyncio
import gc
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import anyio
import pytest
from support.messages import READ, SEND, UPDATE
from support.servers import Received, Script, stall, succeed

from tingting_async import (
    AuthenticationError,
    BadRequestError,
    MemoryTokenStore,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    SessionClosedError,
    TingTing,
    TingTingError,
    Tokens,
    TokenStoreError,
)
from tingting_async.v1 import TingTing as NewTingTing

pytestmark = pytest.mark.anyio


SIGNED_IN = json.dumps(
    {
        "success": True,
        "data": {
            "token": {"access": "a", "refresh": "r"},
            "user_data": {"first_name": "Sita", "last_name": "Rai", "email": "e"},
        },
    }
).encode()


def connect(url: str, **options: Any) -> TingTing:
    """Return a session with a fixed token."""
    given: dict[str, Any] = {"base_url": url, "retries": RetryPolicy(initial_backoff=0, attempts=2), **options}
    return TingTing(**({"api_token": "key"} if "email" not in given and "token_store" not in given else {}), **given)


def lost_then(status: int, body: bytes = b"{}") -> Script:
    """Return a script that loses the first response, and sends this one to the requests that follow."""

    async def script(received: Received) -> None:
        if received.number == 0:
            received.reset()
        else:
            await received.respond(body, status)

    return script


@pytest.mark.parametrize("body", [b"<html>Ok</html>", b""])
async def test_response_that_is_not_json(serve: Any, body: bytes) -> None:
    """The text for a send whose response is not JSON consists of whole sentences, and ends with what to do."""

    async def script(received: Received) -> None:
        await received.respond(body)

    server = await serve(script)
    async with connect(server.url) as tingting:
        with pytest.raises(OutcomeUnknownError) as caught:
            await tingting.otp.send("9800000001", "{otp}", channel="text")
    shown = f": {body.decode()!r}" if body else ""
    assert (
        "otp.send: it is unknown whether this happened, so it was not retried. The response to POST "
        f"/api/system/send/otp/ is not JSON{shown}. To find out, ask the person whether it arrived."
    ) == str(caught.value)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_lost_then_inconclusive(serve: Any, status: int) -> None:
    """An update whose response was lost has an unknown outcome if the response to the retry is inconclusive."""
    server = await serve(lost_then(status))
    async with connect(server.url) as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(UPDATE)


async def test_lost_then_refused(serve: Any) -> None:
    """An update whose response was lost has not happened if the retry is refused as bad input."""
    server = await serve(lost_then(400))
    async with connect(server.url) as tingting:
        with pytest.raises(BadRequestError):
            await tingting._core.execute(UPDATE)


@pytest.mark.parametrize("call", ["stop", "release"])
async def test_lost_then_refused_as_done(serve: Any, call: str) -> None:
    """An operation that can only succeed once has an unknown outcome if its retry is refused: it may have succeeded."""
    server = await serve(lost_then(400, b'{"message": "Campaign is not running."}'))
    options: dict[str, Any] = {
        "base_url": server.url,
        "api_token": "key",
        "retries": RetryPolicy(initial_backoff=0, attempts=2),
    }
    async with NewTingTing(**options) as new, TingTing(**options) as classic:
        with pytest.raises(OutcomeUnknownError, match="To find out") as caught:
            await (new.campaigns.stop(1) if call == "stop" else classic.phone_numbers.release("PN1"))
    assert isinstance(caught.value.__cause__, BadRequestError)
    assert "not retried" not in str(caught.value)  # It was retried.
    assert 2 == len(server.requests)


async def test_lost_then_not_signed_in(serve: Any) -> None:
    """An update whose response was lost has an unknown outcome if the session can no longer sign in."""

    async def script(received: Received) -> None:
        if received.target == "/api/accounts/login/" and received.number == 0:
            await received.respond(SIGNED_IN)
        elif received.method == "PUT" and received.number == 1:
            received.reset()
        else:
            await received.respond(b"{}", 401)

    server = await serve(script)
    async with connect(server.url, email="e", password="secret") as tingting:
        with pytest.raises(OutcomeUnknownError) as caught:
            await tingting._core.execute(UPDATE)
    assert isinstance(caught.value.__cause__, AuthenticationError)


@pytest.mark.parametrize("body", [b'{"success": false, "message": "Wrong password"}', b'{"error": "Wrong password"}'])
async def test_refused_sign_in_under_200(serve: Any, body: bytes) -> None:
    """A sign-in that is refused under HTTP 200 is an AuthenticationError."""

    async def script(received: Received) -> None:
        await received.respond(body)

    server = await serve(script)
    async with connect(server.url, email="e", password="secret") as tingting:
        with pytest.raises(AuthenticationError, match="Wrong password"):
            await tingting._core.execute(READ)


async def test_undecodable_sign_in(serve: Any) -> None:
    """If the response to the sign-in cannot be decoded, the request itself was not sent."""

    async def script(received: Received) -> None:
        await received.respond(b"<html>")

    server = await serve(script)
    async with connect(server.url, email="e", password="secret") as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(SEND)
    assert caught.value.phase == "sign-in"


class Broken(MemoryTokenStore):
    """A store that fails."""

    def __init__(self, where: str, error: Exception) -> None:
        super().__init__()
        self.where, self.error = where, error

    def fail(self, where: str) -> None:
        """Raise the error if this is the method that fails."""
        if where == self.where:
            raise self.error

    async def load(self) -> Tokens | None:
        """Load."""
        self.fail("load")
        return await super().load()

    async def save(self, tokens: Tokens | None) -> None:
        """Save."""
        self.fail("save")
        await super().save(tokens)

    def lock(self) -> AbstractAsyncContextManager[Any]:
        """Lock."""
        self.fail("lock")
        return super().lock()


@pytest.mark.parametrize("error", [TimeoutError("slow"), OSError("disk full"), KeyError("a bug")])
@pytest.mark.parametrize("where", ["load", "save", "lock"])
async def test_failing_token_store(serve: Any, where: str, error: Exception) -> None:
    """The error of a token store is the cause of a TokenStoreError; the session keeps the tokens it has."""

    async def script(received: Received) -> None:
        if received.target == "/api/accounts/login/":
            await received.respond(SIGNED_IN)
        else:
            await received.respond(b"{}")

    server = await serve(script)
    store = Broken(where, error)
    async with connect(server.url, email="e", password="secret", token_store=store) as tingting:
        with pytest.raises(TokenStoreError) as caught:
            await tingting._core.execute(READ)
        assert caught.value.__cause__ is error
        store.where = ""
        await tingting._core.execute(READ)
    assert [received.method for received in server.requests] == ["POST", "GET"]


async def test_closing_with_a_borrowed_session(serve: Any) -> None:
    """Closing ends the requests in flight over a user's own session, and leaves that session open."""
    server = await serve(stall)
    async with aiohttp.ClientSession() as http:
        tingting = connect(server.url, http=http)
        calls = [asyncio.create_task(tingting._core.execute(request)) for request in (READ, SEND)]
        await server.received(2)
        await tingting.aclose()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [SessionClosedError, OutcomeUnknownError]
        assert "the session was closed" in str(errors[1])
        assert not http.closed


async def test_closing_while_cancelled(serve: Any) -> None:
    """A session that is closed in a cancelled scope leaves no connection open."""
    server = await serve(succeed)
    with anyio.CancelScope() as scope:
        async with connect(server.url) as tingting:
            await tingting._core.execute(READ)
            await tingting._core.execute(SEND)
            scope.cancel()
            await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    del tingting
    gc.collect()  # An open connection would warn, and warnings are errors.


async def test_cancelled_with_its_pages(serve: Any) -> None:
    """A task that is cancelled while its session is being closed ends as cancelled."""
    server = await serve(stall)
    tingting = connect(server.url)
    task = asyncio.create_task(tingting.campaigns.list().collect())
    await server.received(1)
    closing = asyncio.create_task(tingting.aclose())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await closing


async def test_quoted_token(serve: Any) -> None:
    """The error of a response that cannot be decoded does not show the token that the response quotes."""
    token = "no-form-at-all"

    async def script(received: Received) -> None:
        await received.respond(f'["{token}"]'.encode())

    server = await serve(script)
    async with TingTing(base_url=server.url, api_token=token) as tingting:
        for call in (
            tingting.campaigns.get(1),
            tingting.campaigns.list().collect(),
            tingting.campaigns.run(1, message="x"),
        ):
            with pytest.raises(Exception, match="secure") as caught:
                await call
            assert token not in str(caught.value)


async def test_undecodable_secrets(serve: Any) -> None:
    """The error of a response that cannot be decoded does not show the secrets that the response contains."""
    given = {
        "login": {"data": {"token": {"access": "no-form-1", "refresh": "no-form-2"}, "user_data": None}},
        "keys": {"token": "no-form-3", "created_at": "soon"},
        "otp": {"data": {"details": {"otp": "no-form-4", "message": "Your code is no-form-4"}}},
    }

    async def script(received: Received) -> None:
        await received.respond(json.dumps(next(given[part] for part in given if part in received.target)).encode())

    server = await serve(script)
    async with (
        connect(server.url, email="e", password="secret") as signing_in,
        NewTingTing(base_url=server.url, api_token="key") as tingting,
    ):
        for call in (
            signing_in._core.execute(READ),
            tingting.accounts.api_token(),
            tingting.accounts.generate_api_token(),
            tingting.otp.send("9800000001", "{otp}", channel="text"),
        ):
            with pytest.raises(TingTingError, match="secure") as caught:
                await call
            assert "no-form" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


async def test_error_of_a_trace(serve: Any) -> None:
    """An error of a user's own tracing, raised after the request was sent, leaves the outcome of a send unknown."""

    async def fail(*_: object) -> None:
        raise ValueError("no such span")

    server = await serve(succeed)
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(fail)
    async with aiohttp.ClientSession(trace_configs=[trace]) as http, connect(server.url, http=http) as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(SEND)
    assert 1 == len(server.requests)
