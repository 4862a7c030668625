"""What is said of a change that an earlier attempt may have made, and of what ends in the middle."""

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import anyio
import pytest

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
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.v1 import TingTing as NewTingTing

pytestmark = pytest.mark.anyio

READ = Request("GET", "/things", Effect.READ, "things.list", Response)
SET = Request("PUT", "/things/1", Effect.UPDATE, "things.update", Response, json={"a": 1})
RING = Request("POST", "/ring", Effect.SEND, "things.ring", Response, json={"a": 1})

SIGNED_IN = json.dumps(
    {
        "success": True,
        "data": {
            "token": {"access": "a", "refresh": "r"},
            "user_data": {"first_name": "Sita", "last_name": "Rai", "email": "e"},
        },
    }
).encode()

Script = Callable[[Any], Awaitable[None]]


def connect(url: str, **options: Any) -> TingTing:
    """Return a session with a fixed token."""
    given: dict[str, Any] = {"base_url": url, "retries": RetryPolicy(initial_backoff=0, attempts=2), **options}
    return TingTing(**({"api_token": "key"} if "email" not in given and "token_store" not in given else {}), **given)


def lost_then(status: int, body: bytes = b"{}") -> Script:
    """Return a script that loses the first answer, and gives this one to what follows."""

    async def script(received: Any) -> None:
        if received.number == 0:
            received.reset()
        else:
            await received.answer(body, status)

    return script


@pytest.mark.parametrize("status", [401, 429, 500, 503])
async def test_lost_then_no_word_of_it(serve: Any, status: int) -> None:
    """A change that was lost stays of unknown outcome where the repeat is answered with nothing that settles it."""
    server = await serve(lost_then(status))
    async with connect(server.url) as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(SET)


async def test_lost_then_refused(serve: Any) -> None:
    """A change that was lost is known not to have been made where the repeat is refused as such."""
    server = await serve(lost_then(400))
    async with connect(server.url) as tingting:
        with pytest.raises(BadRequestError):
            await tingting._core.execute(SET)


@pytest.mark.parametrize("call", ["stop", "release"])
async def test_lost_then_refused_as_done(serve: Any, call: str) -> None:
    """What can be done but once stays of unknown outcome where the repeat is refused: perhaps because it was done."""
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
    assert "not repeated" not in str(caught.value)  # It was.
    assert len(server.requests) == 2


async def test_lost_then_not_signed_in(serve: Any) -> None:
    """A change that was lost stays of unknown outcome where the session cannot sign in any more."""

    async def script(received: Any) -> None:
        if received.target == "/api/accounts/login/" and received.number == 0:
            await received.answer(SIGNED_IN)
        elif received.method == "PUT" and received.number == 1:
            received.reset()
        else:
            await received.answer(b"{}", 401)

    server = await serve(script)
    async with connect(server.url, email="e", password="secret") as tingting:
        with pytest.raises(OutcomeUnknownError) as caught:
            await tingting._core.execute(SET)
    assert isinstance(caught.value.__cause__, AuthenticationError)


@pytest.mark.parametrize("body", [b'{"success": false, "message": "Wrong password"}', b'{"error": "Wrong password"}'])
async def test_refused_sign_in_under_200(serve: Any, body: bytes) -> None:
    """A sign-in that is refused under HTTP 200 is an AuthenticationError."""

    async def script(received: Any) -> None:
        await received.answer(body)

    server = await serve(script)
    async with connect(server.url, email="e", password="secret") as tingting:
        with pytest.raises(AuthenticationError, match="Wrong password"):
            await tingting._core.execute(READ)


async def test_unreadable_sign_in(serve: Any) -> None:
    """Where the answer to the sign-in cannot be read, nothing of the call itself was sent."""

    async def script(received: Any) -> None:
        await received.answer(b"<html>")

    server = await serve(script)
    async with connect(server.url, email="e", password="secret") as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting._core.execute(RING)
    assert caught.value.phase == "sign-in"


