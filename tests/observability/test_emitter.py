"""The events of a request: which ones a listener receives and the log records, and when."""

import asyncio
import contextlib
import functools
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
from support.servers import succeed

from tingting_async import (
    BadRequestError,
    NotSentError,
    OutcomeUnknownError,
    RequestEvent,
    RequestFailed,
    RequestRetried,
    RequestStarted,
    ResponseReceived,
    RetryPolicy,
    ServerError,
    Timeout,
    TingTing,
    UsageError,
)
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

READ = Request("GET", "/things/7/", Effect.READ, "things.get", Response, params=(("q", "9812345678"),))
SEND = Request("POST", "/send", Effect.SEND, "things.send", Response, json={"a": 1})


def connect(url: str, **options: Any) -> tuple[TingTing, list[Any]]:
    """Return a session, and the list of events that its listener receives."""
    given = {"base_url": url, "retries": RetryPolicy(initial_backoff=0, attempts=3), **options}
    tingting = TingTing(**({"api_token": "key"} | given if "email" not in given else given))
    events: list[Any] = []
    tingting.subscribe(events.append)
    return tingting, events


class Asynchronous:
    """A listener that must be awaited."""

    async def __call__(self, event: Any) -> None:
        """Do nothing."""


async def test_coroutine_listeners() -> None:
    """A listener whose call would run nothing is refused: an async one, or a generator function."""

    async def listen(event: Any) -> None:
        pass

    async def listen_and_yield(event: Any) -> Any:
        yield event

    def generate(event: Any) -> Any:
        yield event

    tingting, _ = connect("http://127.0.0.1:9")
    callables: list[Any] = [listen, listen_and_yield, generate, Asynchronous(), Asynchronous().__call__]
    for listener in (*callables, *map(functools.partial, callables)):
        with pytest.raises(UsageError, match="not awaited"):
            tingting.subscribe(listener)


def responses(*statuses: int) -> Callable[[Any], Awaitable[None]]:
    """Return a script that responds with these statuses in turn; 0 resets the connection."""

    async def script(received: Any) -> None:
        status = statuses[received.number]
        if status:
            await received.respond(b'{"a": 1}', status)
        else:
            received.reset()

    return script


def kinds(events: list[Any]) -> list[tuple[str, int]]:
    """Return the kinds of events, with their attempts."""
    return [(type(event).__name__.removeprefix("Request").removeprefix("Response"), event.attempt) for event in events]


async def test_response(serve: Any) -> None:
    """A request has an event at its start and one for its response; neither shows its query."""
    server = await serve(responses(200))
    tingting, events = connect(server.url)
    async with tingting:
        await tingting._core.execute(READ)
    started, response = events
    assert isinstance(started, RequestStarted)
    assert isinstance(response, ResponseReceived)
    assert (response.status, response.size) == (200, 8)
    assert response.duration > 0
    for event in events:
        assert (event.operation, event.method, event.path) == ("things.get", "GET", "/things/7/")
        assert (event.service, event.effect, event.attempt) == (server.url, Effect.READ, 1)
    assert started.call_id == response.call_id
    assert "9812345678" not in repr(events)


async def test_retries(serve: Any) -> None:
    """The events of all attempts have the same `call_id`; that of a retry names the error that caused it."""
    server = await serve(responses(500, 0, 200, 200))
    tingting, events = connect(server.url)
    async with tingting:
        await tingting._core.execute(READ)
        await tingting._core.execute(READ)
    first = [event for event in events if event.call_id == events[0].call_id]
    assert kinds(first) == [
        ("Started", 1), ("Received", 1), ("Retried", 2), ("Started", 2), ("Failed", 2), ("Retried", 3),
        ("Started", 3), ("Received", 3),
    ]  # fmt: skip
    assert [event.error for event in first if isinstance(event, RequestRetried)] == ["ServerError", "TransportError"]
    failed = first[4]
    assert isinstance(failed, RequestFailed)
    assert (failed.error, failed.phase) == ("TransportError", "response")
    assert kinds(events[len(first) :]) == [("Started", 1), ("Received", 1)]


async def test_failed_send(serve: Any) -> None:
    """The failure of a send has one event, and no event follows it."""
    server = await serve(responses(0))
    tingting, events = connect(server.url)
    async with tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(SEND)
    assert kinds(events) == [("Started", 1), ("Failed", 1)]


async def test_signing_in_and_refreshing() -> None:
    """Signing in is a call of its own; a request that is sent again after a token refresh is its second attempt."""
    async with Sandbox(campaigns=1) as sandbox:
        tingting, events = connect(sandbox.url, email=sandbox.email, password=sandbox.password)
        async with tingting:
            await tingting.accounts.user_details()
            events.clear()
            sandbox.faults.add(Fault("expired_token", path="*/user*", times=1))
            await tingting.accounts.user_details()
    assert [(event.operation, *short) for event, short in zip(events, kinds(events), strict=True)] == [
        ("accounts.user_details", "Started", 1),
        ("accounts.user_details", "Received", 1),
        ("accounts.refresh", "Started", 1),
        ("accounts.refresh", "Received", 1),
        ("accounts.user_details", "Started", 2),
        ("accounts.user_details", "Received", 2),
    ]
    assert 2 == len({event.call_id for event in events})


