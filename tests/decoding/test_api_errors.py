"""The errors that failures become: their types, texts, paths and waiting times. No I/O."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from tingting_async import errors
from tingting_async.decoding import api_errors, envelopes
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.payload import extract_url
from tingting_async.http.messages import Effect, File, Request, Response, excerpt, format_path
from tingting_async.http.timeouts import Timeout

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl"


def request(**options: Any) -> Request[Any]:
    """Return a request."""
    given: dict[str, Any] = {"operation": "things.get", "model": dict, **options}
    return Request("GET", "/api/things/1/", Effect.READ, **given)


def response(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a response; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, CIMultiDictProxy(named), content)


def failure(answer: Response, **options: Any) -> errors.ApiError:
    """Return the error for a failure."""
    error = Decoder().judge(request(**options), answer)
    assert error is not None
    return error


STATUSES = [
    (301, errors.ApiError),
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
    ("body", "status", "is_mixed"),
    [
        ({"message": "Campaign Began", "errors": ["No carrier"]}, 200, True),
        ({"success": None, "message": "Campaign Began", "errors": ["No carrier"]}, 201, True),
        ({"success": False, "message": "Refused", "errors": ["No credit"]}, 200, False),
        ({"status": 200, "message": "Refused", "errors": ["No credit"]}, 200, False),
        ({"errors": ["No credit"]}, 200, False),
        ({"message": "Refused", "errors": ["No credit"]}, 400, False),
    ],
)
def test_mixed_failure(body: dict[str, Any], status: int, is_mixed: bool) -> None:
    """The error of an HTTP 2xx says whether it has a message and errors, but no clear refusal."""
    assert failure(response(body, status)).is_mixed is is_mixed


@pytest.mark.parametrize(
    "body",
    [
        {},
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


@pytest.mark.parametrize("secret", ['pa"ss\\word', "पासवर्ड", "tab\tin"])
@pytest.mark.parametrize("escaped", [True, False])
def test_secret_in_unread_body(secret: str, escaped: bool) -> None:
    """A secret is masked in an undecoded JSON body, too, escaped or not."""
    body = json.dumps({"password": secret}, ensure_ascii=escaped).encode()
    shown = excerpt(request(secrets=(secret,)), response(body))
    assert shown == '{"password": "[secure]"}'


def test_empty_secret() -> None:
    """An empty secret masks nothing."""
    assert request(secrets=("",)).redact("as it is") == "as it is"


def test_excerpt() -> None:
    """An excerpt is one short line without digits and tokens, and without half a secret at its end."""
    assert excerpt(request(), response(b" a\r\n\tb\xc2\xa0c \xff")) == "a b c \ufffd"
    assert excerpt(request(), response(b"code 12345 " + TOKEN.encode())) == "code … [secure]"
    long = excerpt(request(), response(b"x" * 10**6))
    assert (len(long), long[-1]) == (200, "…")
    cut = excerpt(request(secrets=("hunter2",)), response(b"a" + b" " * 3193 + b"hunter2 and more"))
    assert cut == "a"


def test_decode() -> None:
    """The payload is the part of the body at its path."""
    body = {"data": {"details": [{"id": 1}, {"id": 2}]}}
    assert Decoder().payload(request(), response(body)) == body
    assert Decoder().payload(request(payload=("data", "details", 1)), response(body)) == {"id": 2}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "data"),
        ({"data": {}}, "data.details"),
        ({"data": None}, "data.details"),
        ({"data": []}, "data.details"),
        ({"data": {"details": []}}, "data.details[0]"),
        ({"data": {"details": {"0": 1}}}, "data.details[0]"),
        ({"data": {"details": "ab"}}, "data.details[0]"),
        ([], "data"),
        (None, "data"),
    ],
)
def test_missing_payload(body: Any, where: str) -> None:
    """A missing payload is a DecodeError that names the first missing part."""
    with pytest.raises(errors.DecodeError) as caught:
        Decoder().payload(request(payload=("data", "details", 0)), response(body, 201))
    assert (where, ((where, "missing"),), 201) == (caught.value.path, caught.value.problems, caught.value.status)
    assert f"lacks `{where}`" in str(caught.value)
    assert "things.get" in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>9800000001</html>", b"\xff", b'{"data": 1', b"NaN", b'{"a":1}{'])
def test_no_json(body: bytes) -> None:
    """A body that is not JSON is a DecodeError with a masked excerpt."""
    with pytest.raises(errors.DecodeError, match="not JSON") as caught:
        Decoder().payload(request(), response(body))
    assert (caught.value.status, caught.value.path, caught.value.operation) == (200, "", "things.get")
    assert "980" not in caught.value.excerpt + str(caught.value)


def test_empty_answer_to_a_deletion() -> None:
    """The response to a deletion may be empty; no other may."""
    deletion = attrs.evolve(request(), method="DELETE")
    assert Decoder().payload(deletion, response(b"", 204)) == {}
    with pytest.raises(errors.DecodeError):
        Decoder().payload(attrs.evolve(deletion, payload=("data",)), response(b"", 204))


def test_mistyped_json() -> None:
    """A JSON body is decoded whatever its content type."""
    assert Decoder().payload(request(), response({"a": 1}, Content_Type="text/html")) == {"a": 1}


NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("-5", 0),
        ("9" * 400, 10**9),
        ("-" + "9" * 400, 0),
        ("9" * 5000, None),
        ("", None),
        ("soon", None),
        ("1.5", None),
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
    ("body", "url"),
    [
        ("https://a.example/b.mp3", "https://a.example/b.mp3"),
        ({"message": "done", "audio": {"url": "/media/b.mp3"}}, "/media/b.mp3"),
        ([{"x": 1}, "http://a.example/"], "http://a.example/"),
        (b"https://a.example/b.mp3\n", "https://a.example/b.mp3"),
        (b"/media/b.mp3", "/media/b.mp3"),
        ({"message": "/ is the root of it"}, None),
        ({"message": "see https://a.example"}, None),
        ({}, None),
        (b"", None),
        (b"\xff\xfb\x90 audio", None),
    ],
)
def test_find_url(body: Any, url: str | None) -> None:
    """The URL in a response is found in each form that the service uses."""
    assert url == extract_url(response(body))


def test_spell() -> None:
    """A path is written like the Python code that follows it."""
    assert format_path(("result", "campaign-lists", 3, "id")) == "result.campaign-lists[3].id"
    assert format_path(()) == ""


def test_request_as_a_value() -> None:
    """The repr of a request shows neither body, query nor headers; the query is encoded."""
    asked = request(params=(("q", "a b"), ("q", "ü")), headers={"Authorization": TOKEN}, timeout=3)
    assert asked.query == "q=a+b&q=%C3%BC"
    assert request().query == ""
    assert Timeout(total=3) == asked.timeout
    sheet = File("a.xlsx", b"PK")
    form = asked.with_form({"name": "n", "status": ["failed", "hungup"], "id": 7}, {"file": sheet})
    assert form.form == (("name", "n"), ("status", "failed"), ("status", "hungup"), ("id", "7"), ("file", sheet))
    assert asked.with_json({"a": 1}).json == {"a": 1}
    shown = repr([form, asked.with_json({"a": TOKEN}), response(b"hunter2", X="hunter2")])
    assert [secret for secret in ("PK", "hunter2", "eyJ", "a b") if secret in shown] == []
