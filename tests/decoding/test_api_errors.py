"""The errors of failed responses: types, texts, errors by field, seconds to wait. No I/O."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st
from support.messages import request, response

from tingting_async import errors
from tingting_async.decoding import api_errors, envelopes
from tingting_async.decoding.decoder import Decoder
from tingting_async.http.messages import Response

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl"


def failure(received: Response, **options: Any) -> errors.ApiError:
    """Return the error for a failure."""
    error = Decoder().judge(request(**options), received)
    assert error is not None
    return error


STATUSES = [
    (301, errors.ApiError),
    (302, errors.ApiError),
    (400, errors.BadRequestError),
    (401, errors.AuthenticationError),
    (402, errors.ApiError),
    (403, errors.PermissionDeniedError),
    (404, errors.NotFoundError),
    (405, errors.ApiError),
    (409, errors.ConflictError),
    (422, errors.BadRequestError),
    (429, errors.RateLimitedError),
    (500, errors.ServerError),
    (502, errors.ServerError),
    (503, errors.ServerError),
    (599, errors.ServerError),
    (777, errors.ServerError),
    (799, errors.ServerError),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_kind_by_status(status: int, kind: type) -> None:
    """Every status has its error, whatever the body; the error has the data of the request and of the response."""
    error = failure(response({"message": "So it is"}, status, X_Request_ID="r-1"))
    assert kind is type(error)
    assert (status, "So it is", "r-1") == (error.status, error.message, error.request_id)
    assert (error.operation, error.method, error.path) == ("things.get", "GET", "/api/things/1/")
    assert error.body == b'{"message": "So it is"}'
    assert str(error).startswith(f"things.get: GET /api/things/1/ failed with {status} (")
    assert "): So it is. " in str(error)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"success": False}, errors.BadRequestError, 200),
        ({"success": False, "message": "m"}, errors.BadRequestError, 200),
        ({"success": False, "status": 200}, errors.BadRequestError, 200),
        ({"success": False, "status": "400"}, errors.BadRequestError, 200),
        ({"success": False, "status": 400}, errors.BadRequestError, 400),
        ({"success": False, "status": 401}, errors.AuthenticationError, 401),
        ({"success": False, "status": 404}, errors.NotFoundError, 404),
        ({"success": False, "status": 429}, errors.RateLimitedError, 429),
        ({"success": False, "status": 500}, errors.ServerError, 500),
        ({"success": False, "status": 10**30}, errors.BadRequestError, 200),
        ({"success": "false"}, errors.BadRequestError, 200),
        ({"status": 404, "message": "Not found."}, errors.NotFoundError, 404),
        ({"success": None, "status": 500}, errors.ServerError, 500),
        ({"error": "Campaign not found."}, errors.BadRequestError, 200),
        ({"message": "Bad input", "errors": {"number": ["wrong"]}, "data": {}}, errors.BadRequestError, 200),
        ({"status": 200, "errors": ["No credit"]}, errors.BadRequestError, 200),
    ],
)
def test_failure_under_200(body: dict[str, Any], kind: type, status: int) -> None:
    """The envelope of a failure is an error under HTTP 200, too, by the status that it contains."""
    error = failure(response(body))
    assert (kind, status) == (type(error), error.status)


@pytest.mark.parametrize(
    ("body", "status", "is_refusal"),
    [
        ({"message": "Campaign Began", "errors": ["No carrier"]}, 200, False),
        ({"success": None, "message": "Campaign Began", "errors": ["No carrier"]}, 201, False),
        ({"success": False, "message": "Refused", "errors": ["No credit"]}, 200, True),
        ({"status": 200, "message": "Refused", "errors": ["No credit"]}, 200, True),
        ({"errors": ["No credit"]}, 200, True),
        ({"message": "Refused", "errors": ["No credit"]}, 400, True),
        ({"message": "Service Unavailable"}, 503, True),
        (b"<html>", 503, False),
    ],
)
def test_refusal(body: Any, status: int, is_refusal: bool) -> None:
    """The error says whether the service itself refused the request."""
    assert is_refusal is failure(response(body, status)).is_refusal


@pytest.mark.parametrize("status", [401, 403])
def test_dead_token(status: int) -> None:
    """A 403 that says that the token is dead is an AuthenticationError; "permission denied" is not."""
    dead = failure(response({"detail": "Signature has expired."}, status))
    assert (errors.AuthenticationError, status) == (type(dead), dead.status)
    denied = failure(response({"detail": "You do not have permission to perform this action."}, 403))
    assert errors.PermissionDeniedError is type(denied)


@pytest.mark.parametrize(
    "body",
    [
        {},
        b"",
        b"no JSON",
        {"success": True},
        {"success": True, "status": 400},
        {"success": True, "error": "none"},
        {"success": None},
        [],
        "x",
        {"success": 0},
        {"detail": "done"},
        {"message": "done", "errors": []},
        {"message": "done", "error": None},
        {"status": 207, "errors": ["row 3"], "data": {"created": 2}},
        {"created": 2, "errors": ["row 3"]},
        {"id": 1, "status": "Running", "error": "a contact's own"},
    ],
)
def test_success(body: Any) -> None:
    """Any other response with a 2xx status is a success, whatever errors its rows have."""
    assert Decoder().judge(request(), response(body)) is None
    assert Decoder().judge(request(), response(b"\xff\xfb audio", 206)) is None


@given(
    st.dictionaries(
        st.sampled_from(["success", "status", "error", "errors", "message", "data", "count", "results"]),
        st.sampled_from([None, True, False, "false", 0, 200, 400, 503, "no", "", [], {}, ["no"], [{"status": 503}]]),
    ),
    st.booleans(),
)
def test_no_failure_is_missed(body: dict[str, Any], is_escaped: bool) -> None:
    """A response is judged by its outer fields alone, wherever they are and however their names are written."""
    content = json.dumps(body).encode()
    if is_escaped:
        content = content.replace(b'"s', b'"\\u0073').replace(b'"e', b'"\\u0065')
    assert (Decoder().judge(request(), response(content)) is not None) == envelopes.is_failure(body)


SHAPES = [
    ({"message": "no"}, "no", {}),
    ({"detail": "no"}, "no", {}),
    ({"error": "no"}, "no", {}),
    ({"error": {"message": "no"}}, "no", {}),
    ({"messages": ["a", "b"]}, "a; b", {}),
    ({"message": "no", "detail": "no"}, "no", {}),
    ({"message": None, "errors": ["a", "b"]}, "a; b", {}),
    ({"message": "no", "errors": [{"number": ["bad", "long"]}, {"name": "empty"}]}, "no",
     {"number": ("bad", "long"), "name": ("empty",)}),
    ({"errors": {"number": ["bad"]}}, "", {"number": ("bad",)}),
    ({"errors": [{"number": ["a"]}, {"number": ["b"]}]}, "", {"number": ("a", "b")}),
    ({"errors": "no"}, "no", {}),
    ({"errors": [["a"], None, 7]}, "a; 7", {}),
    ({"number": ["bad"]}, "", {"number": ("bad",)}),
    ({"number": {"non_field_errors": ["bad"]}}, "", {"number": ("bad",)}),
    ({"non_field_errors": ["bad"]}, "", {"non_field_errors": ("bad",)}),
    ({"number": [], "name": None, "x": ""}, "", {}),
    ({}, "", {}),
    ({"message": ["a", "b"]}, "a; b", {}),
    ({"name": ["a", "b"]}, "", {"name": ("a", "b")}),
    ({"name": "a"}, "", {"name": ("a",)}),
    ({"success": False, "message": "m", "errors": ["a", "m"]}, "m; a", {}),
    ({"success": False, "message": None, "errors": [{"name": ["a"]}, {"name": "b"}]}, "", {"name": ("a", "b")}),
    ({"success": False, "errors": {"name": ["a"]}, "status": 400, "data": {}}, "", {"name": ("a",)}),
    (["a", "b"], "a; b", {}),
    (b"<html><b>Server\nError</b></html>", "<html><b>Server Error</b></html>", {}),
    ({"status": 400, "success": False, "code": "E1", "data": {"a": 1}, "message": "no"}, "no", {}),
    (["a", {"b": "c"}], "a; c", {}),
    ("no", "no", {}),
    (None, "", {}),
    (b"", "", {}),
    (b"<html>\n <b>Bad  Gateway</b>\n</html>", "<html> <b>Bad Gateway</b> </html>", {}),
    (b"\xff\xfe no", "\ufffd\ufffd no", {}),
    (b'{"message": "cut', '{"message": "cut', {}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message", "field_errors"), SHAPES)
def test_shapes(body: Any, message: str, field_errors: dict[str, tuple[str, ...]]) -> None:
    """The explanation of a failure is found in every form that the service uses, and is in the text."""
    error = failure(response(body, 400))
    assert (message, field_errors) == (error.message, error.field_errors)
    for said in [*filter(None, [message]), *field_errors]:
        assert said in str(error)
    assert ("without an explanation" in str(error)) == (not message and not field_errors)


def test_deep_failure() -> None:
    """A deeply nested failure is decoded; one nested deeper than the stack is shown. Neither is a RecursionError."""
    deep = b"[" * 200 + b'"no"' + b"]" * 200
    assert failure(response(b'{"errors": %s}' % deep, 400)).message == "no"
    assert failure(response(b'{"number": %s}' % deep, 400)).field_errors == {"number": ("no",)}
    assert failure(response(b'{"errors": %s}' % (b"[" * 100_000 + b"]" * 100_000), 400)).message.startswith(
        '{"errors":'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text() | st.sampled_from(["message", "errors", "data"]), part),
)


@given(JSON)
def test_any_json(body: Any) -> None:
    """A failure with any JSON body becomes an error with a text."""
    assert "failed with 400" in str(failure(response(body, 400)))


def test_text_is_redacted() -> None:
    """The text masks secrets, tokens, codes and phone numbers; the attributes keep them."""
    said = f"no 9800000001 for {TOKEN} or hunter2"
    error = failure(response({"message": said, "9800000001": ["+977 980-000-0001"]}, 400), secrets=("hunter2",))
    assert said == error.message
    assert "no …01 for [secure] or [secure]" in str(error)
    assert "980" not in str(error)
    sent = failure(response({"message": "wrong: 1 2 3 4"}, 400), operation="otp.send")
    assert "1 2 3" not in str(sent)


def test_secret_in_an_error() -> None:
    """The secrets of a request are masked if the service quotes them."""
    error = Decoder().judge(request(secrets=("hunter2",)), response({"detail": "bad password hunter2"}, 400))
    assert "hunter2" not in str(error)
    assert error is not None
    assert "hunter2" in error.message  # The data is the caller's.


NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("120", 120),
        ("99999999999", 10**9),
        ("1.5 hours", None),
        ("Sun, 01 Jun 2025 12:00:30 GMT", 30),
        ("Sun, 01 Jun 2025 11:00:00 GMT", 0),
        ("-5", 0),
        ("9" * 400, 10**9),
        ("-" + "9" * 400, 0),
        ("9" * 5000, None),
        ("", None),
        ("soon", None),
        ("1.5", 1.5),
        ("0.25", 0.25),
        ("-0.5", 0),
        ("+5", 5),
        ("5.", 5),
        ("1e3", None),
        ("1_000", None),
        ("inf", None),
        ("1,5", None),
        ("7, 7", None),
        ("1." + "9" * 5000, None),
        ("nan", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        ("Sun, 01 Jun 2025 12:00:30 -0000", 30),
        ("Sun, 01 Jun 2025 17:46:00 +0545", 60),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Fri, 32 Dec 2025 99:99:99 GMT", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    """`Retry-After` is seconds or a date; the result is never negative, and None for an invalid value."""
    headers = {} if value is None else {"Retry_After": value}
    assert seconds == api_errors.retry_after(response({}, 429, **headers), now=NOW)


@pytest.mark.parametrize("days", [-400, -2, 0, 2])
def test_retry_after_by_the_clock_of_the_service(days: int) -> None:
    """A date counts from the time that the service says it is, not from this machine's."""
    now = datetime.now(UTC) + timedelta(days=days)
    until = format_datetime(now + timedelta(seconds=40), usegmt=True)
    received = response({}, 429, Retry_After=until, Date=format_datetime(now, usegmt=True))
    assert 40 == api_errors.retry_after(received)


