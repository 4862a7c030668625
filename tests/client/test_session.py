"""The life of a session: opening, cancelling, closing, and the user's own aiohttp session."""

import asyncio
import gc
import warnings
from typing import Any

import aiohttp
import anyio
import pytest
from support.servers import http_response, replies, stall

from tingting_async import (
    ApiError,
    MemoryTokenStore,
    NotSentError,
    OutcomeUnknownError,
    RetryPolicy,
    SessionClosedError,
    TingTing,
    TingTingError,
    Tokens,
    TokenStoreError,
    UsageError,
)

pytestmark = pytest.mark.anyio

USER = b'{"data":{"user_details":{"first_name":"S","last_name":"E","email":"e"}}}'
ONCE = RetryPolicy(attempts=1)
REPLIES = replies(http_response(USER))


def connect(url: str, **options: Any) -> TingTing:
    """Return a session that retries without backoff."""
    return TingTing(base_url=url, api_token="t", **{"retries": RetryPolicy(initial_backoff=0), **options})


async def send(tingting: TingTing) -> Any:
    """Send a message, which must not happen twice."""
    return await tingting.otp.send("9800000001", "{otp}", channel="text")


async def test_cancelling_leaves_the_session_usable(serve: Any) -> None:
    """After a call was cancelled at any moment, the session is usable and its slot is free again."""
    server = await serve(REPLIES)
    async with connect(server.url, max_in_flight=1) as tingting:
        for turns in range(30):
            task = asyncio.create_task(tingting.accounts.user_details())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        assert "S" == (await tingting.accounts.user_details()).first_name


async def test_closed_session(serve: Any) -> None:
    """Every call on a closed session is a SessionClosedError, and closing twice is harmless."""
    server = await serve(REPLIES)
    tingting = connect(server.url)
    async with tingting:
        await tingting.accounts.user_details()
    await tingting.aclose()
    for call in (tingting.accounts.user_details(), tingting.campaigns.list().collect(), send(tingting)):
        with pytest.raises(SessionClosedError):
            await call
    assert f"<tingting_async.classic.session.TingTing {server.url} closed>" == repr(tingting)


async def test_closing_ends_what_is_in_flight(serve: Any) -> None:
    """Closing ends reads and lists with SessionClosedError; the outcome of a send is then unknown."""
    server = await serve(stall)
    tingting = connect(server.url)
    calls = [tingting.accounts.user_details(), send(tingting), tingting.campaigns.list().collect()]
    tasks = [asyncio.create_task(call) for call in calls]
    await server.received(3)
    await tingting.aclose()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [SessionClosedError, OutcomeUnknownError, SessionClosedError] == [type(error) for error in errors]


async def test_closing_while_signing_in(serve: Any) -> None:
    """A call that waits for a sign-in when the session is closed ends with SessionClosedError."""
    server = await serve(stall)
    tingting = TingTing(base_url=server.url, email="e", password="p")
    task = asyncio.create_task(send(tingting))
    await server.received(1)
    await tingting.aclose()
    with pytest.raises(SessionClosedError):
        await task


async def test_slow_sign_in(serve: Any) -> None:
    """A send was never sent if signing in takes longer than the whole call may."""
    server = await serve(stall)
    async with TingTing(base_url=server.url, email="e", password="p") as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting.otp.send("9800000001", "{otp}", channel="text", timeout=0.05)
    assert ("sign-in", "otp.send") == (caught.value.phase, caught.value.operation)


async def test_sign_in_without_a_response(serve: Any) -> None:
    """A send was never sent if signing in failed."""
    server = await serve(replies(b"", close=True))
    async with TingTing(base_url=server.url, email="e", password="p", retries=ONCE) as tingting:
        with pytest.raises(NotSentError, match="signing in failed") as caught:
            await send(tingting)
    assert "sign-in" == caught.value.phase


