"""Signing in to the sandbox, and the shapes of its refusals, asked without the client."""

import io
from typing import Any

import aiohttp
import jwt
import pytest
from openpyxl import Workbook

from tingting_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
LOGIN, REFRESH, PROFILE = "/api/accounts/login/", "/api/accounts/token/refresh/", "/api/accounts/user_details/"


async def post(http: aiohttp.ClientSession, path: str, body: Any, **options: Any) -> tuple[int, Any]:
    """Post JSON; return the status and the answer."""
    async with http.post(path, json=body, **options) as answer:
        return answer.status, await answer.json()


async def profile(http: aiohttp.ClientSession, token: str) -> tuple[int, Any]:
    """Ask who is signed in with a token."""
    async with http.get(PROFILE, headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status, await answer.json()


async def sign_in(sandbox: Sandbox, http: aiohttp.ClientSession) -> dict[str, str]:
    """Return a pair of tokens."""
    status, body = await post(http, LOGIN, {"email": sandbox.email, "password": sandbox.password})
    assert (status, body["success"]) == (200, True)
    pair: dict[str, str] = body["data"]["token"]
    return pair


async def test_tokens_end() -> None:
    """An access token is a JWT of whole seconds, good until then and not after; the refresh token renews it."""
    async with (
        Sandbox(access_lifetime=60, refresh_lifetime=300) as sandbox,
        aiohttp.ClientSession(sandbox.url) as http,
    ):
        pair = await sign_in(sandbox, http)
        claims = jwt.decode(pair["access"], options={"verify_signature": False})
        assert (claims["token_type"], claims["user_id"]) == ("access", sandbox.world.owner.id)
        assert {int} == {type(claims[name]) for name in ("iat", "exp")}
        assert 60 <= claims["exp"] - claims["iat"] <= 61
        assert jwt.get_unverified_header(pair["access"])["alg"] == "HS256"
        assert (await profile(http, pair["access"]))[0] == 200
        sandbox.clock.advance(62)
        status, body = await profile(http, pair["access"])
        assert (status, body["code"]) == (401, "token_not_valid")
        assert (await profile(http, pair["refresh"]))[0] == 401
        status, renewed = await post(http, REFRESH + "?", {"refresh": pair["refresh"]})
        assert (status, list(renewed)) == (200, ["access"])
        assert (await profile(http, renewed["access"]))[0] == 200
        assert (await post(http, REFRESH, {"refresh": renewed["access"]}))[0] == 401
        sandbox.clock.advance(300)
        status, body = await post(http, REFRESH, {"refresh": pair["refresh"]})
        assert (status, body) == (401, {"detail": "Token is invalid or expired", "code": "token_not_valid"})


async def test_rotation() -> None:
    """With the switch, a refresh gives a new refresh token as well, and ends the old one."""
    async with Sandbox(rotate_refresh=True) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        old = (await sign_in(sandbox, http))["refresh"]
        status, pair = await post(http, REFRESH, {"refresh": old})
        assert (status, set(pair)) == (200, {"access", "refresh"})
        assert (await post(http, REFRESH, {"refresh": old}))[0] == 401
        assert (await post(http, REFRESH, {"refresh": pair["refresh"]}))[0] == 200


async def test_what_ends_tokens() -> None:
    """Access tokens, refresh tokens and the password can each be made to fail."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        pair, password = await sign_in(sandbox, http), sandbox.password
        sandbox.expire_access_tokens()
        assert (await profile(http, pair["access"]))[0] == 401
        assert (await profile(http, sandbox.api_token))[0] == 200
        assert (await post(http, REFRESH, {"refresh": pair["refresh"]}))[0] == 200
        sandbox.revoke_refresh_tokens()
        assert (await post(http, REFRESH, {"refresh": pair["refresh"]}))[0] == 401
        sandbox.change_password("another")
        status, body = await post(http, LOGIN, {"email": sandbox.email, "password": password})
        assert (status, list(body), body["success"]) == (
            401,
            ["status", "success", "message", "errors", "data"],
            False,
        )
        await sign_in(sandbox, http)


async def test_account_that_is_not_activated() -> None:
    """Who is not activated can neither sign in, nor refresh, nor do anything."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        pair = await sign_in(sandbox, http)
        sandbox.world.owner.is_activated = False
        refused = (401, {"detail": "Account is not activated."})
        assert await post(http, LOGIN, {"email": sandbox.email, "password": sandbox.password}) == refused
        assert await post(http, REFRESH, {"refresh": pair["refresh"]}) == refused
        assert await profile(http, pair["access"]) == refused


@pytest.mark.parametrize("under_200", [False, True])
@pytest.mark.parametrize("shape", ["strings", "fields", "bare", "detail"])
async def test_shapes_of_refusals(shape: Any, under_200: bool) -> None:
    """Bad input is refused in the shape that is set, and an envelope under 200 where that is set."""
    async with (
        Sandbox(envelope_errors=shape, errors_under_200=under_200) as sandbox,
        aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_token}"}) as http,
    ):
        status, body = await post(http, "/api/system/test/voice/", {})
        text = "This field is required."
        match shape:
            case "bare":
                assert (status, body) == (400, {"message": [text]})
            case "detail":
                assert (status, body) == (400, {"detail": f"message: {text}"})
            case _:
                errors = [f"message: {text}"] if shape == "strings" else [{"message": [text]}]
                assert status == (200 if under_200 else 400)
                assert (body["status"], body["success"], body["errors"], body["data"]) == (400, False, errors, {})