@given(st.text())
def test_any_retry_after(value: str) -> None:
    """Any `Retry-After` gives a number from zero up, or None."""
    seconds = api_errors.retry_after(response({}, 429, Retry_After=value))
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_in_the_error(status: int) -> None:
    """The errors of 429 and 5xx contain the seconds to wait."""
    error: Any = failure(response({}, status, Retry_After="3"))
    assert error.retry_after == 3
    silent: Any = failure(response({}, status))
    assert silent.retry_after is None


@pytest.mark.parametrize(
    ("status", "retry_after", "advice"),
    [
        (429, "3600", "Send fewer requests, or try again in 3600 s."),
        (429, "1.5", "Send fewer requests, or try again in 2 s."),
        (429, None, "Send fewer requests, or try again later."),
        (503, "30", "The service failed; try again in 30 s."),
        (500, "soon", "The service failed; try again later."),
        (425, "7", "Try again in 7 s."),
        (408, None, "Try again later."),
    ],
)
def test_when_to_try_again(status: int, retry_after: str | None, advice: str) -> None:
    """The text says when to try again, if the service does."""
    headers = {} if retry_after is None else {"Retry_After": retry_after}
    assert str(failure(response({"detail": "No"}, status, **headers))).endswith(f": No. {advice}")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"message": "You do not have enough credits."}),
        (400, {"credits": ["You do not have enough credits."]}),
        (403, {"detail": "Insufficient credit"}),
        (200, {"success": False, "message": "Your credits are exhausted."}),
        (402, {"detail": "Payment required"}),
    ],
)
def test_not_enough_credits(status: int, body: dict[str, Any]) -> None:
    """If the account lacks credits, the text says to buy some, because the request need not be corrected."""
    assert str(failure(response(body, status))).endswith(". Buy credits, and try again.")


