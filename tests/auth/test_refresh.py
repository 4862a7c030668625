"""Refreshing and saving tokens: a refresh token that can be used only once is never lost."""

import asyncio
import contextlib
import gc
import random
import threading
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.rotation import LOGIN, REFRESH, FailingStore, RotatingService, serving_in_thread
from support.servers import Received, closed_port, serving

from tingting_async import (
    ApiError,
    AuthenticationError,
    FileTokenStore,
    MemoryTokenStore,
    NotSentError,
    RequestFailed,
    RetryPolicy,
    SessionClosedError,
    TingTing,
    TingTingError,
    Tokens,
    TokenStoreError,
)
from tingting_async.auth.refresh import LOGIN_COOLDOWN
from tingting_async.persistence import CLOSE_TIMEOUT

pytestmark = pytest.mark.anyio

EXPIRED = Tokens("access-0", "refresh-0", refresh_at=0.0)
"""The tokens that the service accepts at first."""
ACCOUNT = {"email": "sita@example.com", "password": "hunter2"}


def connect(url: str, store: Any, **options: Any) -> TingTing:
    """Return a session that retries without backoff."""
    return TingTing(base_url=url, token_store=store, retries=RetryPolicy(initial_backoff=0), **options)


@pytest.fixture
async def service() -> RotatingService:
    """Return a service whose refresh tokens can be used once."""
    return RotatingService()


@pytest.fixture
async def url(service: RotatingService, serve: Any) -> AsyncIterator[str]:
    """Return the URL of the service."""
    yield (await serve(service.script)).url
    service.gate.set()


async def assert_signed_in(url: str, store: Any) -> None:
    """Check that a new session, without credentials, can refresh the tokens of the store."""
    async with connect(url, store) as fresh:
        await fresh.accounts.refresh()
        await fresh.accounts.user_details()


async def turns(count: int) -> None:
    """Let the event loop run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_failed_save(url: str, service: RotatingService) -> None:
    """Tokens whose save failed are used, are saved with the next request, and are not requested again."""
    store = FailingStore(EXPIRED, OSError("disk full"), 2)
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError) as caught:
            await tingting.accounts.user_details()
        assert isinstance(caught.value.__cause__, OSError)
        assert EXPIRED == await MemoryTokenStore.load(store)
        await tingting.accounts.user_details()
        assert service.tokens == await MemoryTokenStore.load(store)
    assert 1 == service.count(REFRESH)


async def test_failed_save_is_repeated_without_a_request(url: str, service: RotatingService) -> None:
    """Tokens whose save failed are saved by and by, even if the session makes no more requests."""
    store = FailingStore(EXPIRED, OSError("disk full"), 2, 4)
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
        with anyio.fail_after(20):
            while service.tokens != await MemoryTokenStore.load(store):
                await asyncio.sleep(0.01)


async def test_failed_save_before_closing(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Closing a session saves the tokens whose save failed, even if that needs another attempt."""
    store = FailingStore(EXPIRED, OSError("disk full"), 2, 6)
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
    assert store.operations[4:] == ["lock", "load", "save", "save", "unlock"]
    assert [] == caplog.records
    await assert_signed_in(url, store)


async def test_unsaved_tokens_are_refreshed(url: str, service: RotatingService) -> None:
    """Tokens that are not saved yet are refreshed instead of the older ones in the store."""
    store = FailingStore(EXPIRED, OSError("disk full"))
    store.fails_always = "save"
    async with connect(url, store) as tingting:
        for _ in range(3):
            with pytest.raises(TokenStoreError):
                await tingting.accounts.user_details()
            service.expire()
        store.fails_always = ""
        await tingting.accounts.user_details()
    assert (4, 0) == (service.count(REFRESH), service.count(LOGIN))
    await assert_signed_in(url, store)


