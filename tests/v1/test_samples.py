"""The samples of the v1 documents, decoded as they are, with wrong values, and with new fields."""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given, settings, strategies as st

from tingting_async import DecodeError, Page
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.http.messages import Effect, File, Request, Response, format_path
from tingting_async.v1 import (
    ApiToken,
    Campaign,
    CampaignMessage,
    CampaignStatus,
    Confirmation,
    Contact,
    ContactAdded,
    ContactsAdded,
    Dashboard,
    Line,
    NewContact,
    Otp,
    RunStarted,
    SentOtp,
    SurveyTemplate,
    TemplateApplied,
    TingTing,
    Upload,
    User,
    Voice,
)
from tingting_async.v1.pages import RESPONSES

DECODER = Decoder(RESPONSES)
SAMPLES = Path(__file__).parent.parent / "samples"

CALLS: dict[str, Callable[[TingTing], Awaitable[Any]]] = {
    "user_profile": lambda tingting: tingting.accounts.user_details(),
    "get_api_keys": lambda tingting: tingting.accounts.api_token(),
    "get_api_keys_none": lambda tingting: tingting.accounts.api_token(),
    "generate_api_keys": lambda tingting: tingting.accounts.generate_api_token(),
    "voice_models": lambda tingting: tingting.voices.list().collect(),
    "active_broker_phone": lambda tingting: tingting.phone_numbers.list().collect(),
    "campaigns": lambda tingting: anext(tingting.campaigns.list().pages()),
    "campaign_create": lambda tingting: tingting.campaigns.create("n", "PHONE"),
    "campaign_details": lambda tingting: tingting.campaigns.get(1),
    "campaign_message": lambda tingting: tingting.campaigns.set_message(1, voice=3),
    "run_campaign": lambda tingting: tingting.campaigns.run(1),
    "run_campaign_scheduled": lambda tingting: tingting.campaigns.run(1),
    "test_voice": lambda tingting: tingting.campaigns.test_voice("m", campaign_id=1, voice=3),
    "contacts": lambda tingting: anext(tingting.contacts.list(1).pages()),
    "add_contact": lambda tingting: tingting.contacts.add(1, "9800000001"),
    "add_contacts": lambda tingting: tingting.contacts.add_many(1, ["9800000001", NewContact("9800000002", {"a": 1})]),
    "bulk_contacts": lambda tingting: tingting.contacts.upload(1, File("c.csv", b"numbers")),
    "contact_update": lambda tingting: tingting.contacts.edit(1, "9800000001"),
    "contact_delete": lambda tingting: tingting.contacts.delete(1),
    "contact_attributes": lambda tingting: tingting.contacts.variables(1),
    "otp_text": lambda tingting: tingting.otp.send("9800000001", "{otp}", channel="text"),
    "otp_voice": lambda tingting: tingting.otp.send("9800000001", "{otp}", channel="voice", voice="np_rija"),
    "sent_otps": lambda tingting: anext(tingting.otp.list().pages()),
    "survey_templates": lambda tingting: anext(tingting.survey_templates.list().pages()),
    "survey_template": lambda tingting: tingting.survey_templates.get(1),
    "survey_template_apply": lambda tingting: tingting.survey_templates.apply(1, 2),
    "survey_template_apply_207": lambda tingting: tingting.survey_templates.apply(1, 2),
    "dashboard": lambda tingting: tingting.dashboard.get(),
}


def samples() -> dict[str, Path]:
    """Return the v1 samples by name, without those that are about cookies."""
    found = {path.stem.removeprefix("v1_"): path for path in SAMPLES.glob("v1_*.json")}
    return {name: path for name, path in found.items() if name not in ("login", "refresh")}


def leftovers(value: Any) -> list[str]:
    """Return the fields of the service that no typed attribute has."""
    if attrs.has(type(value)):
        found = [] if isinstance(value, Page) else list(getattr(value, "extra", ()))
        parts = [getattr(value, field.name) for field in attrs.fields(type(value)) if field.name != "extra"]
        return found + [name for part in parts for name in leftovers(part)]
    if isinstance(value, (list, tuple)):
        return [name for part in value for name in leftovers(part)]
    return []


async def decoded(name: str) -> Any:
    """Return the result of an operation whose response is a sample."""
    body, status = samples()[name].read_bytes(), 207 if name.endswith("_207") else 200

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    async with TestServer(app) as server, TingTing(base_url=str(server.make_url("/")), api_token="t") as tingting:
        return await CALLS[name](tingting)


