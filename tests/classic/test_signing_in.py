"""Signing in to the classic API, and refreshing the token."""

import asyncio

import pytest
from support.classic import connect_with_password, count_requests

from tingting_async import (
    AuthenticationError,
    MemoryTokenStore,
    NotFoundError,
    TingTing,
    Tokens,
    UsageError,
)
from tingting_async.sandbox import Fault, Sandbox

pytestmark = pytest.mark.anyio

LOGIN = "/api/accounts/login/"
REFRESH = "/api/accounts/token/refresh/"


async def test_first_use_signs_in() -> None:
    """The first request signs in, and later requests use its token."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        user = await tingting.accounts.user_details()
        await tingting.accounts.user_details()
        assert sandbox.email == user.email
        assert count_requests(sandbox, LOGIN) == 1


async def test_api_token() -> None:
    """A fixed API token is used as it is, without signing in."""
    async with Sandbox() as sandbox, TingTing(base_url=sandbox.url, api_token=sandbox.api_token) as tingting:
        assert sandbox.email == (await tingting.accounts.user_details()).email
        assert count_requests(sandbox, LOGIN) == 0
        with pytest.raises(UsageError, match="fixed API token"):
            await tingting.accounts.refresh()


async def test_wrong_api_token() -> None:
    """A fixed API token that is rejected is an AuthenticationError after one request."""
    async with Sandbox() as sandbox, TingTing(base_url=sandbox.url, api_token="wrong") as tingting:
        with pytest.raises(AuthenticationError):
            await tingting.accounts.user_details()
        assert len(sandbox.requests) == 1


async def test_wrong_password() -> None:
    """A wrong password is an AuthenticationError after one request."""
    async with Sandbox() as sandbox, connect_with_password(sandbox, password="wrong") as tingting:
        with pytest.raises(AuthenticationError, match=r"accounts\.login"):
            await tingting.campaigns.list().first()
        assert [received.path for received in sandbox.requests] == [LOGIN]


async def test_wrong_password_of_many() -> None:
    """Fifty tasks with a wrong password sign in once, and each raises an error of its own."""
    async with Sandbox() as sandbox, connect_with_password(sandbox, password="wrong") as tingting:
        calls = [tingting.accounts.user_details() for _ in range(50)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {AuthenticationError} == {type(error) for error in errors}
        assert len({id(error) for error in errors}) == 50
        assert count_requests(sandbox, LOGIN) == 1


async def test_expired_token_of_many() -> None:
    """A hundred requests with an expired token cause exactly one refresh, and all succeed."""
    async with Sandbox(campaigns=3) as sandbox, connect_with_password(sandbox, max_in_flight=100) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        users = await asyncio.gather(*(tingting.accounts.user_details() for _ in range(100)))
        assert [sandbox.email] * 100 == [user.email for user in users]
        assert count_requests(sandbox, REFRESH) == 1
        assert count_requests(sandbox, LOGIN) == 1


async def test_refreshed_before_it_expires() -> None:
    """A stored token that is about to expire is refreshed before the service rejects it."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as first:
        login = await first.accounts.login()
        store = MemoryTokenStore()
        await store.save(Tokens(login.token.access, login.token.refresh, refresh_at=0))
        sandbox.requests.clear()
        async with TingTing(base_url=sandbox.url, token_store=store) as tingting:
            await tingting.accounts.user_details()
        assert [received.path for received in sandbox.requests] == [REFRESH, "/api/accounts/user_details/"]
        refreshed = await store.load()
        assert refreshed is not None
        assert not refreshed.needs_refresh()


async def test_refused_refresh() -> None:
    """If the refresh token is rejected as well, the session signs in again with its credentials."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        sandbox.revoke_refresh_tokens()
        assert sandbox.email == (await tingting.accounts.user_details()).email
        assert (count_requests(sandbox, REFRESH), count_requests(sandbox, LOGIN)) == (1, 2)


async def test_lost_refresh() -> None:
    """If the responses to a refresh are lost, the session signs in again."""
    async with Sandbox(rotate_refresh=True) as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        sandbox.faults.add(Fault(method="POST", path=REFRESH, kind="reset_after"))
        assert sandbox.email == (await tingting.accounts.user_details()).email
        assert count_requests(sandbox, LOGIN) == 2


async def test_rotated_refresh_token() -> None:
    """A refresh token that the service replaces is used from then on."""
    async with Sandbox(rotate_refresh=True) as sandbox, connect_with_password(sandbox) as tingting:
        for _ in range(3):
            await tingting.accounts.user_details()
            sandbox.expire_access_tokens()
        await tingting.accounts.user_details()
        assert (count_requests(sandbox, LOGIN), count_requests(sandbox, REFRESH)) == (1, 3)


async def test_changed_password() -> None:
    """If neither tokens nor credentials are accepted any more, the error names the login."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        sandbox.revoke_refresh_tokens()
        sandbox.change_password("another")
        with pytest.raises(AuthenticationError, match=r"accounts\.login"):
            await tingting.accounts.user_details()


async def test_second_refusal() -> None:
    """A second 401 after a refresh ends the request."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        sandbox.faults.add(Fault(path="/api/accounts/user_details/", kind="expired_token"))
        with pytest.raises(AuthenticationError, match=r"accounts\.user_details"):
            await tingting.accounts.user_details()
        assert count_requests(sandbox, "/api/accounts/user_details/") == 2


async def test_waiting_task_is_cancelled() -> None:
    """Cancelling the task that started a login does not fail the other tasks that wait for it."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        stall = sandbox.faults.add(Fault(method="POST", path=LOGIN, kind="stall", times=1))
        leader = asyncio.create_task(tingting.accounts.user_details())
        await stall.triggered.wait()
        other = asyncio.create_task(tingting.accounts.user_details())
        await asyncio.sleep(0)
        leader.cancel()
        stall.release()
        assert sandbox.email == (await other).email
        with pytest.raises(asyncio.CancelledError):
            await leader
        assert count_requests(sandbox, LOGIN) == 1


async def test_id_of_another_account() -> None:
    """An id of another account is a NotFoundError."""
    async with Sandbox(campaigns=1) as sandbox, connect_with_password(sandbox) as tingting:
        with pytest.raises(NotFoundError) as caught:
            await tingting.campaigns.get(10**9)
        assert (caught.value.operation, caught.value.method, caught.value.status) == ("campaigns.get", "GET", 404)


async def test_refused_login_is_not_repeated_by_each_call() -> None:
    """After a refused login only `login()` and `refresh()` try again, as repeated logins may lock the account."""
    store = MemoryTokenStore()
    async with Sandbox() as sandbox, connect_with_password(sandbox, password="wrong", token_store=store) as tingting:
        for _ in range(5):
            with pytest.raises(AuthenticationError, match=r"accounts\.login"):
                await tingting.accounts.user_details()
        assert count_requests(sandbox, LOGIN) == 1
        for again in (tingting.accounts.refresh, tingting.accounts.login):
            with pytest.raises(AuthenticationError):
                await again()
        assert count_requests(sandbox, LOGIN) == 3
        async with connect_with_password(sandbox, token_store=store) as other:
            await other.accounts.user_details()
        assert (await tingting.accounts.user_details()).email == sandbox.email
        assert count_requests(sandbox, LOGIN) == 4
