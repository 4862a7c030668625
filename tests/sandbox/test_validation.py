"""Validation errors of the classic API."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.anyio
Post = Connect = Callable[..., Any]

INVALID = [
    ("POST", "/api/accounts/login/", {"email": "a"}, "password"),
    ("POST", "/api/accounts/login/", b"no json", "JSON"),
    ("POST", "/api/accounts/token/refresh/", {}, "refresh"),
    ("POST", "/api/accounts/token/refresh/", b"[1]", "dictionary"),
    ("POST", "/api/system/campaigns/", {"name": "n"}, "services"),
    ("POST", "/api/system/campaigns/", {"name": "n", "services": "FAX", "individual_number": [1]}, "FAX"),
    ("POST", "/api/system/campaigns/", {"name": "n", "services": "SMS"}, "numbers"),
    ("POST", "/api/system/campaigns/", {"name": "n", "services": "SMS", "individual_number": ["x"]}, "valid phone"),
    ("PUT", "/api/system/campaigns/{campaign}/update/", {"services": "FAX"}, "FAX"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {}, "message"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "{tags_x}"}, "tags_x"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "voice_input": "x"}, "voice_input"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "priority": "x"}, "priority"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "individual": [999]}, "pk"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "status": ["x"]}, "status"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "status": ["failed"]}, "no numbers"),
    ("POST", "/api/system/campaigns/{campaign}/begin/", {"message": "m", "schedule_date": "soon"}, "format"),
    (
        "POST",
        "/api/system/campaigns/{campaign}/begin/",
        {"message": "m", "schedule_date": "2020-01-01T00:00"},
        "passed",
    ),
    ("POST", "/api/system/test/voice/", {}, "message"),
    ("POST", "/api/system/test/voice/", {"message": "m", "voice_input": "x"}, "voice_input"),
    ("POST", "/api/system/campaigns/number/{campaign}/", {}, "number"),
    ("POST", "/api/system/campaigns/number/{campaign}/", {"number": 9800000001, "available_tags": {"x": 1}}, "tags"),
    ("POST", "/api/system/phone_numbers/", {}, "phone_sid"),
    ("POST", "/api/system/send/otp/", {"number": "9800000001"}, "message"),
    ("POST", "/api/system/send/otp/", {"number": "9800000001", "message": "m", "sms_send_options": "text"}, "otp"),
    ("POST", "/api/system/send/otp/", {"number": "9800000001", "message": "{otp}", "sms_send_options": "fax"}, "fax"),
    (
        "POST",
        "/api/system/send/otp/",
        {"number": "9800000001", "message": "{otp}", "sms_send_options": "text", "otp_options": "personnel"},
        "otp",
    ),
    (
        "POST",
        "/api/system/send/otp/",
        {"number": "9800000001", "message": "{otp}", "sms_send_options": "text", "otp_options": "x"},
        "otp_options",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "word"), INVALID)
async def test_invalid_field(connect: Connect, method: str, path: str, body: Any, word: str) -> None:
    """Invalid input is a 400 that names the field, and has no side effect."""
    async with connect(campaigns=1) as (sandbox, http):
        (campaign,) = sandbox.world.campaigns
        content: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with http.request(method, path.format(campaign=campaign), **content) as response:
            assert response.status == 400
            assert word in await response.text()
        assert sandbox.side_effects == []


@pytest.mark.parametrize("under_200", [False, True])
@pytest.mark.parametrize("shape", ["strings", "fields", "bare", "detail"])
async def test_formats(connect: Connect, post: Post, shape: Any, under_200: bool) -> None:
    """A validation error has the format of the setting; only an envelope can have the HTTP status 200."""
    async with connect(envelope_errors=shape, errors_under_200=under_200) as (_, http):
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
