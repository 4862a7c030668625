"""The v1 documents' samples, through the client, over a socket; and what becomes of them when they are spoilt."""

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
from hypothesis import given, settings
from hypothesis import strategies as st

from tingting_async import DecodeError, Page
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.scalars import KATHMANDU, InvalidValueError
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
from tingting_async.v1.decoding import read_display_datetime
from tingting_async.v1.pages import RESPONSES

SAMPLES = Path(__file__).parent.parent / "samples"
DECODER = Decoder(RESPONSES)

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
    """Return the v1 samples by their names, but for those whose point is their cookies."""
    found = {path.stem.removeprefix("v1_"): path for path in SAMPLES.glob("v1_*.json")}
    return {name: path for name, path in found.items() if name not in ("login", "refresh")}


def leftovers(value: Any) -> list[str]:
    """Return every field of the wire that no typed attribute took."""
    if attrs.has(type(value)):
        found = [] if isinstance(value, Page) else list(getattr(value, "extra", ()))
        parts = [getattr(value, field.name) for field in attrs.fields(type(value)) if field.name != "extra"]
        return found + [name for part in parts for name in leftovers(part)]
    if isinstance(value, (list, tuple)):
        return [name for part in value for name in leftovers(part)]
    return []


async def ask(name: str) -> Any:
    """Return what the client makes of a sample."""
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
    """Every sample parses into its model, and leaves nothing over."""
    assert leftovers(await ask(name)) == []


def test_every_sample_is_asked_for() -> None:
    """There is a call for every sample."""
    assert CALLS.keys() == samples().keys()


@pytest.mark.anyio
async def test_values() -> None:
    """The values are the samples', with their types and with names that are spelt right."""
    page = await ask("campaigns")
    assert (page.number, page.total_items, page.total_pages, page.has_next) == (1, 2, 1, False)
    first = page.items[0]
    assert (first.id, first.status, first.lines, first.contact_count) == (858, CampaignStatus.COMPLETED, (12,), 4)
    assert first.voice == Voice(id=5, name="Shreegya", internal_name="np_shreegya", is_premium=False)
    assert (first.length_factor, first.updated_at) == (
        Decimal("1.00"),
        datetime(2025, 7, 7, 11, 38, 24, 219065, KATHMANDU),
    )
    assert (await ask("campaign_details")).voice == Voice(id=3)
    user = await ask("user_profile")
    assert (user.id, user.first_name, user.contact_number, user.is_verified_phone) == (35, "Sita", "9800000000", True)
    assert None is await ask("get_api_keys_none")

    contacts = await ask("contacts")
    assert contacts.extra == {"total_credits_consumed": 0, "carrier_summary": {"NTC": 3}}
    assert (contacts.items[2].duration, contacts.items[2].playback) == (timedelta(seconds=10), Decimal(91))
    added = await ask("add_contacts")
    assert (added.created, added.skipped, added.errors, len(added.contacts)) == (3, 0, {}, 3)
    row = added.contacts[0]
    assert (row.campaign_id, row.variables) == (3278, {"name": "Jane", "age": "22"})
    assert row.updated_at == datetime(2026, 1, 27, 17, 19, tzinfo=KATHMANDU)
    assert (await ask("add_contact")).text == "New Contact added"
    assert [column.name for column in (await ask("bulk_contacts")).columns] == ["numbers", "name", "age", "salary"]

    assert None is (await ask("run_campaign")).scheduled_for
    assert (await ask("run_campaign_scheduled")).scheduled_for == datetime(2025, 7, 9, 14, 46, tzinfo=KATHMANDU)
    assert (await ask("test_voice")).url.endswith(".mp3")
    assert [otp.number for otp in (await ask("sent_otps")).items] == ["9800000001"] * 2
    whole, half = await ask("survey_template_apply"), await ask("survey_template_apply_207")
    assert (whole.is_complete, len(whole.steps), half.is_complete, len(half.steps)) == (True, 2, False, 1)
    assert half.errors == ({"content_type": ["This field is required."]},)
    assert (await ask("dashboard")).total_call_duration == timedelta(hours=5, minutes=30)
    for name in ("otp_text", "sent_otps"):
        shown = repr(await ask(name))
        assert "564546" not in shown
        assert "12345" not in shown
        assert "9800000001" not in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jan. 27, 2026, 05:19 PM", datetime(2026, 1, 27, 17, 19)),
        ("Jan. 27, 2026, 5:19 p.m.", datetime(2026, 1, 27, 17, 19)),
        ("Jan. 27, 2026, 17:19 PM", datetime(2026, 1, 27, 17, 19)),
        ("Sept. 3, 2026, 12:05 a.m.", datetime(2026, 9, 3, 0, 5)),
        ("March 3, 2026, noon", datetime(2026, 3, 3, 12)),
        ("May 3, 2026, midnight", datetime(2026, 5, 3)),
        ("2026-01-27T17:19:46+05:45", datetime(2026, 1, 27, 17, 19, 46)),
    ],
)
def test_displayed_dates(text: str, expected: datetime) -> None:
    """A date is read as it is displayed, too, in whatever locale this machine is."""
    assert read_display_datetime(text) == expected.replace(tzinfo=KATHMANDU)


@pytest.mark.parametrize(
    "value",
    [
        *("Foo. 27, 2026, 05:19 PM", "Feb. 30, 2026, 05:19 PM", "Jan. 27, 2026, 99:19 PM", "Jan. 27, 2026, 17:19 AM"),
        *("soon", None, 5),
    ],
)
def test_bad_displayed_dates(value: Any) -> None:
    """What is no date is not read as one."""
    with pytest.raises(InvalidValueError):
        read_display_datetime(value)


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
    """Return what lies at a path."""
    for step in path:
        value = value[step]
    return value