@pytest.mark.anyio
@pytest.mark.parametrize("name", samples())
async def test_every_field(name: str) -> None:
    """Every field of a sample is decoded into a typed attribute."""
    assert [] == leftovers(await decoded(name))


def test_every_sample_has_a_call() -> None:
    """Every sample is the response of a call in these tests."""
    assert samples().keys() == CALLS.keys()


@pytest.mark.anyio
async def test_page_of_campaigns() -> None:
    """A page of campaigns has its counts, and campaigns with typed values."""
    page = await decoded("campaigns")
    assert (1, 2, 1, False) == (page.number, page.total_items, page.total_pages, page.has_next)
    first = page.items[0]
    assert (858, CampaignStatus.COMPLETED, (12,), 4) == (first.id, first.status, first.lines, first.contact_count)
    assert Voice(id=5, name="Shreegya", internal_name="np_shreegya", is_premium=False) == first.voice
    assert (Decimal("1.00"), datetime(2025, 7, 7, 11, 38, 24, 219065, KATHMANDU)) == (
        first.length_factor,
        first.updated_at,
    )


@pytest.mark.anyio
async def test_voice_of_one_campaign() -> None:
    """The voice of a campaign that is read by itself has only an id."""
    assert Voice(id=3) == (await decoded("campaign_details")).voice


@pytest.mark.anyio
async def test_user() -> None:
    """A user has the fields of both objects of the profile."""
    user = await decoded("user_profile")
    assert (35, "Sita", "9800000000", True) == (user.id, user.first_name, user.contact_number, user.is_verified_phone)


@pytest.mark.anyio
async def test_no_api_token() -> None:
    """An account without an API token has None."""
    assert await decoded("get_api_keys_none") is None


@pytest.mark.anyio
async def test_page_of_contacts() -> None:
    """A page of contacts has the totals of the campaign, and contacts with durations and percentages."""
    contacts = await decoded("contacts")
    assert {"total_credits_consumed": 0, "carrier_summary": {"NTC": 3}} == contacts.extra
    assert (timedelta(seconds=10), Decimal(91)) == (contacts.items[2].duration, contacts.items[2].playback)


@pytest.mark.anyio
async def test_added_contacts() -> None:
    """Added contacts have their campaign, their variables and a displayed date."""
    added = await decoded("add_contacts")
    assert (3, 0, {}, 3) == (added.created, added.skipped, added.errors, len(added.contacts))
    row = added.contacts[0]
    assert (3278, {"name": "Jane", "age": "22"}) == (row.campaign_id, row.variables)
    assert datetime(2026, 1, 27, 17, 19, tzinfo=KATHMANDU) == row.updated_at


@pytest.mark.anyio
async def test_added_contact() -> None:
    """The confirmation of an added contact has a text."""
    assert "New Contact added" == (await decoded("add_contact")).text


@pytest.mark.anyio
async def test_upload() -> None:
    """An upload has the columns of the file."""
    columns = (await decoded("bulk_contacts")).columns
    assert ["numbers", "name", "age", "salary"] == [column.name for column in columns]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "expected"),
    [("run_campaign", None), ("run_campaign_scheduled", datetime(2025, 7, 9, 14, 46, tzinfo=KATHMANDU))],
)
async def test_scheduled_for(name: str, expected: datetime | None) -> None:
    """A run has the time for which it is scheduled, or None."""
    assert expected == (await decoded(name)).scheduled_for


@pytest.mark.anyio
async def test_spoken_message() -> None:
    """A message read aloud has a URL."""
    assert (await decoded("test_voice")).url.endswith(".mp3")


@pytest.mark.anyio
async def test_sent_otps() -> None:
    """The rows of a page within a classic envelope are decoded."""
    assert ["9800000001"] * 2 == [otp.number for otp in (await decoded("sent_otps")).items]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("survey_template_apply", (True, 2, ())),
        ("survey_template_apply_207", (False, 1, ({"content_type": ["This field is required."]},))),
    ],
)
async def test_applied_template(name: str, expected: tuple[Any, ...]) -> None:
    """An applied template has the steps that were created, and the errors of those that were not."""
    applied = await decoded(name)
    assert expected == (applied.is_complete, len(applied.steps), applied.errors)


