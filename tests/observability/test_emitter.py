"""Events: what a listener and the log are told of a request, and when."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

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
RING = Request("POST", "/ring", Effect.SEND, "things.ring", Response, json={"a": 1})


def connect(url: str, **options: Any) -> tuple[TingTing, list[Any]]:
    """Return a session, and what its listener is told."""
    given = {"base_url": url, "retries": RetryPolicy(initial_backoff=0, attempts=3), **options}
    tingting = TingTing(**({"api_token": "key"} | given if "email" not in given else given))
    told: list[Any] = []
    tingting.subscribe(told.append)
    return tingting, told


class Asynchronous:
    """A listener that would have to be awaited."""

    async def __call__(self, event: Any) -> None:
        """Do nothing."""


async def test_listeners_that_nobody_would_await() -> None:
    """A listener that would have to be awaited is refused."""

    async def listen(event: Any) -> None:
        pass

    tingting, _ = connect("http://127.0.0.1:9")
    for listener in (listen, Asynchronous()):
        with pytest.raises(UsageError, match="not awaited"):
            tingting.subscribe(listener)


def answers(*statuses: int) -> Callable[[Any], Awaitable[None]]:
    """Return a script that answers with these statuses in turn; 0 cuts the connection."""

    async def script(received: Any) -> None:
        status = statuses[received.number]
        if status:
            await received.answer(b'{"a": 1}', status)
        else:
            received.reset()

    return script


def kinds(told: list[Any]) -> list[tuple[str, int]]:
    """Return what was told, in short."""
    return [(type(event).__name__.removeprefix("Request").removeprefix("Response"), event.attempt) for event in told]


async def test_answer(serve: Any) -> None:
    """A request is started and answered; the events say what, of whom and how much, and no query."""
    server = await serve(answers(200))
    tingting, told = connect(server.url)
    async with tingting:
        await tingting._core.execute(READ)
    started, answered = told
    assert isinstance(started, RequestStarted)
    assert isinstance(answered, ResponseReceived)
    assert (answered.status, answered.size) == (200, 8)
    assert answered.duration > 0
    for event in told:
        assert (event.operation, event.method, event.path) == ("things.get", "GET", "/things/7/")
        assert (event.service, event.effect, event.attempt) == (server.url, Effect.READ, 1)
    assert started.call_id == answered.call_id
    assert "9812345678" not in repr(told)


async def test_repeats(serve: Any) -> None:
    """Each attempt has its events under the call's number, and a repeat says what it is for."""
    server = await serve(answers(500, 0, 200, 200))
    tingting, told = connect(server.url)
    async with tingting:
        await tingting._core.execute(READ)
        await tingting._core.execute(READ)
    first = [event for event in told if event.call_id == told[0].call_id]
    assert kinds(first) == [
        ("Started", 1), ("Received", 1), ("Retried", 2), ("Started", 2), ("Failed", 2), ("Retried", 3),
        ("Started", 3), ("Received", 3),
    ]  # fmt: skip
    assert [event.error for event in first if isinstance(event, RequestRetried)] == ["ServerError", "TransportError"]
    failed = first[4]
    assert isinstance(failed, RequestFailed)
    assert (failed.error, failed.phase) == ("TransportError", "response")
    assert kinds(told[len(first) :]) == [("Started", 1), ("Received", 1)]


async def test_what_is_not_repeated(serve: Any) -> None:
    """What rings has its failure told once, as it was, and nothing after it."""
    server = await serve(answers(0))
    tingting, told = connect(server.url)
    async with tingting:
        with pytest.raises(OutcomeUnknownError):
            await tingting._core.execute(RING)
    assert kinds(told) == [("Started", 1), ("Failed", 1)]


async def test_signing_in_and_renewing() -> None:
    """Signing in is a call of its own, and a request that was sent again after a renewal is its second attempt."""
    async with Sandbox(campaigns=1) as sandbox:
        tingting, told = connect(sandbox.url, email=sandbox.email, password=sandbox.password)
        async with tingting:
            await tingting.accounts.user_details()
            told.clear()
            sandbox.faults.add(Fault("expired_token", path="*/user*", times=1))
            await tingting.accounts.user_details()
    assert [(event.operation, *short) for event, short in zip(told, kinds(told), strict=True)] == [
        ("accounts.user_details", "Started", 1),
        ("accounts.user_details", "Received", 1),
        ("accounts.refresh", "Started", 1),
        ("accounts.refresh", "Received", 1),
        ("accounts.user_details", "Started", 2),
        ("accounts.user_details", "Received", 2),
    ]
    assert len({event.call_id for event in told}) == 2


