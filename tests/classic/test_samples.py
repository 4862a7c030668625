"""The samples of the documents, through the client, over a socket: every field is a typed attribute."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tingting_async import Number, NumberStatus, OtpChannel, OtpSource, Page, Services, TingTing
from tingting_async.classic.pages import RESPONSES
from tingting_async.decoding.decoder import Decoder
from tingting_async.http.messages import Effect, Request, Response

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parent.parent / "samples"
DECODER = Decoder(RESPONSES)
REQUEST = Request("GET", "/", Effect.READ, "numbers.get", Number)

CALLS: dict[str, Callable[[TingTing], Awaitable[Any]]] = {
    "login": lambda tingting: tingting.accounts.login(),
    "user_details": lambda tingting: tingting.accounts.user_details(),
    "campaigns": lambda tingting: anext(tingting.campaigns.list().pages()),
    "campaign_create": lambda tingting: tingting.campaigns.create("n", "SMS", numbers=["9800000001"]),
    "campaign_update": lambda tingting: tingting.campaigns.update(1, name="n"),
    "campaign_delete": lambda tingting: tingting.campaigns.delete(1),
    "campaign_details": lambda tingting: tingting.campaigns.get(1),
    "campaign_begin": lambda tingting: tingting.campaigns.run(1, message="m"),
    "numbers": lambda tingting: anext(tingting.numbers.list(1).pages()),
    "number_detail": lambda tingting: tingting.numbers.get(1),
    "number_edit": lambda tingting: tingting.numbers.edit(1, "9800000001"),
    "number_delete": lambda tingting: tingting.numbers.delete(1),
    "owned_phone_numbers": lambda tingting: anext(tingting.phone_numbers.owned().pages()),
    "phone_numbers": lambda tingting: anext(tingting.phone_numbers.for_sale().pages()),
    "phone_number_buy": lambda tingting: tingting.phone_numbers.buy("s"),
    "phone_number_release": lambda tingting: tingting.phone_numbers.release("s"),
    "otp": lambda tingting: tingting.otp.send("9800000001", "{otp}", channel="text"),
}


def samples() -> dict[str, Path]:
    """Return the classic samples by name, except the refresh, which no operation returns."""
    found = {path.stem.removeprefix("classic_"): path for path in SAMPLES.glob("classic_*.json")}
    del found["refresh"]
    return found


def leftovers(value: Any) -> list[str]:
    """Return the names of all fields of the service that have no typed attribute."""
    if attrs.has(type(value)):
        found = list(value.extra) if not isinstance(value, Page) else []
        parts = [getattr(value, field.name) for field in attrs.fields(type(value)) if field.name != "extra"]
        return found + [name for part in parts for name in leftovers(part)]
    if isinstance(value, (list, tuple)):
        return [name for part in value for name in leftovers(part)]
    return []


async def decode(name: str) -> Any:
    """Return what the operation of a sample returns if the service responds with it."""
    body = samples()[name].read_bytes()

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    async with TestServer(app) as server:
        account = {"email": "e", "password": "p"} if name == "login" else {"api_token": "t"}
        async with TingTing(base_url=str(server.make_url("/")), **account) as tingting:  # type: ignore[arg-type]
            return await CALLS[name](tingting)


@pytest.mark.parametrize("name", samples())
async def test_every_field(name: str) -> None:
    """Every sample is decoded into its model, with no field left over."""
    assert leftovers(await decode(name)) == []


def test_every_sample_has_an_operation() -> None:
    """Every sample has the operation that returns it."""
    assert CALLS.keys() == samples().keys()


def test_missing_status() -> None:
    """A number without a status has None, not the status of a number that was not called."""
    assert DECODER.decode_value(REQUEST, Response(200), {"id": 1, "number": 9800000001}, Number, ()).status is None


@pytest.mark.parametrize("tags", ["", [], None])
def test_no_tags(tags: object) -> None:
    """Tags that the service sends as an empty string or list are an empty mapping, and do not fail the whole list."""
    number = DECODER.decode_value(REQUEST, Response(200), {"id": 1, "number": "1", "available_tags": tags}, Number, ())
    assert number.available_tags == {}


async def test_values() -> None:
    """Models hold the values of the samples, with the right types and correctly spelt names."""
    page = await decode("campaigns")
    assert (page.number, page.total_items, page.total_pages, page.has_next) == (1, 3, 1, False)
    assert page.extra == {"has_previous": False, "messages": "Campaign Successfully Retrieved"}
    first, second, _ = page.items
    assert (first.id, first.services, first.usable_tags) == (8, Services.PHONE, ())
    assert second.usable_tags == ("tags_name", "tags_age")

    number = (await decode("numbers")).items[0]
    assert (number.id, number.number, number.campaign) == (34, "9800000001", "Sample campaign name")
    assert (number.status, number.credit_consumed) == (NumberStatus.NOT_STARTED, Decimal(8))
    assert (number.duration, number.playback, dict(number.available_tags)) == (None, None, {})

    run = await decode("campaign_begin")
    assert (run.text, run.credits_on_hold) == ("Campaign is running!!", 3)
    assert run.hold_amount == "3 credits on hold for Individual Number campaign."
    assert (await decode("campaign_delete")).text == "Campaign Deleted Succesfully"
    assert (await decode("number_delete")).text.endswith("deleted Successfully!!")
    assert (await decode("phone_number_release")).status == 204

    (line,) = (await decode("phone_numbers")).items
    assert (line.phone_number, line.rate, line.capabilities) == ("9800000009", Decimal("40.0"), ("Voice", "SMS"))
    otp = await decode("otp")
    assert (otp.number, otp.otp, otp.channel, otp.source) == (
        "9800000001",
        "12345",
        OtpChannel.TEXT,
        OtpSource.PERSONAL,
    )
    login = await decode("login")
    assert (login.user.email, login.token.access[:3]) == ("sita@example.com", "eyJ")
    details = json.loads(samples()["user_details"].read_bytes())["data"]["user_details"]
    user = await decode("user_details")
    assert {name: getattr(user, name) for name in details} == details


async def test_number_after_its_call() -> None:
    """A number that was called has a duration and a playback, in whichever format the service sends them."""
    for duration, playback in ((30, 91), ("30s", "91"), ("00:00:30", "91.0")):
        value: Mapping[str, Any] = {"id": 1, "number": 1, "duration": duration, "playback": playback}

        async def serve(_: web.Request, value: Mapping[str, Any] = value) -> web.Response:
            return web.json_response({"data": {"number-detail": value}})

        app = web.Application()
        app.router.add_get("/api/system/number/1/", serve)
        async with TestServer(app) as server, TingTing(base_url=str(server.make_url("/")), api_token="t") as tingting:
            number = await tingting.numbers.get(1)
        assert (number.duration, number.playback) == (timedelta(seconds=30), Decimal(91))