async def test_unsaved_tokens_do_not_delay_requests(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A request succeeds although the tokens that it uses still cannot be saved, and a warning is logged."""
    store = FailingStore(EXPIRED, OSError("disk full"))
    store.fails_always = "save"
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
        await tingting.accounts.user_details()
        assert ["The session's tokens are not saved yet."] == [record.message[:39] for record in caplog.records]
    assert "did not save the session's last tokens" in caplog.text


async def test_store_that_goes_back(url: str, service: RotatingService) -> None:
    """A store that has lost its last write, as after a failover, does not make the session use the old tokens again."""
    store = MemoryTokenStore()
    await store.save(EXPIRED)
    async with connect(url, store) as tingting:
        await tingting.accounts.user_details()
        for older in (EXPIRED, None):
            await store.save(older)
            service.expire()
            await tingting.accounts.user_details()
    assert (3, 0) == (service.count(REFRESH), service.count(LOGIN))
    await assert_signed_in(url, store)


async def test_tokens_of_another_session_are_not_overwritten(url: str, service: RotatingService) -> None:
    """Tokens whose save failed do not replace those that another session has saved since."""
    store = FailingStore(EXPIRED, OSError("disk full"), 2)
    async with connect(url, store) as tingting, connect(url, store, **ACCOUNT) as other:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
        await other.accounts.user_details()  # Its refresh is refused, so it signs in.
        await tingting.accounts.user_details()
        assert service.tokens == await MemoryTokenStore.load(store)
    assert (2, 1) == (service.count(REFRESH), service.count(LOGIN))


async def start_refresh(
    url: str, service: RotatingService, store: MemoryTokenStore
) -> tuple[TingTing, "asyncio.Task[Any]"]:
    """Return a session whose refresh has left, and the call that waits for it; the response is held back."""
    await store.save(EXPIRED)
    service.gate.clear()
    tingting = connect(url, store)
    call = asyncio.create_task(tingting.accounts.user_details())
    await service.replaced.wait()
    return tingting, call


async def test_closing_waits_for_a_refresh(url: str, service: RotatingService) -> None:
    """Closing waits for a refresh that has left and saves its tokens; the call that waits ends at once."""
    store = MemoryTokenStore()
    tingting, call = await start_refresh(url, service, store)
    closing = asyncio.create_task(tingting.aclose())
    with pytest.raises(SessionClosedError):
        await call
    assert not closing.done()
    service.gate.set()
    await closing
    assert service.tokens == await store.load()


async def test_closing_in_a_cancelled_scope(url: str, service: RotatingService) -> None:
    """A session that is closed in a cancelled scope completes its refresh nevertheless."""
    store = MemoryTokenStore()
    await store.save(EXPIRED)
    service.gate.clear()
    with anyio.CancelScope() as scope:
        async with connect(url, store) as tingting:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(tingting.accounts.user_details)
                await service.replaced.wait()
                scope.cancel()
                asyncio.get_running_loop().call_later(0.01, service.gate.set)
    assert service.tokens == await store.load()


async def test_closing_does_not_wait_for_ever(url: str, service: RotatingService) -> None:
    """A refresh without a response does not keep a session from closing."""
    tingting, call = await start_refresh(url, service, MemoryTokenStore())
    with anyio.fail_after(20):
        await tingting.aclose()
    with pytest.raises(SessionClosedError):
        await call


async def test_closing_does_not_wait_for_what_has_not_left(deaf_port: int) -> None:
    """Closing ends a sign-in at once that cannot connect, or that waits for its next attempt."""
    for port, attempts in ((deaf_port, 1), (closed_port(), 4)):
        retries = RetryPolicy(attempts=attempts, initial_backoff=1e6, max_backoff=1e6)
        tingting = TingTing(base_url=f"http://127.0.0.1:{port}", retries=retries, timeout=1e7, **ACCOUNT)
        call = asyncio.create_task(tingting.accounts.user_details())
        while not tingting.requests_sent:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)  # So that it connects, or waits.
        with anyio.fail_after(CLOSE_TIMEOUT / 2):
            await tingting.aclose()
        with pytest.raises(SessionClosedError):
            await call


async def test_deadline_during_a_refresh(url: str, service: RotatingService) -> None:
    """A refresh goes on after the calls that wait for it, even if the session's own limits are shorter."""
    store = MemoryTokenStore()
    await store.save(EXPIRED)
    service.gate.clear()
    async with connect(url, store, timeout=0.1) as tingting:
        with pytest.raises(NotSentError):
            await tingting.accounts.user_details()
        await service.replaced.wait()
        service.gate.set()
        with anyio.fail_after(20):
            while service.tokens != await store.load():
                await asyncio.sleep(0.01)
    assert 1 == service.count(REFRESH)


async def test_explicit_sign_in_that_is_not_saved(url: str, service: RotatingService) -> None:
    """The tokens of `login()` are used and saved later if the store fails, whichever of its operations does."""
    for failing in range(4):
        store = FailingStore(Tokens("another", "another"), OSError("disk full"), failing)
        async with connect(url, store, **ACCOUNT) as tingting:
            try:
                await tingting.accounts.login()
            except TokenStoreError:
                assert failing != 1  # What cannot be loaded is replaced.
            signed_in = service.count(LOGIN)
            await tingting.accounts.user_details()
            assert signed_in == service.count(LOGIN)
            assert service.tokens == await MemoryTokenStore.load(store)


class Odd(MemoryTokenStore):
    """A store of a user's own, which does not keep to the protocol."""

    def __init__(self, **methods: Any) -> None:
        super().__init__()
        for name, method in methods.items():
            setattr(self, name, method)

    def __bool__(self) -> bool:
        return False


async def give(value: Any) -> Any:
    """Return a value."""
    return value


async def fail(error: BaseException) -> Any:
    """Raise an error."""
    raise error


@pytest.mark.parametrize(
    "methods",
    [
        {"load": lambda: give({"access": "a"})},
        {"load": lambda: give("access")},
        {"load": lambda: Tokens("not awaitable")},
        {"load": lambda: fail(asyncio.CancelledError())},
        {"load": lambda: fail(StopAsyncIteration())},
        {"load": None},
        {"lock": threading.Lock},
        {"lock": None},
        {"save": lambda: give(None)},
        {"save": lambda tokens: None},
        {"save": lambda tokens: fail(ExceptionGroup("several", [OSError()]))},
        {"save": lambda tokens: fail(asyncio.CancelledError())},
    ],
)
async def test_odd_store(url: str, service: RotatingService, methods: dict[str, Any]) -> None:
    """Whatever a store of the user's own does, the call ends with a TokenStoreError, and the session stays usable."""
    store = Odd(**methods)
    await MemoryTokenStore.save(store, EXPIRED)
    async with connect(url, store) as tingting:
        with pytest.raises(TokenStoreError):
            await tingting.accounts.user_details()
        for name in methods:
            delattr(store, name)
        await tingting.accounts.user_details()
    assert 1 == service.count(REFRESH)
    await assert_signed_in(url, store)


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [(404, b"<h1>Not Found</h1>", "text/html"), (404, b'{"detail": "Not found."}', "application/json")]
    + [(status, b"<h1>Blocked</h1>", "text/html") for status in (400, 403, 405, 409, 422)],
)
async def test_sign_in_that_is_not_refused(serve: Any, status: int, body: bytes, content_type: str) -> None:
    """A wrong `base_url` or a firewall is taken neither for wrong credentials nor for a missing object."""

    async def script(received: Received) -> None:
        await received.respond(body, status, content_type=content_type)

    server = await serve(script)
    async with connect(server.url, MemoryTokenStore(), **ACCOUNT) as tingting:
        for _ in range(2):  # There is no cooldown: the password was not refused.
            with pytest.raises(
                NotSentError, match=rf"signing in failed. accounts.login: POST .* failed with {status}"
            ) as caught:
                await tingting.campaigns.get(1)
            assert isinstance(caught.value.__cause__, ApiError)
            assert not isinstance(caught.value.__cause__, AuthenticationError)
        with pytest.raises(ApiError) as refused:
            await tingting.accounts.login()
    assert 3 == len(server.requests)
    assert not isinstance(refused.value, AuthenticationError)
    assert (status == 404) is ("Check `base_url`" in str(refused.value))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_refused_explicit_sign_in(serve: Any, status: int) -> None:
    """A refusal of the service itself is an AuthenticationError of `login()`, whatever its status."""

    async def script(received: Received) -> None:
        await received.respond(b'{"message": "No such user."}', status)

    server = await serve(script)
    async with connect(server.url, MemoryTokenStore(), **ACCOUNT) as tingting:
        with pytest.raises(AuthenticationError, match="No such user") as caught:
            await tingting.accounts.login()
    assert status == caught.value.status


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("refresh", "deadline"),
        *((what, how) for what in ("refresh", "implicit", "explicit") for how in ("cancel", "close", "fail")),
    ],
)
async def test_never_signed_out(serve: Any, what: str, how: str) -> None:
    """After any disturbance at any step of a refresh or a sign-in, a new session on the store can still refresh."""
    seeds = random.Random(f"{what} {how}")
    for step in range(40):
        service = RotatingService()
        server = await serve(service.script)
        error = seeds.choice([OSError("disk full"), KeyError("a bug"), asyncio.CancelledError(), TimeoutError()])
        failing = (step % 10,) if how == "fail" else ()
        store = FailingStore(EXPIRED, error, *failing)
        options: dict[str, Any] = {} if what == "refresh" else dict(ACCOUNT)
        if what == "implicit":  # Its refresh token is dead, so that the session has to sign in.
            await MemoryTokenStore.save(store, Tokens("access-0", "refresh-dead", refresh_at=0.0))
        if how == "deadline":
            options["timeout"] = 0.001 * (step + 1)
        tingting = connect(server.url, store, **options)
        called = tingting.accounts.login if what == "explicit" else tingting.accounts.user_details
        calls = [asyncio.ensure_future(called()) for _ in range(seeds.randrange(1, 3))]
        if how in ("cancel", "close"):
            await turns(step * 3)
        if how == "cancel":
            calls[0].cancel()
        if how == "close":
            await tingting.aclose()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [] == [
            end
            for end in ends
            if isinstance(end, BaseException)
            and not isinstance(end, TingTingError)
            and not (how == "cancel" and isinstance(end, asyncio.CancelledError))
        ]
        await tingting.aclose()
        store.error = None
        if service.number or what != "implicit":
            await assert_signed_in(server.url, store)


