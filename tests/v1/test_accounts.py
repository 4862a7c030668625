"""Signing in, tokens and the user who is signed in."""

import asyncio
import json
import traceback
from http.cookies import SimpleCookie
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from support.v1 import always, connect, connect_with_password, count_effects, count_requests, serving

from tingting_async import (
    AuthenticationError,
    DecodeError,
    NotFoundError,
    NotSentError,
    OutcomeUnknownError,
    PermissionDeniedError,
    UsageError,
)
from tingting_async.http.messages import Response
from tingting_async.sandbox import Fault, Sandbox
from tingting_async.v1.auth import read_cookies

pytestmark = pytest.mark.anyio

LOGIN = "/api/v1/auths/login/"
REFRESH = "/api/v1/auths/login/refresh/"


async def test_sign_in_by_cookies() -> None:
    """A session signs in although the tokens are only in cookies, secure ones of an IP address over plain http."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        assert sandbox.email == (await tingting.accounts.user_details()).email
        assert 1 == count_requests(sandbox, LOGIN)


async def test_an_expired_token_is_refreshed_once() -> None:
    """A hundred calls with an expired token refresh it once, and do not sign in again."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        await asyncio.gather(*(tingting.accounts.user_details() for _ in range(100)))
        assert (1, 1) == (count_requests(sandbox, LOGIN), count_requests(sandbox, REFRESH))


async def test_a_revoked_refresh_token_is_replaced() -> None:
    """If the refresh token is revoked, the session signs in again."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.user_details()
        sandbox.expire_access_tokens()
        sandbox.revoke_refresh_tokens()
        assert sandbox.email == (await tingting.accounts.user_details()).email
        assert 2 == count_requests(sandbox, LOGIN)


async def test_login() -> None:
    """`login()` signs in at once, and returns the service's confirmation."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        assert "Login Successful" == (await tingting.accounts.login()).text
        await tingting.accounts.user_details()
        assert 1 == count_requests(sandbox, LOGIN)


async def test_refresh() -> None:
    """`refresh()` refreshes the access token at once."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        await tingting.accounts.login()
        await tingting.accounts.refresh()
        assert 1 == count_requests(sandbox, REFRESH)


async def test_login_without_credentials() -> None:
    """`login()` on a session with an API token is a UsageError."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        with pytest.raises(UsageError, match="`email` and `password`"):
            await tingting.accounts.login()
        assert [] == sandbox.requests


async def test_wrong_password() -> None:
    """A wrong password is an AuthenticationError after one request."""
    async with Sandbox() as sandbox, connect_with_password(sandbox, password="wrong") as tingting:
        with pytest.raises(AuthenticationError, match=r"Invalid credentials\. Check"):
            await tingting.accounts.user_details()
        assert 1 == len(sandbox.requests)