def spoil(value: Any, path: tuple[Any, ...], odd: Any, *, missing: bool) -> Any:
    """Return a value with one part replaced, or gone."""
    if not path:
        return odd
    changed = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and missing:
        del changed[path[0]]
    else:
        changed[path[0]] = spoil(value[path[0]], path[1:], odd, missing=missing)
    return changed


def texts(value: Any) -> list[Any]:
    """Return every value that a model holds, down to the leaves."""
    if attrs.has(type(value)):
        return [leaf for field in attrs.fields(type(value)) for leaf in texts(getattr(value, field.name))]
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in texts(part)]
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in texts(part)]
    return [value]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_spoilt_samples(data: st.DataObject) -> None:
    """A spoilt sample is a model or a DecodeError with a path; never another error, never a value of another type."""
    name = data.draw(st.sampled_from(sorted(MODELS)))
    path, model = MODELS[name]
    payload = json.loads(samples()[name].read_bytes())
    for step in path:
        payload = payload[step]
    place, odd, missing = data.draw(st.sampled_from(places(payload))), data.draw(ODD), data.draw(st.booleans())
    told = format_path(("here", *place))
    spoilt = spoil(payload, place, odd, missing=missing)
    request = Request("GET", "/p/", Effect.READ, "things.get", model)
    try:
        read = DECODER.decode_value(request, Response(200, body=json.dumps(payload).encode()), spoilt, model, ("here",))
    except DecodeError as error:
        assert error.path.startswith(told)
        assert all(where.startswith(told) for where, _ in error.problems)
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
def test_fields_that_are_new(data: st.DataObject) -> None:
    """A field that the service has added since is kept, wherever in a sample it comes."""
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


@pytest.mark.parametrize(
    ("model", "payload", "path"),
    [
        (User, {"id": 1, "contact_no": []}, "contact_no"),
        (User, {"id": 1, "user": {"email": 5}}, "user.email"),
        (Contact, {"id": 1, "call_duration": []}, "call_duration"),
        (Contact, {"id": 1, "duration": []}, "duration"),
        (Contact, {"id": 1, "campaing": []}, "campaing"),
        (Campaign, {"id": 1, "user_phone": [1, "x"]}, "user_phone[1]"),
        (TemplateApplied, {"created": [{"id": []}], "errors": []}, "created[0].id"),
        (ContactsAdded, {"created": "x"}, "created"),
        (ContactsAdded, {"skipped": 0}, "created"),
        (ContactsAdded, {"created": 1, "contacts": [{"id": 1, "number": []}]}, "contacts[0].number"),
    ],
)
def test_paths(model: Any, payload: Any, path: str) -> None:
    """What cannot be read is told by the wire's names, also where ours are spelt right or lie elsewhere."""
    request = Request("GET", "/p/", Effect.READ, "things.get", model)
    with pytest.raises(DecodeError) as caught:
        DECODER.decode_value(request, Response(200, body=b"{}"), payload, model, ())
    assert caught.value.path == path


def test_user_of_an_id() -> None:
    """What a profile's inner object holds beside the name is kept, under its own name."""
    request = Request("GET", "/p/", Effect.READ, "things.get", User)
    payload = {"id": 1, "user": {"id": 9, "email": "e"}, "since": "new"}
    user = DECODER.decode_value(request, Response(200, body=b"{}"), payload, User, ())
    assert (user.id, user.email, user.extra) == (1, "e", {"user": {"id": 9}, "since": "new"})


def test_errors_by_row() -> None:
    """Every error of a row is kept, and every one that names none."""
    request = Request("GET", "/p/", Effect.READ, "things.get", ContactsAdded)
    errors = [{"row": 1, "error": "a"}, {"index": 1, "message": "b"}, {"row": True}, "c"]
    payload = {"created": 0, "skipped": None, "errors": errors, "since": "new"}
    added = DECODER.decode_value(request, Response(200, body=b"{}"), payload, ContactsAdded, ())
    assert (added.errors, added.other_errors) == ({1: "a; b"}, ({"row": True}, "c"))
    assert (added.skipped, added.extra) == (0, {"since": "new"})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2082-03-25 at 14:46:00", datetime(2025, 7, 9, 14, 46)),
        ("2072-01-12 at 11:56:00", datetime(2015, 4, 25, 11, 56)),
        ("2080-01-01 at 00:00:00", datetime(2023, 4, 14)),
        ("2082-12-30 at 23:59:59", datetime(2026, 4, 13, 23, 59, 59)),
        ("2083-01-01 at 00:00", datetime(2026, 4, 14)),
        ("2082-03-25 at 25:00:00", None),
        ("2082-13-01 at 10:00:00", None),
        ("9999-01-01 at 10:00:00", None),
        ("soon", None),
    ],
)
def test_bikram_sambat(said: str, expected: datetime | None) -> None:
    """A run's Bikram Sambat date is the ordinary one in Nepal's time; one that is none is kept in the message alone."""
    request = Request("POST", "/p/", Effect.SEND, "campaigns.run", RunStarted)
    payload = {"message": f"Campaign Scheduled successfully for {said}"}
    started = DECODER.decode_value(request, Response(200, body=b"{}"), payload, RunStarted, ())
    assert started.text == payload["message"]
    assert started.scheduled_for == (None if expected is None else expected.replace(tzinfo=KATHMANDU))