async def test_cancelled(serve: Any) -> None:
    """A cancelled attempt has an end, too."""
    arrived = asyncio.Event()

    async def hold(received: Any) -> None:
        arrived.set()
        await server.released.wait()

    server = await serve(hold)
    tingting, told = connect(server.url)
    async with tingting:
        task = asyncio.create_task(tingting._core.execute(READ))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert kinds(told) == [("Started", 1), ("Failed", 1)]
    assert told[1].error == "CancelledError"


async def test_never_sent(serve: Any) -> None:
    """Where it failed is told as the error has it."""
    tingting, told = connect("http://127.0.0.1:1", retries=1)
    async with tingting:
        with pytest.raises(NotSentError):
            await tingting._core.execute(READ)
    assert (told[-1].error, told[-1].phase) == ("NotSentError", "connect")


async def test_end_of_a_subscription(serve: Any) -> None:
    """Each subscription ends for itself, also where the same listener has two, and ending it twice does no harm."""
    server = await serve(answers(200, 200, 200))
    tingting, told = connect(server.url)
    async with tingting:
        end = tingting.subscribe(told.append)
        await tingting._core.execute(READ)
        assert len(told) == 4
        end()
        end()
        await tingting._core.execute(READ)
        assert len(told) == 6


async def test_listener_that_fails(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A listener that fails changes nothing for the request and the other listeners; its text is not shown."""

    def fail(event: RequestEvent) -> None:
        raise ValueError("canary")

    server = await serve(answers(200))
    tingting, told = connect(server.url)
    tingting.subscribe(fail)
    later: list[RequestEvent] = []
    tingting.subscribe(later.append)
    async with tingting:
        await tingting._core.execute(READ)
    assert told == later
    assert "A listener failed with ValueError at things.get." in caplog.text
    assert "canary" not in caplog.text


async def test_log_that_fails(serve: Any) -> None:
    """A handler or filter of the log that raises changes nothing for the request and the listeners."""

    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise LookupError("canary")

    log, handler = logging.getLogger("tingting_async"), Failing()
    server = await serve(answers(200, 500, 200))
    tingting, told = connect(server.url)

    def fail(event: RequestEvent) -> None:
        raise ValueError("canary")

    tingting.subscribe(fail)
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.DEBUG)
    try:
        async with tingting:
            await tingting._core.execute(RING)
            await tingting._core.execute(READ)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    assert len(told) == 2 + 5


async def test_log(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The log is made of the events: answers and failures at DEBUG, repeats at INFO, each with its fields."""
    server = await serve(answers(500, 0, 200))
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
    """At INFO a request that works writes nothing, and a repeat is still told."""
    server = await serve(answers(200, 503, 200))
    caplog.set_level(logging.INFO, logger="tingting_async")
    async with TingTing(base_url=server.url, api_token="key", retries=RetryPolicy(initial_backoff=0)) as tingting:
        await tingting._core.execute(READ)
        await tingting._core.execute(READ)
    assert [record.getMessage() for record in caplog.records] == [
        "things.get: GET /things/7/: attempt 2, 0 s after ServerError"
    ]


async def test_no_text_of_the_service(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What the service says is in the errors alone: no event and no line of the log has a word of it."""

    async def refuse(received: Any) -> None:
        await received.answer(b'{"detail": "canary"}', 400 if received.number else 500)

    server = await serve(refuse)
    caplog.set_level(logging.DEBUG, logger="tingting_async")
    tingting, told = connect(server.url, timeout=Timeout(total=5))
    async with tingting:
        with pytest.raises(BadRequestError, match="canary"):
            await tingting._core.execute(READ)
    assert "canary" not in caplog.text + repr(told) + repr([attrs.asdict(event) for event in told])
    assert ServerError.__name__ in caplog.text