@pytest.mark.parametrize("steps", [0, 1, 2, 4, 8, 12, 16, 20, 30, None])
@pytest.mark.parametrize("closes", [False, True])
def test_end_of_the_loop(tmp_path: Path, steps: int | None, closes: bool) -> None:
    """A refresh that has left is completed and saved when the event loop ends, which cancels all tasks."""
    with serving_in_thread() as (service, url, call_there):
        store = FileTokenStore(tmp_path / "tokens.json")
        asyncio.run(store.save(EXPIRED))

        async def work() -> None:
            tingting = connect(url, store)
            async with tingting if closes else contextlib.nullcontext():
                await tingting.accounts.user_details()

        async def main() -> None:
            call_there(service.gate.clear)
            task = asyncio.create_task(work())
            if steps is None:
                while not service.number:
                    await asyncio.sleep(0.001)
            else:
                await turns(steps)
            asyncio.get_running_loop().call_later(0.05, call_there, service.gate.set)
            del task

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About the session that is never closed.
            asyncio.run(main())
            gc.collect()
        call_there(service.gate.set)
        asyncio.run(assert_signed_in(url, store))


async def test_refused_password(url: str, service: RotatingService) -> None:
    """A refused sign-in is not repeated by each call; the error says since when, until when, and how to try now."""
    service.saved_password = "another"
    async with connect(url, MemoryTokenStore(), **ACCOUNT) as tingting:
        for _ in range(2):
            with pytest.raises(AuthenticationError, match="Wrong password") as caught:
                await tingting.accounts.user_details()
        assert "refused 0 s ago. The session signs in again 30 s from now" in str(caught.value)
        assert r"accounts.login()" in str(caught.value)
        assert 1 == service.count(LOGIN)
        service.saved_password = "hunter2"
        await tingting.accounts.login()
        await tingting.accounts.user_details()


