"""Who is asking: sign-in and renewal."""

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
    """The first request signs in, and the following ones use its token."""
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
    """A fixed API token that is refused is an AuthenticationError within one request."""
    async with Sandbox() as sandbox, TingTing(base_url=sandbox.url, api_token="wrong") as tingting:
        with pytest.raises(AuthenticationError):
            await tingting.accounts.user_details()
        assert len(sandbox.requests) == 1


async def test_wrong_password() -> None:
    """A wrong password is an AuthenticationError within one request."""
    async with Sandbox() as sandbox, connect_with_password(sandbox, password="wrong") as tingting:
        with pytest.raises(AuthenticationError, match=r"accounts\.login"):
            await tingting.campaigns.list().first()
        assert [received.path for received in sandbox.requests] == [LOGIN]


async def test_wrong_password_of_many() -> None:
    """Fifty tasks with a wrong password ask once, and each gets an error of its own."""
    async with Sandbox() as sandbox, connect_with_password(sandbox, password="wrong") as tingting:
        calls = [tingting.accounts.user_details() for _ in range(50)]
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {AuthenticationError} == {type(error) for error in errors}
        assert len({id(error) for error in errors}) == 50
        assert count_requests(sandbox, LOGIN) == 1


async def test_expired_token_of_many() -> None:
    """A hundred requests that meet an expired token cause exactly one refresh, and all succeed."""
    async with Sandbox(campaigns=3) as sandbox, connect_with_password(sandbox, max_in_flight=100) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        users = await asyncio.gather(*(tingting.accounts.user_details() for _ in range(100)))
        assert [sandbox.email] * 100 == [user.email for user in users]
        assert count_requests(sandbox, REFRESH) == 1
        assert count_requests(sandbox, LOGIN) == 1


async def test_renewed_before_its_end() -> None:
    """A token that is about to end, which a store has kept, is renewed before it is refused."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as first:
        login = await first.accounts.login()
        store = MemoryTokenStore()
        await store.save(Tokens(login.token.access, login.token.refresh, refresh_at=0))
        sandbox.requests.clear()
        async with TingTing(base_url=sandbox.url, token_store=store) as tingting:
            await tingting.accounts.user_details()
        assert [received.path for received in sandbox.requests] == [REFRESH, "/api/accounts/user_details/"]
        renewed = await store.load()
        assert renewed is not None
        assert not renewed.needs_refresh()


async def test_refused_refresh() -> None:
    """Where the refresh token is refused as well, the credentials sign in again."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        sandbox.revoke_refresh_tokens()
        assert sandbox.email == (await tingting.accounts.user_details()).email
        assert (count_requests(sandbox, REFRESH), count_requests(sandbox, LOGIN)) == (1, 2)


async def test_lost_refresh() -> None:
    """A refresh whose answers are lost is followed by a sign-in."""
    async with Sandbox(rotate_refresh=True) as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        sandbox.faults.add(Fault(method="POST", path=REFRESH, kind="reset_after"))
        assert sandbox.email == (await tingting.accounts.user_details()).email
        assert count_requests(sandbox, LOGIN) == 2


async def test_rotated_refresh_token() -> None:
    """A refresh token that the service changes is used from then on."""
    async with Sandbox(rotate_refresh=True) as sandbox, connect_with_password(sandbox) as tingting:
        for _ in range(3):
            await tingting.accounts.user_details()
            sandbox.expire_access_tokens()
        await tingting.accounts.user_details()
        assert (count_requests(sandbox, LOGIN), count_requests(sandbox, REFRESH)) == (1, 3)


async def test_changed_password() -> None:
    """Where nothing is accepted any more, the error says that it is the sign-in."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        sandbox.revoke_refresh_tokens()
        sandbox.change_password("another")
        with pytest.raises(AuthenticationError, match=r"accounts\.login"):
            await tingting.accounts.user_details()


async def test_second_refusal() -> None:
    """A second 401 after a renewal ends the request."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        sandbox.faults.add(Fault(path="/api/accounts/user_details/", kind="expired_token"))
        with pytest.raises(AuthenticationError, match=r"accounts\.user_details"):
            await tingting.accounts.user_details()
        assert count_requests(sandbox, "/api/accounts/user_details/") == 2


async def test_waiting_task_is_cancelled() -> None:
    """Cancelling the task that started a sign-in does not fail the others that wait for it."""
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


async def test_accounts_apart() -> None:
    """An id of another account is a NotFoundError."""
    async with Sandbox(campaigns=1) as sandbox, connect_with_password(sandbox) as tingting:
        with pytest.raises(NotFoundError) as caught:
            await tingting.campaigns.get(10**9)
        assert (caught.value.operation, caught.value.method, caught.value.status) == ("campaigns.get", "GET", 404)


async def test_refused_sign_in_is_not_tried_for_each_call() -> None:
    """Calls one after the other do not hammer a login that was refused, which locks accounts; who asks for it, may."""
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