@pytest.mark.parametrize("shape", ["audio", "string", "text", "object"])
async def test_shapes_of_the_voice(shape: Any) -> None:
    """A test of the voice answers in the shape that is set, and the audio lies where it says, for anyone."""
    async with (
        Sandbox(test_voice_response=shape) as sandbox,
        aiohttp.ClientSession(sandbox.url) as http,
        http.post(
            "/api/system/test/voice/",
            json={"message": "नमस्ते"},
            headers={"Authorization": f"Bearer {sandbox.api_token}"},
        ) as answer,
    ):
        match shape:
            case "audio":
                assert answer.content_type == "audio/mpeg"
                assert (await answer.read()).startswith(b"ID3")
                return
            case "string":
                url = await answer.json()
            case "text":
                assert answer.content_type == "text/plain"
                url = await answer.text()
            case _:
                (url,) = (await answer.json()).values()
        async with http.get(url) as audio:
            assert (audio.content_type, (await audio.read())[:3]) == ("audio/mpeg", b"ID3")


async def test_shapes_of_an_added_number() -> None:
    """Adding a number answers with an envelope that holds it or does not."""
    for shape in ("envelope", "object"):
        async with (
            Sandbox(campaigns=1, add_number_response=shape) as sandbox,
            aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_token}"}) as http,
        ):
            (campaign,) = sandbox.world.campaigns.values()
            status, body = await post(http, f"/api/system/campaigns/number/{campaign.id}/", {"number": 9800000001})
            assert (status, body["success"]) == (201, True)
            shown = {"details"} if shape == "object" else set()
            assert shown == body["data"].keys()
            assert campaign.contacts[-1].number == "9800000001"


async def test_tags_of_a_sheet() -> None:
    """The columns beside the numbers of a sheet become the campaign's tags, which its messages may use."""
    book = Workbook()
    for row in (["numbers", "name", "tags_age"], [9800000001, "सीता", 30], [9800000002, "राम", 40]):
        book.active.append(row)  # type: ignore[union-attr]
    content = io.BytesIO()
    book.save(content)
    async with Sandbox(campaigns=0) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        form = aiohttp.FormData({"name": "n", "services": "PHONE"})
        form.add_field("send_to_number_file", content.getvalue(), filename="n.xlsx")
        async with http.post("/api/system/campaigns/", data=form) as answer:
            assert answer.status == 201
        (campaign,) = sandbox.world.campaigns.values()
        assert campaign.usable_tags == ["tags_name", "tags_age"]
        assert [contact.tags["tags_name"] for contact in campaign.contacts] == ["सीता", "राम"]
        path = f"/api/system/campaigns/{campaign.id}/begin/"
        assert (await post(http, path, {"message": "{tags_city}"}))[0] == 400
        assert (await post(http, path, {"message": "{tags_name}, {tags_age}"}))[0] == 200