async def test_sign_in_that_the_service_fails(serve: Any) -> None:
    """An error of the service while signing in keeps its class and its operation, the sign-in."""
    server = await serve(replies(http_response(b"{}", 500)))
    async with TingTing(base_url=server.url, email="e", password="p", retries=ONCE) as tingting:
        with pytest.raises(ApiError) as caught:
            await send(tingting)
        assert "accounts.login" == caught.value.operation
        with pytest.raises(ApiError):
            await tingting.accounts.refresh()


class BrokenStore(MemoryTokenStore):
    """A token store that cannot be read."""

    async def load(self) -> Tokens | None:
        """Fail."""
        raise OSError("The disk is gone.")


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503, None])
async def test_sign_in_failed(serve: Any, status: int | None) -> None:
    """If signing in fails, the text begins with the operation of the caller, and says once that nothing was sent."""
    server = await serve(replies(http_response(b'{"message": "Invalid credentials"}', status or 200)))
    store = BrokenStore() if status is None else None
    async with TingTing(base_url=server.url, email="e", password="p", retries=ONCE, token_store=store) as tingting:
        calls: dict[str, Any] = {
            "campaigns.run": tingting.campaigns.run(1, message="m"),
            "campaigns.get": tingting.campaigns.get(1),
            "campaigns.list": tingting.campaigns.list().collect(),
            "otp.send": send(tingting),
        }
        for operation, call in calls.items():
            with pytest.raises(TingTingError) as caught:
                await call
            shown = str(caught.value)
            assert shown.startswith(f"{operation}: ")
            assert (1, 1) == (shown.count("signing in failed"), shown.lower().count("nothing was sent"))
            assert isinstance(caught.value, TokenStoreError if status is None else ApiError)
        with pytest.raises(TingTingError) as caught:
            await tingting.accounts.refresh()
        assert "signing in failed" not in str(caught.value)


def test_second_event_loop() -> None:
    """A session that has sent requests in one event loop is refused in a second one."""
    sessions: list[TingTing] = []

    async def use() -> None:
        async with aiohttp.ClientSession() as http:
            sessions.append(connect("http://127.0.0.1:9", retries=ONCE, http=http))
            with pytest.raises(NotSentError):
                await sessions[0].accounts.user_details()

    async def use_again() -> None:
        with pytest.raises(SessionClosedError, match="another event loop"):
            await sessions[0].accounts.user_details()
        await sessions[0].aclose()

    anyio.run(use)
    anyio.run(use_again)


async def test_session_that_is_never_closed(serve: Any) -> None:
    """A session that was used and never closed warns when it is collected."""
    server = await serve(REPLIES)
    holder = [connect(server.url)]
    await holder[0].accounts.user_details()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        holder.clear()
        gc.collect()
        texts = [str(warning.message) for warning in caught if warning.category is RuntimeWarning]
        caught.clear()  # A warning refers to the session, whose connections would warn as well.
        gc.collect()
    assert [True] == ["was never closed: use `async with`" in text for text in texts]


async def test_session_of_the_user(serve: Any) -> None:
    """A user's own session is used with its settings, and never closed."""
    server = await serve(REPLIES)
    async with aiohttp.ClientSession(headers={"X-Own": "yes"}) as own:
        async with connect(server.url, http=own) as tingting:
            await tingting.accounts.user_details()
            with pytest.raises(OutcomeUnknownError):
                await send(tingting)
        assert ["yes", "yes"] == [received.headers["x-own"] for received in server.requests]
        assert not own.closed


async def test_closed_session_of_the_user(serve: Any) -> None:
    """A call on a user's own session that was closed is a SessionClosedError."""
    server = await serve(REPLIES)
    async with aiohttp.ClientSession() as own:
        pass
    async with connect(server.url, http=own) as tingting:
        with pytest.raises(SessionClosedError):
            await tingting.accounts.user_details()


async def test_settings_of_the_users_session() -> None:
    """Proxy and TLS settings are refused beside a user's own session, which has them itself."""
    async with aiohttp.ClientSession() as own:
        with pytest.raises(UsageError, match="on your own `http` session, not here"):
            connect("http://127.0.0.1:9", http=own, trust_env=True)