@pytest.mark.parametrize("text", ["This field may not be lower than 1.", "There is no such campaign."])
def test_other_refusals_about_credits(text: str) -> None:
    """A refusal of a field that is about credits is no lack of credits."""
    shown = str(failure(response({"credit_limit": [text]}, 400)))
    assert shown.endswith("Correct the request: unchanged, it will be refused again.")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409])
@pytest.mark.parametrize(
    ("body", "is_foreign"),
    [
        (b"<html><title>Blocked</title></html>", True),
        (b"Access denied", True),
        (b'{"message": "Forbidden"}', True),
        (b'{"detail": "Not found."}', False),
        (b'{"has_logged_in": false, "message": "Invalid credentials"}', False),
        (b'{"status": 400, "message": "Number is invalid", "details": {"a": "b"}}', False),
        (b'{"number": ["This field is required."]}', False),
        (b"", False),
        (b'{"success": false, "message": "No."}', False),
    ],
)
def test_response_of_a_firewall(status: int, body: bytes, is_foreign: bool) -> None:
    """A refusal that is not in the service's JSON does not blame the account, the id or the arguments."""
    shown = str(failure(Response(status, body=body)))
    assert is_foreign is shown.endswith(
        "The response does not look like the service's: a proxy or a firewall may have written it. Check `base_url` "
        "and the network."
    )


def test_refusal_of_a_proxy() -> None:
    """A 407 is about the proxy."""
    assert "`http://user:password@host:port`" in str(failure(Response(407, body=b"no")))
