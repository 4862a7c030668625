"""The frames that an error passes through show no secret, as error trackers collect their local variables."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from support.canaries import CODE, JWT, NUMBER, PASSWORD, SECRET, TEXT, TOKEN, operations
from support.frames import chain, frame_locals
from support.servers import Received, closed_port, stall

from tingting_async import MemoryTokenStore, RetryPolicy, Timeout, TingTingError, Tokens, UsageError

pytestmark = pytest.mark.anyio

ONCE_MORE = RetryPolicy(attempts=2, initial_backoff=0, max_retry_after=0)


def leaks(error: BaseException) -> set[str]:
    """Return the local variables behind an error that show a secret, and the texts of the errors that do."""
    found = {text for text in frame_locals(error) if SECRET.search(text)}
    for each in chain(error):
        found |= {text for text in (str(each), repr(each), *getattr(each, "__notes__", ())) if SECRET.search(text)}
    return found


async def caught(call: Callable[[], Awaitable[Any]]) -> BaseException | None:
    """Return the error of a call."""
    try:
        await call()
    except Exception as error:  # noqa: BLE001 - a test looks at it
        return error
    return None


def responding(body: bytes, status: int, **headers: str) -> Callable[[Received], Awaitable[None]]:
    async def respond(received: Received) -> None:
        await received.respond(body, status, **headers)

    return respond


async def lose(received: Received) -> None:
    """Cut the connection after the request."""
    received.reset()


async def quote(received: Received) -> None:
    """Refuse with a text that quotes the request."""
    said = f"{received.headers} {received.body.decode(errors='replace')}".replace('"', "'").replace("\\", "/")
    await received.respond(b'{"detail": "%s"}' % said.encode(), 400)


FAILURES = {
    "lost": lose,
    "quoted": quote,
    "400": responding(b'{"number": ["not valid"]}', 400),
    "401": responding(b'{"detail": "Given token not valid", "code": "token_not_valid"}', 401),
    "403": responding(b'{"detail": "You do not have permission to perform this action."}', 403),
    "404": responding(b'{"detail": "Not found."}', 404),
    "429": responding(b'{"detail": "Request was throttled."}', 429, retry_after="0"),
    "500": responding(b"<html>", 500),
    "no JSON": responding(b"\xff{", 200),
    "another shape": responding(b'{"results": 5, "data": [{"number": {"x": "%s"}}]}' % NUMBER.encode(), 200),
}


@contextlib.asynccontextmanager
async def sessions(generation: Any, url: str, **options: Any) -> Any:
    """Yield a session with an API token, and one with a password and tokens that it may refresh."""
    store = MemoryTokenStore()
    await store.save(Tokens(JWT, JWT))
    options = {"base_url": url, "retries": ONCE_MORE, **options}
    async with (
        generation.session(api_token=TOKEN, **options) as by_token,
        generation.session(email="e@example.com", password=PASSWORD, token_store=store, **options) as by_password,
    ):
        yield by_token, by_password


@pytest.mark.parametrize("kind", FAILURES)
async def test_failed_calls(generation: Any, serve: Any, tmp_path: Path, kind: str) -> None:
    """No operation shows an argument, a token or the password in a frame when its request fails."""
    server = await serve(FAILURES[kind])
    failed, found = 0, set[str]()
    async with sessions(generation, server.url) as both:
        for tingting in both:
            for operation in operations(tingting, tmp_path):
                error = await caught(lambda each=operation: each.call())  # type: ignore[misc]
                if error is not None:
                    failed += 1
                    assert isinstance(error, TingTingError), (operation.name, error)
                    found |= {f"{operation.name}: {text}" for text in leaks(error)}
    assert found == set()
    assert failed > 20


async def test_refused_connections(generation: Any, tmp_path: Path) -> None:
    """No operation shows a secret in a frame when the connection is refused."""
    failed, found = 0, set[str]()
    async with sessions(generation, f"http://127.0.0.1:{closed_port()}") as both:
        for tingting in both:
            for operation in operations(tingting, tmp_path):
                error = await caught(lambda each=operation: each.call())  # type: ignore[misc]
                if error is not None:  # `accounts.refresh` takes the tokens of the store.
                    failed += 1
                    assert isinstance(error, TingTingError), operation.name
                    found |= {f"{operation.name}: {text}" for text in leaks(error)}
    assert found == set()
    assert failed > 30


@pytest.mark.parametrize("by", ["the library", "the caller"])
async def test_no_response(generation: Any, serve: Any, tmp_path: Path, by: str) -> None:
    """No operation shows a secret in a frame when its time runs out, by its own limit or by the caller's."""
    server = await serve(stall)
    found = set[str]()
    limits = Timeout(attempt=0.05, total=0.1) if by == "the library" else Timeout()
    async with sessions(generation, server.url, timeout=limits) as both:

        async def call(operation: Any) -> None:
            async with asyncio.timeout(0.1 if by == "the caller" else None):
                has_limits = "download" in operation.name or operation.name == "reports.rows"
                await operation.call(**({"timeout": limits} if has_limits else {}))

        every = [operation for tingting in both for operation in operations(tingting, tmp_path)]
        every = [each for each in every if each.name != "campaigns.wait"]
        errors = await asyncio.gather(*(caught(lambda each=each: call(each)) for each in every))  # type: ignore[misc]
        for operation, error in zip(every, errors, strict=True):
            if error is not None:  # `accounts.refresh` takes the tokens of the store.
                found |= {f"{operation.name}: {text}" for text in leaks(error)}
        assert sum(error is not None for error in errors) > 30
    assert found == set()