async def test_account_that_is_not_activated() -> None:
    """An account that is not activated is an AuthenticationError after one request."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        sandbox.world.owner.is_activated = False
        with pytest.raises(AuthenticationError, match="not activated"):
            await tingting.accounts.user_details()
        assert 1 == len(sandbox.requests)


async def test_sign_in_without_cookies() -> None:
    """A sign-in that sets no cookie is a NotSentError that names the cookie."""
    async with Sandbox() as sandbox, connect_with_password(sandbox) as tingting:
        sandbox.faults.add(Fault("status", path="*/login/", status=200, body={"has_logged_in": True}))
        with pytest.raises(NotSentError, match="cookie `access`"):
            await tingting.accounts.user_details()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            ["access=a.b-c_d; HttpOnly; Path=/; Max-Age=86400", "refresh=r; Secure"],
            {"access": "a.b-c_d", "refresh": "r"},
        ),
        (["access=a; expires=Thu, 01 Jan 2037 00:00:00 GMT; SameSite=Lax"], {"access": "a"}),
        (["access=a; HttpOnly; Partitioned; Path=/"], {"access": "a"}),
        (["access=a; Path=/; no attribute that there is; HttpOnly"], {"access": "a"}),
        (["access=a; Priority=High; refresh=smuggled"], {"access": "a"}),
        (['access="a;b \\" c"; Path=/'], {"access": 'a;b " c'}),
        (['access="a"; Domain=127.0.0.1'], {"access": "a"}),
        (["access=a", "access=; Max-Age=0"], {}),
        (["access=a", "access=b"], {"access": "b"}),
        (['access="a\\015\\012Host: elsewhere"'], {}),
        (["", "=a", "access", ";;", "access=a"], {"access": "a"}),
    ],
)
def test_cookies(headers: list[str], expected: dict[str, str]) -> None:
    """A cookie is the first pair of its header; attributes neither hide it nor add others; an empty one deletes it."""
    found = CIMultiDictProxy(CIMultiDict([("Set-Cookie", header) for header in headers]))
    assert expected == read_cookies(Response(200, found))


async def test_a_quoted_cookie_is_sent_back_quoted() -> None:
    """A refresh token that needs quotes is sent so that the service reads the same token."""
    seen: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.json_response({"message": "m", "id": 1})
        if request.path.endswith("/refresh/"):
            seen.append(SimpleCookie(request.headers["Cookie"])["refresh"].value)
        if "/login/" in request.path:
            response.headers.add("Set-Cookie", f"access=a{len(seen)}; HttpOnly")
            response.headers.add("Set-Cookie", 'refresh="a;b c"; HttpOnly')
        elif request.headers["Authorization"] != "Bearer a1":
            return web.json_response({"detail": "expired"}, status=401)
        return response

    async with serving(handler, email="e@example.com", password="canary") as tingting:
        await tingting.accounts.user_details()
    assert ["a;b c"] == seen


@pytest.mark.parametrize(
    ("status", "body", "logins"),
    [
        (400, {"message": "No refresh token provided"}, 2),
        (400, {"detail": "Invalid token payload."}, 2),
        (401, {"message": "Failed To Refresh The Session"}, 2),
        (401, {"detail": "Account is not activated."}, 1),
    ],
)
async def test_rejected_refresh(status: int, body: Any, logins: int) -> None:
    """After a rejected refresh the session signs in, unless the account is not activated."""
    paths: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        count = paths.count(LOGIN)
        if request.path == REFRESH:
            return web.json_response(body, status=status)
        if request.path == LOGIN:
            headers = CIMultiDict([("Set-Cookie", f"access=a{count}"), ("Set-Cookie", "refresh=r")])
            return web.json_response({"message": "m"}, headers=headers)
        is_valid = request.headers["Authorization"] == "Bearer a2"
        return web.json_response({"id": 1} if is_valid else {"detail": "expired"}, status=200 if is_valid else 401)

    async with serving(handler, email="e@example.com", password="canary") as tingting:
        if logins == 2:
            assert 1 == (await tingting.accounts.user_details()).id
        else:
            with pytest.raises(AuthenticationError, match="not activated"):
                await tingting.accounts.user_details()
    assert (logins, 1) == (paths.count(LOGIN), paths.count(REFRESH))


async def test_a_new_api_token_is_used_from_then_on() -> None:
    """A session with an API token that generates another uses the new one; its `repr` hides the token."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        generated = await tingting.accounts.generate_api_token()
        shown = await tingting.accounts.api_token()
        assert shown is not None
        assert sandbox.api_token == generated.token == shown.token
        assert generated.token not in repr(generated)


async def test_an_api_token_is_generated_once() -> None:
    """If the response is lost, generating an API token is not retried: its outcome is unknown."""
    async with Sandbox() as sandbox, connect(sandbox) as tingting:
        sandbox.faults.add(Fault("reset_after", path="*/generate-api-keys/"))
        with pytest.raises(OutcomeUnknownError, match="api_token"):
            await tingting.accounts.generate_api_token()
        assert 1 == count_effects(sandbox, "token")


@pytest.mark.parametrize("status", [200, 404])
async def test_no_api_token(status: int) -> None:
    """`api_token()` of an account without one is None, whichever status the service uses."""
    async with Sandbox(no_token_status=status) as sandbox, connect_with_password(sandbox) as tingting:
        sandbox.world.owner.api_token = ""
        assert await tingting.accounts.api_token() is None


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404])
async def test_no_api_token_by_its_message(status: int) -> None:
    """The message says that there is no API token, under any status."""
    async with serving(always({"message": "No API token found. Please generate one first."}, status)) as tingting:
        assert await tingting.accounts.api_token() is None


@pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (403, PermissionDeniedError)])
async def test_api_token_that_cannot_be_read(status: int, error: Any) -> None:
    """Any other failure of `api_token()` is an error."""
    async with serving(always({"detail": "Not yours."}, status)) as tingting:
        with pytest.raises(error):
            await tingting.accounts.api_token()


async def test_an_api_token_that_cannot_be_decoded_is_kept() -> None:
    """The error has the whole body, so that a new API token with an odd date is not lost; no text shows the token."""
    body = {"token": "0123456789abcdefnew", "last_used": "Never"}
    async with serving(always(body)) as tingting:
        with pytest.raises(OutcomeUnknownError) as caught:
            await tingting.accounts.generate_api_token()
    cause = caught.value.__cause__
    assert isinstance(cause, DecodeError)
    assert body == json.loads(cause.body)
    assert "abcdefnew" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(cause)
