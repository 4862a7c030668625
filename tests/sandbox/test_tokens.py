"""Sign-in to the classic API, and the lifetime of its tokens."""

from collections.abc import Callable
from typing import Any

import aiohttp
import jwt
import pytest

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
LOGIN, REFRESH, PROFILE = "/api/accounts/login/", "/api/accounts/token/refresh/", "/api/accounts/user_details/"
INVALID = {"detail": "Token is invalid or expired", "code": "token_not_valid"}
Post = Callable[..., Any]


async def profile(http: aiohttp.ClientSession, token: str) -> tuple[int, Any]:
    """Request the user's details with a token."""
    async with http.get(PROFILE, headers={"Authorization": f"Bearer {token}"}) as response:
        return response.status, await response.json()


async def sign_in(sandbox: Sandbox, http: aiohttp.ClientSession, post: Post) -> dict[str, str]:
    """Return a pair of tokens."""
    status, body = await post(http, LOGIN, {"email": sandbox.email, "password": sandbox.password})
    assert (status, body["success"]) == (200, True)
    pair: dict[str, str] = body["data"]["token"]
    return pair


async def test_access_token_is_a_jwt(post: Post) -> None:
    """An access token is an HS256 JWT with whole seconds and the id of the account."""
    async with Sandbox(access_lifetime=60) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        access = (await sign_in(sandbox, http, post))["access"]
        claims = jwt.decode(access, options={"verify_signature": False})
        assert (claims["token_type"], claims["user_id"]) == ("access", sandbox.world.owner.id)
        assert {int} == {type(claims[name]) for name in ("iat", "exp")}
        assert 60 <= claims["exp"] - claims["iat"] <= 61
        assert jwt.get_unverified_header(access)["alg"] == "HS256"


async def test_access_token_expires(post: Post) -> None:
    """An access token is valid for its lifetime and refused afterwards."""
    async with Sandbox(access_lifetime=60) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        access = (await sign_in(sandbox, http, post))["access"]
        assert (await profile(http, access))[0] == 200
        sandbox.clock.advance(62)
        status, body = await profile(http, access)
        assert (status, body["code"]) == (401, "token_not_valid")


async def test_kinds_of_tokens(post: Post) -> None:
    """A refresh token gives no access, and an access token cannot be refreshed."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        pair = await sign_in(sandbox, http, post)
        assert (await profile(http, pair["refresh"]))[0] == 401
        assert (await post(http, REFRESH, {"refresh": pair["access"]}))[0] == 401


async def test_refresh(post: Post) -> None:
    """A refresh token is exchanged for a new access token, even after the first one has expired."""
    async with (
        Sandbox(access_lifetime=60, refresh_lifetime=300) as sandbox,
        aiohttp.ClientSession(sandbox.url) as http,
    ):
        pair = await sign_in(sandbox, http, post)
        sandbox.clock.advance(62)
        status, refreshed = await post(http, REFRESH + "?", {"refresh": pair["refresh"]})
        assert (status, list(refreshed)) == (200, ["access"])
        assert (await profile(http, refreshed["access"]))[0] == 200


async def test_refresh_token_expires(post: Post) -> None:
    """A refresh token is refused after its lifetime."""
    async with Sandbox(refresh_lifetime=300) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        pair = await sign_in(sandbox, http, post)
        sandbox.clock.advance(302)
        assert await post(http, REFRESH, {"refresh": pair["refresh"]}) == (401, INVALID)


async def test_rotation(post: Post) -> None:
    """With `rotate_refresh`, a refresh also returns a new refresh token and revokes the old one."""
    async with Sandbox(rotate_refresh=True) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        old = (await sign_in(sandbox, http, post))["refresh"]
        status, pair = await post(http, REFRESH, {"refresh": old})
        assert (status, set(pair)) == (200, {"access", "refresh"})
        assert (await post(http, REFRESH, {"refresh": old}))[0] == 401
        assert (await post(http, REFRESH, {"refresh": pair["refresh"]}))[0] == 200


async def test_expire_access_tokens(post: Post) -> None:
    """`expire_access_tokens()` affects access tokens only: API and refresh tokens stay valid."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        pair = await sign_in(sandbox, http, post)
        sandbox.expire_access_tokens()
        assert (await profile(http, pair["access"]))[0] == 401
        assert (await profile(http, sandbox.api_token))[0] == 200
        assert (await post(http, REFRESH, {"refresh": pair["refresh"]}))[0] == 200


async def test_revoke_refresh_tokens(post: Post) -> None:
    """A revoked refresh token is refused."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        pair = await sign_in(sandbox, http, post)
        sandbox.revoke_refresh_tokens()
        assert (await post(http, REFRESH, {"refresh": pair["refresh"]}))[0] == 401


async def test_change_password(post: Post) -> None:
    """After a change of password, the old one is refused in an envelope and the new one works."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        old = sandbox.password
        sandbox.change_password("another")
        status, body = await post(http, LOGIN, {"email": sandbox.email, "password": old})
        keys = ["status", "success", "message", "errors", "data"]
        assert (status, list(body), body["success"]) == (401, keys, False)
        await sign_in(sandbox, http, post)


async def test_account_that_is_not_activated(post: Post) -> None:
    """An account that is not activated can neither sign in, nor refresh, nor use its token."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        pair = await sign_in(sandbox, http, post)
        sandbox.world.owner.is_activated = False
        refused = (401, {"detail": "Account is not activated."})
        assert await post(http, LOGIN, {"email": sandbox.email, "password": sandbox.password}) == refused
        assert await post(http, REFRESH, {"refresh": pair["refresh"]}) == refused
        assert await profile(http, pair["access"]) == refused


@pytest.mark.parametrize("token", ["wrong", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/system/campaigns/{campaign}/details"),
        ("PUT", "/api/system/campaigns/{campaign}/update/"),
        ("DELETE", "/api/system/campaigns/{campaign}/delete"),
        ("POST", "/api/system/campaigns/{campaign}/begin/"),
        ("GET", "/api/system/campaigns/number/{campaign}"),
        ("POST", "/api/system/campaigns/number/{campaign}/"),
        ("GET", "/api/system/number/{contact}/"),
        ("PUT", "/api/system/number/{contact}/"),
        ("DELETE", "/api/system/campaigns/number/{contact}/delete/"),
        ("POST", "/api/system/phone_numbers/"),
        ("DELETE", "/api/system/phone_numbers"),
    ],
)
async def test_without_a_valid_token(method: str, path: str, token: str) -> None:
    """A request without a token, or with an unknown one, is a 401."""
    async with Sandbox(campaigns=1) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        (campaign,) = sandbox.world.campaigns.values()
        path = path.format(campaign=campaign.id, contact=campaign.contacts[0].id)
        headers = {"Authorization": f"Bearer {token}".strip()}
        async with http.request(method, path, json={"phone_sid": "none"}, headers=headers) as response:
            assert response.status == 401
