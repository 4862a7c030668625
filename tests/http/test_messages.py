"""Requests and responses as values, without a socket."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from tingting_async import errors
from tingting_async.decoding import api_errors
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.payload import extract_url
from tingting_async.http.messages import Effect, File, Request, Response
from tingting_async.http.timeouts import Timeout
from tingting_async.redaction import hide_repr, mask, mask_repr, redact


def request(**options: Any) -> Request[Any]:
    """Return a request."""
    return Request("GET", "/p/", Effect.READ, "things.get", dict, **options)


def response(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a response; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, CIMultiDictProxy(named), content)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (405, errors.ApiError),
        (409, errors.ConflictError),
        (422, errors.BadRequestError),
        (429, errors.RateLimitedError),
        (500, errors.ServerError),
        (599, errors.ServerError),
        (302, errors.ApiError),
        (777, errors.ServerError),
    ],
)
def test_status(status: int, kind: type[errors.ApiError]) -> None:
    """Each status has its error, which has the data of the request and of the response."""
    error = Decoder().judge(request(), response({"detail": "no"}, status, X_Request_Id="r1"))
    assert type(error) is kind
    assert (error.status, error.message, error.body) == (status, "no", b'{"detail":"no"}')
    assert (error.operation, error.method, error.path, error.request_id) == ("things.get", "GET", "/p/", "r1")
    assert f"things.get: GET /p/ failed with {status}" in str(error)
    assert ": no. " in str(error)


@pytest.mark.parametrize(
    ("body", "message", "fields"),
    [
        ({"message": "m"}, "m", {}),
        ({"detail": "m"}, "m", {}),
        ({"error": "m"}, "m", {}),
        ({"message": ["a", "b"]}, "a; b", {}),
        ({"name": ["a", "b"]}, "", {"name": ("a", "b")}),
        ({"name": "a"}, "", {"name": ("a",)}),
        ({"name": {"non_field_errors": ["a"]}}, "", {"name": ("a",)}),
        ({"success": False, "message": "m", "errors": ["a", "m"]}, "m; a", {}),
        ({"success": False, "message": None, "errors": [{"name": ["a"]}, {"name": "b"}]}, "", {"name": ("a", "b")}),
        ({"success": False, "errors": {"name": ["a"]}, "status": 400, "data": {}}, "", {"name": ("a",)}),
        (["a", "b"], "a; b", {}),
        ("a", "a", {}),
        (b"<html><b>Server\nError</b></html>", "<html><b>Server Error</b></html>", {}),
        (b"", "", {}),
        ({}, "", {}),
    ],
)
def test_shapes_of_errors(body: Any, message: str, fields: dict[str, tuple[str, ...]]) -> None:
    """The message and the errors by field are found in every form of a failure."""
    error = Decoder().judge(request(), response(body, 400))
    assert error is not None
    assert (error.message, error.field_errors) == (message, fields)


def test_failure_under_200() -> None:
    """`success: false` is a failure under HTTP 200, too; the status in the envelope decides which error it is."""
    plain = Decoder().judge(request(), response({"success": False, "message": "m"}))
    assert (type(plain), plain and plain.status) == (errors.BadRequestError, 200)
    inner = Decoder().judge(request(), response({"success": False, "status": 404}))
    assert (type(inner), inner and inner.status) == (errors.NotFoundError, 404)
    for good in ({"success": True}, {"success": None}, [], "text", b"no JSON", b""):
        assert Decoder().judge(request(), response(good)) is None


NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("-5", 0.0),
        ("99999999999", 1e9),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30.0),
        ("soon", None),
        ("1.5 hours", None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """`Retry-After` is seconds or a date; the result is never negative, and None for an invalid value."""
    assert api_errors.retry_after(response({}, 429, Retry_After=value), now=NOW) == seconds


def test_retry_after_is_carried() -> None:
    """The errors of 429 and 5xx contain the seconds to wait, or None if the response does not."""
    for status in (429, 503):
        error = Decoder().judge(request(), response({}, status, Retry_After="7"))
        assert isinstance(error, errors.RateLimitedError | errors.ServerError)
        assert error.retry_after == 7
    assert api_errors.retry_after(response({})) is None


def test_decode() -> None:
    """The payload is found at its path; a missing key, index or object is a DecodeError that names the path."""
    asked = request(payload=("data", "details", 0))
    assert Decoder().payload(asked, response({"data": {"details": [1]}})) == 1
    for body, path in (
        ({}, "data"),
        ([], "data"),
        ("data", "data"),
        ({"data": {}}, "data.details"),
        ({"data": {"details": []}}, "data.details[0]"),
        ({"data": {"details": "x"}}, "data.details[0]"),
    ):
        with pytest.raises(errors.DecodeError) as caught:
            Decoder().payload(asked, response(body))
        assert (caught.value.path, caught.value.status) == (path, 200)
    with pytest.raises(errors.DecodeError, match="not JSON") as caught:
        Decoder().payload(request(), response(b"<html>" + b"x" * 400))
    assert len(caught.value.excerpt) == 200


def test_empty_deletion() -> None:
    """The response to a deletion may be empty; no other may."""
    deletion = Request("DELETE", "/p/", Effect.UPDATE, "things.delete", dict)
    assert Decoder().payload(deletion, response(b"", 204)) == {}
    with pytest.raises(errors.DecodeError):
        Decoder().payload(request(), response(b""))


def test_multipart_fields() -> None:
    """A list becomes several fields of the same name."""
    form = request().with_form({"name": "n", "status": ["a", "b"]}, {"file": File("f", b"c")}).form
    assert form == (("name", "n"), ("status", "a"), ("status", "b"), ("file", File("f", b"c")))


def test_query() -> None:
    """The query is encoded."""
    assert request().query == ""
    assert request(params=(("search", "क &"), ("page", "2"))).query == "search=%E0%A4%95+%26&page=2"


def test_timeout() -> None:
    """A number as `timeout` limits the whole call."""
    assert request(timeout=3).timeout == Timeout(total=3.0)
    assert request(timeout=Timeout(connect=1)).timeout == Timeout(connect=1)
    assert request().timeout is None


@pytest.mark.parametrize("name", ["pool", "connect", "attempt", "total"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "3", True])
def test_limits_that_are_none(name: str, seconds: Any) -> None:
    """A limit that is not a positive number of seconds is refused; the error names it."""
    with pytest.raises(errors.UsageError, match=f"`timeout`: {name}="):
        Timeout(**{name: seconds})


def test_limit_of_the_whole_call() -> None:
    """The whole call must have a limit; its phases need none."""
    assert Timeout(pool=None, connect=None, attempt=None).total == 120
    with pytest.raises(errors.UsageError, match="`timeout`: total=None"):
        Timeout(total=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "url"),
    [
        (b'"https://a/b.mp3"', "https://a/b.mp3"),
        (b"https://a/b.mp3\n", "https://a/b.mp3"),
        (b'{"data": {"x": 1, "audio": "/media/b.mp3"}}', "/media/b.mp3"),
        (b'{"message": "no url"}', None),
        (b"ID3\x04\xff\xfb", None),
    ],
)
def test_find_url(body: bytes, url: str | None) -> None:
    """A URL is found as the body itself, as a JSON string, and in an object."""
    assert extract_url(response(body)) == url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9800000001 of campaign 12 deleted", "…01 of campaign 12 deleted"),
        ("call +977 980-000-0001!", "call +…01!"),
        ("९८०००००००१", "…०१"),
        ("Bearer abc.def", "[secure]"),
        ("token eyJhbGciOi.eyJ0b2.c2ln x", "token [secure] x"),
        ("key 7acbdcd5619e4b9eaaad8e41dabb7032", "key [secure]"),
        ("your otp is 1 2 3 4 5", "your otp is …"),
        ("कोड ४८२९१७", "कोड …"),
        ("3 credits on 2026-11", "3 credits on 2026-11"),
    ],
)
def test_redaction(text: str, shown: str) -> None:
    """Phone numbers, tokens and codes are masked, in any script; other short numbers are not."""
    assert redact(text) == shown


def test_reprs() -> None:
    """A masked field shows at most two digits; a hidden field shows only whether it has a value."""
    assert (mask("9800000001"), mask(9800000001), mask("12345")) == ("…01", "…01", "…")
    assert (mask_repr("9800000001"), mask_repr(None)) == ("'…01'", "None")
    assert (hide_repr("x"), hide_repr(None), hide_repr("")) == ("'[secure]'", "None", "''")
    shown = repr(request(json={"a": 1}, params=(("a", "b"),), headers={"Authorization": "x"}, secrets=("s",)))
    assert not {"Authorization", "'a'", "'s'"} & set(shown.split())


def test_secrets_of_a_request() -> None:
    """The secrets of a request are masked if the service quotes them."""
    error = Decoder().judge(request(secrets=("hunter2",)), response({"detail": "bad password hunter2"}, 400))
    assert "hunter2" not in str(error)
    assert error is not None
    assert "hunter2" in error.message  # The data is the caller's.


@pytest.mark.parametrize(
    ("effect", "is_safe", "is_idempotent"),
    [
        (Effect.READ, True, True),
        (Effect.UPDATE, False, True),
        (Effect.CREATE, False, False),
        (Effect.SEND, False, False),
        (Effect.REVOKE, False, False),
    ],
)
def test_effects(effect: Effect, is_safe: bool, is_idempotent: bool) -> None:
    """An effect says whether it is safe and whether it is idempotent, in the words of HTTP."""
    assert (is_safe, is_idempotent) == (effect.is_safe, effect.is_idempotent)