class Clockwork(asyncio.SelectorEventLoop):
    """An event loop whose clock can be moved on."""

    moved_by = 0.0

    def time(self) -> float:
        """Return what the clock shows."""
        return super().time() + self.moved_by


def test_end_of_the_cooldown() -> None:
    """After a refused sign-in, a session signs in again by itself once the cooldown has ended, and not before."""

    async def main() -> None:
        loop, service = asyncio.get_running_loop(), RotatingService()
        assert isinstance(loop, Clockwork)
        service.saved_password = "another"
        async with serving(service.script) as server, connect(server.url, MemoryTokenStore(), **ACCOUNT) as tingting:
            with pytest.raises(AuthenticationError):
                await tingting.accounts.user_details()
            service.saved_password = "hunter2"
            loop.moved_by = LOGIN_COOLDOWN - 5.0
            with pytest.raises(AuthenticationError):
                await tingting.accounts.user_details()
            loop.moved_by = LOGIN_COOLDOWN + 1.0
            await tingting.accounts.user_details()
        assert 2 == service.count(LOGIN)

    with asyncio.Runner(loop_factory=Clockwork) as runner:
        runner.run(main())


async def test_cancelled_while_the_session_is_closed() -> None:
    """A call that is cancelled while it waits for a sign-in, and its session is closed, ends as cancelled."""
    retries = RetryPolicy(initial_backoff=1e6, max_backoff=1e6)
    for step in range(16):
        tingting = TingTing(base_url=f"http://127.0.0.1:{closed_port()}", retries=retries, timeout=1e7, **ACCOUNT)
        failed = asyncio.Event()
        tingting.subscribe(lambda event, failed=failed: failed.set() if isinstance(event, RequestFailed) else None)  # type: ignore[misc]
        call = asyncio.create_task(tingting.accounts.user_details())
        await failed.wait()
        await turns(2)  # So that the sign-in waits for its next attempt.
        closing = asyncio.create_task(tingting.aclose())
        await turns(step)
        is_cancelled = call.cancel()
        with pytest.raises(asyncio.CancelledError if is_cancelled else SessionClosedError):
            await call
        await closing


async def test_lost_refresh_is_tried_again(service: RotatingService, serve: Any) -> None:
    """A refresh whose response is lost is tried again by the next call: there is no cooldown without a refusal."""

    async def script(received: Received) -> None:
        if not received.number:
            received.reset()
        else:
            await service.script(received)

    server = await serve(script)
    store = MemoryTokenStore()
    await store.save(EXPIRED)
    async with TingTing(base_url=server.url, token_store=store, retries=1) as tingting:
        with pytest.raises(AuthenticationError, match="not refreshed"):
            await tingting.accounts.user_details()
        await tingting.accounts.user_details()


async def test_refused_password_and_tokens_of_another_session(url: str, service: RotatingService) -> None:
    """After a refused sign-in, a refresh token that another session has saved since is used at once."""
    service.saved_password = "another"
    store = MemoryTokenStore()
    async with connect(url, store, **ACCOUNT) as tingting:
        with pytest.raises(AuthenticationError):
            await tingting.accounts.user_details()
        await store.save(EXPIRED)
        await tingting.accounts.user_details()
    assert 1 == service.count(REFRESH)
