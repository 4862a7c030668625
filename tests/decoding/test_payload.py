"""The payload of a response: where it is, and the error if it is missing. No I/O."""

from typing import Any

import attrs
import pytest
from support.messages import request, response

from tingting_async import errors
from tingting_async.decoding.decoder import Decoder
from tingting_async.decoding.payload import extract_url


def test_decode() -> None:
    """The payload is the part of the body at its path."""
    body = {"data": {"details": [{"id": 1}, {"id": 2}]}}
    assert Decoder().payload(request(), response(body)) == body
    assert Decoder().payload(request(payload=("data", "details", 1)), response(body)) == {"id": 2}
    assert Decoder().payload(request(payload=("data", "details", 0)), response({"data": {"details": [1]}})) == 1


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
        ("data", "data"),
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


def test_long_body_without_json() -> None:
    """The excerpt of a long body has 200 characters."""
    with pytest.raises(errors.DecodeError, match="not JSON") as caught:
        Decoder().payload(request(), response(b"<html>" + b"x" * 400))
    assert len(caught.value.excerpt) == 200


def test_empty_response_to_a_deletion() -> None:
    """The response to a deletion may be empty; no other may."""
    deletion = attrs.evolve(request(), method="DELETE")
    assert Decoder().payload(deletion, response(b"", 204)) == {}
    with pytest.raises(errors.DecodeError):
        Decoder().payload(attrs.evolve(deletion, payload=("data",)), response(b"", 204))


def test_json_with_another_content_type() -> None:
    """A JSON body is decoded whatever its content type."""
    assert Decoder().payload(request(), response({"a": 1}, Content_Type="text/html")) == {"a": 1}


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
        ({"data": {"x": 1, "audio": "/media/b.mp3"}}, "/media/b.mp3"),
        ({"message": "no url"}, None),
        ({}, None),
        (b"", None),
        (b"\xff\xfb\x90 audio", None),
        (b"ID3\x04\xff\xfb", None),
    ],
)
def test_find_url(body: Any, url: str | None) -> None:
    """The URL in a response is found in each form that the service uses."""
    assert url == extract_url(response(body))
