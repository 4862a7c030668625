"""Closing a session ends a call that waits between two attempts, at once and with the error that is true."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.servers import Script, closed_port, http_response, replies

from tingting_async import (
    OutcomeUnknownError,
    RequestFailed,
    ResponseReceived,
    RetryPolicy,
    ServerError,
    SessionClosedError,
    SqliteLedger,
    Timeout,
    TingTing,
)
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.observability.events import RequestEvent

pytestmark = pytest.mark.anyio

READ, UPDATE, CREATE, SEND = Effect.READ, Effect.UPDATE, Effect.CREATE, Effect.SEND
LONG = RetryPolicy(initial_backoff=1e8, max_backoff=1e8, max_retry_after=1e6)
"""A backoff under which no test can end by itself."""
OTP = (
    b'{"status":200,"success":true,"message":"ok","errors":[],"data":{"details":{"number":"9800000001",'
    b'"otp_options":"generated","message":"{otp}","otp":"1","sms_send_options":"text"}}}'
)

REFUSED = replies(http_response(b'{"detail": "Request was throttled."}', 429, retry_after="3600"))
FAILURES: dict[str, tuple[Script | None, set[Effect], dict[Effect, type[Exception]]]] = {
    "cannot connect": (None, {READ, UPDATE, CREATE, SEND}, {}),
    "429": (REFUSED, {READ, UPDATE, CREATE, SEND}, {}),
    "503": (
        replies(http_response(b"{}", 503, retry_after="3600")),
        {READ, UPDATE},
        {},
    ),  # It says that nothing was done.
    "502 of a gateway": (replies(http_response(b"<html>", 502)), {READ, UPDATE}, {UPDATE: ServerError}),
    "lost": (replies(b"", close=True), {READ, UPDATE}, {UPDATE: OutcomeUnknownError}),
}
"""How the first attempt ends, the effects that are retried then, and the errors other than SessionClosedError."""

READS: tuple[Callable[[TingTing], Coroutine[Any, Any, Any]], ...] = (
    lambda tingting: tingting.accounts.user_details(),
    lambda tingting: tingting.campaigns.get(7),
    lambda tingting: tingting.campaigns.get(7, timeout=9e8),
    lambda tingting: tingting.campaigns.list().collect(),
    lambda tingting: tingting.numbers.list(7, exact=True).collect(),
)


def connect(url: str, **options: Any) -> TingTing:
    """Return a session whose calls wait for a very long time between two attempts."""
    return TingTing(base_url=url, api_token="t", retries=LONG, timeout=Timeout(total=1e9), **options)


async def close_between_attempts(tingting: TingTing, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """Start calls, close the session when the first attempt of each has failed, and return the calls' errors."""
    failed = 0

    def count(event: RequestEvent) -> None:
        nonlocal failed
        failed += isinstance(event, RequestFailed | ResponseReceived)
        if failed == len(calls):
            all_failed.set()

    all_failed = asyncio.Event()
    tingting.subscribe(count)
    tasks = [asyncio.create_task(call) for call in calls]
    await all_failed.wait()
    await tingting.aclose()
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("has_own_http", [False, True])
async def test_every_effect(serve: Any, name: str, has_own_http: bool) -> None:
    """Closing ends a backoff with SessionClosedError, unless the first attempt may have changed something."""
    script, effects, errors = FAILURES[name]
    url = f"http://127.0.0.1:{closed_port()}" if script is None else (await serve(script)).url
    for effect in effects:
        request = Request("POST", "/things", effect, "things.do", Response, json={"a": 1})
        async with aiohttp.ClientSession() as http:
            tingting = connect(url, http=http if has_own_http else None)
            (error,) = await close_between_attempts(tingting, tingting._core.execute(request))
        assert errors.get(effect, SessionClosedError) is type(error), (effect, error)


async def test_many_calls(serve: Any) -> None:
    """Closing ends all calls that wait between two attempts, lists and calls with their own limits included."""
    chance = random.Random(14)

    async def fail(received: Any) -> None:
        status = chance.choice((429, 500, 502, 503, 504))
        await received.respond(b'{"detail": "x"}', status, **chance.choice(({"retry_after": "30"}, {})))

    server = await serve(fail)
    for _ in range(20):
        tingting = connect(server.url)
        calls: list[Any] = [chance.choice(READS)(tingting) for _ in range(chance.randint(1, 8))]
        errors = await close_between_attempts(tingting, *calls)
        assert [SessionClosedError] * len(calls) == [type(error) for error in errors]


async def test_send_that_was_refused(serve: Any, tmp_path: Path) -> None:
    """A send that is closed while it waits for a retry was never carried out: the ledger lets it be sent again."""
    is_refused = True

    async def respond(received: Any) -> None:
        await (REFUSED(received) if is_refused else received.respond(OTP))

    server = await serve(respond)
    ledger = SqliteLedger(tmp_path / "sends.sqlite")
    send: dict[str, Any] = {"channel": "text", "idempotency_key": "k"}
    first = connect(server.url, ledger=ledger)
    (error,) = await close_between_attempts(first, first.otp.send("9800000001", "{otp}", **send))
    assert SessionClosedError is type(error)
    is_refused = False
    async with connect(server.url, ledger=ledger) as second:
        await second.otp.send("9800000001", "{otp}", **send)
    assert 2 == len(server.requests)


async def test_cancelled_backoff(serve: Any) -> None:
    """A call that is cancelled while it waits for a retry ends as cancelled, and the session stays usable."""
    server = await serve(REFUSED)
    async with connect(server.url) as tingting:
        task = asyncio.create_task(tingting.accounts.user_details())
        failed = asyncio.Event()
        tingting.subscribe(lambda event: failed.set() if isinstance(event, ResponseReceived) else None)
        await failed.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert tingting._core.is_open