async def test_cancelled(serve: Any) -> None:
    """A cancelled attempt has an event at its end."""
    arrived = asyncio.Event()

    async def hold(received: Any) -> None:
        arrived.set()
        await server.released.wait()

    server = await serve(hold)
    tingting, events = connect(server.url)
    async with tingting:
        task = asyncio.create_task(tingting._core.execute(READ))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert kinds(events) == [("Started", 1), ("Failed", 1)]
    assert events[1].error == "CancelledError"


async def test_never_sent(serve: Any) -> None:
    """The event of a failure has the phase of the error."""
    tingting, events = connect("http://127.0.0.1:1", retries=1)
    async with tingting:
        with pytest.raises(NotSentError):
            await tingting._core.execute(READ)
    assert (events[-1].error, events[-1].phase) == ("NotSentError", "connect")


async def test_end_of_a_subscription(serve: Any) -> None:
    """Each subscription ends separately, even if a listener has two; ending one twice is harmless."""
    server = await serve(responses(200, 200, 200))
    tingting, events = connect(server.url)
    async with tingting:
        end = tingting.subscribe(events.append)
        await tingting._core.execute(READ)
        assert 4 == len(events)
        end()
        end()
        await tingting._core.execute(READ)
        assert 6 == len(events)


async def test_listener_that_fails(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A listener that raises affects neither the request nor other listeners; the log does not show its text."""

    def fail(event: RequestEvent) -> None:
        raise ValueError("canary")

    server = await serve(responses(200))
    tingting, events = connect(server.url)
    tingting.subscribe(fail)
    later: list[RequestEvent] = []
    tingting.subscribe(later.append)
    async with tingting:
        await tingting._core.execute(READ)
    assert events == later
    assert "A listener raised ValueError for an event of things.get." in caplog.text
    assert "canary" not in caplog.text


async def test_log_that_fails(serve: Any) -> None:
    """A log handler that raises affects neither the request nor the listeners."""

    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise LookupError("canary")

    log, handler = logging.getLogger("tingting_async"), Failing()
    server = await serve(responses(200, 500, 200))
    tingting, events = connect(server.url)

    def fail(event: RequestEvent) -> None:
        raise ValueError("canary")

    tingting.subscribe(fail)
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.DEBUG)
    try:
        async with tingting:
            await tingting._core.execute(SEND)
            await tingting._core.execute(READ)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    assert len(events) == 2 + 5


async def test_log(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The log records responses and failures at DEBUG and retries at INFO, each with the fields of its event."""
    server = await serve(responses(500, 0, 200))
    caplog.set_level(logging.DEBUG, logger="tingting_async")
    async with TingTing(base_url=server.url, api_token="key", retries=RetryPolicy(initial_backoff=0)) as tingting:
        await tingting._core.execute(READ)
    records = [record for record in caplog.records if record.name == "tingting_async"]
    levels = [record.levelname for record in records]
    assert levels == ["DEBUG", "INFO", "DEBUG", "INFO", "DEBUG"]
    texts = [record.getMessage() for record in records]
    assert texts[0].startswith("things.get: GET /things/7/: 500 in 0.")
    assert texts[1] == "things.get: GET /things/7/: attempt 2, 0 s after ServerError"
    assert "TransportError in 0." in texts[2]
    assert [record.tingting["attempt"] for record in records] == [1, 2, 2, 3, 3]  # type: ignore[attr-defined]


async def test_log_at_info(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """At INFO, the log records retries, and nothing of a request that succeeds at once."""
    server = await serve(responses(200, 503, 200))
    caplog.set_level(logging.INFO, logger="tingting_async")
    async with TingTing(base_url=server.url, api_token="key", retries=RetryPolicy(initial_backoff=0)) as tingting:
        await tingting._core.execute(READ)
        await tingting._core.execute(READ)
    assert [record.getMessage() for record in caplog.records] == [
        "things.get: GET /things/7/: attempt 2, 0 s after ServerError"
    ]


async def test_no_text_of_the_service(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No event and no log record holds text of the service; only errors do."""

    async def refuse(received: Any) -> None:
        await received.respond(b'{"detail": "canary"}', 400 if received.number else 500)

    server = await serve(refuse)
    caplog.set_level(logging.DEBUG, logger="tingting_async")
    tingting, events = connect(server.url, timeout=Timeout(total=5))
    async with tingting:
        with pytest.raises(BadRequestError, match="canary"):
            await tingting._core.execute(READ)
    assert "canary" not in caplog.text + repr(events) + repr([attrs.asdict(event) for event in events])
    assert ServerError.__name__ in caplog.text


async def test_records_are_json(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A formatter that writes a record's own fields as JSON can write those of every log record."""
    caplog.set_level(logging.DEBUG, "tingting_async")
    for script in (succeed, lambda received: received.respond(status=500)):
        server = await serve(script)
        async with connect(server.url)[0] as tingting:
            with contextlib.suppress(ServerError):
                await tingting._core.execute(READ)
    written = [json.dumps(vars(record)["tingting"]) for record in caplog.records if record.name == "tingting_async"]
    assert len(written) > 4
    assert {"read"} == {json.loads(each)["effect"] for each in written}
