"""Responses of the v1 API that need a decoding hook of its own."""

from datetime import datetime
from typing import Any

import pytest

from tingting_async import DecodeError
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.payload import InvalidValueError
from tingting_async.decoding.scalars import KATHMANDU
from tingting_async.http.messages import Effect, Request, Response
from tingting_async.v1 import Campaign, Contact, ContactsAdded, RunStarted, TemplateApplied, User
from tingting_async.v1.decoding import read_display_datetime
from tingting_async.v1.pages import RESPONSES

DECODER = Decoder(RESPONSES)


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
    """A date is decoded from ISO 8601 and from the service's display format, whatever the machine's locale."""
    assert expected.replace(tzinfo=KATHMANDU) == read_display_datetime(text)


@pytest.mark.parametrize(
    "value",
    [
        *("Foo. 27, 2026, 05:19 PM", "Feb. 30, 2026, 05:19 PM", "Jan. 27, 2026, 99:19 PM", "Jan. 27, 2026, 17:19 AM"),
        *("soon", None, 5),
    ],
)
def test_bad_displayed_dates(value: Any) -> None:
    """A value that is not a date is refused."""
    with pytest.raises(InvalidValueError):
        read_display_datetime(value)


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
    """A decode error names the service's fields, even if ours have other names or are elsewhere."""
    request = Request("GET", "/p/", Effect.READ, "things.get", model)
    with pytest.raises(DecodeError) as caught:
        DECODER.decode_value(request, Response(200, body=b"{}"), payload, model, ())
    assert path == caught.value.path


def test_user_with_an_inner_id() -> None:
    """The other fields of a profile's inner object are kept under its name."""
    request = Request("GET", "/p/", Effect.READ, "things.get", User)
    payload = {"id": 1, "user": {"id": 9, "email": "e"}, "since": "new"}
    user = DECODER.decode_value(request, Response(200, body=b"{}"), payload, User, ())
    assert (1, "e", {"user": {"id": 9}, "since": "new"}) == (user.id, user.email, user.extra)


def test_errors_by_row() -> None:
    """Every error is kept, whether or not it names a row."""
    request = Request("GET", "/p/", Effect.READ, "things.get", ContactsAdded)
    errors = [{"row": 1, "error": "a"}, {"index": 1, "message": "b"}, {"row": True}, "c"]
    payload = {"created": 0, "skipped": None, "errors": errors, "since": "new"}
    added = DECODER.decode_value(request, Response(200, body=b"{}"), payload, ContactsAdded, ())
    assert ({1: "a; b"}, ({"row": True}, "c")) == (added.errors, added.other_errors)
    assert (0, {"since": "new"}) == (added.skipped, added.extra)


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
    """A Bikram Sambat date is converted to a datetime in Nepal; an invalid one stays in the message only."""
    request = Request("POST", "/p/", Effect.SEND, "campaigns.run", RunStarted)
    payload = {"message": f"Campaign Scheduled successfully for {said}"}
    started = DECODER.decode_value(request, Response(200, body=b"{}"), payload, RunStarted, ())
    assert payload["message"] == started.text
    assert (None if expected is None else expected.replace(tzinfo=KATHMANDU)) == started.scheduled_for
