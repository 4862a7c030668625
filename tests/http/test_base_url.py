"""Which base URLs are accepted, and how they are normalised."""

import pytest

from tingting_async import TingTing, UsageError
from tingting_async.http.base_url import normalise_base_url


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://app.tingting.io", "https://app.tingting.io"),
        ("https://app.tingting.io/", "https://app.tingting.io"),
        ("https://app.tingting.io/api/v1/", "https://app.tingting.io"),
        ("https://app.tingting.io/api/v1", "https://app.tingting.io"),
        ("https://app.tingting.io/api/", "https://app.tingting.io"),
        (" https://app.tingting.io:8443/gateway/api/v1/ ", "https://app.tingting.io:8443/gateway"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://localhost/", "http://localhost"),
        ("HTTPS://App.TingTing.io:443", "https://app.tingting.io"),
        ("http://LOCALHOST:80/Gateway/api", "http://localhost/Gateway"),
        ("https://app.tingting.io:/", "https://app.tingting.io"),
        ("https://app.tingting.io./", "https://app.tingting.io"),
        ("https://app.tingting.io:0443", "https://app.tingting.io"),
        ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
        ("http://localhost.:0", "http://localhost:0"),
    ],
)
def test_normalised(given: str, used: str) -> None:
    """A base URL is accepted in the spellings of other clients, and always written in the same way."""
    assert used == normalise_base_url(given, allow_plain_http=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.tingting.io",
        "ftp://a",
        "https://",
        "https://u:secret@a",
        "https://a?b",
        "http://[",
        "https://.",
    ],
)
def test_invalid(url: str) -> None:
    """An invalid base URL is refused, and the error does not show it: it may contain a password."""
    with pytest.raises(UsageError, match="base_url") as caught:
        TingTing(base_url=url, api_token="t")
    assert "secret" not in str(caught.value)


def test_plain_http() -> None:
    """Plain http to another host is refused; the error names the argument that allows it."""
    with pytest.raises(UsageError, match=r"plain http.*allow_plain_http=True"):
        TingTing(base_url="http://app.tingting.io", api_token="t")


def test_allowed_plain_http() -> None:
    """Plain http to another host is accepted with `allow_plain_http`."""
    assert "http://10.0.0.1" == TingTing(base_url="http://10.0.0.1", api_token="t", allow_plain_http=True).base_url