@pytest.mark.anyio
async def test_dashboard() -> None:
    """A duration of the dashboard is a timedelta."""
    assert timedelta(hours=5, minutes=30) == (await decoded("dashboard")).total_call_duration


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["otp_text", "sent_otps"])
@pytest.mark.parametrize("secret", ["564546", "12345", "9800000001"])
async def test_otp_repr(name: str, secret: str) -> None:
    """The `repr` of a one-time password hides the code and the number."""
    assert secret not in repr(await decoded(name))


MODELS: dict[str, tuple[Any, Any]] = {
    "user_profile": ((), User),
    "get_api_keys": ((), ApiToken),
    "voice_models": ((), list[Voice]),
    "active_broker_phone": ((), list[Line]),
    "campaigns": (("results",), list[Campaign]),
    "campaign_create": ((), Campaign),
    "campaign_message": ((), CampaignMessage),
    "run_campaign_scheduled": ((), RunStarted),
    "contacts": (("results",), list[Contact]),
    "add_contact": ((), ContactAdded),
    "add_contacts": ((), ContactsAdded),
    "bulk_contacts": ((), Upload),
    "contact_update": ((), Contact),
    "contact_delete": ((), Confirmation),
    "otp_voice": (("data", "details"), Otp),
    "sent_otps": (("results", "data"), list[SentOtp]),
    "survey_templates": (("results",), list[SurveyTemplate]),
    "survey_template_apply_207": ((), TemplateApplied),
    "dashboard": ((), Dashboard),
}
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("false"), st.just("None"),
    st.just([]), st.just({}), st.just([None]), st.just({"id": None}),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every part of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return the part of a JSON value at a path."""
    for step in path:
        value = value[step]
    return value


def spoil(value: Any, path: tuple[Any, ...], odd: Any, *, missing: bool) -> Any:
    """Return a JSON value with one part replaced or missing."""
    if not path:
        return odd
    changed = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and missing:
        del changed[path[0]]
    else:
        changed[path[0]] = spoil(value[path[0]], path[1:], odd, missing=missing)
    return changed


def texts(value: Any) -> list[Any]:
    """Return every leaf of a model or JSON value."""
    if attrs.has(type(value)):
        return [leaf for field in attrs.fields(type(value)) for leaf in texts(getattr(value, field.name))]
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in texts(part)]
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in texts(part)]
    return [value]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_wrong_values(data: st.DataObject) -> None:
    """A sample with a wrong value is a model or a DecodeError with a path: never another error or another type."""
    name = data.draw(st.sampled_from(sorted(MODELS)))
    path, model = MODELS[name]
    payload = json.loads(samples()[name].read_bytes())
    for step in path:
        payload = payload[step]
    place, odd, missing = data.draw(st.sampled_from(places(payload))), data.draw(ODD), data.draw(st.booleans())
    expected_path = format_path(("here", *place))
    spoilt = spoil(payload, place, odd, missing=missing)
    request = Request("GET", "/p/", Effect.READ, "things.get", model)
    try:
        read = DECODER.decode_value(request, Response(200, body=json.dumps(payload).encode()), spoilt, model, ("here",))
    except DecodeError as error:
        assert error.path.startswith(expected_path)
        assert all(where.startswith(expected_path) for where, _ in error.problems)
    else:
        found = {str(leaf) for leaf in texts(spoilt) if isinstance(leaf, str)}
        truths = {leaf for leaf in texts(spoilt) if isinstance(leaf, bool)}
        for leaf in texts(read):
            if isinstance(leaf, str):
                assert str(leaf) in found or leaf.removeprefix("-").isdigit()
            elif isinstance(leaf, bool):
                assert leaf in truths


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_new_fields(data: st.DataObject) -> None:
    """A field that the service has added since is kept, anywhere in a sample."""
    name = data.draw(st.sampled_from(sorted(MODELS)))
    path, model = MODELS[name]
    payload = json.loads(samples()[name].read_bytes())
    for step in path:
        payload = payload[step]
    objects = [place for place in places(payload) if isinstance(at(payload, place), dict)]
    place = data.draw(st.sampled_from(objects))
    grown = spoil(payload, place, {**at(payload, place), "since": "new"}, missing=False)
    request = Request("GET", "/p/", Effect.READ, "things.get", model)
    read = DECODER.decode_value(request, Response(200, body=json.dumps(grown).encode()), grown, model, ("here",))
    assert "new" in texts(read)
