"""Refused sign-ins: what counts as one, and the pause after it."""

import asyncio
from typing import Any

import pytest
from support.rotation import (
    ACCOUNT,
    EXPIRED,
    LOGIN,
    REFRESH,
    RotatingService,
    connect,
)
from support.servers import Received, closed_port, serving

from tingting_async import (
    ApiError,
    AuthenticationError,
    MemoryTokenStore,
    NotSentError,
)
from tingting_async.auth.cooldown import LOGIN_COOLDOWN

pytestmark = pytest.mark.anyio


async def test_sign_in_that_cannot_connect() -> None:
    """If the sign-in cannot connect, the error says once that nothing was sent, and what to check."""
    port = closed_port()
    async with connect(f"http://127.0.0.1:{port}", MemoryTokenStore(), **ACCOUNT) as tingting:
        with pytest.raises(NotSentError) as caught:
            await tingting.campaigns.get(1)
    address = f"127.0.0.1:{port}"
    assert (
        f"campaigns.get: signing in failed. accounts.login: POST {LOGIN} on http://{address}: could not connect "
        f"({address}: Connection refused). Nothing was sent. Check `base_url` and the network."
    ) == str(caught.value)


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
    assert "Check `base_url`" in str(refused.value)
    assert body.startswith(b"<") is ("a proxy or a firewall may have written it" in str(refused.value))


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