@pytest.mark.parametrize("generation", ["/api/system/send/otp/", "/api/v1/auths/send/otp/"])
async def test_codes(generation: str) -> None:
    """A code is made up as long as asked, or the caller's own; it counts as sent once, and costs one credit."""
    async with Sandbox(campaigns=0) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        otp = {"number": "9800000001", "message": "कोड {otp}", "sms_send_options": "text"}
        status, body = await post(http, generation, {**otp, "otp_length": 8})
        assert (status, len(body["data"]["details"]["otp"])) == (200, 8)
        own = {**otp, "otp_options": "personnel", "otp": "4711"}
        assert (await post(http, generation, own))[1]["data"]["details"]["otp"] == "4711"
        assert [sent.otp for sent in sandbox.world.otps[1:]] == ["4711"]
        assert [effect.kind for effect in sandbox.side_effects] == ["otp", "otp"]
        assert sandbox.world.owner.credits == 100_000 - 2
        assert (await post(http, generation, {**otp, "otp_length": 99}))[0] == 400
        sandbox.world.owner.credits = 0
        assert (await post(http, generation, own))[0] == 400
        assert len(sandbox.world.otps) == 2


async def test_lines_cost() -> None:
    """A line is bought once, for its rate, by who can pay; it is released to be sold again."""
    async with Sandbox(campaigns=0) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        http.headers["Authorization"] = f"Bearer {sandbox.api_token}"
        sid = {"phone_sid": next(line.sid for line in sandbox.world.lines.values() if line.owner is None)}
        path, owner = "/api/system/phone_numbers/", sandbox.world.owner
        owner.credits = 39
        assert (await post(http, path, sid))[0] == 400
        owner.credits = 100
        assert (await post(http, path, sid))[0] == 200
        assert (await post(http, path, sid))[0] == 400
        assert (owner.credits, sandbox.world.lines[sid["phone_sid"]].owner) == (60, owner.id)
        async with http.delete("/api/system/phone_numbers", json=sid) as answer:
            assert (answer.status, (await answer.json())["status"]) == (200, 204)
        assert [effect.kind for effect in sandbox.side_effects] == ["purchase", "release"]


async def test_slashes_and_methods() -> None:
    """A path that takes something else only says so; a writer who forgets the slash finds nothing."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        async with http.post("/api/system/campaigns", allow_redirects=False) as answer:
            assert (answer.status, await answer.json()) == (404, {"detail": "Not found."})
        async with http.get("/api/accounts/login/") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")
            assert await answer.json() == {"detail": 'Method "GET" not allowed.'}


async def test_records() -> None:
    """Every request is on record, in order, its headers by any case; or none, where that is set."""
    async with Sandbox() as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        await post(http, LOGIN + "?a=1", {"email": "x"}, headers={"X-A": "b"})
        (received,) = sandbox.requests
        assert (received.method, received.path, received.query) == ("POST", LOGIN, "a=1")
        assert (received.headers["x-a"], received.body, received.status) == ("b", b'{"email": "x"}', 400)
        assert "email" not in repr(received)
    async with Sandbox(keep_requests=False) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        await post(http, LOGIN, {})
        assert sandbox.requests == []


async def test_discretion() -> None:
    """No password, token, code or number stands in the sandbox's reprs."""
    sandbox = Sandbox(campaigns=1)
    world = sandbox.world
    contact = next(iter(world.contacts.values()))
    shown = repr([world.accounts, world.campaigns, contact, world.otps])
    for secret in (sandbox.password, sandbox.api_token, contact.number, world.owner.contact_number):
        assert secret not in shown