BAD = {
    "number": f"{NUMBER} {NUMBER}",
    "numbers": [NUMBER, NUMBER],
    "contacts": [NUMBER, f"{NUMBER}x"],
    "message": f"{TEXT}\ud800",
    "name": f"{TEXT}\ud800",
    "otp": f"x {CODE}",
    "channel": "telex",
    "services": "telex",
    "tags": {1: TEXT},
    "variables": [TEXT],
    "steps": [TEXT],
    "file": f"/nowhere/{NUMBER}.csv",
    "path": f"/nowhere/{NUMBER}.csv",
    "sid": "",
    "id": TEXT,
    "campaign_id": TEXT,
    "idempotency_key": f"otp {NUMBER}",
    "timeout": -1,
    "no_such_argument": TEXT,
}


async def test_refused_arguments(generation: Any, tmp_path: Path) -> None:
    """No operation shows an argument in a frame when it refuses an argument before anything is sent."""
    refused, found = 0, set[str]()
    async with sessions(generation, f"http://127.0.0.1:{closed_port()}", retries=1) as both:
        for operation in operations(both[0], tmp_path):
            for name, value in BAD.items():
                error = await caught(lambda each=operation, given={name: value}: each.call(**given))  # type: ignore[misc]
                refused += isinstance(error, UsageError | TypeError)
                assert isinstance(error, TingTingError | TypeError), operation.name
                found |= {f"{operation.name}({name}=…): {text}" for text in leaks(error)}
    assert found == set()
    assert refused > 100


@pytest.mark.parametrize(
    "options",
    [
        {"email": "e@example.com", "password": PASSWORD, "api_token": TOKEN},
        {"password": PASSWORD},
        {"api_token": TOKEN, "base_url": "nowhere"},
        {"api_token": TOKEN, "max_in_flight": 0},
        {"api_token": TOKEN, "proxy": 5},
        {"api_token": f"{TOKEN}\n"},
        {"api_token": TOKEN, "tokens": JWT},
    ],
)
async def test_refused_sessions(generation: Any, options: dict[str, Any]) -> None:
    """A session that cannot be made shows no password and no token in a frame."""
    for make in (generation.session, generation.session.from_env):
        with pytest.raises((UsageError, TypeError)) as error:
            make(**options)
        assert leaks(error.value) == set()


async def test_reconcile(generation: Any, serve: Any) -> None:
    """A look-up that fails shows neither the code nor the number that it looks for."""
    server = await serve(lose)
    found = set[str]()
    async with sessions(generation, server.url) as both:
        people = both[0].contacts if "contacts" in dir(both[0]) else both[0].numbers
        for call in (
            lambda: people.add(1, NUMBER),
            lambda: both[0].otp.send(NUMBER, "{otp}", channel="text", otp=CODE),
        ):
            lost: Any = await caught(call)
            error = await caught(lambda each=lost: each.reconcile(wait=0))  # type: ignore[misc]
            found |= set() if error is None else leaks(error)
    assert found == set()


async def test_the_errors_of_the_caller_stay(generation: Any) -> None:
    """An error that the caller is handling keeps its traceback when a call made meanwhile fails."""

    def fail() -> None:
        raise ValueError("of the caller")

    async with generation.session(base_url=f"http://127.0.0.1:{closed_port()}", api_token=TOKEN, retries=1) as to:
        try:
            fail()
        except ValueError as own:
            error = await caught(lambda: to.accounts.user_details(no_such_argument=1))
            trace = own.__traceback__
    assert isinstance(error, TypeError)
    assert trace is not None
    assert trace.tb_next is not None
    assert "fail" == trace.tb_next.tb_frame.f_code.co_name


async def test_the_error_of_a_store_says_where(generation: Any) -> None:
    """The error of a token store says in a note where it was raised, without the tokens of that frame."""

    class Store(MemoryTokenStore):
        async def load(self) -> Tokens | None:
            text = TOKEN  # noqa: F841 - what a tracker would collect
            raise KeyError("of the store")

    async with generation.session(api_token=None, email="e@example.com", password=PASSWORD, token_store=Store()) as to:
        with pytest.raises(TingTingError) as error:
            await to.accounts.user_details()
    (own,) = (each for each in chain(error.value) if type(each) is KeyError)
    assert own.__traceback__ is None
    assert 'raise KeyError("of the store")' in own.__notes__[0]
    assert leaks(error.value) == set()