class Broken(MemoryTokenStore):
    """A store that fails."""

    def __init__(self, where: str, error: Exception) -> None:
        super().__init__()
        self.where, self.error = where, error

    def fail(self, where: str) -> None:
        """Fail here, if it is to fail here."""
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
    """A token store that fails is told as that, with its own error as the cause; what was signed in for is not lost."""

    async def script(received: Any) -> None:
        if received.target == "/api/accounts/login/":
            await received.answer(SIGNED_IN)
        else:
            await received.answer(b"{}")

    server = await serve(script)
    store = Broken(where, error)
    async with connect(server.url, email="e", password="secret", token_store=store) as tingting:
        with pytest.raises(TokenStoreError) as caught:
            await tingting._core.execute(READ)
        assert caught.value.__cause__ is error
        store.where = ""
        await tingting._core.execute(READ)
    assert [received.method for received in server.requests] == ["POST", "GET"]


async def stall(received: Any) -> None:
    """Never answer."""
    await received.writer.drain()
    await asyncio.Event().wait()


async def test_closing_with_a_borrowed_session(serve: Any) -> None:
    """Closing ends what is on its way over a user's own session too, and leaves that one open."""
    server = await serve(stall)
    async with aiohttp.ClientSession() as http:
        tingting = connect(server.url, http=http)
        calls = [asyncio.create_task(tingting._core.execute(request)) for request in (READ, RING)]
        while len(server.requests) < 2:
            await asyncio.sleep(0)
        await tingting.aclose()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(error) for error in errors] == [SessionClosedError, OutcomeUnknownError]
        assert "the session was closed" in str(errors[1])
        assert not http.closed


async def test_closing_while_cancelled(serve: Any) -> None:
    """A session that is closed in a scope that is cancelled already leaves no connection behind."""

    async def script(received: Any) -> None:
        await received.answer(b"{}")

    server = await serve(script)
    with anyio.CancelScope() as scope:
        async with connect(server.url) as tingting:
            await tingting._core.execute(READ)
            await tingting._core.execute(RING)
            scope.cancel()
            await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    del tingting
    gc.collect()  # What was left open would warn, and warnings are errors.


async def test_cancelled_with_its_pages(serve: Any) -> None:
    """A task that is cancelled while its session is closed ends as cancelled, and not with an error of the library."""
    server = await serve(stall)
    tingting = connect(server.url)
    task = asyncio.create_task(tingting.campaigns.list().collect())
    while not server.requests:
        await asyncio.sleep(0)
    closing = asyncio.create_task(tingting.aclose())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await closing


async def test_quoted_token(serve: Any) -> None:
    """A token without a form of its own, which the service quotes in an answer that cannot be read, is not shown."""
    token = "no-form-at-all"

    async def script(received: Any) -> None:
        await received.answer(f'["{token}"]'.encode())

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


async def test_unreadable_secrets(serve: Any) -> None:
    """Secrets without a form of their own, which the service gives in an answer that cannot be read, are not shown."""
    given = {
        "login": {"data": {"token": {"access": "no-form-1", "refresh": "no-form-2"}, "user_data": None}},
        "keys": {"token": "no-form-3", "created_at": "soon"},
        "otp": {"data": {"details": {"otp": "no-form-4", "message": "Your code is no-form-4"}}},
    }

    async def script(received: Any) -> None:
        await received.answer(json.dumps(next(given[part] for part in given if part in received.target)).encode())

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
    """What somebody's own tracing raises once the request has left is no proof that nothing was sent."""

    async def fine(received: Any) -> None:
        await received.answer()

    async def fail(*_: object) -> None:
        raise ValueError("no such span")

    server = await serve(fine)
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(fail)
    async with aiohttp.ClientSession(trace_configs=[trace]) as http, connect(server.url, http=http) as tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(RING)
    assert len(server.requests) == 1
